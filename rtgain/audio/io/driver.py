"""Driver protocol and load meter."""

import time
from types import TracebackType
from typing import Protocol

from rtgain.errors import InputError


class Driver(Protocol):
    """What a session needs to know about whatever drives the audio."""

    block: int
    """Frames a block; with a device that chooses itself, what it suggested."""
    description: str
    """Where the sound goes and comes from, in the user's words."""

    @property
    def load(self) -> float:
        """Share of a block's time that processing it takes, from 0 (nothing) to 1 (all)."""

    @property
    def lost(self) -> bool:
        """Whether no more blocks come though nobody stopped: the device is gone."""

    @property
    def error(self) -> InputError | None:
        """Why the source ended early, if it did."""

    @property
    def position(self) -> int:
        """The frame of the source that is played next; without a source, frames so far."""

    def seek(self, frame: int) -> None:
        """Go on at `frame` of the source, where there is one, with a short fade."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class LoadMeter:
    """The share of a block's time that the body of the `with` statement takes, averaged over some 20."""

    def __init__(self, block_s: float) -> None:
        self.share = 0.0
        self._block_s = block_s
        self._start_s = 0.0

    def __enter__(self) -> None:
        self._start_s = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        share = (time.perf_counter() - self._start_s) / self._block_s
        self.share += 0.05 * (min(1.0, share) - self.share)
