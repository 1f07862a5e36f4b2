"""Remaining delay of aligned excerpts, measured in blocks of a few windows."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rtgain.audio.sources.source import Block
from rtgain.dsp.delay_constants import FLAT_DELAY_BAND, MAX_SNR, WHITENING

WINDOW_S = 0.085
"""Duration in seconds of a window, rounded to a power of two of frames."""

BLOCK_WINDOWS = 8
"""Windows of a block, half a window apart: 0.4 s."""

SILENCE = 1e-7
"""Power of a window relative to the loudest one below which it is silent: −70 dB."""

NEAR_FRAMES = 2
"""Distance of a correlation's peak from the aligned position up to which it is the same delay."""

MIN_SHARE_OF_PEAK = 0.75
"""Correlation at the aligned position, relative to its peak, below which another delay explains the block better."""


@dataclass(frozen=True)
class BlockDelays:
    """Measurements of B blocks of C channels.

    Attributes:
        centers_frames: center of each block, ``(B,)``, in frames from the start of the excerpt.
        has_sound: True if both signals have sound, ``(B,)``.
        explained: coherent fraction of the target at this alignment, ``(B,)``.
        is_elsewhere: True if the correlation is higher at another delay, ``(B,)``.
        delays_frames: remaining delay of each channel, ``(B, C)``; NaN if it cannot be measured.
        stds_frames: standard deviation of `delays_frames`, as the coherence implies it.
        loudest: power of the loudest window so far, of the dry signal and of the target.
    """

    centers_frames: NDArray[np.float64]
    has_sound: NDArray[np.bool_]
    explained: NDArray[np.float64]
    is_elsewhere: NDArray[np.bool_]
    delays_frames: NDArray[np.float64]
    stds_frames: NDArray[np.float64]
    loudest: tuple[float, float]

    def first(self, blocks: int) -> "BlockDelays":
        """Select the first blocks."""
        values = {name: value[:blocks] for name, value in vars(self).items() if name != "loudest"}
        return BlockDelays(**values, loudest=self.loudest)


def window_frames_at(sample_rate: int) -> int:
    """Return the length of a window in frames."""
    return 1 << round(math.log2(WINDOW_S * sample_rate))


