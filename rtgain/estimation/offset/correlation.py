"""Generalized cross-correlation of two signals in several channels, and its peaks."""

import numpy as np
from numpy.typing import NDArray


def correlation_envelope(cross: NDArray[np.complexfloating], size: int, whitening: float) -> NDArray[np.float32]:
    """Envelope of the generalized cross-correlation, ``(size,)``, summed over channels ``(channels, bins)``.

    The sum of envelopes, not of correlations, which would cancel if one channel is inverted.
    """
    total = np.zeros(size, np.float32)
    for bins in cross:
        magnitude = np.abs(bins)
        peak = float(magnitude.max())
        if peak > 0.0:
            bins = np.where(magnitude > 1e-9 * peak, bins / np.maximum(magnitude, 1e-9 * peak) ** whitening, 0.0)
            bins[0] = 0.0
            total += np.abs(np.fft.ifft(bins, size))
    return total


def highest_peaks(values: NDArray[np.floating], count: int, exclusion: int) -> list[tuple[int, float]]:
    """The highest positive values with their indices, best first, more than `exclusion` apart."""
    remaining = values.copy()
    peaks = []
    for _ in range(count):
        index = int(remaining.argmax())
        if not remaining[index] > 0.0:
            break
        peaks.append((index, float(remaining[index])))
        remaining[max(0, index - exclusion) : index + exclusion + 1] = 0.0
    return peaks


def taper(frames: int) -> NDArray[np.float32]:
    """Fades of an eighth at both ends: two signals cut at one moment would share the cut and correlate there."""
    taper = np.ones(frames, np.float32)
    fade = (0.5 - 0.5 * np.cos(np.linspace(0.0, np.pi, max(1, frames // 8)))).astype(np.float32)
    taper[: len(fade)] *= fade
    taper[frames - len(fade) :] *= fade[::-1]
    return taper
