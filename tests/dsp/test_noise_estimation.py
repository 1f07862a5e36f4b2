"""Noise estimates against statistics (seeded): deviation, noise power, coherent fraction, weights."""

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
    """Spectra of windows scaled to level 1, as in the estimator, and the levels."""
    spectra = hann_spectra(torch.from_numpy(windows.astype(np.float32)))
    return spectra.scaled(1.0 / spectra.rms.clamp_min(1e-8)).bins, spectra.rms


def estimate(dry: Tensor, target: Tensor, decay_ratio: Tensor) -> NoiseEstimate:
    """Noise estimate of one channel from complex bins, ``(B, K)`` each."""
    return estimate_noise(SpectraPair(Spectra(dry.unsqueeze(1)), Spectra(target.unsqueeze(1))), decay_ratio)


def steady(windows: int) -> Tensor:
    return torch.ones(windows)


def estimate_gain(dry: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, NoiseEstimate]:
    """Error of each window's weighted median in nepers, the loss there, and the noise estimate."""
    (x, x_level), (y, y_level) = leveled(dry), leveled(target)
    noise_estimate = estimate(x, y, steady(len(dry)))
    magnitude = subtract_rician_bias(y.abs(), noise_estimate.noise_power)
    optimum = LOSS.optimum(x.abs(), magnitude, noise_estimate.weights)
    loss = LOSS.distance(optimum.unsqueeze(-1) * x.abs(), magnitude, noise_estimate.weights)
    return (optimum * y_level / x_level / GAIN).log().numpy(), loss.numpy(), noise_estimate


def noisy(dry: np.ndarray, snr_db: float) -> np.ndarray:
    """GAIN × dry, in white noise of another seed."""
    return GAIN * (dry + dry.std() * 10.0 ** (-snr_db / 20.0) * white(len(dry), seed=9))


SOUNDS = {"white": white, "pink": pink}


@pytest.mark.parametrize("snr_db", [10, 20, 30, 40])
@pytest.mark.parametrize(("sound", "most"), [("white", 1.4), ("pink", 1.55)])
def test_window_error_is_about_the_reported_deviation(sound: str, most: float, snr_db: float) -> None:
    dry = SOUNDS[sound](300)
    errors, _, noise_estimate = estimate_gain(dry, noisy(dry, snr_db))
    # 300 windows give the ratio to 4 %. It is 1.1 to 1.3 in white noise; 1.3 to 1.5 in pink, with few dominant bins.
    ratio = math.sqrt(np.mean((errors / noise_estimate.std_log.numpy()) ** 2))
    assert 0.95 < ratio < most
    assert abs(np.mean(errors / noise_estimate.std_log.numpy())) < 0.5


@pytest.mark.parametrize("snr_db", [10.0, 15.0, 20.0, 25.0])
def test_rician_bias_is_subtracted(snr_db: float) -> None:
    # Noise of power P on a bin of magnitude 1 gives Rice's distribution; its ν / σ is √(2 / P).
    power = 10.0 ** (-snr_db / 10.0)
    rice = scipy.stats.rice(b=math.sqrt(2.0 / power), scale=math.sqrt(power / 2.0))
    for magnitude in (rice.mean(), rice.median()):
        found = subtract_rician_bias(torch.tensor([[magnitude]]), torch.tensor([[power]]))[0, 0]
        assert abs(found.item() - 1.0) < 0.6 * power**2 + 1e-6
        assert magnitude - 1.0 > 0.24 * power  # the bias without subtraction


def test_rician_bias_of_pure_noise_gives_zero_and_without_noise_nothing() -> None:
    magnitude = torch.tensor([[0.1, 2.0, 0.0]])
    assert subtract_rician_bias(magnitude, torch.tensor([[1.0, 0.0, 1.0]])).tolist() == [[0.0, 2.0, 0.0]]


@pytest.mark.parametrize("snr_db", [10.0, 20.0])
def test_noise_power_of_every_bin_is_estimated(snr_db: float) -> None:
    dry = white(50)
    y, level = leveled(noisy(dry, snr_db))
    noise = estimate(leveled(dry)[0], y, steady(50)).noise_power[:, BAND_BINS:-BAND_BINS]
    # The Hann window passes Σ w² of white noise's power to each bin; the bins above are scaled to level 1.
    expected = (GAIN * 10.0 ** (-snr_db / 20.0)) ** 2 * 0.375 * FRAMES / level.square().unsqueeze(-1)
    assert (noise / expected).mean().item() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("snr_db", [20, 25, 30])
