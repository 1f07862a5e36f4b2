"""Sessions that lessons run on the fast clock: what the window does live, with the same estimators."""

from typing import Any

import numpy as np

from rtgain.config.session_config import SessionConfig
from rtgain.records.history import History
from rtgain.records.snapshot import Comparison
from rtgain.session.session import Session


def run_offline(duration_s: float, **options: Any) -> tuple[History, dict[str, Comparison]]:
    """What a session with these options has estimated after so many seconds, and who raced, by entries."""
    config = SessionConfig(**options, duration=duration_s)
    with Session(config, clock="offline", keep_whole_trace=True) as session:
        session.start()
        while not session.ended:
            session.advance()
        session.finish()
        return session.trace.history(), {comparison.name: comparison for comparison in session.comparisons}


def arrival_s(history: History) -> float:
    """When the estimate was last a tenth of a decibel or more off the true gain."""
    return float(history.time_s[np.abs(history.gain_est_db - history.gain_true_db) >= 0.1].max())
