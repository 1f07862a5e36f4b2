"""Delays that are known, read again: whole and in fractions, in noise, turned, inverted; and where there is none."""

import functools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from rtgain.dsp.delay_estimation import CrossSpectrum, gcc_phat_delay
from rtgain.dsp.spectra import SpectraPair, hann_spectra

RATE = 48_000
WINDOW, HOP = 4096, 1024
WINDOWS = 16
LENGTH = 1 << 17


@functools.cache
def white(frames: int = LENGTH, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(frames)


def later(sound: np.ndarray, frames: float, *, phase_deg: float = 0.0, above: float = 0.0) -> np.ndarray:
    """`sound` as a loop, later by any fraction of a frame, turned in phase; by `above` more above 0.6 Nyquist."""
    spectrum = np.fft.rfft(sound)
    cycles = np.fft.rfftfreq(len(sound))
    delay = frames + above * (cycles > 0.3)
    turned = spectrum * np.exp(-2j * np.pi * cycles * delay + 1j * math.radians(phase_deg))
    return np.fft.irfft(turned, len(sound))


def pair_of(dry: np.ndarray, target: np.ndarray, hops: slice = slice(0, WINDOWS)) -> SpectraPair:
    """The spectra of these hops' windows of both."""
    starts = range(0, hops.stop * HOP, HOP)[hops]
    cut = (np.stack([x[start : start + WINDOW] for start in starts]).astype(np.float32) for x in (dry, target))
    return SpectraPair(*(hann_spectra(torch.from_numpy(windows)) for windows in cut))


def cross_of(dry: np.ndarray, target: np.ndarray, windows: int = WINDOWS) -> CrossSpectrum:
    cross = CrossSpectrum()
    cross.add(pair_of(dry, target, slice(0, windows)), torch.ones(windows))
    return cross


def noisy(sound: np.ndarray, snr_db: float) -> np.ndarray:
    return sound + sound.std() * 10.0 ** (-snr_db / 20.0) * white(len(sound), seed=77)


# --- a small delay, between windows -----------------------------------------------------------------


@pytest.mark.parametrize("frames", [0.0, 0.1, 0.25, 0.5, -0.37, 1.25, 3.0, -7.0, 20.4, -100.0, 300.3, -500.0])
def test_a_small_delay_is_read_to_a_five_hundredth_of_a_frame(frames: float) -> None:
    reading = cross_of(white(), later(white(), frames)).read()
    assert reading.confident
    assert reading.delay_frames == pytest.approx(frames, abs=0.002)


@pytest.mark.parametrize("gain", [-1.0, 1e-4, -30.0])
@pytest.mark.parametrize("phase_deg", [0.0, 37.0, 90.0, 180.0])
def test_neither_gain_nor_polarity_nor_phase_moves_the_delay(gain: float, phase_deg: float) -> None:
    cross = cross_of(white(), gain * later(white(), 2.37, phase_deg=phase_deg))
    assert cross.read().confident
    assert cross.read().delay_frames == pytest.approx(2.37, abs=1e-4)
    assert cross.coherent_fraction == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("snr_db", [10.0, 20.0, 40.0])
@pytest.mark.parametrize("frames", [0.37, -4.6])
def test_noise_moves_the_delay_by_less_than_a_hundredth_of_a_frame(frames: float, snr_db: float) -> None:
    reading = cross_of(white(), noisy(later(white(), frames), snr_db)).read()
    assert reading.confident
    assert reading.delay_frames == pytest.approx(frames, abs=0.01)


def test_of_a_periodic_sounds_many_delays_the_smallest_is_read() -> None:
    # A harmonic tone of 64 frames a period: 5 and −59 frames are alike, and so are 40 and −24.
    times, rng = np.arange(LENGTH), np.random.default_rng(3)
    tone = sum(np.cos(2 * np.pi * k * times / 64 + rng.uniform(0, 6)) for k in range(1, 16))
    assert isinstance(tone, np.ndarray)
    for frames, nearest in ((5, 5), (40, -24), (-20, -20)):
        assert cross_of(tone, np.roll(tone, frames)).read().delay_frames == pytest.approx(nearest, abs=0.01)


def test_a_periodic_sounds_smallest_delay_is_read_though_a_longer_one_falls_better_on_whole_frames() -> None:
    # Of a period of 10.5 frames, half a frame lies between two lags, and half a frame and one period upon one.
    times = np.arange(LENGTH)
    dry, target = (sum(np.cos(2 * np.pi * k * (times - d) / 10.5 + k * k) for k in (1, 2, 3)) for d in (0.0, 0.5))
    assert isinstance(dry, np.ndarray)
    assert isinstance(target, np.ndarray)
    assert cross_of(dry, target).read().delay_frames == pytest.approx(0.5, abs=0.01)


def test_the_band_that_converters_delay_alike_decides() -> None:
    # Half a frame more above six tenths of the band pulls the delay by less than a tenth of that.
    assert cross_of(white(), later(white(), 0.3, above=0.5)).read().delay_frames == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("gain", [0.15, -0.25, 1.7, 10.0 ** (-12 / 20)])
def test_no_delay_at_all_is_read_as_none_to_the_last_bit(gain: float) -> None:
    assert cross_of(white(), gain * white()).read().delay_frames == 0.0


def test_adding_windows_in_parts_or_at_once_is_the_same() -> None:
    x, y = white(), later(white(), 0.37)
    parts, whole = CrossSpectrum(), cross_of(x, y)
    for start in range(0, WINDOWS, 4):
        parts.add(pair_of(x, y, slice(start, start + 4)), torch.ones(4))
    assert parts.windows == whole.windows == WINDOWS
    assert parts.read().delay_frames == pytest.approx(whole.read().delay_frames, abs=1e-5)
    assert parts.coherent_fraction == pytest.approx(whole.coherent_fraction, abs=1e-5)


def test_a_window_at_a_level_of_0_is_none_and_levels_of_all_change_nothing() -> None:
    x, y = white(), later(white(), 0.37)
    level = torch.full((WINDOWS,), 1e-3)
    level[4:] = 0.0
    cross, four = CrossSpectrum(), cross_of(x, y, windows=4)
    cross.add(pair_of(x, y), level)
    assert cross.windows == four.windows == 4
    assert cross.read().delay_frames == pytest.approx(four.read().delay_frames, abs=1e-5)
    assert cross.coherent_fraction == pytest.approx(four.coherent_fraction, abs=1e-5)


def test_explained_is_the_share_of_power_that_is_signal() -> None:
    for snr_db in (20.0, 10.0, 0.0):
        ratio = 10.0 ** (snr_db / 10.0)
        found = cross_of(white(), noisy(white(), snr_db), windows=100).coherent_fraction
        assert found == pytest.approx(ratio / (1.0 + ratio), abs=0.03)


def test_a_filtered_target_is_explained_as_well_as_a_scaled_one() -> None:
    filtered = np.convolve(white(), [1.0, -0.6, 0.2])[:LENGTH]
    assert cross_of(white(), filtered).coherent_fraction > 0.999


@pytest.mark.parametrize("seed", range(2, 12))
def test_unrelated_noise_is_neither_explained_nor_aligned(seed: int) -> None:
    cross = cross_of(white(), white(seed=seed))
    assert cross.coherent_fraction < 0.01
    assert not cross.read().confident


def test_two_sines_of_unlike_pitch_are_not_explained() -> None:
    times = np.arange(LENGTH)
    cross = cross_of(np.sin(0.05 * times), np.sin(0.0713 * times))
    assert cross.coherent_fraction < 0.01
    assert not cross.read().confident


@pytest.mark.parametrize(("dry", "target"), [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)])
def test_silence_has_no_delay(dry: float, target: float) -> None:
    cross = cross_of(dry * white(), target * white())
    assert cross.coherent_fraction == 0.0
    assert not cross.read().confident
    reading = gcc_phat_delay(
        torch.from_numpy(dry * white()).float(), torch.from_numpy(target * white()).float(), max_delay_frames=RATE
    )
    assert not reading.confident