def test_deviation_is_proportional_to_the_noise(snr_db: float) -> None:
    dry = white(20)
    noisier = estimate(leveled(dry)[0], leveled(noisy(dry, snr_db))[0], steady(20)).std_log
    cleaner = estimate(leveled(dry)[0], leveled(noisy(dry, snr_db + 20))[0], steady(20)).std_log
    np.testing.assert_allclose((noisier / cleaner).numpy(), 10.0, rtol=0.02)


@pytest.mark.parametrize("snr_db", [20, 30, 60])
def test_coherent_fraction_is_the_share_of_signal_power(snr_db: float) -> None:
    dry = white(50)
    _, _, noise_estimate = estimate_gain(dry, noisy(dry, snr_db))
    ratio = 10.0 ** (snr_db / 10.0)
    assert noise_estimate.coherent_fraction.mean().item() == pytest.approx(
        ratio / (1.0 + ratio), abs=0.15 / ratio + 1e-6
    )


@pytest.mark.parametrize("snr_db", [10, 20, 40])
@pytest.mark.parametrize("sound", ["white", "pink"])
def test_noise_floor_loss_predicts_the_loss(sound: str, snr_db: float) -> None:
    dry = SOUNDS[sound](50)
    _, loss, noise_estimate = estimate_gain(dry, noisy(dry, snr_db))
    assert loss.mean() / noise_estimate.noise_floor_loss.mean().item() == pytest.approx(1.04, abs=0.05)


@pytest.mark.parametrize("phase_deg", [0.0, 37.0, 60.0, 90.0, 120.0, 180.0, -90.0])
def test_only_phase_cosine_depends_on_the_phase(phase_deg: float) -> None:
    x, _ = leveled(white(4))
    straight, rotated = (estimate(x, x * np.exp(1j * math.radians(angle)), steady(4)) for angle in (0.0, phase_deg))
    np.testing.assert_allclose(rotated.phase_cosine.numpy(), math.cos(math.radians(phase_deg)), atol=1e-6)
    np.testing.assert_allclose(rotated.coherent_fraction.numpy(), 1.0, atol=1e-6)
    np.testing.assert_allclose(rotated.std_log.numpy(), straight.std_log.numpy(), rtol=0.1)


def test_noise_does_not_bias_the_phase_cosine() -> None:
    dry = white(50)
    x, y = leveled(dry)[0], leveled(noisy(dry, 20.0))[0]
    rotated = estimate(x, y * np.exp(2j * np.pi / 3), steady(50)).phase_cosine
    assert rotated.mean().item() == pytest.approx(-0.5, abs=0.01)


def test_weights_are_magnitude_over_noise_power() -> None:
    dry, split = white(50), FRAMES // 4
    noise = np.fft.rfft(white(50, seed=9))
    noise[:, :split] *= 0.01
    noise[:, split:] *= 0.1
    x, _ = leveled(dry)
    y, _ = leveled(dry + np.fft.irfft(noise))
    weights = estimate(x, y, steady(50)).weights
    assert float(weights.min()) >= 0.0
    np.testing.assert_array_equal(weights.amax(-1).numpy(), 1.0)
    inverse_noise = (weights / x.abs().clamp_min(1e-30)).numpy()
    quiet, loud = inverse_noise[:, 2 : split - BAND_BINS], inverse_noise[:, split + BAND_BINS : -BAND_BINS]
    assert np.median(quiet) / np.median(loud) == pytest.approx(100.0, rel=0.03)


def test_weights_depend_on_their_own_band_and_not_on_0_hz() -> None:
    x, _ = leveled(white(1))
    y = GAIN * x
    before = estimate(x, y, steady(1))
    changed = x.clone()
    changed[:, 0] = 1e3
    changed_estimate = estimate(changed, y, steady(1))
    assert torch.equal(before.std_log, changed_estimate.std_log)
    assert before.weights[0, 0].item() == 0.0
    last = x.clone()
    last[:, -BAND_BINS:] = 0.0
    weights = estimate(last, GAIN * last, steady(1)).weights[0]
    assert weights[-BAND_BINS:].max().item() == 0.0
    assert weights[-2 * BAND_BINS : -BAND_BINS].min().item() > 0.0


@pytest.mark.parametrize("dry_level", [0.0, 1.0])
@pytest.mark.parametrize("target_level", [0.0, 1.0])
def test_silence_is_uninformative(dry_level: float, target_level: float) -> None:
    x, _ = leveled(white(2))
    noise_estimate = estimate(dry_level * x, target_level * x, steady(2))
    if dry_level and target_level:
        assert bool(noise_estimate.std_log.isfinite().all())
        return
    assert bool(noise_estimate.std_log.isposinf().all())
    for field in ("weights", "coherent_fraction", "phase_cosine", "noise_floor_loss"):
        assert getattr(noise_estimate, field).abs().max().item() == 0.0


