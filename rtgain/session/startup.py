"""Start of the estimator's process before the imports of a session."""

from rtgain.config.session_config import SessionConfig
from rtgain.estimation.process.fork_server import ESTIMATOR_SERVER


def load_estimator(config: SessionConfig, *, headless: bool) -> None:
    """Start the process that loads torch, unless the session estimates in this process; Qt and numba load meanwhile."""
    if config.resolved_clock(headless=headless) != "offline":
        ESTIMATOR_SERVER.load()
