"""History of the options that the user has changed, for undo and redo."""

from dataclasses import dataclass

from rtgain.config.names import Monitor
from rtgain.config.session_config import SessionConfig

MERGE_S = 1.0
"""Changes of one control at shorter intervals, in seconds, are one change: a drag of a slider."""

MAX_CHANGES = 200


@dataclass(frozen=True)
class Options:
    """Options of a session, with the monitor that the user requested."""

    config: SessionConfig
    monitor: Monitor


class UndoHistory:
    """Options before each change; the newest last."""

    def __init__(self) -> None:
        self._undo: list[Options] = []
        self._redo: list[Options] = []
        self._subject = ""
        self._changed_s = 0.0

    def record(self, before: Options, subject: str, now_s: float) -> None:
        """Store the options before a change of `subject`, the control, at `now_s` in seconds."""
        is_same = subject == self._subject and now_s - self._changed_s < MERGE_S and bool(self._undo)
        self._subject, self._changed_s = subject, now_s
        self._redo.clear()
        if not is_same:
            self._undo = [*self._undo[1 - MAX_CHANGES :], before]

    def undo(self, current: Options) -> Options | None:
        """Return the options before the last change; None without one."""
        return self._step(self._undo, self._redo, current)

    def redo(self, current: Options) -> Options | None:
        """Return the options before the last undo; None without one."""
        return self._step(self._redo, self._undo, current)

    def _step(self, source: list[Options], other: list[Options], current: Options) -> Options | None:
        self._subject = ""
        if not source:
            return None
        other.append(current)
        return source.pop()
