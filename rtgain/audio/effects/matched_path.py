"""The matched signal: the dry signal with the estimated gain and delay, made to sound like the target."""

import math

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.constants import CHUNK_FRAMES, GAIN_RAMP_S
from rtgain.audio.effects.delay_line import DELAY, delay_block, prepare_delay
from rtgain.audio.effects.ramp import RAMP, prepare_ramp, ramp
from rtgain.audio.jit import Record, array_at, realtime_jit

GAIN_MAX = 1e6
"""Estimates beyond this (+120 dB) are not believed: the last one holds, as it does for NaN."""

MATCHED_PATH = np.dtype(
    [
        ("gain", "f8"),  # the last that was believed
        ("delay_frames", "f8"),
        ("gain_ramp", RAMP),
        ("delay", DELAY),
        ("gains", "f8", (CHUNK_FRAMES,)),  # scratch
    ]
)


def init_matched_path(state: NDArray[np.void], sample_rate: int) -> NDArray[np.float64]:
    """Empty a match (dtype `MATCHED_PATH`, one element): gain 1, no delay. Returns its line: keep it alive."""
    state[...] = np.zeros((), MATCHED_PATH)
    state["gain"] = 1.0
    prepare_ramp(state["gain_ramp"], GAIN_RAMP_S, sample_rate)
    return prepare_delay(state["delay"], sample_rate)


class MatchedPath:
    """Makes the matched signal of a dry signal given in order, with the estimate that holds for each piece.

    The kernel does the same while it runs, with the newest estimate there is. On the fast clock
    estimates come later than their frames; a recording is made afterwards, with this.
    """

    def __init__(self, sample_rate: int) -> None:
        self._state = np.zeros(1, MATCHED_PATH)
        self._line = init_matched_path(self._state, sample_rate)

    def process(self, dry: NDArray[np.float32], *, gain: float, delay_frames: float = 0.0) -> NDArray[np.float32]:
        """gain · (dry delayed by `delay_frames`), shape (frames,). `dry` follows on what was given before.

        `gain` is signed and linear; a change takes 10 ms, a change of delay (0 to 1 s) 20 ms.
        """
        matched = np.empty(len(dry), np.float32)
        match(self._state.ctypes.data, gain, delay_frames, np.ascontiguousarray(dry, np.float32), matched)
        return matched


@realtime_jit
def match(
    address: int, gain: float, delay_frames: float, dry: NDArray[np.float32], matched: NDArray[np.float32]
) -> None:
    """`process_matched_block` for any number of frames, in float32."""
    state = array_at(address, 1, MATCHED_PATH)[0]
    chunk = np.empty(CHUNK_FRAMES)
    for start in range(0, len(dry), CHUNK_FRAMES):
        frames = min(CHUNK_FRAMES, len(dry) - start)
        for i in range(frames):
            chunk[i] = dry[start + i]
        process_matched_block(state, gain, delay_frames, chunk, chunk, frames)
        for i in range(frames):
            matched[start + i] = chunk[i]


@realtime_jit
def process_matched_block(
    state: Record,
    gain: float,
    delay_frames: float,
    dry: NDArray[np.float64],
    matched: NDArray[np.float64],
    frames: int,
) -> None:
    """Fill matched[:frames] from dry[:frames], at most CHUNK frames. They may be one array."""
    if abs(gain) <= GAIN_MAX:
        state.gain = gain
    if not math.isnan(delay_frames):
        state.delay_frames = delay_frames
    ramp(state.gain_ramp, state.gain, state.gains, frames)
    delay_block(state.delay, state.delay_frames, dry, matched, frames)
    for i in range(frames):
        matched[i] *= state.gains[i]
