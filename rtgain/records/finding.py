"""Finding: one thing in which two recordings differ beyond one gain."""

from dataclasses import dataclass
from typing import Any, Literal

FindingKind = Literal[
    "different-recording",
    "channels-swapped",
    "channel-polarity",
    "channel-balance",
    "channel-delay",
    "clock-drift",
    "delay-jump",
    "moving-gain",
    "equalization",
    "bandwidth",
    "dynamics",
    "distortion",
    "noise",
    "dc-offset",
    "clipping",
]


@dataclass(frozen=True)
class Finding:
    """One difference: its kind, a sentence for a musician, and its numbers.

    The names of `values` end in units. Each value is a number, a text, or a list of them; None for an unknown number.
    """

    kind: FindingKind
    text: str
    values: dict[str, Any]

    def to_object(self) -> dict[str, Any]:
        """Convert to the object of ``--json``: kind, text, then the values."""
        return {"kind": self.kind, "text": self.text, **self.values}
