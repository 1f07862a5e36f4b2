"""Sentences about the difference between two recordings, for musicians."""

import math

from rtgain.number_format import format_number, format_std

NEGLIGIBLE_DB = 0.005
NEGLIGIBLE_MS = 0.005
"""Differences that two decimals do not show."""


def describe_difference(gain_db: float, std_db: float, delay_ms: float, polarity: int) -> str:
    """Describe gain, delay and polarity of the target; NaN and a polarity of 0 stand for unknown numbers."""
    if not math.isfinite(gain_db):
        return "No gain between the two was found."
    if abs(gain_db) < NEGLIGIBLE_DB:
        level = "Target has the same gain"
    else:
        level = f"Target is {format_number(abs(gain_db), 2)} dB {'louder' if gain_db > 0 else 'softer'}"
    deviation = f" ({format_std(std_db)})" if math.isfinite(std_db) else ""
    return f"{level}{deviation}{_describe_delay(delay_ms)}{', inverted' if polarity < 0 else ''}."


def _describe_delay(delay_ms: float) -> str:
    if not math.isfinite(delay_ms):
        return ""
    if abs(delay_ms) < NEGLIGIBLE_MS:
        return ", in time"
    amount = f"{abs(delay_ms) / 1000:.3f} s" if abs(delay_ms) >= 1000 else f"{abs(delay_ms):.2f} ms"
    return f", {amount} {'later' if delay_ms > 0 else 'earlier'}"
