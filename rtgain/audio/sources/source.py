"""Source protocol, and the base class of sources that produce blocks."""

from abc import ABC, abstractmethod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float32]
"""Samples with full scale at 1; shape (channels, frames) unless stated otherwise."""


class Source(Protocol):
    """Stream of samples. Its bits do not depend on the sizes of the reads."""

    sample_rate: int
    channels: int
    frames: int | None
    """Length at `sample_rate`; None for an endless source."""

    def read(self, frames: int) -> Block:
        """Return the next `frames` frames, shape (channels, frames); fewer only at the end of the source."""

    def seek(self, frame: int) -> None:
        """Continue at `frame` >= 0. Reads beyond the end return no frames."""

    def close(self) -> None:
        """Close files. May be called more than once."""


class BlockwiseSource(ABC):
    """Base class of sources that produce blocks of their own size: serves reads of any size."""

    def __init__(self, sample_rate: int, channels: int, frames: int | None) -> None:
        self.sample_rate = sample_rate
        self.channels = channels
        self.frames = frames
        self._pending: Block = np.empty((channels, 0), np.float32)

    @abstractmethod
    def _next(self) -> Block:
        """Return the next block, shape (channels, n). n is 0 only at the end of the source."""

    @abstractmethod
    def _seek(self, frame: int) -> int:
        """Let `_next` continue at or before `frame`. Returns the number of frames before `frame`."""

    def read(self, frames: int) -> Block:
        parts = [self._pending[:, :0]]
        missing = frames
        while missing > 0:
            if self._pending.shape[1] == 0:
                self._pending = self._next()
                if self._pending.shape[1] == 0:
                    break
            parts.append(self._pending[:, :missing])
            self._pending = self._pending[:, missing:]
            missing -= parts[-1].shape[1]
        return np.concatenate(parts, axis=1)

    def seek(self, frame: int) -> None:
        if frame < 0:
            raise ValueError(f"frame {frame} is before the start")
        self._pending = self._pending[:, :0]
        surplus = self._seek(frame)
        while surplus > 0:
            block = self._next()
            if block.shape[1] == 0:
                return
            self._pending = block[:, surplus:]
            surplus -= min(surplus, block.shape[1])

    # Most sources have no files to close.
    def close(self) -> None:  # noqa: B027
        """Close files. May be called more than once."""
