"""Snapshot: the state of a session at one moment, with everything that the GUI shows."""

import math
from dataclasses import dataclass

from rtgain.config.names import Clock
from rtgain.records.history import History
from rtgain.records.learned_equalizer import LearnedEqualizer
from rtgain.records.level_match import LevelMatch
from rtgain.records.levels import Level
from rtgain.records.loss_curves import LossCurves
from rtgain.records.response import Response
from rtgain.records.scope import Scope


@dataclass(frozen=True)
class Comparison:
    """Another loss and optimizer on the same windows; `name` is its entry in the option `compare`."""

    name: str
    loss: str
    optimizer: str
    history: History
    gain_db: float
    state: str


@dataclass(frozen=True)
class ChannelCounts:
    """Numbers of channels to choose from: for the dry signal, the target and the outputs; 0 without a choice."""

    dry: int
    target: int
    output: int


CLOCK_RATE_TOLERANCE = 0.02
"""Deviation of the measured from the nominal sample rate that counts as a fault: crystals differ by 0.0001."""

CLOCK_NOTICE = "The audio clock runs at"
"""Beginning of the notice about a wrong sample rate."""

STALE_AFTER_S = 0.5
"""Age in seconds, in addition to a hop, above which an estimate is stale."""


@dataclass(frozen=True)
class Snapshot:
    """State of a session at one moment. Times in seconds, levels in dB, NaN for unknown numbers.

    Attributes:
        channels: number of channels of the session.
        channel_counts: numbers of channels to choose from.
        position_s: position in the source; without an end, the time played.
        start_s: time of position 0 in the dry recording.
        length_s: length of the source, limited by the duration; None without an end.
        state: state of the newest estimate.
        drift_ppm: drift of the target's clock, in millionths; 0 if the delay does not move.
        channel_gains_db, channel_polarities: gain and polarity of each channel, of the newest estimate.
        reference_gain_db: reference gain of the newest frame.
        curves: loss curves; None before the first coherent window.
        response: response over the last two seconds; None without diagnostics, or before any sound.
        scope: newest window; None unless requested.
        levels: by signal (`METERED_SIGNALS` of `rtgain.records.levels`).
        level_match: level differences of target and dry signal, and the trims of the monitor.
        clipped_frames: samples of device inputs at full scale; files are not counted.
        load: processing time of a block relative to its duration.
        estimate_age_s: audio time since the newest estimate became available.
        notices: messages for the user since the last snapshot.
        equalizer: newest learned equalizer; None with the processor ``gain``, and before the first fit.
    """

    running: bool
    is_finished: bool
    clock: Clock
    description: str
    channels: int
    channel_counts: ChannelCounts
    sample_rate: int
    block: int
    frames: int
    time_s: float
    position_s: float
    start_s: float
    length_s: float | None
    state: str
    gain_db: float
    gain_linear: float
    std_db: float
    delay_ms: float
    drift_ppm: float
    polarity: int
    channel_gains_db: tuple[float, ...]
    channel_polarities: tuple[int, ...]
    reference_gain_db: float
    history: History
    comparisons: tuple[Comparison, ...]
    curves: LossCurves | None
    response: Response | None
    scope: Scope | None
    levels: dict[str, Level]
    level_match: LevelMatch
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
    equalizer: LearnedEqualizer | None

    @property
    def estimate_is_stale(self) -> bool:
        """True if the newest estimate is older than a hop plus 0.5 s: the estimator is overloaded or has stopped."""
        return self.running and self.estimate_age_s > STALE_AFTER_S + self.hop_s

    @property
    def residual_db(self) -> float:
        """Level of the difference relative to the target over the last 300 ms; NaN while one of them is silent."""
        target, difference = (
            sum(10.0 ** (rms_dbfs / 10.0) for rms_dbfs in self.levels[name].rms_dbfs)
            for name in ("target", "difference")
        )
        return 10.0 * math.log10(difference / target) if target > 0.0 < difference else math.nan

    @property
    def clock_rate_ratio(self) -> float:
        """Measured sample rate relative to the nominal rate; NaN until it is measured."""
        return self.frames_per_second / self.sample_rate

    @property
    def clock_rate_is_wrong(self) -> bool:
        """True if the measured sample rate deviates from the nominal rate by more than `CLOCK_RATE_TOLERANCE`."""
        return self.running and abs(self.clock_rate_ratio - 1.0) > CLOCK_RATE_TOLERANCE
