"""Event rates and the deviation of a clock from its nominal rate, computed from counters."""

import math
import time

from rtgain.records.snapshot import CLOCK_NOTICE, CLOCK_RATE_TOLERANCE

SUSPENDED_S = 1.0
"""Time without an update after which the whole program was suspended: Ctrl-Z, a debugger, a virtual machine."""


class RateCounter:
    """Events per second, from a counter over about the last `interval_s` seconds; NaN during the first interval."""

    def __init__(self, interval_s: float = 1.0) -> None:
        self.per_second = math.nan
        self._interval_s = interval_s
        self._count = 0
        self._since_s = self._last_update_s = -math.inf

    def update(self, count: int) -> bool:
        """Update with the present count; return True if an interval has ended.

        After more than `SUSPENDED_S` without an update, measuring restarts.
        """
        has_ended = False
        now_s = time.monotonic()
        if now_s - self._last_update_s > SUSPENDED_S:
            self._count, self._since_s = count, now_s
        elif now_s - self._since_s >= self._interval_s:
            self.per_second = (count - self._count) / (now_s - self._since_s)
            self._count, self._since_s = count, now_s
            has_ended = True
        self._last_update_s = now_s
        return has_ended


DEVICE_ADVICE = "choose another device, rate or block"
CLOCK_ADVICE = "the machine is too busy: end other programs, or choose a lower sample rate"
"""Remedies for a wrong clock rate, for a device and for the timer."""


class ClockRateMonitor:
    """Compares the measured with the nominal sample rate of a clock, and reports a deviation with `advice`.

    A rate is wrong if two consecutive intervals deviate in the same direction. At the end of a single interval, the
    machine may have been paused: the missing frames then follow in the next one.
    """

    def __init__(self, sample_rate: int, advice: str, interval_s: float = 5.0) -> None:
        """`interval_s` must be much longer than a block: devices process whole blocks at irregular times."""
        self._sample_rate = sample_rate
        self._advice = advice
        self._rate = RateCounter(interval_s)
        self._deviations = (0.0, 0.0)
        self._is_wrong = False

    def update(self, frames: int) -> str | None:
        """Update with the number of frames so far. Returns a notice when the rate becomes wrong, otherwise None."""
        if not self._rate.update(frames):
            return None
        speed = self._rate.per_second / self._sample_rate
        self._deviations = (self._deviations[1], speed - 1.0)
        was_wrong = self._is_wrong
        self._is_wrong = min(self._deviations) > CLOCK_RATE_TOLERANCE or max(self._deviations) < -CLOCK_RATE_TOLERANCE
        if was_wrong or not self._is_wrong:
            return None
        return (
            f"{CLOCK_NOTICE} {100.0 * speed:.0f} % of the nominal {self._sample_rate} Hz, "
            f"too {'slow' if speed < 1.0 else 'fast'}; {self._advice}."
        )
