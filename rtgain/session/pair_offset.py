"""Offset between the two recordings of a session, and the delay over time, before the session starts."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rtgain.config.session_config import SessionConfig
from rtgain.records.recording_offset import RecordingOffset

SEARCH_SHARE = 0.6
"""Share of the search for the offset in the progress, if the delay is followed as well."""


def search_offset(
    config: SessionConfig,
    *,
    on_progress: Callable[[float], None] = lambda share: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> RecordingOffset | None:
    """Find the offset of the second recording, and follow its delay over the section; None if it was cancelled.

    The delay is not followed with ``align`` off. See `find_offset` and `follow_delay`. Raises `InputError`.
    """
    # FFmpeg and soxr, which other sessions do not need
    from rtgain.estimation.offset.follow import follow_delay
    from rtgain.estimation.offset.search import find_offset

    dry, target = Path(config.input), Path(config.target)
    search_share = SEARCH_SHARE if config.align == "on" else 1.0
    offset = find_offset(dry, target, on_progress=lambda share: on_progress(search_share * share), cancelled=cancelled)
    if offset is None or not offset.is_found or config.align == "off":
        return offset
    curve = follow_delay(
        dry,
        target,
        offset.delay_s,
        section_s=config.section_s,
        on_progress=lambda share: on_progress(search_share + (1.0 - search_share) * share),
        cancelled=cancelled,
    )
    if curve is None:
        return None
    return replace(offset, curve=None if curve.is_constant else curve, is_stretched=curve.is_stretched)
