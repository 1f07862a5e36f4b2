"""Known delays, estimated: whole and fractional, in noise, phase-rotated, inverted; and signals without a delay."""

import functools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from rtgain.dsp.delay_estimation import CrossSpectrum, gcc_phat_delay
from rtgain.dsp.spectra import Spectra, SpectraPair, hann_spectra

RATE = 48_000
WINDOW, HOP = 4096, 1024
WINDOWS = 16
LENGTH = 1 << 17


@functools.cache
def white(frames: int = LENGTH, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(frames)


def delayed(signal: np.ndarray, frames: float, *, phase_deg: float = 0.0, above: float = 0.0) -> np.ndarray:
    """Delay `signal` as a loop and rotate its phase; delay it by `above` more above 0.6 Nyquist."""
    spectrum = np.fft.rfft(signal)
    cycles = np.fft.rfftfreq(len(signal))
    delay = frames + above * (cycles > 0.3)
    rotated = spectrum * np.exp(-2j * np.pi * cycles * delay + 1j * math.radians(phase_deg))
    return np.fft.irfft(rotated, len(signal))


def pair_of(dry: np.ndarray, target: np.ndarray, hops: slice = slice(0, WINDOWS)) -> SpectraPair:
    """Spectra of the windows of both signals at these hops."""
    starts = range(0, hops.stop * HOP, HOP)[hops]
    cut = (np.stack([x[start : start + WINDOW] for start in starts]).astype(np.float32) for x in (dry, target))
    return SpectraPair(*(hann_spectra(torch.from_numpy(windows).unsqueeze(1)) for windows in cut))


def cross_of(dry: np.ndarray, target: np.ndarray, windows: int = WINDOWS) -> CrossSpectrum:
    cross = CrossSpectrum()
    cross.add(pair_of(dry, target, slice(0, windows)), torch.ones(windows))
    return cross


def noisy(signal: np.ndarray, snr_db: float) -> np.ndarray:
    return signal + signal.std() * 10.0 ** (-snr_db / 20.0) * white(len(signal), seed=77)


# --- small delay between windows --------------------------------------------------------------------


@pytest.mark.parametrize("frames", [0.0, 0.1, 0.25, 0.5, -0.37, 1.25, 3.0, -7.0, 20.4, -100.0, 300.3, -500.0])
def test_small_delay_is_accurate_to_a_500th_of_a_frame(frames: float) -> None:
    estimate = cross_of(white(), delayed(white(), frames)).estimate_delay()
    assert estimate.confident
    assert estimate.delay_frames == pytest.approx(frames, abs=0.002)


@pytest.mark.parametrize("gain", [-1.0, 1e-4, -30.0])
@pytest.mark.parametrize("phase_deg", [0.0, 37.0, 90.0, 180.0])
def test_delay_is_independent_of_gain_polarity_and_phase(gain: float, phase_deg: float) -> None:
    cross = cross_of(white(), gain * delayed(white(), 2.37, phase_deg=phase_deg))
    assert cross.estimate_delay().confident
    assert cross.estimate_delay().delay_frames == pytest.approx(2.37, abs=1e-4)
    assert cross.coherent_fraction == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("snr_db", [10.0, 20.0, 40.0])
@pytest.mark.parametrize("frames", [0.37, -4.6])
def test_noise_shifts_the_delay_by_less_than_a_100th_of_a_frame(frames: float, snr_db: float) -> None:
    estimate = cross_of(white(), noisy(delayed(white(), frames), snr_db)).estimate_delay()
    assert estimate.confident
    assert estimate.delay_frames == pytest.approx(frames, abs=0.01)


def test_periodic_signal_has_the_smallest_delay() -> None:
    # A harmonic tone of 64 frames per period: delays of 5 and −59 frames are equal, and so are 40 and −24.
    times, rng = np.arange(LENGTH), np.random.default_rng(3)
    tone = sum(np.cos(2 * np.pi * k * times / 64 + rng.uniform(0, 6)) for k in range(1, 16))
    assert isinstance(tone, np.ndarray)
    for frames, nearest in ((5, 5), (40, -24), (-20, -20)):
        assert cross_of(tone, np.roll(tone, frames)).estimate_delay().delay_frames == pytest.approx(nearest, abs=0.01)


def test_smallest_delay_is_preferred_to_a_longer_one_on_whole_frames() -> None:
    # At a period of 10.5 frames, half a frame is between two lags; half a frame plus one period is on a lag.
    times = np.arange(LENGTH)
    dry, target = (sum(np.cos(2 * np.pi * k * (times - d) / 10.5 + k * k) for k in (1, 2, 3)) for d in (0.0, 0.5))
    assert isinstance(dry, np.ndarray)
    assert isinstance(target, np.ndarray)
    assert cross_of(dry, target).estimate_delay().delay_frames == pytest.approx(0.5, abs=0.01)


def test_band_with_constant_delay_dominates() -> None:
    # Half a frame more above 0.6 of the band changes the delay by less than a tenth of that.
    assert cross_of(white(), delayed(white(), 0.3, above=0.5)).estimate_delay().delay_frames == pytest.approx(
        0.3, abs=0.05
    )


@pytest.mark.parametrize("gain", [0.15, -0.25, 1.7, 10.0 ** (-12 / 20)])
def test_zero_delay_is_exactly_zero(gain: float) -> None:
    assert cross_of(white(), gain * white()).estimate_delay().delay_frames == 0.0


def test_adding_windows_in_parts_or_at_once_is_equal() -> None:
    x, y = white(), delayed(white(), 0.37)
    parts, whole = CrossSpectrum(), cross_of(x, y)
    for start in range(0, WINDOWS, 4):
        parts.add(pair_of(x, y, slice(start, start + 4)), torch.ones(4))
    assert parts.windows == whole.windows == WINDOWS
    assert parts.estimate_delay().delay_frames == pytest.approx(whole.estimate_delay().delay_frames, abs=1e-5)
    assert parts.coherent_fraction == pytest.approx(whole.coherent_fraction, abs=1e-5)


def test_level_0_omits_a_window_and_a_common_level_changes_nothing() -> None:
    x, y = white(), delayed(white(), 0.37)
    level = torch.full((WINDOWS,), 1e-3)
    level[4:] = 0.0
    cross, four = CrossSpectrum(), cross_of(x, y, windows=4)
    cross.add(pair_of(x, y), level)
    assert cross.windows == four.windows == 4
    assert cross.estimate_delay().delay_frames == pytest.approx(four.estimate_delay().delay_frames, abs=1e-5)
    assert cross.coherent_fraction == pytest.approx(four.coherent_fraction, abs=1e-5)


def test_coherent_fraction_is_the_share_of_signal_power() -> None:
    for snr_db in (20.0, 10.0, 0.0):
        ratio = 10.0 ** (snr_db / 10.0)
        found = cross_of(white(), noisy(white(), snr_db), windows=100).coherent_fraction
        assert found == pytest.approx(ratio / (1.0 + ratio), abs=0.03)


def test_filtered_target_is_coherent() -> None:
    filtered = np.convolve(white(), [1.0, -0.6, 0.2])[:LENGTH]
    cross = cross_of(white(), filtered)
    assert cross.coherent_fraction > 0.999
    mean_response = 1.0 + 0.6j * 2.0 / np.pi  # of the positive frequencies
    assert cross.one_gain_fraction == pytest.approx(abs(mean_response) ** 2 / (1.0 + 0.6**2 + 0.2**2), abs=0.01)
    assert cross_of(white(), -0.3 * white()).one_gain_fraction == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("seed", range(2, 12))
def test_unrelated_noise_is_incoherent_and_has_no_delay(seed: int) -> None:
    cross = cross_of(white(), white(seed=seed))
    assert cross.coherent_fraction < 0.01
    assert not cross.estimate_delay().confident


def test_sines_of_different_pitch_are_incoherent() -> None:
    times = np.arange(LENGTH)
    cross = cross_of(np.sin(0.05 * times), np.sin(0.0713 * times))
    assert cross.coherent_fraction < 0.01
    assert not cross.estimate_delay().confident


@pytest.mark.parametrize(("dry", "target"), [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)])
def test_silence_has_no_delay(dry: float, target: float) -> None:
    cross = cross_of(dry * white(), target * white())
    assert cross.coherent_fraction == 0.0
    assert not cross.estimate_delay().confident
    silent_or_not = (torch.from_numpy(level * white()).float().unsqueeze(0) for level in (dry, target))
    estimate = gcc_phat_delay(*silent_or_not, max_delay_frames=RATE)
    assert not estimate.confident


