"""Values of a signal between its frames: Kaiser-windowed sinc, for a delay that changes from frame to frame.

The filter uses later frames too. `rtgain.audio.effects.delay_line` is causal.
"""

from functools import cache

import numba
import numpy as np
from numpy.typing import NDArray

from rtgain.audio.jit import JIT_CACHE_ENABLED

SINC_HALF_FRAMES = 64
"""Half the length in frames of the fractional delay filter."""

KAISER_BETA = 8.0

TABLE_ROWS = 512
"""Filters in the table per frame. The linear interpolation between two of them errs by −106 dB at the Nyquist
frequency: π² / 8 / rows²."""


def fractional_delay(fraction: float) -> NDArray[np.float64]:
    """Design a Kaiser-windowed sinc of 129 taps that delays by 64 frames plus `fraction` (0 to 1) of a frame."""
    if fraction == 0.0:
        return np.eye(1, 2 * SINC_HALF_FRAMES + 1, SINC_HALF_FRAMES).ravel()
    time = np.arange(-SINC_HALF_FRAMES, SINC_HALF_FRAMES + 1) - fraction
    taps = np.sinc(time) * np.i0(KAISER_BETA * np.sqrt(np.clip(1 - (time / (SINC_HALF_FRAMES + 1)) ** 2, 0, 1)))
    scaled: NDArray[np.float64] = taps / taps.sum()
    return scaled


def interpolate(samples: NDArray[np.floating], start: float, step: float, frames: int) -> NDArray[np.float64]:
    """Return `frames` values of each channel at the positions `start`, `start` + `step`, …, in frames of `samples`.

    Shape: samples ``(C, N)``; returns ``(C, frames)``. The positions lie at least `SINC_HALF_FRAMES` inside of
    `samples`, or values outside count as 0. Positions at whole frames return the samples unchanged.
    """
    values = np.empty((len(samples), frames))
    before = int(np.floor(min(start, start + step * max(frames - 1, 0)))) - SINC_HALF_FRAMES
    after = int(np.ceil(max(start, start + step * max(frames - 1, 0)))) + SINC_HALF_FRAMES + 1
    padding = max(0, -before), max(0, after + 1 - samples.shape[1])
    padded = np.pad(np.asarray(samples, np.float64), ((0, 0), padding))
    for row, channel in zip(values, padded, strict=True):
        _interpolate(channel, start + padding[0], step, _table(), row)
    return values


@cache
def _table() -> NDArray[np.float64]:
    """Return the filters of the fractions 0, 1 / `TABLE_ROWS`, … 1."""
    return np.stack([fractional_delay(float(fraction)) for fraction in np.linspace(0.0, 1.0, TABLE_ROWS + 1)])


@numba.njit(nogil=True, cache=JIT_CACHE_ENABLED, error_model="numpy", fastmath={"reassoc", "contract"})  # for SIMD
def _interpolate(
    samples: NDArray[np.float64], start: float, step: float, table: NDArray[np.float64], values: NDArray[np.float64]
) -> None:
    taps = 2 * SINC_HALF_FRAMES + 1
    for index in range(len(values)):
        position = start + step * index
        whole = int(np.floor(position))
        row = (position - whole) * TABLE_ROWS
        lower = int(row)
        if row == 0.0:
            values[index] = samples[whole]
            continue
        first, second = table[lower], table[lower + 1]
        excerpt = samples[whole - SINC_HALF_FRAMES : whole + SINC_HALF_FRAMES + 1]
        lower_value = upper_value = 0.0
        for tap in range(taps):
            lower_value += first[tap] * excerpt[tap]
            upper_value += second[tap] * excerpt[tap]
        values[index] = lower_value + (row - lower) * (upper_value - lower_value)
