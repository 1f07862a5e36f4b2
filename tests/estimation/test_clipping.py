"""Clipping: plateaus of one signal that the other does not share, at any level; shared plateaus are content."""

from collections.abc import Callable

import numpy as np
import pytest
import scipy.signal
from numpy.typing import NDArray

from rtgain.estimation.clipping import clipped_windows

RATE, WINDOW, HOP = 48_000, 4096, 1024

Signal = NDArray[np.float64]


def pink(seconds: float = 3.0) -> Signal:
    """Make pink noise that swells every 1.5 s, with a peak of 1."""
    frames = round(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(5).standard_normal(frames))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[0] = 0.0
    sound = np.fft.irfft(spectrum, frames) * (0.55 - 0.45 * np.cos(2 * np.pi * np.arange(frames) / (1.5 * RATE)))
    return np.asarray(sound / np.abs(sound).max())


def rounded(signal: Signal, bits: int = 16) -> Signal:
    steps = 2.0 ** (bits - 1)
    return np.clip(np.round(signal * steps), -steps, steps - 1) / steps


def limited(signal: Signal, level: float = 1.0) -> Signal:
    return np.clip(signal, -level, level)


def noisy(signal: Signal, snr_db: float) -> Signal:
    added = np.random.default_rng(7).standard_normal(len(signal))
    return signal + 10.0 ** (-snr_db / 20.0) * signal.std() * added


def detected(dry: Signal, target: Signal) -> NDArray[np.bool_]:
    """Detect clipping in each window of two aligned signals."""
    x, y = (
        np.lib.stride_tricks.sliding_window_view(signal.astype(np.float32), WINDOW)[::HOP] for signal in (dry, target)
    )
    return clipped_windows(x[:, None], y[:, None], x[:, None])[:, 0]


SOUND = pink()
TIME_S = np.arange(len(SOUND)) / RATE
SINE = np.sin(2 * np.pi * 997 * TIME_S)
SQUARE = np.where(TIME_S * 200.3 % 1 < 0.5, 1.0, -1.0)
SWEEP = scipy.signal.chirp(TIME_S, 20, TIME_S[-1], 20_000, "logarithmic", phi=-90)
MASTER = limited(2.5 * SOUND)
"""Sound that was clipped before it became the dry signal."""

ROOM = np.random.default_rng(8).standard_normal(8000) * np.exp(-np.arange(8000) / 1500)


@pytest.mark.parametrize("store", [np.asarray, rounded], ids=["float", "16 bits"])
@pytest.mark.parametrize("gain", [0.5, -0.316, 1.0])
@pytest.mark.parametrize(
    "dry", [SINE, SQUARE, SWEEP, SOUND, MASTER], ids=["sine", "square", "sweep", "sound", "clipped master"]
)
def test_full_scale_is_not_clipping(dry: Signal, gain: float, store: Callable[[Signal], Signal]) -> None:
    assert not detected(store(dry), store(gain * dry)).any()
    assert not detected(store(gain * dry), store(dry)).any()


@pytest.mark.parametrize("snr_db", [20, 12])
@pytest.mark.parametrize("dry", [SQUARE, SWEEP, MASTER], ids=["square", "sweep", "clipped master"])
def test_noise_over_shared_plateaus_is_not_clipping(dry: Signal, snr_db: float) -> None:
    assert not detected(dry, noisy(0.5 * dry, snr_db)).any()


def test_float_peaks_above_full_scale_are_not_clipping() -> None:
    assert not detected(4.0 * SOUND, 2.0 * SOUND).any()
    assert not detected(0.1 * SOUND, 4.0 * SOUND).any()


@pytest.mark.parametrize("peak_dbfs", [-20, -40, -60, -66, -72])
def test_peaks_flattened_by_rounding_are_not_clipping(peak_dbfs: float) -> None:
    bass = scipy.signal.sosfilt(scipy.signal.butter(2, 80, fs=RATE, output="sos"), SOUND)
    quiet = 10.0 ** (peak_dbfs / 20.0) * bass / np.abs(bass).max()
    assert not detected(rounded(quiet), rounded(2.0 * quiet)).any()


def test_a_constant_offset_is_not_clipping() -> None:
    assert not detected(MASTER, 0.5 * MASTER + 0.2).any()
    assert not detected(rounded(0.3 * SWEEP), rounded(0.15 * SWEEP + 0.1)).any()


CLIPPINGS: dict[str, tuple[Signal, Signal]] = {
    "target at 0 dBFS": (0.5 * SOUND, limited(2.5 * SOUND)),
    "target at −6 dBFS": (SOUND, limited(SOUND, 0.4)),
    "target after a fader": (SOUND, 0.1 * limited(2.5 * SOUND)),
    "inverted target": (SOUND, -limited(2.5 * SOUND)),
    "target with an offset": (SOUND, 0.2 + 0.5 * limited(2.5 * SOUND)),
    "dry": (limited(2.5 * SOUND), 0.3 * SOUND),
    "noisy target": (SOUND, limited(noisy(2.5 * SOUND, 40))),
    "both, unequally": (limited(1.25 * SOUND), 0.5 * limited(2.5 * SOUND)),
}


@pytest.mark.parametrize("store", [np.asarray, rounded], ids=["float", "16 bits"])
@pytest.mark.parametrize("case", CLIPPINGS)
def test_clipped_windows_are_detected_on_either_signal_at_any_level(
    case: str, store: Callable[[Signal], Signal]
) -> None:
    """Of the windows in which limiting cuts peaks off by more than 1 dB, nearly all are detected; of others, none."""
    cut_off = np.lib.stride_tricks.sliding_window_view(np.abs(SOUND), WINDOW)[::HOP].max(-1) / 0.4
    found = detected(*(store(signal) for signal in CLIPPINGS[case]))
    assert 20 < (cut_off > 1.12).sum() < len(cut_off) - (cut_off < 1.0).sum() <= len(cut_off) - 20
    assert found[cut_off > 1.12].mean() > 0.9
    assert not found[cut_off < 0.95].any()


@pytest.mark.parametrize("side", [1, -1])
def test_clipping_on_one_side_is_detected(side: int) -> None:
    sound = side * SOUND
    cut_off = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::HOP].max(-1) / 0.4
    found = detected(SOUND, side * np.minimum(2.5 * sound, 1.0))
    assert found[cut_off > 1.12].mean() > 0.75  # some peaks are shorter than three samples
    assert not found[cut_off < 1.0].any()


def test_a_signal_clipped_to_a_square_wave_is_detected() -> None:
    assert detected(SOUND, limited(1e5 * SOUND)).all()
    assert detected(np.sin(2 * np.pi * 200 * TIME_S), limited(1e3 * np.sin(2 * np.pi * 200 * TIME_S))).all()


def test_without_a_common_waveform_only_a_target_at_full_scale_is_clipped() -> None:
    """Behind a room the waveforms cannot be compared; then a converter's plateaus are the only evidence."""
    recorded = scipy.signal.fftconvolve(SOUND, ROOM)[: len(SOUND)]
    recorded /= np.abs(recorded).max()
    overloaded = limited(3.0 * recorded)
    hit = np.lib.stride_tricks.sliding_window_view(np.abs(recorded), WINDOW)[::HOP].max(-1) > 1.12 / 3.0
    assert not detected(SOUND, recorded).any()
    assert detected(SOUND, overloaded)[hit].mean() > 0.9
    assert not detected(SOUND, 0.5 * overloaded).any()
    assert not detected(MASTER, 0.5 * recorded).any(), "clipped before it was played"
