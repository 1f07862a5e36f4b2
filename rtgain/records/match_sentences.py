"""Sentences about the match of two recordings, for people: in the report, its figure, the window and notebooks."""

import math
from collections.abc import Mapping
from typing import Any

from rtgain.number_format import format_number

SAME_LEVEL_DB = 0.005
"""Gain in dB that is written as no difference."""

SAME_TIME_MS = 0.05
"""Delay in ms that is written as no difference."""

LONG_MS = 1000.0
"""Delay in ms that is written in seconds."""

SHOWN_STD_DB = 0.005
"""Standard deviation in dB from which it is written next to the gain."""

SHOWN_SPREAD_DB = 0.05
"""Standard deviation in dB from which it is written where no one gain explains the target."""


def sentence_of_match(match: Mapping[str, Any]) -> str:
    """Return the sentences of the object of ``rtgain match --json``; of the channels' delays, the shortest counts."""
    gain_db, std_db, delay_ms = (
        math.nan if match[name] is None else match[name] for name in ("gain_db", "std_db", "delay_ms")
    )
    delays_ms = (channel["delay_ms"] for channel in match["channels"] if channel["delay_ms"] is not None)
    return match_sentence(gain_db, std_db, min(delays_ms, default=delay_ms), match["polarity"], match["state"])


def match_sentence(gain_db: float, std_db: float, delay_ms: float, polarity: int, state: str) -> str:
    """Return gain, delay and polarity of the target in one or two sentences; NaN for unknown numbers.

    `state` is that of the match: ``converging`` stands for a pair that no one gain explains.
    """
    if math.isnan(gain_db):
        return {
            "silent": "One of the recordings is silent: there is nothing to compare.",
            "clipped": "The sound is clipped nearly everywhere: the gain cannot be measured.",
        }.get(state, "The two recordings do not match: no change of level turns the dry recording into the target.")
    time = _time(delay_ms)
    upside_down = " It is upside down (inverted polarity)." if polarity < 0 else ""
    if state == "converging":
        spread = f", varying by about {format_number(std_db, 1)} dB" if std_db >= SHOWN_SPREAD_DB else ""
        return f"More than the level differs. On average the target is {_level(gain_db)}{spread}{time}.{upside_down}"
    return f"The target is {_level(gain_db, std_db)}{time}.{upside_down}"


def comparative(gain_db: float) -> str:
    """Name the direction of a gain."""
    return "louder" if gain_db > 0.0 else "softer"


def _level(gain_db: float, std_db: float = 0.0) -> str:
    deviation = f"± {format_number(std_db, 2)} dB" if std_db >= SHOWN_STD_DB else ""
    if abs(gain_db) < SAME_LEVEL_DB:
        return "as loud as the dry recording" + (f" ({deviation})" if deviation else "")
    amount = f"{format_number(abs(gain_db), 2)} {deviation or 'dB'}"
    return f"{amount} {comparative(gain_db)} than the dry recording"


def _time(delay_ms: float) -> str:
    if not abs(delay_ms) >= SAME_TIME_MS:
        return ""
    amount = f"{abs(delay_ms) / 1e3:.3f} s" if abs(delay_ms) >= LONG_MS else f"{format_number(abs(delay_ms), 1)} ms"
    return f", and {amount} {'later' if delay_ms > 0.0 else 'earlier'}"
