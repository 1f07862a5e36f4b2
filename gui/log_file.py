"""Log file in the user's log folder."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

import platformdirs

MAX_BYTES = 500_000
"""Size at which the log is rotated; one older file is retained."""


def open_log() -> Path | None:
    """Start the log, and return its path; None if the folder is not writable, which does not prevent a session."""
    try:
        folder = platformdirs.user_log_path("rtgain", appauthor=False, ensure_exists=True)
        handler = RotatingFileHandler(folder / "rtgain.log", maxBytes=MAX_BYTES, backupCount=1, encoding="utf-8")
    except OSError:
        return None
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    for name in ("gui", "rtgain"):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    return Path(handler.baseFilename)


def close_log() -> None:
    """End the log."""
    for name in ("gui", "rtgain"):
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
            handler.close()