def test_one_window_gives_no_delay() -> None:
    assert not CrossSpectrum().estimate_delay().confident
    assert CrossSpectrum().coherent_fraction == 0.0
    one = cross_of(white(), white(), windows=1)
    assert not one.estimate_delay().confident
    assert one.coherent_fraction == 0.0
    assert cross_of(white(), white(), windows=4).estimate_delay().confident


def test_noise_is_unambiguous_and_a_tone_is_not() -> None:
    tone = np.sin(0.05 * np.arange(LENGTH))
    # Their correlation exceeds its RMS by the root of the number of effective bins: a thousand, and three.
    assert cross_of(white(), delayed(white(), 3.0)).is_unambiguous
    assert cross_of(white(), noisy(white(), 5.0)).is_unambiguous
    assert not cross_of(tone, noisy(tone, 40.0)).is_unambiguous
    assert not cross_of(0.0 * white(), white()).is_unambiguous


# --- global delay -----------------------------------------------------------------------------------


def stretch(signal: np.ndarray, start: int) -> Tensor:
    return torch.from_numpy(signal[start : start + 2 * RATE].astype(np.float32)).unsqueeze(0)


@functools.cache
def long_white() -> np.ndarray:
    return white(5 * RATE, seed=4)


@pytest.mark.parametrize("frames", [0, 1, 240, 4800, -240, 33_333, -RATE, RATE])
def test_global_delay_of_whole_frames_is_exact(frames: int) -> None:
    estimate = gcc_phat_delay(stretch(long_white(), RATE), stretch(long_white(), RATE - frames), RATE)
    assert estimate.confident
    assert estimate.delay_frames == frames


