"""Position in the source of each frame of a session: they differ after a seek, a loop and an underrun."""

from collections import deque

MAX_CHANGES = 64
"""Changes that are stored: an estimate is a second old at most."""


class SourcePosition:
    """Position of the source over the frames of a session, from readings of both counters.

    `loop_frames` is the length of one pass of a looped source; None for others. On a live clock (`is_live`) the
    counters move during a reading. A change of their difference then counts once two readings agree.
    """

    def __init__(self, loop_frames: int | None, *, is_live: bool) -> None:
        self._loop_frames = loop_frames
        self._is_live = is_live
        self._changes: deque[tuple[int, int]] = deque([(0, 0)], maxlen=MAX_CHANGES)
        self._last = 0, 0

    def update(self, frames: int, source_frame: int) -> None:
        """Add a reading: `source_frame` of the source is played next, after `frames` frames of the session.

        A change counts from the reading before.
        """
        shift = source_frame - frames
        before_frames, before_shift = self._last
        if shift != self._changes[-1][1] and (shift == before_shift or not self._is_live):
            self._changes.append((before_frames, shift))
        self._last = frames, shift

    def source_frame_at(self, frame: float) -> float:
        """Return the frame of the source that was played at `frame` of the session."""
        shift = next((shift for begin, shift in reversed(self._changes) if begin <= frame), self._changes[0][1])
        source_frame = frame + shift
        return source_frame if self._loop_frames is None else source_frame % self._loop_frames
