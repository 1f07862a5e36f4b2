"""Axis ranges that change in steps and with hysteresis."""

import math
from dataclasses import dataclass

SPANS = ((6.0, 1.0), (12.0, 2.0), (30.0, 5.0), (60.0, 10.0), (120.0, 20.0))
"""Spans of an axis, and the distance between its ticks, in dB."""

LOWEST_DB, HIGHEST_DB = -120.0, 60.0
"""Limits of an axis; curves beyond them do not widen it."""

MARGIN = 0.06
"""Margin above and below the curves, as a fraction of the span."""

SHRINK_DELAY_S = 1.5
"""Time in seconds for which a smaller range must have been sufficient before the axis shrinks."""


@dataclass(frozen=True)
class AxisRange:
    """Ends of an axis and distance between its ticks, in dB; both ends are multiples of the tick."""

    low: float
    high: float
    tick: float

    def holds(self, low: float, high: float) -> bool:
        """True if curves from `low` to `high` fit with the margin."""
        margin = MARGIN * (self.high - self.low)
        return self.low + margin <= low and high <= self.high - margin

    def ticks(self) -> list[float]:
        """Return the positions of the ticks, ascending."""
        count = round((self.high - self.low) / self.tick)
        return [self.low + index * self.tick for index in range(count + 1)]


def smallest_range(low: float, high: float) -> AxisRange:
    """Return the smallest range that holds `low` to `high` (dB), centered as far as its ticks allow."""
    low, high = max(low, LOWEST_DB), min(high, HIGHEST_DB)
    for span, tick in SPANS:
        bottom = tick * round((0.5 * (low + high) - 0.5 * span) / tick)
        candidate = AxisRange(bottom, bottom + span, tick)
        if candidate.holds(low, high):
            return candidate
    return AxisRange(LOWEST_DB, HIGHEST_DB, 20.0)


class SteppedRange:
    """Range that follows curves with hysteresis: it widens at once and narrows after `SHRINK_DELAY_S`."""

    def __init__(self, current: AxisRange) -> None:
        self.current = current
        self._too_wide_since_s: float | None = None

    def follow(self, low: float, high: float, now_s: float) -> bool:
        """Update the range for curves from `low` to `high` dB (NaN: none) at `now_s`.

        Returns True if the range changed.
        """
        if not (math.isfinite(low) and math.isfinite(high)):
            return False
        needed = smallest_range(low, high)
        narrower = needed.high - needed.low < self.current.high - self.current.low
        if self.current.holds(max(low, LOWEST_DB), min(high, HIGHEST_DB)) and not narrower:
            self._too_wide_since_s = None
            return False
        if narrower and self.current.holds(low, high):
            if self._too_wide_since_s is None:
                self._too_wide_since_s = now_s
            if now_s - self._too_wide_since_s < SHRINK_DELAY_S:
                return False
        self._too_wide_since_s = None
        changed = needed != self.current
        self.current = needed
        return changed


def step_above(value: float) -> float:
    """Return the smallest of …, 0.5, 1, 2, 5, 10, … that is at least `value` (positive)."""
    decade = 10.0 ** math.floor(math.log10(value))
    return next(step * decade for step in (1.0, 2.0, 5.0, 10.0) if step * decade >= value * (1 - 1e-9))


class SteppedPeak:
    """End of an axis that begins at zero or is symmetric about it, in steps of 1, 2, 5, 10, …

    It widens at once and narrows after `SHRINK_DELAY_S`.
    """

    def __init__(self, current: float, *, lowest: float) -> None:
        self.current = current
        self._lowest = lowest
        self._too_wide_since_s: float | None = None

    def follow(self, peak: float, now_s: float) -> float:
        """Update the end for a curve up to `peak` (NaN: none) at `now_s`, and return it."""
        needed = step_above(max(peak, self._lowest)) if math.isfinite(peak) else self.current
        if needed >= self.current:
            self._too_wide_since_s = None
            self.current = needed
        elif self._too_wide_since_s is None:
            self._too_wide_since_s = now_s
        elif now_s - self._too_wide_since_s >= SHRINK_DELAY_S:
            self._too_wide_since_s = None
            self.current = needed
        return self.current
