"""Offset between two recordings."""

from dataclasses import dataclass

from rtgain.records.delay_curve import DelayCurve


@dataclass(frozen=True)
class RecordingOffset:
    """Delay of the target recording relative to the dry one, in seconds; 0 unless `is_found`.

    `common_s` is the duration in seconds of the part that both cover. `notice` is a line for the user about an
    uncertain delay, otherwise None. `curve` is the delay over time, if it was followed and moves. `is_stretched` is
    True if the target has another speed: no delay holds for long. `is_followed` is False if the delay was followed over
    a part of the recordings only.
    """

    delay_s: float
    is_found: bool
    common_s: float
    notice: str | None = None
    curve: DelayCurve | None = None
    is_stretched: bool = False
    is_followed: bool = True

    @property
    def drift_ppm(self) -> float:
        """Drift of the target's clock along the curve; 0 without a curve."""
        return 0.0 if self.curve is None else self.curve.drift_ppm