@pytest.mark.parametrize("decimation", [2, 4, 16])
@pytest.mark.parametrize("frames", [0, 1, 243, -4805, 33_333])
def test_decimated_search_is_at_most_one_frame_off(frames: int, decimation: int) -> None:
    dry, target = stretch(long_white(), RATE), stretch(noisy(long_white(), 10.0), RATE - frames)
    estimate = gcc_phat_delay(dry, target, RATE, decimation)
    assert estimate.confident
    assert abs(estimate.delay_frames - frames) <= 1


@pytest.mark.parametrize("frames", [240.4, -4800.3])
def test_global_delay_is_rounded_to_whole_frames(frames: float) -> None:
    target = delayed(long_white(), frames)
    estimate = gcc_phat_delay(stretch(long_white(), RATE), stretch(target, RATE), RATE)
    assert estimate.confident
    assert estimate.delay_frames == round(frames)


@pytest.mark.parametrize("phase_deg", [37.0, 90.0, 180.0])
def test_global_delay_is_independent_of_phase(phase_deg: float) -> None:
    target = 0.15 * delayed(long_white(), 4800, phase_deg=phase_deg)
    estimate = gcc_phat_delay(stretch(long_white(), RATE), stretch(target, RATE), RATE)
    assert estimate.confident
    assert estimate.delay_frames == 4800


def test_global_delay_is_found_at_0_db_snr() -> None:
    target = noisy(delayed(long_white(), -2400), 0.0)
    estimate = gcc_phat_delay(stretch(long_white(), RATE), stretch(target, RATE), RATE)
    assert estimate.confident
    assert estimate.delay_frames == -2400


def test_delay_out_of_range_is_not_confident() -> None:
    estimate = gcc_phat_delay(stretch(long_white(), RATE), stretch(long_white(), RATE - 9600), 4800)
    assert not estimate.confident


@pytest.mark.parametrize("seed", range(10, 18))
def test_unrelated_noise_has_the_confidence_of_chance(seed: int) -> None:
    estimate = gcc_phat_delay(stretch(long_white(), 0), stretch(white(5 * RATE, seed=seed), 0), RATE)
    assert not estimate.confident
    # The largest of about 10^5 Rayleigh numbers over their RMS: √ln(10^5) = 3.4.
    assert estimate.confidence == pytest.approx(math.sqrt(math.log(2 * RATE)), rel=0.3)


