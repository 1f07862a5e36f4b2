"""Levels of a recording over time, and their correlation at all offsets between two recordings."""

import math
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
import soxr
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rtgain.audio.io.decoded import open_recording
from rtgain.audio.sources.source import Block
from rtgain.config.names import MAX_CHANNELS, MAX_VALID_SAMPLE
from rtgain.estimation.offset.correlation import highest_peaks

SEARCH_RATE = 8000
"""Sample rate in Hz of the search over all offsets: sufficient for any voice or beat."""

READ_S = 4
"""Seconds that are read at once: larger than the blocks of playback, whose overhead would double the time."""

LEVEL_HOP = 64
LEVEL_WINDOW = 256
"""Hop and window in frames at `SEARCH_RATE` of the levels: windows at offsets between two hops still overlap by 7/8."""

BAND_EDGES_HZ = (94, 281, 594, 1000, 1594, 2500, 3844)

MAX_LEVELS = 1 << 20
"""Most levels of a recording: 2.3 hours at the hop; longer ones have proportionally longer hops."""

LEVEL_RANGE = 1e-6
"""Power relative to a band's maximum below which changes of its level do not count: the noise of quiet parts."""

MAX_CHANGE = 3.0
"""Limit of a level's change, in nepers of power: the start of a sound is one event and not the only one."""

MIN_OVERLAP = 1e-4
"""Least product of changes at an offset, relative to the largest, for a meaningful correlation."""

MAX_PEAKS = 32
"""Highest peaks of a correlation out of which these are selected: a beat twice a second has many that are equal."""

MAX_CANDIDATES = 6
"""Offsets that are checked on samples."""

ALTERNATIVE_SCORE = 0.5
"""Score relative to the best from which another offset must be checked as well.

The phase transform of a repeated sound raises some of its equal offsets over others by half (measured on clicks).
"""

Levels = NDArray[np.float32]
"""Power by band and time, ``(bands, levels)``."""


@dataclass(frozen=True)
class Candidate:
    """Offset in seconds with its score: correlation relative to that of unrelated recordings."""

    offset_s: float
    score: float


class LowRateReader:
    """Reader of a whole recording at `SEARCH_RATE`, all channels up to `MAX_CHANNELS`."""

    def __init__(self, path: Path) -> None:
        self._decoder = open_recording(path)
        rate = self._decoder.sample_rate
        self.frames = math.ceil(self._decoder.frames * SEARCH_RATE / rate)
        self.channels = min(self._decoder.channels, MAX_CHANNELS)
        self._resampler = soxr.ResampleStream(rate, SEARCH_RATE, self.channels, dtype="float32", quality="HQ")
        self._has_read = False

    def read(self) -> Block:
        """Return the next block, ``(channels, frames)``; without frames only at the end."""
        resampled = np.empty((0, self.channels), np.float32)
        while not len(resampled) and self._decoder.position < self._decoder.frames:
            block = self._decoder.read(READ_S * self._decoder.sample_rate)[: self.channels]
            is_last = self._decoder.position == self._decoder.frames
            if self._decoder.is_float:
                block = without_invalid_samples(block)
            resampled = self._resampler.resample_chunk(np.ascontiguousarray(block.T), last=is_last)
        if not (len(resampled) or self._has_read):  # too short for one frame at this rate
            resampled = np.zeros((1, self.channels), np.float32)
        self._has_read = True
        return resampled.T

    @property
    def position_s(self) -> float:
        """Position in the recording."""
        return self._decoder.position / self._decoder.sample_rate

    @property
    def is_finished(self) -> bool:
        """True at the end of the recording."""
        return self._decoder.position == self._decoder.frames

    def close(self) -> None:
        """Close the file."""
        self._decoder.close()


def without_invalid_samples(block: Block) -> Block:
    """Replace NaN, infinity and samples beyond +120 dBFS by 0, as the kernel does."""
    return np.where(np.abs(block) <= MAX_VALID_SAMPLE, block, np.float32(0.0))


class LevelMeter:
    """Power of the bands, summed over channels, of consecutive blocks at `SEARCH_RATE`."""

    def __init__(self, hops_per_level: int) -> None:
        self._hops_per_level = hops_per_level
        self._hann = np.hanning(LEVEL_WINDOW + 1)[:-1].astype(np.float32)
        self._edges = [round(hertz * LEVEL_WINDOW / SEARCH_RATE) for hertz in BAND_EDGES_HZ]
        self._rest: Block | None = None
        self._powers: list[NDArray[np.float32]] = []
        self._levels: list[NDArray[np.float32]] = []

    def add(self, block: Block) -> None:
        """Add ``(channels, frames)``."""
        samples = block if self._rest is None else np.concatenate([self._rest, block], axis=1)
        hops = (samples.shape[1] - LEVEL_WINDOW) // LEVEL_HOP + 1
        if hops <= 0:
            self._rest = samples
            return
        self._rest = samples[:, hops * LEVEL_HOP :].copy()
        windows = sliding_window_view(samples, LEVEL_WINDOW, axis=1)[:, : hops * LEVEL_HOP : LEVEL_HOP]
        bins = np.fft.rfft(windows * self._hann)
        power = (bins.real**2 + bins.imag**2).sum(axis=0)
        self._powers.append(np.add.reduceat(power, self._edges, axis=1)[:, : len(self._edges) - 1])
        self._store()

    def finish(self) -> None:
        """Fill the last window and the last level up with silence. Idempotent."""
        if self._rest is not None:
            self.add(np.zeros((len(self._rest), LEVEL_WINDOW), np.float32))
            self._rest = None
        missing = -sum(map(len, self._powers)) % self._hops_per_level
        if missing:
            self._powers.append(np.zeros((missing, len(self._edges) - 1), np.float32))
            self._store()

    @property
    def levels(self) -> Levels:
        """The levels so far."""
        return np.concatenate(self._levels).T.copy()

    def _store(self) -> None:
        powers = np.concatenate(self._powers)
        complete = len(powers) // self._hops_per_level * self._hops_per_level
        grouped = powers[:complete].reshape(-1, self._hops_per_level, powers.shape[1])
        self._levels.append(grouped.mean(axis=1))
        self._powers = [powers[complete:]]