def test_nothing_is_read_from_one_window() -> None:
    assert not CrossSpectrum().read().confident
    assert CrossSpectrum().coherent_fraction == 0.0
    one = cross_of(white(), white(), windows=1)
    assert not one.read().confident
    assert one.coherent_fraction == 0.0
    assert cross_of(white(), white(), windows=4).read().confident


def test_noise_tells_one_delay_from_others_and_a_tone_does_not() -> None:
    tone = np.sin(0.05 * np.arange(LENGTH))
    # Their correlation stands out of its RMS by the root of the number of bins that count: a thousand, and three.
    assert cross_of(white(), later(white(), 3.0)).is_unambiguous
    assert cross_of(white(), noisy(white(), 5.0)).is_unambiguous
    assert not cross_of(tone, noisy(tone, 40.0)).is_unambiguous
    assert not cross_of(0.0 * white(), white()).is_unambiguous


# --- any delay, out of one stretch ------------------------------------------------------------------


def stretch(sound: np.ndarray, start: int) -> Tensor:
    return torch.from_numpy(sound[start : start + 2 * RATE].astype(np.float32))


@functools.cache
def long_white() -> np.ndarray:
    return white(5 * RATE, seed=4)


@pytest.mark.parametrize("frames", [0, 1, 240, 4800, -240, 33_333, -RATE, RATE])
def test_any_whole_delay_within_range_is_read_exactly(frames: int) -> None:
    reading = gcc_phat_delay(stretch(long_white(), RATE), stretch(long_white(), RATE - frames), RATE)
    assert reading.confident
    assert reading.delay_frames == frames


