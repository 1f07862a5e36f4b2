"""The log file, in the place where the system keeps such things."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

import platformdirs

LONGEST_BYTES = 500_000


def open_log() -> Path | None:
    """Write what happens to a file from now on; its path, or None where it cannot be written: sound matters more."""
    try:
        folder = platformdirs.user_log_path("rtgain", appauthor=False, ensure_exists=True)
        handler = RotatingFileHandler(folder / "rtgain.log", maxBytes=LONGEST_BYTES, backupCount=1, encoding="utf-8")
    except OSError:
        return None
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    for name in ("gui", "rtgain"):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    return Path(handler.baseFilename)


def close_log() -> None:
    """Write to no file any more."""
    for name in ("gui", "rtgain"):
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
            handler.close()