def test_unrelated_noise_is_significant_in_one_of_4500_bands() -> None:
    significant = bands = 0
    for seed in range(10):
        x, y = leveled(white(400, seed=2 * seed + 100))[0], leveled(white(400, seed=2 * seed + 101))[0]
        noise_estimate = estimate(x, y, steady(400))
        per_band = (noise_estimate.weights[:, 1:].reshape(400, -1, BAND_BINS) > 0).any(-1)
        significant, bands = significant + int(per_band.sum()), bands + per_band.numel()
        assert noise_estimate.coherent_fraction.max().item() < 0.03
    # 114 of 512,000 are expected; three deviations of a Poisson count are 32.
    assert significant == pytest.approx(bands / 4500, abs=32)


def test_ringing_after_a_loud_past_counts_as_noise() -> None:
    x, _ = leveled(white(1))
    past_db = [0, 10, 20, 30, 40]
    std_log = [estimate(x, GAIN * x, torch.tensor([10.0 ** (db / 10)])).std_log.item() for db in past_db]
    # Ringing of 1e-5 of a past that was n times as strong is noise of that power: the deviation grows with √(n − 1).
    expected = [std_log[2] * math.sqrt((10.0 ** (db / 10) - 1.0) / 99.0) for db in (10, 20, 30, 40)]
    np.testing.assert_allclose(std_log[1:], expected, rtol=0.02)
    assert std_log[0] < 0.05 * std_log[1]
    assert estimate(x, GAIN * x, torch.tensor([1e6])).std_log.item() == math.inf


def test_disagreeing_bands_increase_the_deviation() -> None:
    bands, stray = 128, 0.1
    angle = torch.from_numpy(np.random.default_rng(1).uniform(-np.pi, np.pi, (1, bands * BAND_BINS + 1)))
    x = torch.polar(torch.ones_like(angle), angle).to(torch.complex64)
    sign = torch.ones(bands)
    sign[1::2] = -1.0
    equalizer = torch.nn.functional.pad((stray * sign).exp().repeat_interleave(BAND_BINS), (1, 0))
    agreeing, disagreeing = (estimate(x, y, steady(1)).std_log.item() for y in (x, x * equalizer))
    # Var = 4.5 / (2 n) where n is the total SNR; times χ² = Σ 2 (n / bands) stray² over (bands − 1) · 16.
    expected = math.sqrt(4.5 / 2.0 * 2.0 * stray**2 / (16.0 * (bands - 1)))
    assert disagreeing == pytest.approx(expected, rel=0.02)
    assert agreeing < 0.02 * disagreeing


def test_noise_estimate_at_selects_one_window() -> None:
    dry = white(3)
    _, _, noise_estimate = estimate_gain(dry, noisy(dry, 20.0))
    for index in range(3):
        for field in fields(NoiseEstimate):
            whole, one = getattr(noise_estimate, field.name), getattr(noise_estimate.at(index), field.name)
            assert torch.equal(one, whole[index : index + 1])


def test_batch_equals_single_windows() -> None:
    dry = white(4)
    x, y = leveled(dry)[0], leveled(noisy(dry, 20.0))[0]
    together = estimate(x, y, steady(4))
    for index in range(4):
        single = estimate(x[index : index + 1], y[index : index + 1], steady(1))
        assert torch.equal(single.weights, together.at(index).weights)
        assert torch.equal(single.std_log, together.at(index).std_log)


def test_channels_have_their_own_phase_and_deviation_and_stand_side_by_side() -> None:
    dry = white(3)
    x, y = leveled(dry)[0], leveled(noisy(dry, 20.0))[0]
    left, right = estimate(x, x, steady(3)), estimate(x, -y, steady(3))
    pair = SpectraPair(Spectra(torch.stack([x, x], dim=1)), Spectra(torch.stack([x, -y], dim=1)))
    both = estimate_noise(pair, steady(3))
    torch.testing.assert_close(both.phase_cosine, torch.cat([left.phase_cosine, right.phase_cosine], dim=1))
    torch.testing.assert_close(both.channel_std_log[:, 1], right.std_log, rtol=1e-4, atol=0.0)
    assert bool((both.inverted == torch.tensor([False, True])).all())
    assert both.weights.shape == both.noise_power.shape == (3, 2 * x.shape[-1])
    torch.testing.assert_close(both.noise_power[:, x.shape[-1] :], right.noise_power)
    # Both channels together are as certain as the sum of their signal-to-noise ratios, here almost the left one's.
    assert bool((both.std_log <= both.channel_std_log.amin(-1) * (1.0 + 1e-4)).all())
