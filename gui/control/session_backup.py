"""A session that makes room for a while, for lessons or for one of their sounds, and is brought back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from gui.control.feedback_guard import FeedbackGuard
from gui.control.session_controller import SessionController
from rtgain.config.labels import CONTROL_LABELS


@dataclass(frozen=True)
class SessionBackup:
    """What a session was. `options` are those that lessons may change, what is heard among them."""

    options: Mapping[str, Any]
    ran: bool

    @classmethod
    def of(cls, host: SessionController, guard: FeedbackGuard) -> Self:
        """The session that `host` has now."""
        options = {name: getattr(host.config, name) for name in CONTROL_LABELS}
        return cls(options | {"monitor": guard.wanted}, host.state != "stopped")
