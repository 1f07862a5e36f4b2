"""What a session looks like at one moment: all that the window reads."""

from dataclasses import dataclass

from rtgain.config.names import Clock
from rtgain.records.history import History
from rtgain.records.levels import Level
from rtgain.records.loss_curves import LossCurves
from rtgain.records.scope import Scope


@dataclass(frozen=True)
class Comparison:
    """Another loss and optimizer on the same windows: `name` is the race's entry, ``loss/optimizer``."""

    name: str
    loss: str
    optimizer: str
    history: History
    gain_db: float
    state: str


@dataclass(frozen=True)
class ChannelCounts:
    """How many channels there are to choose among: for the dry signal, for the target, and to play on; else 0."""

    dry: int
    target: int
    output: int


CLOCK_RATE_TOLERANCE = 0.02
"""Deviation of the measured from the nominal sample rate that counts as a fault: crystals differ by 0.0001."""

STALE_AFTER_S = 0.5
"""An estimate may be this much older than a hop."""


@dataclass(frozen=True)
class Snapshot:
    """What a session looks like at one moment. Times in seconds, levels in dB; NaN where a number is not known.

    `levels` are by signal (`METERED_SIGNALS` of `rtgain.metering.level_meter`). `position_s` is the position in the
    source, and `length_s` its length, limited by a duration; without an end the length is None and the position is the
    time played. `reference_gain_db` is the reference gain of the newest frame. `curves` are None until a
    window has told something, `scope` unless it was asked for.
    """

    running: bool
    is_finished: bool
    clock: Clock
    description: str
    channels: ChannelCounts
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
    reference_gain_db: float
    history: History
    comparisons: tuple[Comparison, ...]
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
    def estimate_is_stale(self) -> bool:
        """Whether the newest estimate is older than the next one's wait explains: who makes them is busy, or gone."""
        return self.running and self.estimate_age_s > STALE_AFTER_S + self.hop_s

    @property
    def clock_rate_ratio(self) -> float:
        """Measured sample rate relative to the nominal rate; NaN until it is measured."""
        return self.frames_per_second / self.sample_rate

    @property
    def clock_rate_is_wrong(self) -> bool:
        """True if the measured sample rate deviates from the nominal rate by more than `CLOCK_RATE_TOLERANCE`."""
        return self.running and abs(self.clock_rate_ratio - 1.0) > CLOCK_RATE_TOLERANCE
