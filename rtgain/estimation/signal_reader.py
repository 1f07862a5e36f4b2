"""Signal readers: synchronous access to the dry and the target signal for the streaming estimator."""

from typing import Protocol

from rtgain.audio.engine.audio_ring import AudioRing, AudioSignals
from rtgain.audio.engine.shared_memory import ControlRecord


class SignalReader(Protocol):
    """Readable part of the dry and the target signal."""

    @property
    def channels(self) -> int:
        """Number of channels of each signal."""

    @property
    def frames_written(self) -> int:
        """Number of frames so far."""

    @property
    def oldest_frame(self) -> int:
        """The oldest readable frame."""

    def read(self, start: int, frames: int) -> AudioSignals:
        """Read `frames` frames from `start`. Raises `OverrunError` if they were overwritten."""


class RingSignalReader:
    """Reader of an audio ring, up to `limit_frame`, and up to the end of the source that `control` announces."""

    def __init__(self, ring: AudioRing, control: ControlRecord | None = None) -> None:
        self.limit_frame: int | None = None
        self._ring = ring
        self._control = control

    @property
    def channels(self) -> int:
        """Number of channels of each signal."""
        return self._ring.channels

    @property
    def frames_written(self) -> int:
        """Number of frames so far, without the silence after the source's end."""
        frames = self._ring.frames_written  # read first: the end is announced before any frame after it is written
        if self._control is not None and self._control["ended"]:
            frames = min(frames, int(self._control["end_frame"]))
        return frames if self.limit_frame is None else min(frames, self.limit_frame)

    @property
    def oldest_frame(self) -> int:
        """The oldest readable frame."""
        return self._ring.oldest_frame

    def read(self, start: int, frames: int) -> AudioSignals:
        """Copy `frames` frames from `start`, as `AudioRing.read_signals` does."""
        return self._ring.read_signals(start, frames)
