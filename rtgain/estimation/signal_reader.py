"""Signal readers: dry and target side by side for the streaming estimator."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.engine.shared_memory import EngineSharedMemory


class SignalReader(Protocol):
    """Dry and target signal side by side, as far as they are there."""

    @property
    def frames_written(self) -> int:
        """Frames so far."""

    @property
    def oldest_frame(self) -> int:
        """The oldest frame left."""

    def read(self, start: int, frames: int) -> NDArray[np.floating]:
        """Frames from `start`, shape (rows, frames); the rows are those of `rtgain.audio.engine.shared_memory`."""


class RingSignalReader:
    """The audio ring of a session, up to where its source ended (or to `limit_frame`, where that is set)."""

    def __init__(self, memory: EngineSharedMemory) -> None:
        self.limit_frame: int | None = None
        self._memory = memory

    @property
    def frames_written(self) -> int:
        """Frames of sound so far; silence behind the source's end does not count."""
        written = self._memory.audio.frames_written  # first: the end is announced before any frame behind it
        control = self._memory.control
        ends = (control["end_frame"] if control["ended"] else None, self.limit_frame)
        return min([written, *(int(end) for end in ends if end is not None)])

    @property
    def oldest_frame(self) -> int:
        """The oldest frame left."""
        return self._memory.audio.oldest_frame

    def read(self, start: int, frames: int) -> NDArray[np.floating]:
        """A copy of frames, (rows, frames), as `rtgain.audio.engine.ring_buffer.RingBuffer.read`."""
        return self._memory.audio.read(start, frames)
