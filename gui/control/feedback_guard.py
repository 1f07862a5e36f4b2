"""Protection from acoustic feedback: a live input is sent to the outputs only after the user has agreed once."""

from rtgain.config.names import Monitor, Target
from rtgain.config.session_config import SessionConfig


def is_live(source: str, target: Target, monitor: Monitor) -> bool:
    """True if `monitor` would send a microphone's own signal to the outputs."""
    if monitor == "mute":
        return False
    return source == "mic" or (target == "return" and monitor in ("target", "difference"))


class FeedbackGuard:
    """Separates the monitor that the user requested from the one that is allowed until the user confirms.

    One confirmation is valid until the program ends.
    """

    def __init__(self, requested: Monitor) -> None:
        self.requested: Monitor = requested
        self._confirmed = False

    def confirm(self) -> None:
        """Allow live inputs to be monitored."""
        self._confirmed = True

    def needs_confirmation(self, config: SessionConfig) -> bool:
        """True if the requested monitor is live and the user has not confirmed."""
        return not self._confirmed and is_live(config.input, config.target_kind, self.requested)

    def allowed(self, config: SessionConfig) -> Monitor:
        """Return the requested monitor, or "mute" until it is confirmed."""
        return "mute" if self.needs_confirmation(config) else self.requested
