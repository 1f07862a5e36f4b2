"""Polling for conditions without a notification: other processes, audio."""

import threading
import time
from collections.abc import Callable

TIMEOUT_S = 180.0
"""Time limit, in seconds, of what takes seconds on a quiet machine and may take minutes on a busy one."""

TIMEOUT_MS = round(1000 * TIMEOUT_S)
"""The same in milliseconds, for `qtbot`."""


def wait_until(condition: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> None:
    """Poll every 10 ms until `condition` is true. Fails after `timeout_s`."""
    deadline_s = time.monotonic() + timeout_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline_s, "the condition did not become true"
        pause.wait(0.01)
