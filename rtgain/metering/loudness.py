"""Momentary and integrated loudness (ITU-R BS.1770-4), with the filters and blocks of pyloudnorm."""

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
"""Duration of a loudness block."""

STEPS_PER_S = 10
"""Blocks per second: consecutive blocks overlap by 75 %."""

ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = 10.0
OFFSET_LUFS = -0.691
"""Loudness of a K-weighted mean square of one (BS.1770-4, equation 2)."""

CHUNK_S = 60
"""Duration of a chunk of a file. A long file takes constant memory."""

LEAD_IN_S = 2
"""Duration of the previous chunk that precedes each chunk, so that the K-weighting filters settle."""

MAX_CHANNELS = 5
"""Largest number of channels that are metered one by one; BS.1770-4 has weights for five."""


class MomentaryLoudness:
    """Loudness of the last 0.4 s of each of several signals. Only new samples are filtered."""

    def __init__(self, sample_rate: int, signals: int) -> None:
        self.step_frames = round(sample_rate / STEPS_PER_S)
        # The filters of pyloudnorm, applied block by block; its meter filters only whole recordings.
        self._stages = list(pyloudnorm.Meter(sample_rate)._filters.values())
        self._states = [np.zeros((signals, len(stage.a) - 1)) for stage in self._stages]
        self._powers: deque[NDArray[np.float64]] = deque(maxlen=round(BLOCK_S * STEPS_PER_S))

    def add(self, samples: NDArray[np.floating]) -> NDArray[np.float64]:
        """Add a tenth of a second, shape (signals, step_frames). Returns the loudness in LUFS, shape (signals,).

        The loudness is −inf for silence and NaN during the first 0.4 s.
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
    """Measure the integrated loudness of a file in LUFS, over all channels (over their mean if more than five).

    Returns −inf for silence and NaN for less than 0.4 s. Raises `InputError`.
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
    """Measure the integrated loudness in LUFS as `integrated_lufs`; shape (frames,) or (frames, channels)."""
    return gated_lufs(_blocks(samples, sample_rate))


def gated_lufs(block_lufs: NDArray[np.float64]) -> float:
    """Return the gated mean of block loudnesses in LUFS.

    Blocks below −70 LUFS are excluded, and then blocks more than 10 LU below the mean of the others.
    """
    if not len(block_lufs):
        return math.nan
    loud = block_lufs[block_lufs >= ABSOLUTE_GATE_LUFS]
    if not len(loud):
        return -math.inf
    return _mean_lufs(loud[loud > _mean_lufs(loud) - RELATIVE_GATE_LU])


def _block_lufs(source: FileSource, sample_rate: int, frames: int) -> Iterator[NDArray[np.float64]]:
    lead_in = np.zeros((source.channels, 0), np.float32)
    overhang = round((BLOCK_S - 1 / STEPS_PER_S) * sample_rate)
    chunk = source.read(CHUNK_S * sample_rate + overhang)
    while chunk.shape[1]:
        following = source.read(CHUNK_S * sample_rate)
        samples = np.concatenate([lead_in, chunk], axis=1)
        skipped = lead_in.shape[1] // sample_rate * STEPS_PER_S
        yield _blocks(samples.T, sample_rate)[skipped:]
        tail = (LEAD_IN_S * sample_rate) + overhang
        lead_in = samples[:, -tail:-overhang] if following.shape[1] else lead_in
        chunk = np.concatenate([samples[:, -overhang:], following], axis=1) if following.shape[1] else following


def _blocks(samples: NDArray[np.floating], sample_rate: int) -> NDArray[np.float64]:
    """Measure the loudness in LUFS of blocks of 0.4 s, a tenth of a second apart."""
    if len(samples) < BLOCK_S * sample_rate:
        return np.zeros(0)
    meter = pyloudnorm.Meter(sample_rate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyloudnorm warns about the logarithm of silence
        meter.integrated_loudness(samples.astype(np.float64))
    return np.array(meter.blockwise_loudness)


def _mean_lufs(lufs: NDArray[np.float64]) -> float:
    return float(10.0 * np.log10(np.mean(10.0 ** (lufs / 10.0))))
