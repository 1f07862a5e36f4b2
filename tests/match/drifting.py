"""Targets whose delay moves, made by methods that rtgain does not use."""

import numpy as np


def with_clock(samples: np.ndarray, ppm: float, half: int = 64) -> np.ndarray:
    """Resample (frames, channels) to a clock that is faster by `ppm`."""
    count = int(len(samples) * (1 + 1e-6 * ppm))
    return at_positions(samples, np.arange(count) / (1 + 1e-6 * ppm), half)


def at_positions(samples: np.ndarray, position: np.ndarray, half: int) -> np.ndarray:
    """Interpolate (frames, channels) at each `position`: a sum of a windowed sinc in double.

    The window is a Blackman-Harris window of 2 · `half` frames, its side lobes are at −92 dB.
    """
    count = len(position)
    whole = np.floor(position).astype(int)
    padded = np.pad(samples.astype(np.float64), ((half, half + 1), (0, 0)))
    result = np.zeros((count, samples.shape[1]))
    for tap in range(-half + 1, half + 1):
        time = tap - (position - whole)
        phase = np.pi * (time / half + 1)
        window = 0.35875 - 0.48829 * np.cos(phase) + 0.14128 * np.cos(2 * phase) - 0.01168 * np.cos(3 * phase)
        result += (np.sinc(time) * window)[:, None] * padded[whole + tap + half]
    return result


def without_frames(samples: np.ndarray, starts: np.ndarray, frames: int) -> np.ndarray:
    """Remove `frames` frames at each of the `starts`, as a recorder does that loses a buffer."""
    lost = np.zeros(len(samples), bool)
    for start in starts:
        lost[start : start + frames] = True
    return samples[~lost]


def with_changing_clock(samples: np.ndarray, until: list[float], ppm: list[float], half: int = 64) -> np.ndarray:
    """Resample (frames, channels) to a clock that is faster by another of `ppm` from each frame of `until` on.

    The frames are those of `samples`, and the last one of `until` is its length.
    """
    edges = np.concatenate([[0.0], until])
    moved = np.concatenate([[0.0], np.cumsum(np.diff(edges) * (1 + 1e-6 * np.array(ppm)))])
    return at_positions(samples, np.interp(np.arange(int(moved[-1])), moved, edges), half)
