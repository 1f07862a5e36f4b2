"""Source protocol and the block-wise base class."""

from abc import ABC, abstractmethod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float32]
"""Samples, full scale at 1; shape (channels, frames) where nothing else is said."""


class Source(Protocol):
    """A stream of samples that does not depend on how it is read: any read sizes give the same bits."""

    sample_rate: int
    channels: int
    frames: int | None
    """Length at `sample_rate`; None for a source without an end."""

    def read(self, frames: int) -> Block:
        """The next `frames` frames, shape (channels, frames); fewer only where the source ends."""

    def seek(self, frame: int) -> None:
        """Continue at `frame` >= 0; behind the end, reads give nothing."""

    def close(self) -> None:
        """Give files back; may be called more than once."""


class _BlockwiseSource(ABC):
    """Cuts reads of any size out of blocks whose size the source itself chooses."""

    def __init__(self, sample_rate: int, channels: int, frames: int | None) -> None:
        self.sample_rate = sample_rate
        self.channels = channels
        self.frames = frames
        self._pending: Block = np.empty((channels, 0), np.float32)

    @abstractmethod
    def _next(self) -> Block:
        """The block after the last one, shape (channels, n); n = 0 at the end and only there."""

    @abstractmethod
    def _go_to(self, frame: int) -> int:
        """Make `_next` continue at or before `frame`; returns how many frames before."""

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
        surplus = self._go_to(frame)
        while surplus > 0:
            block = self._next()
            if block.shape[1] == 0:
                return
            self._pending = block[:, surplus:]
            surplus -= min(surplus, block.shape[1])

    # Most sources hold nothing that needs closing.
    def close(self) -> None:  # noqa: B027
        """Give files back; may be called more than once."""
