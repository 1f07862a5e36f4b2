"""Analysis of an aligned pair in one pass: short-time band powers of matched signal and target, from chunks.

Memory grows by a few numbers per window and band, up to `MAX_WINDOWS` windows. Of a longer pair every second window is
analyzed, or every third and so on. Complex spectra are kept of at most `MAX_SPECTRA` windows, and levels of at most
`MAX_LEVEL_WINDOWS`, spread evenly over the pair.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtgain.dsp.response import BandEdges, band_edges
from rtgain.dsp.spectra import HANN_MEAN_SQUARE
from rtgain.metering.level_detectors import DETECTORS, DetectorBank

WINDOW_S = 0.1
"""Length of a window in seconds, before rounding to a power of two of frames."""

MIN_WINDOWS = 8
"""Least number of windows: those of a short pair are shorter."""

MIN_WINDOW_FRAMES = 64

BANDS_PER_OCTAVE = 3

BLOCKS_PER_WINDOW = 16
"""Blocks of a window (6 ms) whose levels are measured: compressors follow the level within a window."""

MAX_WINDOWS = 50_000
"""Number of windows up to which all are analyzed: 36 minutes at 48 kHz, 39 at 44.1 kHz."""

MAX_LEVEL_WINDOWS = 8192
"""Number of windows whose levels are kept."""

MAX_SPECTRA = 512
"""Number of windows, times channels, whose complex spectra are kept."""

MAX_SAMPLE = 1e6
"""Magnitude of a sample (+120 dBFS) above which it is invalid and counts as 0."""

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class PairSpectra:
    """Result of the pass over T windows of C channels in B bands.

    Gains and powers are relative to the matched signal, whose gain is that of the match.

    Attributes:
        sample_rate: in Hz.
        edges: bands of a third of an octave.
        times_s: ``(T,)``, centers of the windows, from the start of the common part.
        matched_power: ``(T, C, B)``, sum of the squared magnitudes over the bins of each band.
        target_power: ``(T, C, B)``.
        cross: ``(T, C, B)`` complex, sum of the conjugated matched spectrum times the target's.
        swapped_cross: ``(C, B)`` complex, the same between different channels, over all windows; zeros unless C is 2.
        block_power: ``(M, BLOCKS_PER_WINDOW)``, mean square of the matched signal in the blocks of M of the windows.
        block_levels_db: ``(detectors, M, BLOCKS_PER_WINDOW)``, its levels there as `DETECTORS` measure them.
        leveled: ``(M,)``, indices of these windows.
        matched_means, target_means: ``(T, C)``, mean value of each window.
        matched_spectra, target_spectra, cubed_spectra: ``(N, C, K)`` complex, of N of the windows; the last is the
            spectrum of the cube of the matched signal.
        sampled: ``(N,)``, indices of these windows.
        target_energy: ``(C,)``, sum of squares of the target.
        frames: number of frames of the common part.
    """

    sample_rate: int
    edges: BandEdges
    times_s: Real
    matched_power: Real
    target_power: Real
    cross: Complex
    swapped_cross: Complex
    block_power: Real
    block_levels_db: Real
    leveled: NDArray[np.int64]
    matched_means: Real
    target_means: Real
    matched_spectra: Complex
    target_spectra: Complex
    cubed_spectra: Complex
    sampled: NDArray[np.int64]
    target_energy: Real
    frames: int

    def reversed(self) -> "PairSpectra":
        """Exchange the matched signal and the target; without a cube."""
        return replace(
            self,
            matched_power=self.target_power,
            target_power=self.matched_power,
            cross=self.cross.conj(),
            matched_spectra=self.target_spectra,
            target_spectra=self.matched_spectra,
            cubed_spectra=np.zeros_like(self.cubed_spectra),
        )

    @property
    def target_mean_square(self) -> float:
        """Mean square of the target over its channels; 0 for a silent one."""
        return float(self.target_energy.mean()) / max(1, self.frames)


class PairAnalysis:
    """Analysis of chunks of the matched signal and the target, ``(C, frames)`` each, in order."""

    def __init__(self, sample_rate: int, channels: int, frames: int) -> None:
        """Prepare for `frames` frames in total."""
        longest = 2 ** max(0, math.floor(math.log2(max(1, 2 * frames / (MIN_WINDOWS + 1)))))
        self._window_frames = max(MIN_WINDOW_FRAMES, min(2 ** round(math.log2(WINDOW_S * sample_rate)), longest))
        self._hop_frames = self._window_frames // 2
        self._sample_rate = sample_rate
        self._edges = band_edges(self._window_frames // 2 + 1, sample_rate, BANDS_PER_OCTAVE)
        windows = max(1, (frames - self._window_frames) // self._hop_frames + 1)
        self._step = math.ceil(windows / MAX_WINDOWS)
        self._stride = math.ceil(windows * channels / self._step / MAX_SPECTRA)
        self._level_step = self._step * math.ceil(windows / self._step / MAX_LEVEL_WINDOWS)
        self._hann = np.hanning(self._window_frames + 1)[:-1]
        self._pending = np.zeros((2, channels, 0))
        self._windows = self._frames = 0
        self._unmeasured = np.zeros((channels, 0))
        self._detectors = DetectorBank(sample_rate, self._window_frames // BLOCKS_PER_WINDOW)
        self._pending_blocks = np.zeros((0,)), np.zeros((len(DETECTORS), 0))
        self._first_block = 0
        bands, bins = (channels, len(self._edges.centers_hz)), (channels, self._window_frames // 2 + 1)
        levels = (len(DETECTORS), BLOCKS_PER_WINDOW)
        rows = math.ceil(windows / self._step)
        self._rows = _Rows(rows, (bands, "f4"), (bands, "f4"), (bands, "c8"), (bands[:1], "f8"), (bands[:1], "f8"))
        self._sampled = _Rows(math.ceil(rows / self._stride), ((), "i8"), (bins, "c8"), (bins, "c8"), (bins, "c8"))
        self._blocks = _Rows(math.ceil(windows / self._level_step), ((), "i8"), (levels[1:], "f8"), (levels, "f4"))
        self._swapped = np.zeros(bands, np.complex128)
        self._residual_energy, self._target_energy = np.zeros(channels), np.zeros(channels)

    def add(self, matched: Real, target: Real) -> None:
        """Add chunks of equal length, ``(C, frames)`` each."""
        # As the kernel does; a fractional delay has spread such a sample over its neighbors.
        matched, target = (np.where(np.abs(samples) <= MAX_SAMPLE, samples, 0.0) for samples in (matched, target))
        self._frames += matched.shape[1]
        difference = target - matched
        self._residual_energy += np.einsum("cf,cf->c", difference, difference)
        self._target_energy += np.einsum("cf,cf->c", target, target)
        self._add_blocks(matched)
        self._pending = np.concatenate([self._pending, np.stack([matched, target])], axis=-1)
        count = (self._pending.shape[-1] - self._window_frames) // self._hop_frames + 1
        if count <= 0:
            return
        cut = np.lib.stride_tricks.sliding_window_view(self._pending, self._window_frames, axis=-1)
        self._add_windows(cut[:, :, : count * self._hop_frames : self._hop_frames].swapaxes(1, 2))
        self._pending = self._pending[..., count * self._hop_frames :]

    @property
    def residual_db(self) -> float:
        """Level of target − matched relative to the target; NaN if the target is silent."""
        return ratio_db(float(self._residual_energy.sum()), float(self._target_energy.sum()))

    def _add_blocks(self, matched: Real) -> None:
        """Measure the levels of the matched signal, ``(C, frames)``, block by block."""
        self._unmeasured = np.concatenate([self._unmeasured, matched], axis=-1)
        block_frames = self._window_frames // BLOCKS_PER_WINDOW
        whole = self._unmeasured.shape[1] // block_frames * block_frames
        if whole:
            samples, self._unmeasured = self._unmeasured[:, :whole], self._unmeasured[:, whole:]
            power = np.mean(samples**2, axis=0).reshape(-1, block_frames).mean(axis=1)
            blocks = power, self._detectors.push(samples)
            pending = [np.concatenate(parts, axis=-1) for parts in zip(self._pending_blocks, blocks, strict=True)]
            self._take_levels(*pending)

    def _take_levels(self, power: Real, levels_db: Real) -> None:
        """Keep the blocks of some windows, and those of windows that are not complete for later."""
        step_blocks = self._level_step * BLOCKS_PER_WINDOW // 2
        next_block = -(-self._first_block // step_blocks) * step_blocks
        last_block = self._first_block + len(power) - BLOCKS_PER_WINDOW
        starts = np.arange(next_block, last_block + 1, step_blocks)
        if len(starts):
            chosen = (starts - self._first_block)[:, None] + np.arange(BLOCKS_PER_WINDOW)
            indices = starts // (self._step * BLOCKS_PER_WINDOW // 2)
            self._blocks.append(indices, power[chosen], levels_db[:, chosen].swapaxes(0, 1))
        rest = max(0, max(next_block, starts[-1] + 1 if len(starts) else 0) - self._first_block)
        rest = min(rest, len(power))
        self._pending_blocks = power[rest:], levels_db[:, rest:]
        self._first_block += rest

    def _add_windows(self, windows: Real) -> None:
        """Add windows of both signals, ``(2, n, C, W)``."""
        first = -self._windows % self._step
        numbers = np.arange(self._windows + first, self._windows + windows.shape[1], self._step) // self._step
        self._windows += windows.shape[1]
        windows = windows[:, first :: self._step]
        if not len(numbers):
            return
        spectra = np.fft.rfft(windows * self._hann).astype(np.complex64)  # numpy is slower in single precision
        matched, target = spectra
        cross = matched.conj() * target
        powers = spectra.real**2 + spectra.imag**2
        means = spectra[..., 0].real / self._hann.sum()
        self._rows.append(*self._band_sums(powers), self._band_sums(cross), *means)
        if matched.shape[1] == 2:
            self._swapped += self._band_sums(matched[:, ::-1].conj() * target).sum(0)
        sampled = np.flatnonzero(numbers % self._stride == 0)
        samples = windows[0, sampled]
        cubed = np.fft.rfft(samples * samples * samples * self._hann)
        self._sampled.append(numbers[sampled], matched[sampled], target[sampled], cubed)

    def _band_sums(self, bins: NDArray[np.generic]) -> NDArray[np.generic]:
        """Sum bins, ``(…, K)``, over each band, ``(…, B)``."""
        if not len(self._edges.bins):
            return np.zeros((*bins.shape[:-1], 0), bins.dtype)
        sums: NDArray[np.generic] = np.add.reduceat(bins, self._edges.bins.ravel(), axis=-1)[..., ::2]
        return sums

    def finish(self) -> PairSpectra | None:
        """Return the result; None if the pair is shorter than one window."""
        matched_power, target_power, cross, matched_means, target_means = self._rows.arrays
        if not len(cross) or not len(self._edges.bins):
            return None
        sampled, matched_spectra, target_spectra, cubed_spectra = self._sampled.arrays
        leveled, block_power, block_levels_db = self._blocks.arrays
        centers = np.arange(len(matched_power)) * self._step * self._hop_frames + self._window_frames / 2
        return PairSpectra(
            self._sample_rate, self._edges, centers / self._sample_rate, matched_power, target_power, cross,
            self._swapped, block_power, block_levels_db.swapaxes(0, 1), leveled, matched_means, target_means,
            matched_spectra, target_spectra, cubed_spectra, sampled, self._target_energy, self._frames,
        )  # fmt: skip


class _Rows:
    """Arrays that are filled row by row. Parts that are joined at the end would need twice the memory."""

    def __init__(self, rows: int, *columns: tuple[tuple[int, ...], str]) -> None:
        """Allocate `rows` rows of these shapes and dtypes."""
        self._arrays = [np.zeros((rows, *shape), dtype) for shape, dtype in columns]
        self._filled = 0

    def append(self, *parts: NDArray[Any]) -> None:
        """Add rows, one part per array."""
        end = self._filled + len(parts[0])
        for array, part in zip(self._arrays, parts, strict=True):
            array[self._filled : end] = part
        self._filled = end

    @property
    def arrays(self) -> list[NDArray[Any]]:
        """The rows so far."""
        return [array[: self._filled] for array in self._arrays]


def ratio_db(power: float, reference: float) -> float:
    """Return a ratio of powers in dB, at least −200; NaN if `reference` is 0."""
    return 10.0 * math.log10(max(power / reference, 1e-20)) if reference > 0.0 else math.nan


def mean_square(power: Real, window_frames: int) -> Real:
    """Return the mean square of Hann-windowed windows from the summed squared magnitudes of one side of a spectrum."""
    return power * (2.0 / (HANN_MEAN_SQUARE * window_frames**2))
