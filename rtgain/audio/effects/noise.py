"""Counter-based white Gaussian noise: a function of seed and frame, independent of block size and clock."""

import math

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.jit import realtime_jit


@realtime_jit
def splitmix64(value: np.uint64) -> np.uint64:
    """Return a 64-bit hash of the uint64 `value` (Steele, Lea and Flood 2014; Vigna's splitmix64.c)."""
    z = value + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@realtime_jit
def gaussian(seed: np.uint64, frame: int) -> float:
    """Return a normally distributed number (mean 0, variance 1): the Box-Muller transform of one hash."""
    bits = splitmix64(splitmix64(seed) + np.uint64(frame))
    radius_uniform = (np.float64(bits >> np.uint64(32)) + 1.0) * 2.0**-32
    angle_uniform = np.float64(bits & np.uint64(0xFFFFFFFF)) * 2.0**-32
    return math.sqrt(-2.0 * math.log(radius_uniform)) * math.cos(2.0 * math.pi * angle_uniform)


@realtime_jit
def channel_seed(seed: np.uint64, channel: int) -> np.uint64:
    """Return the seed of the noise of a channel, from 0: `seed` for the first, an independent one for each other."""
    return seed if channel == 0 else splitmix64(splitmix64(seed) + np.uint64(channel))


@realtime_jit
def add_noise(seed: np.uint64, frame: int, level_rms: NDArray[np.float64], y: NDArray[np.float64], frames: int) -> None:
    """Add noise with the RMS levels level_rms[:frames] to y[:frames], whose first frame is `frame`."""
    for i in range(frames):
        if level_rms[i] > 0.0:
            y[i] += level_rms[i] * gaussian(seed, frame + i)
