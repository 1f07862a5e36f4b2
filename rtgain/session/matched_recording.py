"""Readers of the matched signal for a recording: from the ring while it plays, or rendered afterwards offline."""

from collections import deque
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.effects.matched_path import MatchedPath
from rtgain.audio.engine.audio_ring import AudioRing
from rtgain.audio.engine.ring_buffer import OverrunError
from rtgain.records.estimate import Estimate

CHUNK_FRAMES = 65536
"""Most frames copied at once."""

Chunk = NDArray[np.float32]


class MatchedSignalReader(Protocol):
    """Reader of the matched signal in order."""

    def add_estimate(self, estimate: Estimate) -> None:
        """Receive the next estimate."""

    def read(self, until_frame: int) -> list[Chunk]:
        """Return the signal since the last call, up to `until_frame`, in chunks of shape (frames,)."""


class LiveMatchedReader:
    """Reader of the matched signal that the callback has written. Overwritten frames become silence."""

    def __init__(self, ring: AudioRing) -> None:
        self._ring = ring
        self._next_frame = 0

    def add_estimate(self, estimate: Estimate) -> None:
        """Do nothing: the callback applies the estimates itself."""

    def read(self, until_frame: int) -> list[Chunk]:
        chunks: list[Chunk] = []
        while self._next_frame < until_frame:
            frames = min(CHUNK_FRAMES, until_frame - self._next_frame)
            try:
                chunks.append(self._ring.read_signals(self._next_frame, frames).matched[0])
            except OverrunError as overrun:
                frames = min(overrun.oldest_frame, until_frame) - self._next_frame
                chunks.append(np.zeros(frames, np.float32))
            self._next_frame += frames
        return chunks


class OfflineMatchedRenderer:
    """Renderer of the matched signal on the offline clock.

    Offline, an estimate arrives after the frames that it applies to. The frames are matched afterwards, each with
    the newest estimate that would have been available when it was played, as in a live session.
    """

    def __init__(self, ring: AudioRing, sample_rate: int) -> None:
        self._ring = ring
        self._path = MatchedPath(sample_rate)
        self._next_frame = 0
        self._gain = 1.0
        self._delay_frames = 0.0
        self._pending: deque[Estimate] = deque()

    def add_estimate(self, estimate: Estimate) -> None:
        self._pending.append(estimate)

    def read(self, until_frame: int) -> list[Chunk]:
        chunks: list[Chunk] = []
        while self._next_frame < until_frame:
            while self._pending and self._pending[0].available_frame <= self._next_frame:
                estimate = self._pending.popleft()
                self._gain, self._delay_frames = estimate.matched_gains[0], estimate.matched_delays_frames[0]
            next_change = int(self._pending[0].available_frame) if self._pending else until_frame
            frames = min(CHUNK_FRAMES, until_frame - self._next_frame, next_change - self._next_frame)
            dry = self._ring.read_signals(self._next_frame, frames).dry
            chunks.append(self._path.process(dry, gains=[self._gain], delays_frames=[self._delay_frames])[0])
            self._next_frame += frames
        return chunks
