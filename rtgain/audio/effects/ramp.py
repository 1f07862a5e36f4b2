"""Linear ramps: every change of a gain or a weight takes several milliseconds, so that it does not click."""

import math

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.jit import Record, realtime_jit

RAMP = np.dtype(
    [
        ("target", "f8"),  # NaN until the first chunk, which starts at its target without a ramp
        ("last", "f8"),  # the newest output value
        ("offset", "f8"),  # first value of the ramp minus its target
        ("frames_remaining", "i8"),  # frames until the ramp reaches its target
        ("frames", "i8"),  # length of a whole ramp
    ]
)


def init_ramp(state: NDArray[np.void], seconds: float, sample_rate: int) -> None:
    """Initialize a ramp (an array of any shape, dtype `RAMP`) that takes `seconds` for each change."""
    state[...] = np.zeros((), RAMP)
    state["target"] = math.nan
    state["frames"] = max(1, round(seconds * sample_rate))


@realtime_jit
def ramp(state: Record, target: float, values: NDArray[np.float64], frames: int) -> None:
    """Fill values[:frames] with `target`, after a linear ramp if `target` has changed."""
    changed = target != state.target and not math.isnan(state.target)
    state.target = target
    for i in range(frames):
        values[i] = target
    decay_step_offset(state, changed, values, frames)


@realtime_jit
def decay_step_offset(state: Record, changed: bool, values: NDArray[np.float64], frames: int) -> None:
    """Add an offset to values[:frames] that removes the step at a change and decays linearly to 0.

    `values` may vary by themselves. `changed` is True if they follow a different curve than in the previous
    chunk: the step between the two curves becomes the offset that decays from here on.
    """
    if changed:
        state.offset = state.last - values[0]
        state.frames_remaining = state.frames
    for i in range(min(frames, state.frames_remaining)):
        values[i] += state.offset * (state.frames_remaining - 1 - i) / state.frames
    state.frames_remaining -= min(frames, state.frames_remaining)
    state.last = values[frames - 1]
