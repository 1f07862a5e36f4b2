"""Matched path: the dry signal with the estimated gain, delay and filters, which approximates the target.

It is causal and follows changing estimates. `rtgain.match.render` applies one constant estimate to a whole recording
without that restriction.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.constants import CHUNK_FRAMES, GAIN_RAMP_S
from rtgain.audio.effects.delay_line import DELAY, delay_block, init_delay
from rtgain.audio.effects.equalizer import (
    EQUALIZER,
    EQUALIZER_PARAMETERS,
    equalize_block,
    init_equalizer,
    publish_coefficients,
)
from rtgain.audio.effects.ramp import RAMP, init_ramp, ramp
from rtgain.audio.jit import Record, array_at, realtime_jit

MAX_VALID_GAIN = 1e6
"""Larger gains (beyond +120 dB) are invalid, like NaN: the last valid gain remains in use."""

MATCHED_PATH = np.dtype(
    [
        ("gain", "f8"),  # last valid gain
        ("delay_frames", "f8"),
        ("gain_ramp", RAMP),
        ("delay", DELAY),
        ("equalizer", EQUALIZER),
        ("gains", "f8", (CHUNK_FRAMES,)),  # scratch
    ]
)
"""State of one channel."""


def init_matched_path(state: NDArray[np.void], sample_rate: int) -> NDArray[np.float64]:
    """Initialize one channel of a matched path (dtype `MATCHED_PATH`, one element): gain 1, no delay, no filters.

    Returns its delay line, which the caller must keep alive.
    """
    state[...] = np.zeros((), MATCHED_PATH)
    state["gain"] = 1.0
    init_ramp(state["gain_ramp"], GAIN_RAMP_S, sample_rate)
    init_equalizer(state["equalizer"], sample_rate)
    return init_delay(state["delay"], sample_rate)


class MatchedPath:
    """Matched path of `channels` channels: processes consecutive blocks of the dry signal, each with its own estimate.

    The kernel does the same in real time, with the newest estimate. On the offline clock estimates are later than
    their frames, so a recording is rendered afterwards with this class.
    """

    def __init__(self, sample_rate: int, channels: int = 1) -> None:
        states = np.zeros(channels, MATCHED_PATH)
        self._states = [states[channel : channel + 1] for channel in range(channels)]
        self._lines = [init_matched_path(state, sample_rate) for state in self._states]
        self._equalizer = np.zeros(1, EQUALIZER_PARAMETERS)

    def set_equalizer(self, coefficients: NDArray[np.float64]) -> None:
        """Use the filters with `coefficients`, ``(filters, 5)``, in all channels from the next frame on.

        A change takes 20 ms.
        """
        publish_coefficients(self._equalizer.ctypes.data, coefficients)

    def process(
        self, dry: NDArray[np.float32], *, gains: Sequence[float], delays_frames: Sequence[float]
    ) -> NDArray[np.float32]:
        """Return gain · filters(dry delayed by its delay) for each channel. `dry` continues the previous block.

        `dry` and the result are float32, shape (channels, frames). `gains` and `delays_frames` have one value per
        channel. Gains are signed and linear; a change takes 10 ms. A change of a delay (0 to 1 s) takes 20 ms.
        """
        dry = np.ascontiguousarray(dry, np.float32)
        matched = np.empty_like(dry)
        for state, gain, delay_frames, x, y in zip(self._states, gains, delays_frames, dry, matched, strict=True):
            process_matched(state.ctypes.data, gain, delay_frames, self._equalizer.ctypes.data, x, y)
        return matched


@realtime_jit
def process_matched(
    address: int,
    gain: float,
    delay_frames: float,
    equalizer: int,
    dry: NDArray[np.float32],
    matched: NDArray[np.float32],
) -> None:
    """Apply `process_matched_block` to any number of frames of one channel, in float32."""
    state = array_at(address, 1, MATCHED_PATH)[0]
    chunk = np.empty(CHUNK_FRAMES)
    for start in range(0, len(dry), CHUNK_FRAMES):
        frames = min(CHUNK_FRAMES, len(dry) - start)
        for i in range(frames):
            chunk[i] = dry[start + i]
        process_matched_block(state, gain, delay_frames, equalizer, chunk, chunk, frames)
        for i in range(frames):
            matched[start + i] = chunk[i]


@realtime_jit
def process_matched_block(
    state: Record,
    gain: float,
    delay_frames: float,
    equalizer: int,
    dry: NDArray[np.float64],
    matched: NDArray[np.float64],
    frames: int,
) -> None:
    """Fill matched[:frames] from dry[:frames] of one channel, at most CHUNK_FRAMES. Both may be the same array.

    `equalizer` is the address of the filters (dtype `EQUALIZER_PARAMETERS`).
    """
    if abs(gain) <= MAX_VALID_GAIN:
        state.gain = gain
    if not math.isnan(delay_frames):
        state.delay_frames = delay_frames
    ramp(state.gain_ramp, state.gain, state.gains, frames)
    delay_block(state.delay, state.delay_frames, dry, matched, frames)
    equalize_block(state.equalizer, equalizer, matched, frames)
    for i in range(frames):
        matched[i] *= state.gains[i]
