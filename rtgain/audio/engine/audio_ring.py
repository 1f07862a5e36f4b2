"""Audio ring: the ring buffer of all signals of a session, under one frame counter.

Rows: dry, target and matched signal of every channel, then the reference gain.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.engine.ring_buffer import RingBuffer


def audio_rows(channels: int) -> int:
    """Return the number of rows of an audio ring: three per channel and the reference gain."""
    return 3 * channels + 1


@dataclass(frozen=True)
class AudioSignals:
    """Frames of an audio ring, float32.

    `dry`, `target` and `matched` have the shape (channels, frames). `reference_gain`, shape (frames,), is
    |reference gain| (linear) of each dry frame, NaN if unknown.
    """

    dry: NDArray[np.float32]
    target: NDArray[np.float32]
    matched: NDArray[np.float32]
    reference_gain: NDArray[np.float32]

    @property
    def metered(self) -> NDArray[np.float32]:
        """The signals of `rtgain.records.levels.METERED_SIGNALS`, shape (4, channels, frames)."""
        return np.stack([self.dry, self.target, self.matched, self.target - self.matched])


class AudioRing(RingBuffer):
    """Ring buffer of `channels` channels and `capacity` frames over the memory `buffer`, as `RingBuffer`."""

    def __init__(self, buffer: memoryview, channels: int, capacity: int) -> None:
        super().__init__(buffer, audio_rows(channels), capacity, np.float32)
        self.channels = channels

    def read_signals(self, start: int, frames: int) -> AudioSignals:
        """Return a copy of `frames` frames from frame `start`. Raises `OverrunError` and `ValueError` as `read`."""
        rows = self.read(start, frames).astype(np.float32, copy=False)
        dry, target, matched = rows[:-1].reshape(3, self.channels, frames)
        return AudioSignals(dry, target, matched, rows[-1])