@pytest.mark.parametrize("decimation", [2, 4, 16])
@pytest.mark.parametrize("frames", [0, 1, 243, -4805, 33_333])
def test_a_reading_from_the_lower_part_of_the_band_is_a_frame_off_at_most(frames: int, decimation: int) -> None:
    dry, target = stretch(long_white(), RATE), stretch(noisy(long_white(), 10.0), RATE - frames)
    reading = gcc_phat_delay(dry, target, RATE, decimation)
    assert reading.confident
    assert abs(reading.delay_frames - frames) <= 1


@pytest.mark.parametrize("frames", [240.4, -4800.3])
def test_a_fractional_delay_is_read_to_its_nearest_frame(frames: float) -> None:
    target = later(long_white(), frames)
    reading = gcc_phat_delay(stretch(long_white(), RATE), stretch(target, RATE), RATE)
    assert reading.confident
    assert reading.delay_frames == round(frames)


@pytest.mark.parametrize("phase_deg", [37.0, 90.0, 180.0])
def test_any_delay_is_read_through_any_phase(phase_deg: float) -> None:
    target = 0.15 * later(long_white(), 4800, phase_deg=phase_deg)
    reading = gcc_phat_delay(stretch(long_white(), RATE), stretch(target, RATE), RATE)
    assert reading.confident
    assert reading.delay_frames == 4800


def test_any_delay_is_read_through_noise_as_loud_as_the_target() -> None:
    target = noisy(later(long_white(), -2400), 0.0)
    reading = gcc_phat_delay(stretch(long_white(), RATE), stretch(target, RATE), RATE)
    assert reading.confident
    assert reading.delay_frames == -2400


def test_a_delay_out_of_range_is_not_found() -> None:
    reading = gcc_phat_delay(stretch(long_white(), RATE), stretch(long_white(), RATE - 9600), 4800)
    assert not reading.confident


@pytest.mark.parametrize("seed", range(10, 18))
def test_unrelated_noise_has_no_delay_and_peaks_where_chance_puts_it(seed: int) -> None:
    reading = gcc_phat_delay(stretch(long_white(), 0), stretch(white(5 * RATE, seed=seed), 0), RATE)
    assert not reading.confident
    # The largest of about 10^5 Rayleigh numbers over their RMS: √ln(10^5) = 3.4.
    assert reading.confidence == pytest.approx(math.sqrt(math.log(2 * RATE)), rel=0.3)
