"""A session that makes room for a while, for lessons or for one of their sounds, and is brought back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from gui.control.feedback_guard import FeedbackGuard
from gui.control.session_controller import SessionHost
from rtgain.config.labels import IN_WORDS


@dataclass(frozen=True)
class PutAside:
    """What a session was. `options` are those that lessons may change, what is heard among them."""

    options: Mapping[str, Any]
    ran: bool

    @classmethod
    def of(cls, host: SessionHost, guard: FeedbackGuard) -> Self:
        """The session that `host` has now."""
        options = {name: getattr(host.config, name) for name in IN_WORDS}
        return cls(options | {"hear": guard.wanted}, host.state != "stopped")
