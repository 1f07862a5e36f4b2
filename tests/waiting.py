"""Waiting for what tells nobody how far it is: another process, audio."""

import threading
import time
from collections.abc import Callable

PATIENCE_S = 180.0
"""How long a test waits for what comes in seconds, on a machine that has much else to do; then all hope is gone."""


def until(condition: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
    """Look often until `condition` holds."""
    deadline_s = time.monotonic() + timeout_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline_s, "it never happened"
        pause.wait(0.01)
