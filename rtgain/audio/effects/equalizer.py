"""Equalizer: biquad filters in series, whose coefficients can be replaced while the sound plays.

Each filter is a transposed direct form II in double precision:

    y[n] = b0 · x[n] + s1,  s1 ← b1 · x[n] − a1 · y[n] + s2,  s2 ← b2 · x[n] − a2 · y[n]

After a change, all coefficients move in straight lines over 20 ms. The coefficients of stable filters form a convex set
(a triangle in a1 and a2), so each filter on the way is stable, too.

A set of coefficients is published with a sequence number (a seqlock): the number is odd while the set is written. A
reader takes a set only if the number is even, and the same before and after its copy. It never waits: it keeps the last
set, and looks again at its next chunk.
"""

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.constants import CROSSFADE_S, DENORMAL_LIMIT
from rtgain.audio.jit import Record, array_at, fence, load_acquire, realtime_jit, store_release
from rtgain.config.names import MAX_FILTERS

EQUALIZER_PARAMETERS = np.dtype(
    [
        ("sequence", "i8"),  # odd while the set is written
        ("filters", "i8"),
        ("coefficients", "f8", (MAX_FILTERS, 5)),  # b0, b1, b2, a1, a2 of each filter
    ]
)
"""Set of coefficients from another thread or process; all zeros: no filters."""

SETTLE_FRAMES = 2
"""Frames for which a filter still runs when it has become the identity: its state is zero after them."""

EQUALIZER = np.dtype(
    [
        ("sequence", "i8"),  # of the set in use; −1 before the first one, which is used without a ramp
        ("running", "i8"),  # filters that run; 0: the signal is not changed
        ("filters", "i8"),  # filters that run after the ramp
        ("frames_remaining", "i8"),  # of the ramp, and of SETTLE_FRAMES
        ("frames", "i8"),  # length of a ramp
        ("start", "f8", (MAX_FILTERS, 5)),
        ("target", "f8", (MAX_FILTERS, 5)),
        ("past", "f8", (MAX_FILTERS, 2)),  # s1, s2
        ("received", "f8", (MAX_FILTERS, 5)),  # scratch
    ]
)
"""State of one channel."""


def init_equalizer(state: NDArray[np.void], sample_rate: int) -> None:
    """Initialize an equalizer (an array of any shape, dtype `EQUALIZER`) without filters."""
    state[...] = np.zeros((), EQUALIZER)
    state["sequence"] = -1
    state["frames"] = max(1, round(CROSSFADE_S * sample_rate))
    state["start"][..., 0] = state["target"][..., 0] = 1.0


@realtime_jit
def publish_coefficients(address: int, coefficients: NDArray[np.float64]) -> None:
    """Replace the set at `address` (dtype `EQUALIZER_PARAMETERS`) by `coefficients`, shape (filters, 5).

    There is one writer at a time. A set that a killed writer has left unfinished is replaced, too.
    """
    parameters = array_at(address, 1, EQUALIZER_PARAMETERS)[0]
    sequence = load_acquire(address) | 1
    store_release(address, sequence)
    fence()
    filters = min(len(coefficients), MAX_FILTERS)
    parameters.filters = filters
    for row in range(filters):
        for column in range(5):
            parameters.coefficients[row, column] = coefficients[row, column]
    store_release(address, sequence + 1)


@realtime_jit
def equalize_block(state: Record, address: int, y: NDArray[np.float64], frames: int) -> None:
    """Filter y[:frames] in place by the newest set at `address` (dtype `EQUALIZER_PARAMETERS`)."""
    receive_coefficients(state, address)
    if state.running == 0:
        return
    ramped = min(frames, state.frames_remaining)
    if ramped > 0:
        start, target, past = state.start[: state.running], state.target[: state.running], state.past[: state.running]
        run_ramped_filters(start, target, past, state.frames_remaining, state.frames, y[:ramped])
        state.frames_remaining -= ramped
        if state.frames_remaining == 0:
            for row in range(state.filters, state.running):
                state.past[row, 0] = 0.0
                state.past[row, 1] = 0.0
            state.running = state.filters
    run_filters(state.target[: state.running], state.past[: state.running], y[ramped:frames])


