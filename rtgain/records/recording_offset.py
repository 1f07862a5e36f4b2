"""Offset between two recordings."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RecordingOffset:
    """Delay of the target recording relative to the dry one, in seconds; 0 unless `is_found`.

    `notice` is a line for the user about an uncertain delay, otherwise None.
    """

    delay_s: float
    is_found: bool
    notice: str | None = None

    def offset_frames(self, sample_rate: int) -> int:
        """Return the whole frames of the delay."""
        return round(self.delay_s * sample_rate)

    def fraction_frames(self, sample_rate: int) -> float:
        """Return the remaining fraction of a frame."""
        return self.delay_s * sample_rate - self.offset_frames(sample_rate)
