"""Rates read off counters."""

import math
import time

from rtgain.records.snapshot import CLOCK_RATE_TOLERANCE

STOPPED_S = 1.0
"""A program that is silent for this long was stopped as a whole: Ctrl-Z, a debugger, a virtual machine."""


class RateCounter:
    """How fast a counter counts, over about the last `over_s` seconds; NaN in the first of them."""

    def __init__(self, over_s: float = 1.0) -> None:
        self.per_second = math.nan
        self._over_s = over_s
        self._count = 0
        self._since_s = self._last_update_s = -math.inf

    def update(self, count: int) -> None:
        """Tell the counter's present value. After more than `STOPPED_S` without it, measuring begins anew."""
        now_s = time.monotonic()
        if now_s - self._last_update_s > STOPPED_S:
            self._count, self._since_s = count, now_s
        elif now_s - self._since_s >= self._over_s:
            self.per_second = (count - self._count) / (now_s - self._since_s)
            self._count, self._since_s = count, now_s
        self._last_update_s = now_s


DEVICE_ADVICE = "choose another device, rate or block"
CLOCK_ADVICE = "the machine is too busy: end other programs, or choose a lower sample rate"
"""The way on where the sound has not the speed that it should have."""


class ClockRateMonitor:
    """Notices when a clock is not as fast as its sample rate says, and gives `advice`."""

    def __init__(self, sample_rate: int, advice: str, over_s: float = 5.0) -> None:
        """`over_s` is long against a block, whose length no device keeps to the frame."""
        self._sample_rate = sample_rate
        self._advice = advice
        self._rate = RateCounter(over_s)
        self._wrong = False

    def update(self, frames: int) -> str | None:
        """Tell the frames so far; what the user should know, once each time that the speed goes wrong."""
        self._rate.update(frames)
        speed = self._rate.per_second / self._sample_rate
        was_wrong, self._wrong = self._wrong, abs(speed - 1.0) > CLOCK_RATE_TOLERANCE
        if was_wrong or not self._wrong:
            return None
        return (
            f"The sound runs at {100.0 * speed:.0f} % of {self._sample_rate} Hz, "
            f"too {'slow' if speed < 1.0 else 'fast'}; {self._advice}."
        )
