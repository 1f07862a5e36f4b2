"""A delay of any number of frames, fractions too, whose magnitude is exactly one at every frequency.

The whole part is a place in a delay line. The fraction is a Thiran all-pass behind it: of order N
and delay D near N,

    a_k = (−1)^k · C(N, k) · Π_{n=0..N} (D − N + n) / (D − N + k + n),
    y[n] = Σ_k a_{N−k} · x[n−k] − Σ_{k≥1} a_k · y[n−k]

(Thiran 1971; Laakso, Välimäki, Karjalainen and Laine, "Splitting the unit delay", IEEE Signal
Processing Magazine 13 (1996), eq. 86). Its delay is maximally flat at 0 Hz. When D = N every a_k but
a_0 vanishes, so a whole delay is a copy.

A change fades from the old read head to a new one. Both read the same line, so neither clicks.
"""

import math

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.constants import CHUNK_FRAMES, CROSSFADE_S, DENORMAL_LIMIT
from rtgain.audio.jit import Record, array_at, realtime_jit

ORDER_MAX = 8
"""Within 0.01 frames of what was asked for up to 0.6 of Nyquist. Delays under 8 frames do with less."""

DELAY_LINE_MAX_S = 1.0

INTEGER_DELAY_TOLERANCE = 1e-9
"""A delay nearer than this to a whole number of frames is that number."""

HEAD = np.dtype(
    [
        ("delay_frames", "f8"),
        ("tap", "i8"),  # the whole part: the youngest frame of the line that is read
        ("order", "i8"),  # 0 for a whole delay
        ("feed_forward", "f8", (ORDER_MAX + 1,)),
        ("feedback", "f8", (ORDER_MAX + 1,)),
        ("past", "f8", (ORDER_MAX,)),  # outputs, at their frame modulo 8
    ]
)

DELAY = np.dtype(
    [
        ("line", "i8"),  # address of float64[capacity]
        ("capacity", "i8"),  # a power of two
        ("frame", "i8"),
        ("heads", HEAD, (2,)),
        ("head", "i8"),  # which of the two is the newest
        ("fade_left", "i8"),
        ("fade_frames", "i8"),
        ("old", "f8", (CHUNK_FRAMES,)),  # scratch: what the other head gives during a fade
    ]
)


def prepare_delay(state: NDArray[np.void], sample_rate: int) -> NDArray[np.float64]:
    """Set up a delay (dtype `DELAY`, one element). Returns its line: keep it alive."""
    longest = math.ceil(DELAY_LINE_MAX_S * sample_rate)
    line = np.zeros(1 << (longest + 2 * CHUNK_FRAMES).bit_length(), np.float64)
    state[...] = np.zeros((), DELAY)
    state["line"] = line.ctypes.data
    state["capacity"] = len(line)
    state["heads"]["delay_frames"] = math.nan
    state["fade_frames"] = max(1, round(CROSSFADE_S * sample_rate))
    return line


@realtime_jit
def delay_block(
    state: Record, delay_frames: float, x: NDArray[np.float64], y: NDArray[np.float64], frames: int
) -> None:
    """y[:frames] is x[:frames] delayed by `delay_frames`, 0 to the line's length. x and y may be one array.

    A change of `delay_frames` during a fade takes effect when that fade is over.
    """
    line = array_at(state.line, state.capacity, np.float64)
    mask = state.capacity - 1
    start = state.frame
    for i in range(frames):
        line[(start + i) & mask] = x[i]
    state.frame += frames
    delay_frames = min(max(delay_frames, 0.0), float(state.capacity - 2 * CHUNK_FRAMES))
    done = 0
    while done < frames:
        head = state.heads[state.head]
        if state.fade_left == 0 and head.delay_frames != delay_frames:
            if not math.isnan(head.delay_frames):
                state.fade_left = state.fade_frames
            state.head = 1 - state.head
            head = state.heads[state.head]
            aim(head, delay_frames, line, mask, start + done)
        if state.fade_left == 0:
            read(head, line, mask, start + done, y[done:frames])
            return
        fading = min(state.fade_left, frames - done)
        read(head, line, mask, start + done, y[done : done + fading])
        read(state.heads[1 - state.head], line, mask, start + done, state.old[:fading])
        for i in range(fading):
            state.fade_left -= 1
            y[done + i] += (state.old[i] - y[done + i]) * (state.fade_left / state.fade_frames)
        done += fading


@realtime_jit
def aim(head: Record, delay_frames: float, line: NDArray[np.float64], mask: int, frame: int) -> None:
    """Point a read head at `delay_frames`, ready to read `frame`."""
    nearest = math.floor(delay_frames + 0.5)
    head.delay_frames = delay_frames
    head.tap = nearest
    head.order = 0
    if abs(delay_frames - nearest) < INTEGER_DELAY_TOLERANCE:
        return
    head.order = min(max(nearest, 1), ORDER_MAX)
    head.tap = max(nearest - head.order, 0)
    thiran(head.order, delay_frames - head.tap, head.feedback)
    for k in range(ORDER_MAX + 1):
        head.feed_forward[k] = head.feedback[head.order - k] if k <= head.order else 0.0
    # The outputs that it would have given so far: to the nearest frame is near enough under a fade.
    for k in range(1, ORDER_MAX + 1):
        head.past[(frame - k) & (ORDER_MAX - 1)] = line[(frame - k - nearest) & mask]


@realtime_jit
def thiran(order: int, delay_frames: float, a: NDArray[np.float64]) -> None:
    """Fill `a` with the denominator a_0 … a_order, then zeros, for a delay of more than order − 1 frames."""
    binomial = 1.0
    for k in range(len(a)):
        a[k] = 0.0
        if k <= order:
            a[k] = binomial
            for n in range(order + 1):
                a[k] *= (delay_frames - order + n) / (delay_frames - order + k + n)
        binomial *= -(order - k) / (k + 1)


@realtime_jit
def read(head: Record, line: NDArray[np.float64], mask: int, start: int, y: NDArray[np.float64]) -> None:
    """Fill `y` with what the head gives from frame `start` on. It has to be asked for every frame in turn."""
    newest = start - head.tap
    if head.order == 0:
        for i in range(len(y)):
            y[i] = line[(newest + i) & mask]
        return
    for i in range(len(y)):
        value = 0.0
        for k in range(ORDER_MAX + 1):
            value += head.feed_forward[k] * line[(newest + i - k) & mask]
        for k in range(ORDER_MAX, 0, -1):  # the newest last: the sum waits for that one alone
            value -= head.feedback[k] * head.past[(start + i - k) & (ORDER_MAX - 1)]
        if abs(value) < DENORMAL_LIMIT:
            value = 0.0
        head.past[(start + i) & (ORDER_MAX - 1)] = value
        y[i] = value
