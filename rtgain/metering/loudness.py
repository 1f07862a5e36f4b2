"""Loudness by ITU-R BS.1770-4, weighted and cut into blocks by a library that exists for it."""

import math
import warnings
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyloudnorm
from numpy.typing import NDArray
from scipy.signal import lfilter

from rtgain.audio.io.sound_file import open_sound
from rtgain.audio.sources.file_source import FileSource

BLOCK_S = 0.4
STEPS_PER_S = 10
ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = 10.0
OFFSET_LUFS = -0.691
"""Loudness of a weighted mean square of one: BS.1770-4, equation 2."""

CHUNK_S = 60
"""Sound weighed at a time, so that a long file takes constant memory …"""

LEAD_IN_S = 2
"""… each piece behind this much of the one before, for the weighting filters to settle."""

MAX_CHANNELS = 5


class MomentaryLoudness:
    """The loudness of the last 0.4 s of signals that go on, each by itself; only what is new is weighted."""

    def __init__(self, sample_rate: int, signals: int) -> None:
        self.step_frames = round(sample_rate / STEPS_PER_S)
        # The library's own filters; its meter weights a whole recording or nothing.
        self._stages = list(pyloudnorm.Meter(sample_rate)._filters.values())
        self._states = [np.zeros((signals, len(stage.a) - 1)) for stage in self._stages]
        self._powers: deque[NDArray[np.float64]] = deque(maxlen=round(BLOCK_S * STEPS_PER_S))

    def add(self, samples: NDArray[np.floating]) -> NDArray[np.float64]:
        """Go on by a tenth of a second, ``(signals, step_frames)``; the loudness in LUFS, ``(signals,)``.

        −inf for silence, NaN before there are 0.4 s.
        """
        weighted = samples.astype(np.float64)
        for number, stage in enumerate(self._stages):
            weighted, self._states[number] = lfilter(stage.b, stage.a, weighted, zi=self._states[number])
            weighted *= stage.passband_gain
        self._powers.append(np.square(weighted).mean(axis=-1))
        if len(self._powers) < BLOCK_S * STEPS_PER_S:
            return np.full(len(samples), math.nan)
        with np.errstate(divide="ignore"):
            lufs: NDArray[np.float64] = OFFSET_LUFS + 10.0 * np.log10(np.mean(self._powers, axis=0))
        return lufs


def integrated_lufs(path: Path) -> float:
    """Integrated loudness of a file in LUFS, all its channels (their mean beyond five).

    −inf for silence, NaN for less than 0.4 s. Raises `InputError`.
    """
    sound, frames = open_sound(path)
    with sound:
        channels, sample_rate = sound.channels, sound.samplerate
    source = FileSource(path, channels=channels if channels <= MAX_CHANNELS else 1)
    try:
        return gated_lufs(np.concatenate([[], *_block_lufs(source, sample_rate, frames)]))
    finally:
        source.close()


def samples_lufs(samples: NDArray[np.floating], sample_rate: int) -> float:
    """Integrated loudness of ``(frames,)`` or ``(frames, channels)`` in LUFS, as `integrated_lufs`."""
    return gated_lufs(_blocks(samples, sample_rate))


def gated_lufs(block_lufs: NDArray[np.float64]) -> float:
    """The mean over blocks, without those below −70 LUFS and those 10 LU below the mean of the rest."""
    if not len(block_lufs):
        return math.nan
    loud = block_lufs[block_lufs >= ABSOLUTE_GATE_LUFS]
    if not len(loud):
        return -math.inf
    return _mean_lufs(loud[loud > _mean_lufs(loud) - RELATIVE_GATE_LU])


def _block_lufs(source: FileSource, sample_rate: int, frames: int) -> Iterator[NDArray[np.float64]]:
    lead_in = np.zeros((source.channels, 0), np.float32)
    overhang = round((BLOCK_S - 1 / STEPS_PER_S) * sample_rate)
    piece = source.read(CHUNK_S * sample_rate + overhang)
    while piece.shape[1]:
        following = source.read(CHUNK_S * sample_rate)
        heard = np.concatenate([lead_in, piece], axis=1)
        skipped = lead_in.shape[1] // sample_rate * STEPS_PER_S
        yield _blocks(heard.T, sample_rate)[skipped:]
        tail = (LEAD_IN_S * sample_rate) + overhang
        lead_in = heard[:, -tail:-overhang] if following.shape[1] else lead_in
        piece = np.concatenate([heard[:, -overhang:], following], axis=1) if following.shape[1] else following


def _blocks(samples: NDArray[np.floating], sample_rate: int) -> NDArray[np.float64]:
    """Loudness of each 0.4 s, a tenth of a second apart."""
    if len(samples) < BLOCK_S * sample_rate:
        return np.zeros(0)
    meter = pyloudnorm.Meter(sample_rate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the logarithm of silence, and the library's own gating of it
        meter.integrated_loudness(samples.astype(np.float64))
    return np.array(meter.blockwise_loudness)


def _mean_lufs(lufs: NDArray[np.float64]) -> float:
    return float(10.0 * np.log10(np.mean(10.0 ** (lufs / 10.0))))
