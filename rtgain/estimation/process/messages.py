"""Messages between a session and its estimator process. `EstimatorSettings` is sent as a command, too."""

from dataclasses import dataclass

from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.records.estimate import Estimate


@dataclass(frozen=True)
class StartMessage:
    """Command: attach to a session's shared memory and estimate, after the estimate `last` if there is one."""

    memory_name: str
    settings: EstimatorSettings
    last: Estimate | None


@dataclass(frozen=True)
class ResetMessage:
    """Command: reset the estimate; the next descent starts from `gain_db`."""

    gain_db: float = 0.0


@dataclass(frozen=True)
class NewTargetMessage:
    """Command: estimate another target from now on, at the delay of `settings`; descents start from `gain_db`."""

    settings: EstimatorSettings
    gain_db: float


@dataclass(frozen=True)
class FreezeMessage:
    """Command: freeze the estimate, or release it."""

    frozen: bool


@dataclass(frozen=True)
class FinishMessage:
    """Command: estimate the remaining windows up to frame `limit_frame`, then exit."""

    limit_frame: int


@dataclass(frozen=True)
class EnableDiagnostics:
    """Command: publish loss curves and measure loudness from now on."""


@dataclass(frozen=True)
class ReadyMessage:
    """Report: the process has loaded everything and estimates from now on."""


@dataclass(frozen=True)
class LoadingMessage:
    """Report: the process loads, or compiles, more code. It does not estimate until the next `ReadyMessage`."""


@dataclass(frozen=True)
class DroppedFramesMessage:
    """Report: number of frames that were overwritten before they could be analyzed."""

    dropped_frames: int


@dataclass(frozen=True)
class FailureMessage:
    """Report: the estimator raised an exception; the process exits."""

    reason: str


Command = (
    StartMessage
    | EstimatorSettings
    | ResetMessage
    | NewTargetMessage
    | FreezeMessage
    | EnableDiagnostics
    | FinishMessage
)
Report = ReadyMessage | LoadingMessage | DroppedFramesMessage | FailureMessage
