"""Backup of a session that is interrupted by lessons or by one of their sounds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from gui.control.feedback_guard import FeedbackGuard
from gui.control.session_controller import SessionController
from rtgain.config.labels import CONTROL_LABELS


@dataclass(frozen=True)
class SessionBackup:
    """State of a session: `options` are those that lessons may change, and the monitor."""

    options: Mapping[str, Any]
    was_running: bool

    @classmethod
    def of(cls, controller: SessionController, guard: FeedbackGuard) -> Self:
        """Back up the present session of `controller`."""
        options = {name: getattr(controller.config, name) for name in CONTROL_LABELS}
        return cls(options | {"monitor": guard.requested}, controller.state != "stopped")
