"""Fractional delay line with an all-pass interpolator: its magnitude response is exactly one at every frequency.

The integer part of the delay is a tap of the line. The fraction is a Thiran all-pass filter behind the tap,
of order N and with a delay D near N:

    a_k = (−1)^k · C(N, k) · Π_{n=0..N} (D − N + n) / (D − N + k + n),
    y[n] = Σ_k a_{N−k} · x[n−k] − Σ_{k≥1} a_k · y[n−k]

(Thiran 1971; Laakso, Välimäki, Karjalainen and Laine, "Splitting the unit delay", IEEE Signal
Processing Magazine 13 (1996), eq. 86). Its delay is maximally flat at 0 Hz. For D = N every a_k but
a_0 is zero, so an integer delay is a copy.

A change of the delay crossfades from the old read head to a new one. Both read the same line, so there is no click.

This delay is causal and changes while it runs. `rtgain.match.render` delays whole recordings with a Kaiser-windowed
sinc; `rtgain.dsp.spectra.fractional_shift` shifts spectra circularly.
"""

import math

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.constants import CHUNK_FRAMES, CROSSFADE_S, DENORMAL_LIMIT
from rtgain.audio.jit import Record, array_at, realtime_jit
from rtgain.config.names import MAX_DELAY_S

MAX_ORDER = 8
"""Filter order. The delay is exact to 0.01 frames up to 0.6 of Nyquist. Delays below 8 frames use lower orders."""

INTEGER_DELAY_TOLERANCE = 1e-9
"""In frames: a delay closer than this to an integer is rounded to that integer."""

HEAD = np.dtype(
    [
        ("delay_frames", "f8"),
        ("tap", "i8"),  # integer part: age in frames of the newest sample that is read
        ("order", "i8"),  # 0 for an integer delay
        ("feed_forward", "f8", (MAX_ORDER + 1,)),
        ("feedback", "f8", (MAX_ORDER + 1,)),
        ("past", "f8", (MAX_ORDER,)),  # previous outputs, indexed by frame modulo 8
    ]
)

DELAY = np.dtype(
    [
        ("line", "i8"),  # address of float64[capacity]
        ("capacity", "i8"),  # a power of two
        ("frame", "i8"),
        ("heads", HEAD, (2,)),
        ("head", "i8"),  # index of the newer head
        ("fade_frames_remaining", "i8"),
        ("fade_frames", "i8"),
        ("old", "f8", (CHUNK_FRAMES,)),  # scratch: output of the older head during a crossfade
    ]
)


def init_delay(state: NDArray[np.void], sample_rate: int) -> NDArray[np.float64]:
    """Initialize a delay (dtype `DELAY`, one element). Returns its line, which the caller must keep alive."""
    longest = math.ceil(MAX_DELAY_S * sample_rate)
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
    """Fill y[:frames] with x[:frames] delayed by `delay_frames`, from 0 to the line's length.

    `x` and `y` may be the same array. A change of `delay_frames` during a crossfade takes effect after that crossfade.
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
        if state.fade_frames_remaining == 0 and head.delay_frames != delay_frames:
            if not math.isnan(head.delay_frames):
                state.fade_frames_remaining = state.fade_frames
            state.head = 1 - state.head
            head = state.heads[state.head]
            set_read_head(head, delay_frames, line, mask, start + done)
        if state.fade_frames_remaining == 0:
            read_fractional(head, line, mask, start + done, y[done:frames])
            return
        fading = min(state.fade_frames_remaining, frames - done)
        read_fractional(head, line, mask, start + done, y[done : done + fading])
        read_fractional(state.heads[1 - state.head], line, mask, start + done, state.old[:fading])
        for i in range(fading):
            state.fade_frames_remaining -= 1
            y[done + i] += (state.old[i] - y[done + i]) * (state.fade_frames_remaining / state.fade_frames)
        done += fading


@realtime_jit
def set_read_head(head: Record, delay_frames: float, line: NDArray[np.float64], mask: int, frame: int) -> None:
    """Set a read head to `delay_frames`; the next frame to read is `frame`."""
    nearest = math.floor(delay_frames + 0.5)
    head.delay_frames = delay_frames
    head.tap = nearest
    head.order = 0
    if abs(delay_frames - nearest) < INTEGER_DELAY_TOLERANCE:
        return
    head.order = min(max(nearest, 1), MAX_ORDER)
    head.tap = max(nearest - head.order, 0)
    thiran(head.order, delay_frames - head.tap, head.feedback)
    for k in range(MAX_ORDER + 1):
        head.feed_forward[k] = head.feedback[head.order - k] if k <= head.order else 0.0
    # Start the filter with its approximate previous outputs. The nearest frame is exact enough during a crossfade.
    for k in range(1, MAX_ORDER + 1):
        head.past[(frame - k) & (MAX_ORDER - 1)] = line[(frame - k - nearest) & mask]


@realtime_jit
def thiran(order: int, delay_frames: float, a: NDArray[np.float64]) -> None:
    """Fill `a` with the denominator a_0 … a_order, followed by zeros; `delay_frames` must exceed order − 1."""
    binomial = 1.0
    for k in range(len(a)):
        a[k] = 0.0
        if k <= order:
            a[k] = binomial
            for n in range(order + 1):
                a[k] *= (delay_frames - order + n) / (delay_frames - order + k + n)
        binomial *= -(order - k) / (k + 1)


@realtime_jit
def read_fractional(head: Record, line: NDArray[np.float64], mask: int, start: int, y: NDArray[np.float64]) -> None:
    """Fill `y` with the delayed signal from frame `start` on. Frames must be read in order, without gaps."""
    newest = start - head.tap
    if head.order == 0:
        for i in range(len(y)):
            y[i] = line[(newest + i) & mask]
        return
    for i in range(len(y)):
        value = 0.0
        for k in range(MAX_ORDER + 1):
            value += head.feed_forward[k] * line[(newest + i - k) & mask]
        for k in range(MAX_ORDER, 0, -1):  # the newest last: only the last term waits for it
            value -= head.feedback[k] * head.past[(start + i - k) & (MAX_ORDER - 1)]
        if abs(value) < DENORMAL_LIMIT:
            value = 0.0
        head.past[(start + i) & (MAX_ORDER - 1)] = value
        y[i] = value
