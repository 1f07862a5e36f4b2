"""What may be sent to the loudspeakers: a live input only after the user has agreed to it once."""

from rtgain.config.names import Monitor, Target
from rtgain.config.session_config import SessionConfig

MONITOR_LABELS: tuple[Monitor, ...] = ("dry", "target", "matched", "difference", "mute")
"""What can be heard, in the order of the keys 1 to 5."""


def is_live(source: str, target: Target, monitor: Monitor) -> bool:
    """Whether `monitor` would send a microphone's own sound to the loudspeakers."""
    if monitor == "mute":
        return False
    return source == "mic" or (target == "return" and monitor in ("target", "difference"))


class FeedbackGuard:
    """Keeps what is wanted apart from what may be heard until the user has confirmed, once a run."""

    def __init__(self, wanted: Monitor) -> None:
        self.wanted: Monitor = wanted
        self._confirmed = False

    def confirm(self) -> None:
        """The user says that a live input may be played."""
        self._confirmed = True

    def asks(self, config: SessionConfig) -> bool:
        """Whether what is wanted has to wait for the user's word."""
        return not self._confirmed and is_live(config.input, config.target, self.wanted)

    def heard(self, config: SessionConfig) -> Monitor:
        """What the session may play now."""
        return "mute" if self.asks(config) else self.wanted
