"""Share of the target that follows the dry signal without being a part of it: echoes, rooms, chorus, distortion.

Noise does not depend on the signal. It is about as strong as what remains unexplained of those windows in which least
remains. What exceeds it in other windows rises and falls with the signal, and no gain explains it.
"""

import bisect
import math
from collections import deque

MEMORY_S = 6.0
"""Duration in seconds over which the level of noise is constant."""

AVERAGE_S = 1.0
"""Time constant in seconds of the average."""

NOISE_SHARE = 0.1
"""Share of the windows in which no more than the noise remains."""

NOISE_SCATTER = 2.0
"""Factor on the noise of these windows up to which the remainder of others may be the same noise."""

MIN_COHERENT_FRACTION = 0.3
"""Coherent fraction from which a window measures noise: in a smaller one, chance has too large a part."""


class RecentQuantile:
    """Quantile `NOISE_SHARE` of the last values."""

    def __init__(self) -> None:
        self._values: deque[float] = deque()
        self._ordered: list[float] = []

    def update(self, value: float, count: int) -> None:
        """Add a value, and keep the last `count`."""
        self._values.append(value)
        bisect.insort(self._ordered, value)
        while len(self._values) > count:
            del self._ordered[bisect.bisect_left(self._ordered, self._values.popleft())]

    @property
    def value(self) -> float:
        """The quantile; infinite before the first value."""
        return self._ordered[int(NOISE_SHARE * len(self._ordered))] if self._ordered else math.inf


class FollowingShare:
    """Running share of the target's power that follows the signal, 0 to 1; 0 before the first window.

    Windows next to a silent one do not count: where one signal begins or ends, the other one seems to be unexplained.
    """

    def __init__(self, overlapping: int) -> None:
        """Start with no windows; `overlapping` is the number of windows that contain the same frame."""
        self._noise_in_dry, self._noise_in_target = RecentQuantile(), RecentQuantile()
        self._following = self._total = 0.0
        self._overlapping = overlapping
        self._pending: deque[tuple[float, float, float]] = deque()
        self._windows_since_silence = overlapping

    @property
    def share(self) -> float:
        """The share over the last second."""
        return self._following / self._total if self._total > 0.0 else 0.0

    def skip(self) -> None:
        """Add a silent window."""
        self._pending.clear()
        self._windows_since_silence = 0

    def update(self, power: float, coherent_fraction: float, gain: float, hop_s: float) -> None:
        """Add a window that is not silent.

        `power` is that of the dry signal, in any unit, and `gain` the linear gain of the window, both above 0.
        `coherent_fraction` is the share of the target's power that the dry signal explains. Noise is compared in the
        level of the dry signal and in that of the target: it may be added before or behind a gain that moves.
        """
        self._windows_since_silence += 1
        if self._windows_since_silence > self._overlapping:
            self._pending.append((power, coherent_fraction, gain))
        if len(self._pending) > self._overlapping:
            self._average(*self._pending.popleft(), hop_s)

    def _average(self, power: float, coherent_fraction: float, gain: float, hop_s: float) -> None:
        unexplained = power * (1.0 - coherent_fraction) / max(coherent_fraction, MIN_COHERENT_FRACTION)
        if coherent_fraction >= MIN_COHERENT_FRACTION:
            count = max(1, round(MEMORY_S / hop_s))
            self._noise_in_dry.update(unexplained, count)
            self._noise_in_target.update(unexplained * gain**2, count)
        noise = max(self._noise_in_dry.value, self._noise_in_target.value / gain**2)
        decay = math.exp(-hop_s / AVERAGE_S)
        self._following = decay * self._following + max(unexplained - NOISE_SCATTER * noise, 0.0)
        self._total = decay * self._total + power + unexplained