def measure_blocks(
    dry: Block, target: Block, window: int, loudest: tuple[float, float], block_windows: int = BLOCK_WINDOWS
) -> BlockDelays:
    """Measure the remaining delay between two signals, ``(C, N)`` each, aligned to a few frames.

    The last windows that fill no block are part of the last one. `loudest` is the power of the loudest window before.
    The delay is the slope of the phase of the cross-spectrum over frequency, weighted by the
    signal-to-noise ratio of each bin (Hannan and Thomson, 1973).
    """
    hop = window // 2
    x, y = (_spectra(signal, window, hop) for signal in (dry, target))
    count = x.shape[1]
    blocks = max(1, count // block_windows)
    first = np.arange(blocks) * block_windows
    last = np.append(first[1:], count)
    powers = _power(x), _power(y)
    loudest = max(loudest[0], float(powers[0].max())), max(loudest[1], float(powers[1].max()))
    is_silent = [power < SILENCE * peak for power, peak in zip(powers, loudest, strict=True)]
    silent = is_silent[0] | is_silent[1]  # (C, windows)
    x[silent], y[silent] = 0.0, 0.0
    product = x.conj() * y
    dry_power, target_power = (bins.real**2 + bins.imag**2 for bins in (x, y))
    cross, xx, yy = (np.add.reduceat(values, first, axis=1) for values in (product, dry_power, target_power))
    loudness = np.sqrt(dry_power.sum(axis=2) * target_power.sum(axis=2))
    total, squares = (np.add.reduceat(values, first, axis=1) for values in (loudness, loudness**2))
    tiny = np.finfo(np.float32).tiny
    # Windows that overlap by half are nearly independent.
    chance = np.minimum(1.2 * squares / np.maximum(total**2, tiny), 1.0)[..., None]
    coherence = (cross.real**2 + cross.imag**2) / np.maximum(xx * yy, tiny)
    testable = (yy * (1.0 - chance)).sum(axis=2)
    coherent = (yy * (coherence - chance)).sum(axis=2)
    loud = testable.sum(axis=0)
    explained = np.divide(coherent.sum(axis=0), loud, out=np.zeros(blocks, np.float32), where=loud > tiny)
    envelope = np.zeros((blocks, window), np.float32)
    for channel in cross:
        magnitude = np.abs(channel)
        floor = 1e-9 * magnitude.max(axis=1, keepdims=True) + tiny
        envelope += np.abs(np.fft.ifft(channel / np.maximum(magnitude, floor) ** WHITENING, window))
    near = np.concatenate([envelope[:, -NEAR_FRAMES:], envelope[:, : NEAR_FRAMES + 1]], axis=1).max(axis=1)
    is_elsewhere = near < MIN_SHARE_OF_PEAK * envelope.max(axis=1)
    delays, stds = _phase_slopes(cross, coherence, chance, last - first, window)
    centers = ((first + last - 1) * hop + window) / 2.0
    return BlockDelays(centers, loud > tiny, explained, is_elsewhere, delays, stds, loudest)


def mutual_information(dry: Block, target: Block, window: int) -> float:
    """Information in nats that two signals, ``(C, N)`` each, share if they are Gaussian and one is filtered.

    It is the sum of −log(1 − coherence) over channels and bins. A delay of the alignment that changes lowers it; a
    filter does not, whatever its phase is.
    """
    x, y = (_spectra(signal, window, window // 2) for signal in (dry, target))
    cross = np.einsum("cwk,cwk->ck", x.conj(), y)
    power = np.einsum("cwk,cwk->ck", x.conj(), x).real * np.einsum("cwk,cwk->ck", y.conj(), y).real
    audible = power > 1e-12 * power.max(axis=1, keepdims=True)
    coherence = np.where(audible, np.abs(cross) ** 2 / np.where(audible, power, 1.0), 0.0)
    return float(-np.log1p(-np.minimum(coherence, 1.0 - 1.0 / MAX_SNR)).sum())


def _spectra(signal: Block, window: int, hop: int) -> NDArray[np.complex64]:
    """Hann spectra ``(C, windows, bins)``, without the lowest two bins."""
    if signal.shape[1] < window:
        signal = np.pad(signal, ((0, 0), (0, window - signal.shape[1])))
    windows = sliding_window_view(signal, window, axis=1)[:, ::hop]
    bins = np.fft.rfft(windows * np.hanning(window + 1)[:-1]).astype(np.complex64)  # faster than in single precision
    bins[..., :2] = 0.0
    return bins


def _power(bins: NDArray[np.complex64]) -> NDArray[np.float32]:
    power: NDArray[np.float32] = np.einsum("cwk,cwk->cw", bins.real, bins.real)
    power += np.einsum("cwk,cwk->cw", bins.imag, bins.imag)
    return power


def _phase_slopes(
    cross: NDArray[np.complex64],
    coherence: NDArray[np.float32],
    chance: NDArray[np.float32],
    windows: NDArray[np.intp],
    window: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Delay of each block and channel by weighted least squares, with its deviation, ``(B, C)`` each; NaN beyond ±3.

    Each channel may have a phase of its own.
    """
    bins = round(FLAT_DELAY_BAND * cross.shape[2])
    cross, coherence = cross[..., :bins], coherence[..., :bins]
    reliable = np.clip((coherence - chance) / np.maximum(1.0 - chance, 1e-6), 0.0, 1.0 - 1.0 / MAX_SNR)
    magnitude = np.abs(cross)
    audible = magnitude > 1e-6 * magnitude.max(axis=2, keepdims=True)
    weights = np.where(audible, reliable / (1.0 - reliable), 0.0).astype(np.float64)
    omega = 2.0 * np.pi * np.arange(bins) / window
    total = np.maximum(weights.sum(axis=2), 1e-30)
    spread = omega - ((weights * omega).sum(axis=2) / total)[..., None]
    information = (weights * spread**2).sum(axis=2)
    unit = weights * np.exp(1j * np.angle(cross))
    delays = np.zeros(information.shape)
    # Coarse first: unwrapping at high frequencies needs a delay to a fraction of a frame.
    for _ in range(4):
        compensated = unit * np.exp(1j * omega * delays[..., None])
        error = np.angle(compensated * compensated.sum(axis=2, keepdims=True).conj())
        delays -= (weights * spread * error).sum(axis=2) / np.maximum(information, 1e-30)
    # A bin of n windows has the phase variance 1 / (2 n SNR), and Hann bins of neighbors share information.
    variance = 1.5 / np.maximum(2.0 * windows * information, 1e-30)
    is_known = (information > 1e-9 * total) & (np.abs(delays) <= NEAR_FRAMES + 1.0) & (total > 4.0)
    delays[~is_known] = np.nan
    return delays.T, np.sqrt(variance).T
