"""Offset between the two recordings of a session, and the delay over time."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rtgain.config.session_config import SessionConfig
from rtgain.records.recording_offset import RecordingOffset

SEARCH_SHARE = 0.6
"""Share of the search for the offset in the progress, if the delay is followed as well."""

FIRST_PART_S = 30.0
"""Seconds over which the delay of long recordings is followed before they are played: 0.6 s of work (measured)."""

Progress = Callable[[float], None]
Cancelled = Callable[[], bool]


def search_offset(
    config: SessionConfig,
    *,
    first_part: bool = False,
    on_progress: Progress = lambda share: None,
    cancelled: Cancelled = lambda: False,
) -> RecordingOffset | None:
    """Find the offset of the second recording, and follow its delay over the section; None if it was cancelled.

    With `first_part`, the delay is followed over the whole of recordings up to `FIRST_PART_S`. For longer ones it is
    followed over that time from the start of the section on; `follow_offset` then follows it over the whole.
    The delay is not followed with ``align`` off. See `find_offset` and `follow_delay`. Raises `InputError`.
    """
    from rtgain.estimation.offset.search import find_offset  # FFmpeg and soxr, which other sessions do not need

    dry, target = Path(config.input), Path(config.target)
    search_share = SEARCH_SHARE if config.align == "on" else 1.0
    offset = find_offset(dry, target, on_progress=lambda share: on_progress(search_share * share), cancelled=cancelled)
    if offset is None or not offset.is_found or config.align == "off":
        return offset
    section_s, is_followed = config.section_s, True
    if first_part:
        begin_s = max(section_s[0], -offset.delay_s, 0.0)
        is_followed = offset.common_s <= FIRST_PART_S
        section_s = (0.0, math.inf) if is_followed else (begin_s, begin_s + FIRST_PART_S)
    return _follow(
        config,
        replace(offset, is_followed=is_followed),
        section_s,
        lambda share: on_progress(search_share + (1.0 - search_share) * share),
        cancelled,
    )


def follow_offset(
    config: SessionConfig, offset: RecordingOffset, *, cancelled: Cancelled = lambda: False
) -> RecordingOffset | None:
    """Follow the delay of the second recording, whose offset is known, over the whole; None if it was cancelled.

    Raises `InputError`.
    """
    return _follow(config, replace(offset, is_followed=True), (0.0, math.inf), lambda share: None, cancelled)


def _follow(
    config: SessionConfig,
    offset: RecordingOffset,
    section_s: tuple[float, float],
    on_progress: Progress,
    cancelled: Cancelled,
) -> RecordingOffset | None:
    """Follow the delay over a section of the dry recording; None if it was cancelled."""
    from rtgain.estimation.offset.follow import follow_delay

    curve = follow_delay(
        Path(config.input),
        Path(config.target),
        offset.delay_s,
        section_s=section_s,
        on_progress=on_progress,
        cancelled=cancelled,
    )
    if curve is None:
        return None
    return replace(offset, curve=None if curve.is_constant else curve, is_stretched=curve.is_stretched)
