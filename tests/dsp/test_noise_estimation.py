"""What a window tells of its gain, and whether it errs as much as it says: against chance itself (seeded)."""

import math
from dataclasses import fields

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from rtgain.audio.sources.synthetic import PinkSource
from rtgain.dsp.losses import SpectralLoss
from rtgain.dsp.noise_estimation import BAND_BINS, NoiseEstimate, estimate_noise, subtract_rician_bias
from rtgain.dsp.spectra import Spectra, SpectraPair, hann_spectra

FRAMES = 4096
GAIN = 0.15
LOSS = SpectralLoss()


def white(windows: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((windows, FRAMES))


def pink(windows: int) -> np.ndarray:
    return PinkSource(48000, seed=3).read(windows * FRAMES)[0].reshape(windows, FRAMES).astype(np.float64)


def leveled(windows: np.ndarray) -> tuple[Tensor, Tensor]:
    """Spectra of windows at a level of one, as the estimator has them, and the levels."""
    spectra = hann_spectra(torch.from_numpy(windows.astype(np.float32)))
    return spectra.scaled(1.0 / spectra.rms.clamp_min(1e-8)).bins, spectra.rms


def weighed(dry: Tensor, target: Tensor, decay_ratio: Tensor) -> NoiseEstimate:
    """The evidence in complex bins, ``(B, K)`` each."""
    return estimate_noise(SpectraPair(Spectra(dry), Spectra(target)), decay_ratio)


def steady(windows: int) -> Tensor:
    return torch.ones(windows)


def read(dry: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, NoiseEstimate]:
    """Of each window: the error of its weighted median in nepers, the loss there, and the evidence."""
    (x, x_level), (y, y_level) = leveled(dry), leveled(target)
    evidence = weighed(x, y, steady(len(dry)))
    magnitude = subtract_rician_bias(y.abs(), evidence.noise)
    optimum = LOSS.optimum(x.abs(), magnitude, evidence.weights)
    loss = LOSS.distance(optimum.unsqueeze(-1) * x.abs(), magnitude, evidence.weights)
    return (optimum * y_level / x_level / GAIN).log().numpy(), loss.numpy(), evidence


def noisy(dry: np.ndarray, snr_db: float) -> np.ndarray:
    """GAIN × dry, in white noise of another seed."""
    return GAIN * (dry + dry.std() * 10.0 ** (-snr_db / 20.0) * white(len(dry), seed=9))


SOUNDS = {"white": white, "pink": pink}


@pytest.mark.parametrize("snr_db", [10, 20, 30, 40])
@pytest.mark.parametrize(("sound", "most"), [("white", 1.4), ("pink", 1.55)])
def test_a_windows_reading_errs_by_about_the_deviation_that_it_states(sound: str, most: float, snr_db: float) -> None:
    dry = SOUNDS[sound](300)
    errors, _, evidence = read(dry, noisy(dry, snr_db))
    # 300 windows tell the ratio to 4 %. It is 1.1 to 1.3 in white noise; 1.3 to 1.5 in pink, where few bins decide.
    ratio = math.sqrt(np.mean((errors / evidence.std_log.numpy()) ** 2))
    assert 0.95 < ratio < most
    assert abs(np.mean(errors / evidence.std_log.numpy())) < 0.5


@pytest.mark.parametrize("snr_db", [10.0, 15.0, 20.0, 25.0])
def test_what_noise_adds_to_a_magnitude_in_the_mean_is_taken_out(snr_db: float) -> None:
    # Noise of power P on a bin of magnitude 1 gives Rice's distribution; its ν / σ is √(2 / P).
    power = 10.0 ** (-snr_db / 10.0)
    rice = scipy.stats.rice(b=math.sqrt(2.0 / power), scale=math.sqrt(power / 2.0))
    for magnitude in (rice.mean(), rice.median()):
        found = subtract_rician_bias(torch.tensor([[magnitude]]), torch.tensor([[power]]))[0, 0]
        assert abs(found.item() - 1.0) < 0.6 * power**2 + 1e-6
        assert magnitude - 1.0 > 0.24 * power  # which it would be without


def test_a_bin_that_is_all_noise_becomes_nothing_and_one_without_noise_stays() -> None:
    magnitude = torch.tensor([[0.1, 2.0, 0.0]])
    assert subtract_rician_bias(magnitude, torch.tensor([[1.0, 0.0, 1.0]])).tolist() == [[0.0, 2.0, 0.0]]


@pytest.mark.parametrize("snr_db", [10.0, 20.0])
def test_the_noise_of_every_bin_is_found(snr_db: float) -> None:
    dry = white(50)
    y, level = leveled(noisy(dry, snr_db))
    noise = weighed(leveled(dry)[0], y, steady(50)).noise[:, BAND_BINS:-BAND_BINS]
    # Hann's window passes Σ w² of white noise's power to each bin; what is above is of the whole at a level of one.
    expected = (GAIN * 10.0 ** (-snr_db / 20.0)) ** 2 * 0.375 * FRAMES / level.square().unsqueeze(-1)
    assert (noise / expected).mean().item() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("snr_db", [20, 25, 30])
def test_ten_times_less_noise_makes_a_reading_ten_times_as_sure(snr_db: float) -> None:
    dry = white(20)
    noisier = weighed(leveled(dry)[0], leveled(noisy(dry, snr_db))[0], steady(20)).std_log
    cleaner = weighed(leveled(dry)[0], leveled(noisy(dry, snr_db + 20))[0], steady(20)).std_log
    np.testing.assert_allclose((noisier / cleaner).numpy(), 10.0, rtol=0.02)


@pytest.mark.parametrize("snr_db", [20, 30, 60])
def test_explained_is_the_share_of_power_that_is_signal(snr_db: float) -> None:
    dry = white(50)
    _, _, evidence = read(dry, noisy(dry, snr_db))
    ratio = 10.0 ** (snr_db / 10.0)
    assert evidence.coherent_fraction.mean().item() == pytest.approx(ratio / (1.0 + ratio), abs=0.15 / ratio + 1e-6)


@pytest.mark.parametrize("snr_db", [10, 20, 40])
@pytest.mark.parametrize("sound", ["white", "pink"])
def test_the_loss_that_noise_leaves_is_foretold(sound: str, snr_db: float) -> None:
    dry = SOUNDS[sound](50)
    _, loss, evidence = read(dry, noisy(dry, snr_db))
    assert loss.mean() / evidence.noise_floor_loss.mean().item() == pytest.approx(1.04, abs=0.05)


@pytest.mark.parametrize("phase_deg", [0.0, 37.0, 60.0, 90.0, 120.0, 180.0, -90.0])
def test_in_phase_is_the_cosine_of_the_phase_and_nothing_else_depends_on_it(phase_deg: float) -> None:
    x, _ = leveled(white(4))
    straight, turned = (weighed(x, x * np.exp(1j * math.radians(angle)), steady(4)) for angle in (0.0, phase_deg))
    np.testing.assert_allclose(turned.phase_cosine.numpy(), math.cos(math.radians(phase_deg)), atol=1e-6)
    np.testing.assert_allclose(turned.coherent_fraction.numpy(), 1.0, atol=1e-6)
    np.testing.assert_allclose(turned.std_log.numpy(), straight.std_log.numpy(), rtol=0.1)


def test_noise_does_not_turn_the_phase() -> None:
    dry = white(50)
    x, y = leveled(dry)[0], leveled(noisy(dry, 20.0))[0]
    turned = weighed(x, y * np.exp(2j * np.pi / 3), steady(50)).phase_cosine
    assert turned.mean().item() == pytest.approx(-0.5, abs=0.01)


def test_bins_count_by_their_magnitude_over_their_noise() -> None:
    dry, split = white(50), FRAMES // 4
    noise = np.fft.rfft(white(50, seed=9))
    noise[:, :split] *= 0.01
    noise[:, split:] *= 0.1
    x, _ = leveled(dry)
    y, _ = leveled(dry + np.fft.irfft(noise))
    weights = weighed(x, y, steady(50)).weights
    assert float(weights.min()) >= 0.0
    np.testing.assert_array_equal(weights.amax(-1).numpy(), 1.0)
    believed = (weights / x.abs().clamp_min(1e-30)).numpy()
    quiet, loud = believed[:, 2 : split - BAND_BINS], believed[:, split + BAND_BINS : -BAND_BINS]
    assert np.median(quiet) / np.median(loud) == pytest.approx(100.0, rel=0.03)


def test_every_band_is_counted_by_what_is_in_it_and_the_bin_at_0_hz_by_nobody() -> None:
    x, _ = leveled(white(1))
    y = GAIN * x
    before = weighed(x, y, steady(1))
    changed = x.clone()
    changed[:, 0] = 1e3
    after = weighed(changed, y, steady(1))
    assert torch.equal(before.std_log, after.std_log)
    assert before.weights[0, 0].item() == 0.0
    last = x.clone()
    last[:, -BAND_BINS:] = 0.0
    weights = weighed(last, GAIN * last, steady(1)).weights[0]
    assert weights[-BAND_BINS:].max().item() == 0.0
    assert weights[-2 * BAND_BINS : -BAND_BINS].min().item() > 0.0


@pytest.mark.parametrize("dry_level", [0.0, 1.0])
@pytest.mark.parametrize("target_level", [0.0, 1.0])
def test_silence_tells_nothing(dry_level: float, target_level: float) -> None:
    x, _ = leveled(white(2))
    evidence = weighed(dry_level * x, target_level * x, steady(2))
    if dry_level and target_level:
        assert bool(evidence.std_log.isfinite().all())
        return
    assert bool(evidence.std_log.isposinf().all())
    for field in ("weights", "coherent_fraction", "phase_cosine", "noise_floor_loss"):
        assert getattr(evidence, field).abs().max().item() == 0.0


def test_unrelated_noise_passes_for_signal_in_one_band_of_4500() -> None:
    told = bands = 0
    for seed in range(10):
        x, y = leveled(white(400, seed=2 * seed + 100))[0], leveled(white(400, seed=2 * seed + 101))[0]
        evidence = weighed(x, y, steady(400))
        per_band = (evidence.weights[:, 1:].reshape(400, -1, BAND_BINS) > 0).any(-1)
        told, bands = told + int(per_band.sum()), bands + per_band.numel()
        assert evidence.coherent_fraction.max().item() < 0.03
    # 114 of 512,000 are expected; three deviations of a Poisson count are 32.
    assert told == pytest.approx(bands / 4500, abs=32)


def test_what_a_loud_past_still_rings_with_is_taken_for_noise() -> None:
    x, _ = leveled(white(1))
    past_db = [0, 10, 20, 30, 40]
    std_log = [weighed(x, GAIN * x, torch.tensor([10.0 ** (db / 10)])).std_log.item() for db in past_db]
    # A tail of 1e-5 of a past that was n times as strong is noise of that power: the deviation grows with √(n − 1).
    expected = [std_log[2] * math.sqrt((10.0 ** (db / 10) - 1.0) / 99.0) for db in (10, 20, 30, 40)]
    np.testing.assert_allclose(std_log[1:], expected, rtol=0.02)
    assert std_log[0] < 0.05 * std_log[1]
    assert weighed(x, GAIN * x, torch.tensor([1e6])).std_log.item() == math.inf


def test_bands_that_disagree_make_a_reading_doubtful() -> None:
    bands, stray = 128, 0.1
    angle = torch.from_numpy(np.random.default_rng(1).uniform(-np.pi, np.pi, (1, bands * BAND_BINS + 1)))
    x = torch.polar(torch.ones_like(angle), angle).to(torch.complex64)
    sign = torch.ones(bands)
    sign[1::2] = -1.0
    equalizer = torch.nn.functional.pad((stray * sign).exp().repeat_interleave(BAND_BINS), (1, 0))
    sure, doubtful = (weighed(x, y, steady(1)).std_log.item() for y in (x, x * equalizer))
    # Var = 4.5 / (2 n) where n is the total SNR; times χ² = Σ 2 (n / bands) stray² over (bands − 1) · 16.
    expected = math.sqrt(4.5 / 2.0 * 2.0 * stray**2 / (16.0 * (bands - 1)))
    assert doubtful == pytest.approx(expected, rel=0.02)
    assert sure < 0.02 * doubtful


def test_one_window_of_evidence_is_its_row_of_all() -> None:
    dry = white(3)
    _, _, evidence = read(dry, noisy(dry, 20.0))
    for index in range(3):
        for field in fields(NoiseEstimate):
            whole, one = getattr(evidence, field.name), getattr(evidence.at(index), field.name)
            assert torch.equal(one, whole[index : index + 1])


def test_a_batch_gives_each_window_what_it_gives_alone() -> None:
    dry = white(4)
    x, y = leveled(dry)[0], leveled(noisy(dry, 20.0))[0]
    together = weighed(x, y, steady(4))
    for index in range(4):
        alone = weighed(x[index : index + 1], y[index : index + 1], steady(1))
        assert torch.equal(alone.weights, together.at(index).weights)
        assert torch.equal(alone.std_log, together.at(index).std_log)
