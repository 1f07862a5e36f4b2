"""Plateaus of clipped sound: samples in a row that stay at the highest or the lowest value of their channel."""

import numba
import numpy as np
from numpy.typing import NDArray

from rtgain.audio.jit import JIT_CACHE_ENABLED

TOLERANCE = 2.0**-16
"""Distance from the extreme up to which a sample is part of a plateau: half a step of 16 bits."""

MIN_RUN = 3
"""Number of samples in a row that make a plateau; two may be a peak by chance."""


class PlateauCounter:
    """Count of the plateaus of all channels of one signal, in constant memory."""

    def __init__(self, channels: int) -> None:
        # Per channel and sign: the extreme so far, the length of the present run, the number of plateaus.
        self._state = np.zeros((channels, 2, 3))

    def push(self, samples: NDArray[np.float32]) -> None:
        """Add `samples`, ``(channels, frames)``."""
        _count(samples, self._state)

    @property
    def count(self) -> int:
        """Number of plateaus at the extremes of the channels so far."""
        return int(self._state[:, :, 2].sum())


@numba.njit(cache=JIT_CACHE_ENABLED)
def _count(samples: NDArray[np.float32], state: NDArray[np.float64]) -> None:
    for channel in range(samples.shape[0]):
        for side in range(2):
            extreme, run, plateaus = state[channel, side]
            sign = 1.0 - 2.0 * side
            for frame in range(samples.shape[1]):
                value = sign * samples[channel, frame]
                if value > extreme + TOLERANCE:
                    extreme = value
                    run, plateaus = 1.0, 0.0
                elif value >= extreme - TOLERANCE:
                    run += 1.0
                    if run == MIN_RUN:
                        plateaus += 1.0
                else:
                    run = 0.0
            state[channel, side, 0] = extreme
            state[channel, side, 1] = run
            state[channel, side, 2] = plateaus
