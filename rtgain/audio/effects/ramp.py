"""Straight lines between values: what keeps every change of a gain or a weight from clicking."""

import math

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.jit import Record, realtime_jit

RAMP = np.dtype(
    [
        ("target", "f8"),  # NaN until the first chunk, which starts at its target: no ramp from nowhere
        ("last", "f8"),  # the newest value given out
        ("offset", "f8"),  # how far off the target the ramp began
        ("left", "i8"),  # frames until it arrives
        ("frames", "i8"),  # frames that a whole ramp takes
    ]
)


def prepare_ramp(state: NDArray[np.void], seconds: float, sample_rate: int) -> None:
    """Set a ramp (an array of any shape, dtype `RAMP`) to the start, to take `seconds` for each change."""
    state[...] = np.zeros((), RAMP)
    state["target"] = math.nan
    state["frames"] = max(1, round(seconds * sample_rate))


@realtime_jit
def ramp(state: Record, target: float, values: NDArray[np.float64], frames: int) -> None:
    """Fill values[:frames] with `target`, led up to in a straight line when it has just changed."""
    changed = target != state.target and not math.isnan(state.target)
    state.target = target
    for i in range(frames):
        values[i] = target
    decay_step_offset(state, changed, values, frames)


@realtime_jit
def decay_step_offset(state: Record, changed: bool, values: NDArray[np.float64], frames: int) -> None:
    """Add to values[:frames] what joins them to the values before: an offset that dies away linearly.

    `values` may themselves be moving. `changed` says that they now follow another course than in
    the chunk before, so that the step between the two is what has to die away from here on.
    """
    if changed:
        state.offset = state.last - values[0]
        state.left = state.frames
    for i in range(min(frames, state.left)):
        values[i] += state.offset * (state.left - 1 - i) / state.frames
    state.left -= min(frames, state.left)
    state.last = values[frames - 1]
