"""Ctrl-C as a request that is honored between two steps, so that no row is lost and no file is half-written."""

import signal
from types import FrameType

INTERRUPTED = 130
"""The exit code of a run that was interrupted."""


class Interruption:
    """Notes SIGINT and SIGTERM. The first asks the program to finish; a second SIGINT ends it at once."""

    def __init__(self) -> None:
        self.requested = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True
