"""The matched signal, dry × estimate, as it is recorded: taken from the ring live, made afterwards offline."""

from collections import deque
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.effects.matched_path import MatchedPath
from rtgain.audio.engine.ring_buffer import OverrunError, RingBuffer
from rtgain.audio.engine.shared_memory import DRY, MATCHED
from rtgain.records.estimate import Estimate

PIECE_FRAMES = 65536
"""Frames copied at a time."""

Piece = NDArray[np.float32]


class MatchedSignalReader(Protocol):
    """Gives the matched signal in order."""

    def follow(self, estimate: Estimate) -> None:
        """Take note of the next estimate."""

    def take(self, until_frame: int) -> list[Piece]:
        """The signal since the last call, up to `until_frame`, in pieces of shape (frames,)."""


class LiveMatchedReader:
    """What the audio side made while it played. Frames that were overwritten before are silence."""

    def __init__(self, ring: RingBuffer) -> None:
        self._ring = ring
        self._taken = 0

    def follow(self, estimate: Estimate) -> None:
        """The audio side follows the estimator by itself."""

    def take(self, until_frame: int) -> list[Piece]:
        pieces: list[Piece] = []
        while self._taken < until_frame:
            frames = min(PIECE_FRAMES, until_frame - self._taken)
            try:
                pieces.append(self._ring.read(self._taken, frames)[MATCHED].astype(np.float32))
            except OverrunError as overtaken:
                frames = min(overtaken.oldest_frame, until_frame) - self._taken
                pieces.append(np.zeros(frames, np.float32))
            self._taken += frames
        return pieces


class OfflineMatchedRenderer:
    """On the fast clock an estimate comes later than the frames that it holds for. They are matched afterwards,
    each with the newest estimate that could have been known when it was played, just as live."""

    def __init__(self, ring: RingBuffer, sample_rate: int) -> None:
        self._ring = ring
        self._matcher = MatchedPath(sample_rate)
        self._taken = 0
        self._gain = 1.0
        self._delay_frames = 0.0
        self._coming: deque[Estimate] = deque()

    def follow(self, estimate: Estimate) -> None:
        self._coming.append(estimate)

    def take(self, until_frame: int) -> list[Piece]:
        pieces: list[Piece] = []
        while self._taken < until_frame:
            while self._coming and self._coming[0].available_frame <= self._taken:
                estimate = self._coming.popleft()
                self._gain, self._delay_frames = estimate.matched_gain, estimate.matched_delay_frames
            next_change = int(self._coming[0].available_frame) if self._coming else until_frame
            frames = min(PIECE_FRAMES, until_frame - self._taken, next_change - self._taken)
            dry = self._ring.read(self._taken, frames)[DRY].astype(np.float32)
            pieces.append(self._matcher.process(dry, gain=self._gain, delay_frames=self._delay_frames))
            self._taken += frames
        return pieces
