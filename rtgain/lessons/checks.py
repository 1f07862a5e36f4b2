"""What a lesson expects to happen, and whether it has: the same on snapshots of the window and on a headless trace."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from rtgain.lessons.text_templates import fill
from rtgain.number_format import UNKNOWN, format_compact, real_minus

if TYPE_CHECKING:
    from rtgain.records.estimate import Estimate
    from rtgain.records.snapshot import Comparison, Snapshot

Outcome = Literal["waiting", "happening", "seen", "not so"]

MARKS: dict[Outcome, str] = {
    "seen": "seen ✓",
    "not so": "not so ✗",
    "happening": "too short ✗",
    "waiting": "did not come ✗",
}
"""Outcomes in the end, in words; a mark needs no color."""

UNITS = {"gain_db": " dB", "swing_db": " dB", "std_db": " dB", "delay_ms": " ms", "polarity": "", "xruns": ""}
POLARITIES = {1.0: "normal", -1.0: "inverted"}
NAMES = {
    "gain_db": "gain", "swing_db": "swing", "std_db": "±", "delay_ms": "delay", "polarity": "polarity",
    "xruns": "xruns in this step",
}  # fmt: skip


SWING_S = 1.0
"""How far back a swing looks: many of the turns that an optimizer at a fixed rate makes, hop by hop."""


@dataclass(frozen=True)
class ComparisonObservation:
    """The gain of one that races, and how far it has swung, lowest to highest, over the last `SWING_S`; NaN before."""

    gain_db: float = math.nan
    swing_db: float = math.nan

    @classmethod
    def of(cls, comparison: "Comparison", time_s: float = math.inf) -> Self:
        """`comparison` as it was at `time_s` of its history."""
        known = comparison.history.time_s <= time_s
        times_s, gain_db = comparison.history.time_s[known], comparison.history.gain_est_db[known]
        if not len(gain_db):
            return cls()
        return cls(float(gain_db[-1]), float(np.ptp(gain_db[times_s >= times_s[-1] - SWING_S])))


@dataclass(frozen=True)
class Observation:
    """What is known at `time_s` seconds after a step's controls were set; `xruns` are those since then.

    `comparisons` are those that race beside the estimate, by their entries in the race.
    """

    time_s: float
    state: str
    gain_db: float
    std_db: float
    delay_ms: float
    polarity: int
    xruns: int
    comparisons: Mapping[str, ComparisonObservation] = field(default_factory=dict)

    def value(self, name: str, of: str) -> float:
        """The number of that name: the estimate's, or that of the rival `of`; NaN where it is not known."""
        value: float = getattr(self.comparisons.get(of, ComparisonObservation()) if of else self, name)
        return value

    @classmethod
    def of_snapshot(cls, snapshot: "Snapshot", start_s: float, start_xruns: int) -> "Observation":
        """A snapshot as seen from where the controls were set: at `start_s`, after `start_xruns`."""
        return cls(
            snapshot.time_s - start_s,
            snapshot.state,
            snapshot.gain_db,
            snapshot.std_db,
            snapshot.delay_ms,
            snapshot.polarity,
            snapshot.xruns - start_xruns,
            {comparison.name: ComparisonObservation.of(comparison) for comparison in snapshot.comparisons},
        )

    @classmethod
    def of_estimate(
        cls, estimate: "Estimate", sample_rate: int, xruns: int, comparisons: "Sequence[Comparison]" = ()
    ) -> "Observation":
        """An estimate of a session that began with the step's controls, at the time from which it is known.

        `comparisons` may have gone on since.
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
            {comparison.name: ComparisonObservation.of(comparison, center_s) for comparison in comparisons},
        )


@dataclass(frozen=True)
class InRange:
    """A number of the moment lies from `low` to `high`, for `hold_s` seconds on end, beginning by `deadline_s`.

    The number is the estimate's, or `of` one that races against it (its gain and swing).
    """

    field: Literal["gain_db", "swing_db", "std_db", "delay_ms", "polarity", "xruns"]
    low: float
    high: float
    hold_s: float = 0.5
    deadline_s: float = 6.0
    of: str = ""

    def holds(self, moment: Observation, before: Observation | None) -> bool:
        """Whether it is so at this moment; never where the number is not known."""
        return self.low <= moment.value(self.field, self.of) <= self.high

    def came(self, moment: Observation) -> str:
        """What there is, in words."""
        return f"{self._name} {self._written(moment.value(self.field, self.of))}{UNITS[self.field]}"

    def __str__(self) -> str:
        low, high = self._written(self.low), self._written(self.high)
        return f"{self._name} {low if low == high else f'{low} to {high}'}{UNITS[self.field]}"

    def _written(self, value: float) -> str:
        return POLARITIES.get(value, UNKNOWN) if self.field == "polarity" else format_compact(value)

    @property
    def _name(self) -> str:
        return f"{self.of} {NAMES[self.field]}".lstrip()


@dataclass(frozen=True)
class StateIs:
    """The estimate is in `state`, for `hold_s` seconds on end, beginning by `deadline_s`."""

    state: str
    hold_s: float = 0.1
    deadline_s: float = 6.0

    def holds(self, moment: Observation, before: Observation | None) -> bool:
        """Whether it is so at this moment."""
        return moment.state == self.state

    def came(self, moment: Observation) -> str:
        """What there is, in words."""
        return f"state {moment.state}"

    def __str__(self) -> str:
        return f"state {self.state}"


@dataclass(frozen=True)
class NoXruns:
    """Nothing is late for `hold_s` seconds on end, beginning by `deadline_s`; a busy machine has its moments."""

    hold_s: float = 1.0
    deadline_s: float = 20.0

    def holds(self, moment: Observation, before: Observation | None) -> bool:
        """Whether none has come since the moment before."""
        return before is None or moment.xruns == before.xruns

    def came(self, moment: Observation) -> str:
        """What there is, in words."""
        return f"xruns in this step {moment.xruns}"

    def __str__(self) -> str:
        return f"no xrun for {format_compact(self.hold_s)} s"


Expectation = InRange | StateIs | NoXruns


@dataclass(frozen=True)
class NumericCheck:
    """A number that a lesson's experiment measures, and the range that it is to lie in."""

    number: str
    low: float
    high: float
    text: str
    """What came, with the number as a placeholder."""

    def __str__(self) -> str:
        return f"{_bound(self.low)} to {_bound(self.high)}"

    def expected(self, numbers: Mapping[str, float]) -> str:
        """What was to come, in the words of what came: the range in the number's place."""
        return fill(self.text, numbers, **{self.number: str(self)})

    def holds(self, numbers: Mapping[str, float]) -> bool:
        """Whether the measured number lies there."""
        return self.low <= numbers[self.number] <= self.high


def _bound(value: float) -> str:
    """As a number is written, but no bound is rounded to nothing."""
    return real_minus(f"{value:.0e}") if 0.0 < abs(value) < 0.001 else format_compact(value)
