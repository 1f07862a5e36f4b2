"""Waiting for what tells nobody how far it is: another process, audio."""

import threading
import time
from collections.abc import Callable


def until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Look often until `condition` holds."""
    deadline_s = time.monotonic() + timeout_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline_s, "it never happened"
        pause.wait(0.01)
