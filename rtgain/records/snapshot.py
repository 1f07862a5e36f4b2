"""What a session looks like at one moment: all that the window reads."""

from dataclasses import dataclass

from rtgain.config.names import Clock
from rtgain.records.history import History
from rtgain.records.levels import Level
from rtgain.records.loss_curves import LossCurves
from rtgain.records.scope import Scope


@dataclass(frozen=True)
class Rival:
    """Another loss and optimizer on the same windows: `name` is the race's entry, ``loss/optimizer``."""

    name: str
    loss: str
    optimizer: str
    history: History
    gain_db: float
    state: str


@dataclass(frozen=True)
class Channels:
    """How many channels there are to choose among: for the dry signal, for the target, and to play on; else 0."""

    dry: int
    target: int
    output: int


LATE_S = 0.5
"""An estimate may be this much older than a hop."""


@dataclass(frozen=True)
class Snapshot:
    """What a session looks like at one moment. Times in seconds, levels in dB; NaN where a number is not known.

    `levels` are by signal, as in `rtgain.metering.level_meter.METERED`. `position_s` is where in a file (or what a duration
    leaves of it) the sound is, and `length_s` how long that is; the length of what has no end is None, and its
    position the time played. `gain_now_db` is the reference gain of the newest frame. `curves` are None until a
    window has told something, `scope` unless it was asked for.
    """

    running: bool
    ended: bool
    clock: Clock
    description: str
    channels: Channels
    sample_rate: int
    block: int
    frames: int
    time_s: float
    position_s: float
    length_s: float | None
    state: str
    gain_db: float
    gain_linear: float
    std_db: float
    delay_ms: float
    polarity: int
    gain_now_db: float
    history: History
    rivals: tuple[Rival, ...]
    curves: LossCurves | None
    scope: Scope | None
    levels: dict[str, Level]
    clipped_frames: int
    xruns: int
    dropped_frames: int
    estimator_restarts: int
    load: float
    frames_per_second: float
    estimates_per_second: float
    estimate_age_s: float
    hop_s: float
    notices: tuple[str, ...]

    @property
    def estimate_late(self) -> bool:
        """Whether the newest estimate is older than the next one's wait explains: who makes them is busy, or gone."""
        return self.running and self.estimate_age_s > LATE_S + self.hop_s
