"""Messages between a session and its estimator process."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.records.estimate import Estimate

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class StartMessage:
    """Attach to a session's memory and follow it, from the estimate `last` on."""

    memory_name: str
    settings: EstimatorSettings
    last: Estimate | None


@dataclass(frozen=True)
class ResetMessage:
    """Forget everything and start again from `gain_db`."""

    gain_db: float = 0.0


@dataclass(frozen=True)
class FreezeMessage:
    """Hold the estimate (`on`), or let it go."""

    on: bool


@dataclass(frozen=True)
class FinishMessage:
    """Estimate what is left up to frame `limit_frame`, then leave."""

    limit_frame: int


@dataclass(frozen=True)
class EnableDiagnostics:
    """Somebody looks: draw loss against gain, and measure loudness, from now on."""


@dataclass(frozen=True)
class ReadyMessage:
    """The process has loaded torch and begins to estimate."""


@dataclass(frozen=True)
class DroppedFramesMessage:
    """Frames that were overwritten before they could be analysed."""

    dropped_frames: int


@dataclass(frozen=True)
class FailureMessage:
    """The estimator raised; the process ends."""

    reason: str
