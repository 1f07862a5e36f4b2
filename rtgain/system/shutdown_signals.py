"""Ctrl-C as a request that is honored between two steps, so that no row is lost and no file is half-written."""

import signal
from collections.abc import Callable
from types import FrameType

EXIT_INTERRUPTED = 130
"""The exit code of a run that was interrupted."""


HANGUP = {signal.SIGHUP} if hasattr(signal, "SIGHUP") else set()
"""What comes when the terminal is closed. Windows has none."""

SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM} | HANGUP)
"""What asks a program to end."""


def on_signals(handler: Callable[[int, FrameType | None], object]) -> None:
    """Let `handler` take `SIGNALS`. A hangup that is ignored already stays ignored: that is what `nohup` is for."""
    for number in SIGNALS:
        if number not in HANGUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


class InterruptHandler:
    """Notes `SIGNALS`. The first asks the program to finish; a second SIGINT ends it at once."""

    def __init__(self) -> None:
        self.requested = False
        on_signals(self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True
