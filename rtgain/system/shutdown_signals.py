"""Shutdown signals as a request that is handled between two steps, so that all output files are complete."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

HANGUP = {signal.SIGHUP} if hasattr(signal, "SIGHUP") else set()
"""The signal sent when the terminal is closed; empty on Windows."""

SHUTDOWN_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM} | HANGUP)
"""Signals that ask a program to exit."""


def set_shutdown_handler(handler: Callable[[int, FrameType | None], object]) -> None:
    """Install `handler` for `SHUTDOWN_SIGNALS`. An ignored hangup stays ignored, because `nohup` relies on that."""
    for number in SHUTDOWN_SIGNALS:
        if number not in HANGUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def exit_code(number: int = signal.SIGINT) -> int:
    """Return the exit code of a program that signal `number` has ended, by the convention of shells: 130 for Ctrl-C."""
    return 128 + number


def interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """Raise `KeyboardInterrupt` with the number of the signal: a handler for `set_shutdown_handler`."""
    raise KeyboardInterrupt(number)


class InterruptHandler:
    """Records `SHUTDOWN_SIGNALS`. The first requests the program to finish; a second SIGINT interrupts it immediately.

    `requested` is True after the first signal. Raises `KeyboardInterrupt` at the second SIGINT.
    """

    def __init__(self) -> None:
        self.requested = False
        self.exit_code = 0
        """Exit code of the program after the first signal."""
        self._callbacks: list[Callable[[], object]] = []
        set_shutdown_handler(self._handle)

    def subscribe(self, callback: Callable[[], object]) -> None:
        """Call `callback` at the first signal, in the signal handler."""
        self._callbacks.append(callback)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        self.requested = True
        self.exit_code = exit_code(number)
        for callback in self._callbacks:
            callback()


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Record SIGINT during the block, and raise `KeyboardInterrupt` for it at the end of the block.

    Yields a function that returns True after SIGINT, so that the block can end between two steps. Only the main thread
    receives signals; in another thread nothing is recorded.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    requested = False

    def record(number: int, frame: FrameType | None) -> None:
        nonlocal requested
        requested = True

    previous = signal.signal(signal.SIGINT, record)
    try:
        yield lambda: requested
    finally:
        signal.signal(signal.SIGINT, previous)
    if requested:
        raise KeyboardInterrupt
