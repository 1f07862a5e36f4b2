"""Checks of a lesson step: expectations, the observations that they are compared with, and outcomes.

The GUI makes observations from snapshots, the headless check from estimates; the expectations are the same.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from rtgain.lessons.text_templates import fill_template
from rtgain.number_format import UNKNOWN, format_as
from rtgain.records.levels import residual_db

if TYPE_CHECKING:
    from rtgain.records.estimate import Estimate
    from rtgain.records.learned_equalizer import LearnedEqualizer
    from rtgain.records.level_match import LevelMatch
    from rtgain.records.levels import Level
    from rtgain.records.snapshot import Comparison, Snapshot

Outcome = Literal["pending", "holding", "passed", "failed"]
"""State of a check. Holding: the expected value is present, but not yet for long enough."""

MARKS: dict[Outcome, str] = {
    "passed": "passed ✓",
    "failed": "failed ✗",
    "holding": "not long enough ✗",
    "pending": "never reached ✗",
}
"""Text for each outcome at the end of a step; the sign makes color unnecessary."""

UNITS = {
    "gain_db": " dB", "swing_db": " dB", "std_db": " dB", "delay_ms": " ms", "polarity": "", "xruns": "",
    "residual_db": " dB", "response_error_db": " dB", "largest_band_db": " dB", "remaining_gain_db": " dB",
    "remaining_loudness_lu": " LU",
}  # fmt: skip
POLARITIES = {1.0: "normal", -1.0: "inverted"}
QUANTITIES = {
    "gain_db": "estimate", "swing_db": "swing", "std_db": "±", "delay_ms": "delay", "polarity": "polarity",
    "xruns": "xruns in this step", "residual_db": "residual", "response_error_db": "error of the response",
    "largest_band_db": "largest gain of a band", "remaining_gain_db": "remaining gain difference",
    "remaining_loudness_lu": "remaining loudness difference",
}  # fmt: skip

LIVE_QUANTITIES = ("remaining_loudness_lu",)
"""Quantities that are measured on live clocks only."""

Quantity = Literal[
    "gain_db", "swing_db", "std_db", "delay_ms", "polarity", "xruns", "residual_db", "response_error_db",
    "largest_band_db", "remaining_gain_db", "remaining_loudness_lu",
]  # fmt: skip

SWING_S = 1.0
"""Time span of a swing in seconds: it contains many cycles of an optimizer with a fixed learning rate."""


@dataclass(frozen=True)
class ComparisonObservation:
    """Gain of one comparison, and its swing over the last `SWING_S` seconds: highest minus lowest gain.

    Both are NaN before the first estimate.
    """

    gain_db: float = math.nan
    swing_db: float = math.nan

    @classmethod
    def from_comparison(cls, comparison: "Comparison", time_s: float = math.inf) -> Self:
        """Read `comparison` at `time_s` of its history."""
        included = comparison.history.time_s <= time_s
        times_s, gain_db = comparison.history.time_s[included], comparison.history.gain_est_db[included]
        if not len(gain_db):
            return cls()
        return cls(float(gain_db[-1]), float(np.ptp(gain_db[times_s >= times_s[-1] - SWING_S])))


@dataclass(frozen=True)
class SoundObservation:
    """Values that are read from the sound and from the learned equalizer, NaN if unknown.

    Attributes:
        residual_db: level of the difference relative to the target.
        response_error_db: mean level difference between the measured response and the learned equalizer.
        largest_band_db: gain of the band whose gain has the largest magnitude.
        remaining_gain_db, remaining_loudness_lu: differences of target minus dry signal behind the level match.
    """

    residual_db: float = math.nan
    response_error_db: float = math.nan
    largest_band_db: float = math.nan
    remaining_gain_db: float = math.nan
    remaining_loudness_lu: float = math.nan

    @classmethod
    def of(cls, levels: Mapping[str, "Level"], equalizer: "LearnedEqualizer | None", level_match: "LevelMatch") -> Self:
        """Read the levels of all signals, the learned equalizer and the level match of one moment."""
        gains_db = [item.gain_db for item in equalizer.equalizer.filters] if equalizer else [math.nan]
        return cls(
            residual_db(levels),
            equalizer.error_db if equalizer else math.nan,
            max(gains_db, key=abs),
            level_match.remaining_gain_db,
            level_match.remaining_loudness_lu,
        )


@dataclass(frozen=True)
class ListeningResult:
    """Result of a blind test: the number of answered trials, and a sentence."""

    answered_trials: int
    sentence: str


@dataclass(frozen=True)
class Observation:
    """Values of a session at one moment of a step.

    Attributes:
        time_s: seconds since the step's controls were set.
        xruns: xruns since then.
        comparisons: observations of the comparisons, by their names, for example ``spectral/SGD@0.3``.
        listening: result of the step's blind test; None before it has ended.
    """

    time_s: float
    state: str
    gain_db: float
    std_db: float
    delay_ms: float
    polarity: int
    xruns: int
    comparisons: Mapping[str, ComparisonObservation] = field(default_factory=dict)
    sound: SoundObservation = SoundObservation()
    listening: ListeningResult | None = None

    def value(self, name: str, comparison: str) -> float:
        """Value of the quantity `name`: of `comparison`, or of the estimate if that is empty; NaN if unknown."""
        source = self.comparisons.get(comparison, ComparisonObservation()) if comparison else self
        value: float = getattr(source, name) if hasattr(source, name) else getattr(self.sound, name)
        return value

    @classmethod
    def from_snapshot(
        cls, snapshot: "Snapshot", start_s: float, start_xruns: int, listening: ListeningResult | None = None
    ) -> "Observation":
        """Read a snapshot of a session whose controls were set at `start_s`, after `start_xruns` xruns."""
        return cls(
            snapshot.time_s - start_s,
            snapshot.state,
            snapshot.gain_db,
            snapshot.std_db,
            snapshot.delay_ms,
            snapshot.polarity,
            snapshot.xruns - start_xruns,
            {comparison.name: ComparisonObservation.from_comparison(comparison) for comparison in snapshot.comparisons},
            SoundObservation.of(snapshot.levels, snapshot.equalizer, snapshot.level_match),
            listening,
        )

    @classmethod
    def from_estimate(
        cls,
        estimate: "Estimate",
        sample_rate: int,
        xruns: int,
        comparisons: "Sequence[Comparison]" = (),
        sound: SoundObservation = SoundObservation(),
    ) -> "Observation":
        """Read an estimate of a session that started with the step's controls, at the time when it is available.

        The histories of `comparisons` may be longer; later estimates are ignored. `sound` is that of the same batch.
        """
        center_s = estimate.center_frame / sample_rate
        return cls(
            estimate.available_frame / sample_rate,
            estimate.state.label,
            estimate.gain_est_db,
            estimate.std_db,
            1e3 * estimate.delay_frames / sample_rate,
            estimate.polarity,
            xruns,
            {
                comparison.name: ComparisonObservation.from_comparison(comparison, center_s)
                for comparison in comparisons
            },
            sound,
        )


@dataclass(frozen=True)
class InRange:
    """A quantity stays between `low` and `high` for `hold_s` seconds without interruption.

    The interval starts no later than `deadline_s`. The quantity is the estimate's, or that of `comparison` (gain or
    swing only). `low` may be −inf.
    """

    field: Quantity
    low: float
    high: float
    hold_s: float = 0.5
    deadline_s: float = 6.0
    comparison: str = ""

    def holds(self, observation: Observation, previous: Observation | None) -> bool:
        """True if the quantity is in the range; never if it is unknown."""
        return self.low <= observation.value(self.field, self.comparison) <= self.high

    def describe(self, observation: Observation) -> str:
        """Text for the observed value."""
        value = observation.value(self.field, self.comparison)
        return f"{self._label} {self._format(value)}{UNITS[self.field]}"

    def __str__(self) -> str:
        low, high = self._format(self.low), self._format(self.high)
        if math.isinf(self.low):
            return f"{self._label} at most {high}{UNITS[self.field]}"
        return f"{self._label} {low if low == high else f'{low} to {high}'}{UNITS[self.field]}"

    def _format(self, value: float) -> str:
        return POLARITIES.get(value, UNKNOWN) if self.field == "polarity" else _format_rounded(value)

    @property
    def _label(self) -> str:
        quantity = "gain" if self.comparison and self.field == "gain_db" else QUANTITIES[self.field]
        return f"{self.comparison} {quantity}".lstrip()


@dataclass(frozen=True)
class StateIs:
    """The estimate is in `state` for `hold_s` seconds without interruption, starting no later than `deadline_s`."""

    state: str
    hold_s: float = 0.1
    deadline_s: float = 6.0

    def holds(self, observation: Observation, previous: Observation | None) -> bool:
        """True if the estimate is in the state."""
        return observation.state == self.state

    def describe(self, observation: Observation) -> str:
        """Text for the observed state."""
        return f"state {observation.state}"

    def __str__(self) -> str:
        return f"state {self.state}"


@dataclass(frozen=True)
class NoXruns:
    """No xrun occurs for `hold_s` seconds, starting no later than `deadline_s`.

    The deadline is late because a busy machine has single xruns.
    """

    hold_s: float = 1.0
    deadline_s: float = 20.0

    def holds(self, observation: Observation, previous: Observation | None) -> bool:
        """True if no xrun occurred since the previous observation."""
        return previous is None or observation.xruns == previous.xruns

    def describe(self, observation: Observation) -> str:
        """Text for the observed number of xruns."""
        return f"xruns in this step {observation.xruns}"

    def __str__(self) -> str:
        return f"no xrun for {_format_rounded(self.hold_s)} s"


@dataclass(frozen=True)
class BlindTestEnds:
    """A blind test of `trials` trials is answered to its end, whatever the score. It needs a listener."""

    trials: int
    hold_s: float = 0.0
    deadline_s: float = math.inf

    def holds(self, observation: Observation, previous: Observation | None) -> bool:
        """True if all trials were answered."""
        return observation.listening is not None and observation.listening.answered_trials >= self.trials

    def describe(self, observation: Observation) -> str:
        """Text for the result of the test."""
        return observation.listening.sentence if observation.listening else "0 answered"

    def __str__(self) -> str:
        return f"ABX test of {self.trials} trials"


Expectation = InRange | StateIs | NoXruns | BlindTestEnds


def is_live_only(expectation: Expectation) -> bool:
    """True if an offline session cannot evaluate the expectation."""
    if isinstance(expectation, InRange):
        return expectation.field in LIVE_QUANTITIES
    return isinstance(expectation, BlindTestEnds)


@dataclass(frozen=True)
class NumericCheck:
    """Expected range of a number that the lesson's experiment measures.

    `text` is a sentence for the page, with the number as a placeholder.
    """

    number: str
    low: float
    high: float
    text: str

    def __str__(self) -> str:
        return f"{_format_bound(self.low)} to {_format_bound(self.high)}"

    def expected(self, numbers: Mapping[str, float]) -> str:
        """The sentence with the range in place of the number."""
        return fill_template(self.text, numbers, **{self.number: str(self)})

    def holds(self, numbers: Mapping[str, float]) -> bool:
        """True if the measured number is in the range."""
        return self.low <= numbers[self.number] <= self.high


def _format_rounded(value: float) -> str:
    return format_as(round(value, 3), "g")


def _format_bound(value: float) -> str:
    """Format a bound; values below 0.001 keep one digit, so that none is rounded to zero."""
    return format_as(value, ".0e") if 0.0 < abs(value) < 0.001 else _format_rounded(value)