# --- several channels -------------------------------------------------------------------------------


def cross_of_channels(dry: list[np.ndarray], target: list[np.ndarray]) -> CrossSpectrum:
    pairs = [pair_of(x, y) for x, y in zip(dry, target, strict=True)]
    dry_bins = torch.cat([pair.dry.bins for pair in pairs], dim=1)
    target_bins = torch.cat([pair.target.bins for pair in pairs], dim=1)
    cross = CrossSpectrum()
    cross.add(SpectraPair(Spectra(dry_bins), Spectra(target_bins)), torch.ones(WINDOWS))
    return cross


@pytest.mark.parametrize("right", [1.0, -1.0, -0.3])
@pytest.mark.parametrize("frames", [0.25, -7.0, 300.3])
def test_delay_of_channels_is_independent_of_their_gains_and_polarities(right: float, frames: float) -> None:
    dry = [white(), white()]
    estimate = cross_of_channels(dry, [delayed(white(), frames), right * delayed(white(), frames)]).estimate_delay()
    assert estimate.confident
    assert estimate.delay_frames == pytest.approx(frames, abs=0.002)


def test_each_channel_has_its_own_cross_spectrum() -> None:
    dry = [white(), white(seed=2)]
    cross = cross_of_channels(dry, [delayed(dry[0], 3.0), delayed(dry[1], -20.4)])
    assert cross.channel(0).estimate_delay().delay_frames == pytest.approx(3.0, abs=0.002)
    assert cross.channel(1).estimate_delay().delay_frames == pytest.approx(-20.4, abs=0.002)
    assert cross.channel(0).coherent_fraction == pytest.approx(cross_of(dry[0], delayed(dry[0], 3.0)).coherent_fraction)


@pytest.mark.parametrize(("level", "expected"), [(1.0, 1.0), (0.05, 0.0)])
def test_coherent_fraction_is_that_of_the_most_coherent_channel_with_a_share_of_the_power(
    level: float, expected: float
) -> None:
    dry = [level * white(), white(seed=2)]
    cross = cross_of_channels(dry, [dry[0], white(seed=3)])
    assert cross.coherent_fraction == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("left_first", [True, False])
def test_global_delay_of_channels_is_the_one_nearest_to_0(left_first: bool) -> None:
    delays = (4800, 5376) if left_first else (5376, 4800)
    dry = [long_white(), white(5 * RATE, seed=5)]
    target = [stretch(-0.3 * x, RATE - delay) for x, delay in zip(dry, delays, strict=True)]
    estimate = gcc_phat_delay(torch.cat([stretch(x, RATE) for x in dry]), torch.cat(target), RATE)
    assert estimate.confident
    assert estimate.delay_frames == 4800


def test_global_delay_of_an_inverted_channel_does_not_cancel() -> None:
    dry = torch.cat([stretch(long_white(), RATE)] * 2)
    later = stretch(long_white(), RATE - 240)
    estimate = gcc_phat_delay(dry, torch.cat([later, -later]), RATE)
    assert estimate.confident
    assert estimate.delay_frames == 240


# --- deviation between bands ------------------------------------------------------------------------


def test_deviation_of_the_bands_is_half_the_distance_that_contains_most_of_the_power() -> None:
    """A quarter of the bins, 6.02 dB louder, has 4/7 of the power and thus the median; the rest is 6.02 dB away."""
    spectrum = np.fft.rfft(white())
    spectrum[: len(spectrum) // 4] *= 2.0
    equalized = np.fft.irfft(spectrum, LENGTH)
    assert cross_of(white(), equalized).band_deviation_db == pytest.approx(10.0 * math.log10(2.0), abs=0.05)


@pytest.mark.parametrize("snr_db", [60.0, 20.0, 10.0])
def test_bands_do_not_deviate_by_noise_alone(snr_db: float) -> None:
    assert cross_of(white(), noisy(0.3 * white(), snr_db)).band_deviation_db == 0.0
