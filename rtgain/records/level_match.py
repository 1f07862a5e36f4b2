"""Level match of two signals: their measured differences and the trims of the monitor that remove one of them."""

import math
from dataclasses import dataclass
from typing import Any

from rtgain.config.names import LevelMatchMode
from rtgain.number_format import format_number, none_if_nan

NEGLIGIBLE_DB = 0.005
"""Difference in dB or LU that two decimals do not show."""

AUDIBLE_DB = 0.1
"""Difference in level, in dB, below which a listening test is not decided by the level."""


@dataclass(frozen=True)
class LevelDifference:
    """Level of a target minus that of the dry signal; NaN if unknown.

    Attributes:
        gain_db: gain of the target in dB.
        loudness_lu: integrated loudness (ITU-R BS.1770) of the target minus that of the dry signal.
    """

    gain_db: float = math.nan
    loudness_lu: float = math.nan

    def removed_db(self, mode: LevelMatchMode) -> float:
        """Return the difference in dB that trims of `mode` remove; 0 while it is unknown."""
        difference_db = {"off": 0.0, "estimate": self.gain_db, "loudness": self.loudness_lu}[mode]
        return difference_db if math.isfinite(difference_db) else 0.0


@dataclass(frozen=True)
class LevelMatch:
    """Level differences of target minus dry signal, and the trims that the monitor applies.

    The louder signal is attenuated; the softest one is not changed. Therefore a trim is never positive.

    Attributes:
        mode: difference that is removed: ``off``, ``estimate`` (the gain) or ``loudness``.
        gain_db, loudness_lu: as those of `LevelDifference`.
        others: differences of the other targets of the dry signal; all are played at the level of the softest one.
    """

    mode: LevelMatchMode = "off"
    gain_db: float = math.nan
    loudness_lu: float = math.nan
    others: tuple[LevelDifference, ...] = ()

    @property
    def removed_db(self) -> float:
        """Difference in dB that the trims remove; 0 while it is unknown."""
        return LevelDifference(self.gain_db, self.loudness_lu).removed_db(self.mode)

    @property
    def dry_trim_db(self) -> float:
        """Trim of the dry signal in dB, at most 0."""
        return min(0.0, self.removed_db, *(target.removed_db(self.mode) for target in self.others))

    @property
    def target_trim_db(self) -> float:
        """Trim of target, matched signal and difference in dB, at most 0."""
        return self.dry_trim_db - self.removed_db

    @property
    def remaining_gain_db(self) -> float:
        """Gain difference in dB behind the trims."""
        return self.gain_db - self.removed_db

    @property
    def remaining_loudness_lu(self) -> float:
        """Loudness difference in LU behind the trims."""
        return self.loudness_lu - self.removed_db

    def sentence(self) -> str:
        """Describe both differences and the remaining one, as far as they are known."""
        known_gain = f"gain {format_number(self.gain_db, 2)} dB" if math.isfinite(self.gain_db) else ""
        known_loudness = f"loudness {format_number(self.loudness_lu, 2)} LU" if math.isfinite(self.loudness_lu) else ""
        numbers = ", ".join(filter(None, (known_gain, known_loudness)))
        numbers = f"{numbers[:1].upper()}{numbers[1:]}." if numbers else ""
        if self.mode == "off":
            return numbers
        if self.mode == "estimate":
            remaining, unit, known, matched = self.remaining_loudness_lu, "LU", self.gain_db, "gain"
        else:
            remaining, unit, known, matched = self.remaining_gain_db, "dB", self.loudness_lu, "loudness"
        if not math.isfinite(known):
            return f"{numbers} The {matched} is not known yet, so nothing is matched.".lstrip()
        if not math.isfinite(remaining):
            return numbers
        if abs(remaining) < NEGLIGIBLE_DB:
            return (
                f"{numbers} After matching the {matched}, both have the same {'loudness' if unit == 'LU' else 'gain'}."
            )
        noun = {"LU": ("louder", "softer"), "dB": ("higher in gain", "lower in gain")}[unit][remaining < 0]
        return f"{numbers} After matching the {matched}, the target is {abs(remaining):.2f} {unit} {noun}."

    def trim_sentence(self) -> str:
        """Describe what is attenuated, and by how much; empty if nothing is."""
        trims_db = {"dry recording": self.dry_trim_db, "target": self.target_trim_db}
        trims = [f"the {name} by {-trim_db:.2f} dB" for name, trim_db in trims_db.items() if trim_db < -NEGLIGIBLE_DB]
        return f"Attenuated: {' and '.join(trims)}." if trims else ""

    def to_object(self) -> dict[str, Any]:
        """Convert to an object for JSON; None for unknown numbers."""
        return {
            "mode": self.mode,
            "gain_db": none_if_nan(self.gain_db),
            "loudness_lu": none_if_nan(self.loudness_lu),
            "dry_trim_db": self.dry_trim_db,
            "target_trim_db": self.target_trim_db,
            "remaining_gain_db": none_if_nan(self.remaining_gain_db),
            "remaining_loudness_lu": none_if_nan(self.remaining_loudness_lu),
        }
