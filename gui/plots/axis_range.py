"""Ranges of axes that change in steps, and not at every wobble of what they show."""

import math
from dataclasses import dataclass

LADDER = ((6.0, 1.0), (12.0, 2.0), (30.0, 5.0), (60.0, 10.0), (120.0, 20.0))
"""Spans an axis may have, and the distance between its ticks, in dB."""

LOWEST_DB, HIGHEST_DB = -120.0, 60.0
MARGIN = 0.06
"""Share of the span that stays free above and below the curves."""

SHRINK_DELAY_S = 1.5
"""How long a smaller range must have been enough before the axis takes it."""


@dataclass(frozen=True)
class AxisRange:
    """The ends of an axis and the distance between its ticks, in dB; both ends are multiples of the tick."""

    low: float
    high: float
    tick: float

    def holds(self, low: float, high: float) -> bool:
        """Whether curves from `low` to `high` fit with the margin."""
        margin = MARGIN * (self.high - self.low)
        return self.low + margin <= low and high <= self.high - margin

    def ticks(self) -> list[float]:
        """Where the ticks are, from the lowest up."""
        count = round((self.high - self.low) / self.tick)
        return [self.low + index * self.tick for index in range(count + 1)]


def smallest_range(low: float, high: float) -> AxisRange:
    """The smallest range that holds `low` to `high` (dB), centered as well as its ticks allow."""
    low, high = max(low, LOWEST_DB), min(high, HIGHEST_DB)
    for span, tick in LADDER:
        bottom = tick * round((0.5 * (low + high) - 0.5 * span) / tick)
        candidate = AxisRange(bottom, bottom + span, tick)
        if candidate.holds(low, high):
            return candidate
    return AxisRange(LOWEST_DB, HIGHEST_DB, 20.0)


class SteppedRange:
    """Follows curves with hysteresis: widens at once, narrows only when the smaller range has lasted."""

    def __init__(self, current: AxisRange) -> None:
        self.current = current
        self._too_wide_since_s: float | None = None

    def follow(self, low: float, high: float, now_s: float) -> bool:
        """Take in curves from `low` to `high` dB (NaN: none) at `now_s`; whether the range changed."""
        if not (math.isfinite(low) and math.isfinite(high)):
            return False
        wanted = smallest_range(low, high)
        narrower = wanted.high - wanted.low < self.current.high - self.current.low
        if self.current.holds(max(low, LOWEST_DB), min(high, HIGHEST_DB)) and not narrower:
            self._too_wide_since_s = None
            return False
        if narrower and self.current.holds(low, high):
            if self._too_wide_since_s is None:
                self._too_wide_since_s = now_s
            if now_s - self._too_wide_since_s < SHRINK_DELAY_S:
                return False
        self._too_wide_since_s = None
        changed = wanted != self.current
        self.current = wanted
        return changed


def step_above(value: float) -> float:
    """The smallest of …, 0.5, 1, 2, 5, 10, … that is not below `value` (positive)."""
    decade = 10.0 ** math.floor(math.log10(value))
    return next(step * decade for step in (1.0, 2.0, 5.0, 10.0) if step * decade >= value * (1 - 1e-9))


class SteppedPeak:
    """The end of an axis that begins at zero, or lies evenly around it: 1, 2, 5 or ten times as much, and so on.

    It widens at once, and narrows only when less has been enough for a while.
    """

    def __init__(self, current: float, *, lowest: float) -> None:
        self.current = current
        self._lowest = lowest
        self._too_wide_since_s: float | None = None

    def follow(self, peak: float, now_s: float) -> float:
        """Take in a curve that reaches to `peak` (NaN: none) at `now_s`; the end that the axis has now."""
        wanted = step_above(max(peak, self._lowest)) if math.isfinite(peak) else self.current
        if wanted >= self.current:
            self._too_wide_since_s = None
            self.current = wanted
        elif self._too_wide_since_s is None:
            self._too_wide_since_s = now_s
        elif now_s - self._too_wide_since_s >= SHRINK_DELAY_S:
            self._too_wide_since_s = None
            self.current = wanted
        return self.current
