"""Delay of a target recording over time: lines, with jumps between them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]

JUMP_S = 1e-5
"""Change of the delay in seconds from which two segments are parted by a jump, and not only by a change of the drift:
half a frame at 44.1 kHz."""


@dataclass(frozen=True)
class DelaySegment:
    """Part of the dry recording, from `begin_s` to `end_s`, in which the target's delay is a line.

    `delay_s` is the line's delay at the start of the dry recording, which may lie outside of the part. `drift_ppm` is
    positive where the target's clock runs fast: it has more frames than the dry recording for the same sound.
    """

    begin_s: float
    end_s: float
    delay_s: float
    drift_ppm: float = 0.0

    def target_times_s(self, dry_times_s: Times) -> Times:
        """Return the times in the target of times in the dry recording."""
        times: Times = self.delay_s + (1.0 + 1e-6 * self.drift_ppm) * dry_times_s
        return times

    def dry_times_s(self, target_times_s: Times) -> Times:
        """Return the times in the dry recording of times in the target."""
        times: Times = (target_times_s - self.delay_s) / (1.0 + 1e-6 * self.drift_ppm)
        return times

    def delay_at_s(self, dry_time_s: float) -> float:
        """Return the delay at a time of the dry recording."""
        return self.delay_s + 1e-6 * self.drift_ppm * dry_time_s


@dataclass(frozen=True)
class DelayJump:
    """Change of the delay at `time_s` of the dry recording by `jump_s`; negative if the target lost sound."""

    time_s: float
    jump_s: float


@dataclass(frozen=True)
class DriftChange:
    """Change of the drift at `time_s` of the dry recording, from `before_ppm` to `after_ppm`."""

    time_s: float
    before_ppm: float
    after_ppm: float


@dataclass(frozen=True)
class DelayCurve:
    """Delay of the target over time: segments in the order of time, the first and the last one without an end.

    Between two segments, sound may be missing in the target (a gap between the end of one and the begin of the next) or
    be inserted into it (a gap between both in the target's time).

    Attributes:
        drift_ppm: drift of the target's clock: slope of a line through all delays, without the jumps.
        drift_std_ppm: standard deviation of `drift_ppm`.
        explained_share: share of the parts with sound in which the target has this delay, 0 to 1.
        is_stretched: True if the delay jumps all the time: the target has another speed.
    """

    segments: tuple[DelaySegment, ...]
    drift_ppm: float = 0.0
    drift_std_ppm: float = 0.0
    explained_share: float = 1.0
    is_stretched: bool = False

    @property
    def is_constant(self) -> bool:
        """True for one delay from start to end."""
        return len(self.segments) == 1 and self.segments[0].drift_ppm == 0.0

    @property
    def jumps(self) -> tuple[DelayJump, ...]:
        """Jumps of the delay, in the order of time."""
        jumps = []
        for before, after in zip(self.segments, self.segments[1:], strict=False):
            jump_s = after.delay_at_s(before.end_s) - before.delay_at_s(before.end_s)
            if abs(jump_s) > JUMP_S:
                jumps.append(DelayJump(before.end_s, jump_s))
        return tuple(jumps)

    @property
    def drift_changes(self) -> tuple[DriftChange, ...]:
        """Changes of the drift, in the order of time."""
        return tuple(
            DriftChange(before.end_s, before.drift_ppm, after.drift_ppm)
            for before, after in zip(self.segments, self.segments[1:], strict=False)
            if before.drift_ppm != after.drift_ppm
        )

    def delay_at_s(self, dry_time_s: float) -> float:
        """Return the delay at a time of the dry recording."""
        segment = next((segment for segment in self.segments if dry_time_s < segment.end_s), self.segments[-1])
        return segment.delay_at_s(dry_time_s)