def correlate_levels(dry: Levels, target: Levels, level_s: float) -> list[Candidate]:
    """Correlate the levels' changes at all offsets, and return the best ones; a level lasts `level_s`.

    The score is the sum of products of two changes, divided by the root of the sum of their squares: for unrelated
    recordings its variance is 1 at every offset, however short the overlap is. It grows with the overlap, and the
    correlation coefficient does not. Where both have the same beat everywhere, the coefficient is highest where the
    rest fits too. So the highest of both are candidates.
    """
    size = 1 << (dry.shape[1] + target.shape[1]).bit_length()
    x, y = _changes(dry), _changes(target)
    products, squares = _correlation(x, y, size), _correlation(x * x, y * y, size)
    largest = float(squares.max())
    if not largest > 0.0:
        return []
    is_meaningful = squares > MIN_OVERLAP * largest
    score = np.where(is_meaningful, products / np.sqrt(np.where(is_meaningful, squares, 1.0)), 0.0)
    coefficient = products / np.maximum(_common_energy(x, y, size), np.finfo(np.float32).tiny)
    coefficient[score < ALTERNATIVE_SCORE * score.max()] = 0.0
    peaks = [highest_peaks(values, MAX_PEAKS // 2, exclusion=4) for values in (score, coefficient)]
    lags = list(dict.fromkeys(lag for pair in zip_longest(*peaks) for lag, _ in filter(None, pair)))
    return [Candidate((lag if lag < target.shape[1] else lag - size) * level_s, float(score[lag])) for lag in lags]


def order_by_level(candidates: list[Candidate], levels: list[Levels], level_s: float) -> list[Candidate]:
    """Put those first that are nearly as good as the best and have the largest product of both levels.

    Where a sound repeats, the scores of many offsets are equal, and the product is largest where most of it coincides.
    The others follow in their order.
    """
    dry, target = (np.sqrt(side.sum(axis=0, dtype=np.float64)) for side in levels)

    def product(candidate: Candidate) -> float:
        lag = round(candidate.offset_s / level_s)
        begin, end = max(0, -lag), min(len(dry), len(target) - lag)
        return float(dry[begin:end] @ target[begin + lag : end + lag]) if end > begin else 0.0

    threshold = ALTERNATIVE_SCORE * max((candidate.score for candidate in candidates), default=0.0)
    alternatives = [candidate for candidate in candidates if candidate.score >= threshold]
    first = sorted(alternatives, key=product, reverse=True)[: MAX_CANDIDATES // 2]
    return [*first, *(candidate for candidate in candidates if candidate not in first)]


def _changes(levels: Levels) -> NDArray[np.float32]:
    """Changes over two hops of the logarithm of each band's power, ``(bands, levels)``."""
    loudest = levels.max(axis=1, keepdims=True)
    floor = np.maximum(LEVEL_RANGE * loudest, 1e-3 * LEVEL_RANGE * loudest.max())
    logarithm = np.log(levels + np.maximum(floor, np.finfo(np.float32).tiny))
    changes = np.zeros_like(levels)
    changes[:, 1:-1] = np.clip(logarithm[:, 2:] - logarithm[:, :-2], -MAX_CHANGE, MAX_CHANGE)
    return changes


def _correlation(dry: NDArray[np.float32], target: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Circular correlation over lags from dry to target, ``(size,)``, summed over the rows."""
    total = np.zeros(size // 2 + 1, np.complex64)
    for x, y in zip(dry, target, strict=True):
        total += np.fft.rfft(x, size).conj() * np.fft.rfft(y, size)
    return np.fft.irfft(total, size).astype(np.float32, copy=False)


def _common_energy(x: NDArray[np.float32], y: NDArray[np.float32], size: int) -> NDArray[np.float64]:
    """Geometric mean of the energies of `x` and `y` in their overlap, at the lags of `_correlation`, ``(size,)``."""
    lags = np.arange(size)
    lags = np.where(lags < y.shape[1], lags, lags - size)
    energies = []
    for changes, shift in ((x, 0), (y, 1)):
        sums = np.concatenate([[0.0], np.cumsum((changes**2).sum(axis=0, dtype=np.float64))])
        begin, end = np.maximum(0, -lags), np.minimum(x.shape[1], y.shape[1] - lags)
        begin, end = (np.clip(edge + shift * lags, 0, len(sums) - 1) for edge in (begin, end))
        energies.append(np.maximum(sums[end] - sums[begin], 0.0))
    mean: NDArray[np.float64] = np.sqrt(energies[0] * energies[1])
    return mean
