"""Offset between the two recordings of a session, searched for before the session starts."""

from collections.abc import Callable
from pathlib import Path

from rtgain.config.session_config import SessionConfig
from rtgain.records.recording_offset import RecordingOffset


def search_offset(
    config: SessionConfig,
    *,
    on_progress: Callable[[float], None] = lambda share: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> RecordingOffset | None:
    """Find the offset of the second recording; None if it was cancelled. See `find_offset`. Raises `InputError`."""
    from rtgain.estimation.offset.search import find_offset  # FFmpeg and soxr, which other sessions do not need

    return find_offset(Path(config.input), Path(config.target), on_progress=on_progress, cancelled=cancelled)
