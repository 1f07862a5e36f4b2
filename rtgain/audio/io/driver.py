"""Driver protocol and load meter."""

import time
from types import TracebackType
from typing import Protocol

from rtgain.errors import InputError


class Driver(Protocol):
    """Calls the engine once per block.

    Call `start` once. `stop` may be called more than once; it returns when no thread processes audio any more. All
    drivers run the same compiled kernel.
    """

    block: int
    """Frames per block; if the device chooses the block, the length that it suggested."""
    description: str
    """Name of the devices or of the clock, as shown to the user."""

    @property
    def load(self) -> float:
        """Processing time of a block divided by its duration, from 0 to 1."""

    @property
    def lost(self) -> bool:
        """True if no more blocks are processed although the driver was not stopped: the device is lost."""

    @property
    def error(self) -> InputError | None:
        """Error that ended the source early, or None."""

    @property
    def position(self) -> int:
        """Next frame of the source to play; without a source, the number of frames so far."""

    def seek(self, frame: int) -> None:
        """Continue at `frame` of the source, if there is one, with a short crossfade."""

    def start(self) -> None:
        """Start processing. Raises `DeviceError`."""

    def stop(self) -> None:
        """Stop processing and release the device."""


class LoadMeter:
    """Measures the duration of a `with` statement as a share of the block's duration, averaged over about 20 blocks."""

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