@realtime_jit
def receive_coefficients(state: Record, address: int) -> None:
    """Start a ramp to the set at `address` if it is new, complete and stable."""
    sequence = load_acquire(address)
    if sequence == state.sequence or sequence & 1 != 0:
        return
    parameters = array_at(address, 1, EQUALIZER_PARAMETERS)[0]
    filters = parameters.filters
    is_valid = 0 <= filters <= MAX_FILTERS
    received = state.received
    for row in range(MAX_FILTERS):
        for column in range(5):
            identity = 1.0 if column == 0 else 0.0
            received[row, column] = parameters.coefficients[row, column] if is_valid and row < filters else identity
    fence()
    if load_acquire(address) != sequence:
        return
    for row in range(MAX_FILTERS):
        a1, a2 = received[row, 3], received[row, 4]
        size = abs(received[row, 0]) + abs(received[row, 1]) + abs(received[row, 2])
        is_valid = is_valid and abs(a2) < 1.0 and abs(a1) < 1.0 + a2 and size < np.inf  # false for NaN, too
    is_first = state.sequence < 0
    state.sequence = sequence
    if not is_valid:
        return
    weight = ramp_weight(state.frames_remaining + 1, state.frames)
    for row in range(MAX_FILTERS):
        for column in range(5):
            target = state.target[row, column]
            state.start[row, column] = target + weight * (state.start[row, column] - target)
            state.target[row, column] = received[row, column]
    state.filters = filters
    state.running = filters if is_first else max(filters, state.running)
    state.frames_remaining = 0 if is_first or state.running == 0 else state.frames + SETTLE_FRAMES


@realtime_jit
def ramp_weight(frames_remaining: int, frames: int) -> float:
    """Return the weight of the start of a ramp of `frames` at a frame, from 1 to 0; `frames_remaining` includes it."""
    return max(frames_remaining - 1 - SETTLE_FRAMES, 0) / frames


@realtime_jit
def run_ramped_filters(
    start: NDArray[np.float64],
    target: NDArray[np.float64],
    past: NDArray[np.float64],
    frames_remaining: int,
    ramp_frames: int,
    y: NDArray[np.float64],
) -> None:
    """Filter `y` in place by all filters in series while the coefficients move from `start` to `target`.

    The coefficients have the shape (filters, 5), the states `past` (filters, 2).
    """
    for i in range(len(y)):
        weight = ramp_weight(frames_remaining - i, ramp_frames)
        x = y[i]
        for row in range(len(target)):
            b0 = target[row, 0] + weight * (start[row, 0] - target[row, 0])
            b1 = target[row, 1] + weight * (start[row, 1] - target[row, 1])
            b2 = target[row, 2] + weight * (start[row, 2] - target[row, 2])
            a1 = target[row, 3] + weight * (start[row, 3] - target[row, 3])
            a2 = target[row, 4] + weight * (start[row, 4] - target[row, 4])
            value = b0 * x + past[row, 0]
            past[row, 0] = b1 * x - a1 * value + past[row, 1]
            past[row, 1] = b2 * x - a2 * value
            x = value
        y[i] = x


@realtime_jit
def run_filters(coefficients: NDArray[np.float64], past: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    """Filter `y` in place by all filters in series, with constant coefficients of shape (filters, 5).

    Each frame goes through all filters before the next one. A filter waits for its own previous frame only, so the
    processor computes several filters at once: six take about as long as one.
    """
    for i in range(len(y)):
        x = y[i]
        for row in range(len(coefficients)):
            value = coefficients[row, 0] * x + past[row, 0]
            s1 = coefficients[row, 1] * x - coefficients[row, 3] * value + past[row, 1]
            s2 = coefficients[row, 2] * x - coefficients[row, 4] * value
            past[row, 0] = s1 if abs(s1) >= DENORMAL_LIMIT else 0.0
            past[row, 1] = s2 if abs(s2) >= DENORMAL_LIMIT else 0.0
            x = value
        y[i] = x
