"""Rates read off counters."""

import math
import time


class Rate:
    """How fast a counter counts, over about the last second; NaN in the first one."""

    def __init__(self) -> None:
        self.per_second = math.nan
        self._count: int | None = None
        self._since_s = 0.0

    def update(self, count: int) -> None:
        """Tell the counter's present value."""
        now_s = time.monotonic()
        if self._count is None:
            self._count, self._since_s = count, now_s
        elif now_s - self._since_s >= 1.0:
            self.per_second = (count - self._count) / (now_s - self._since_s)
            self._count, self._since_s = count, now_s
