"""Report of a match for people: a sentence, the findings, loudness and peaks, as plain text of 80 columns."""

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path

from rtgain.match.details import COMMON_SHARE, MatchDetails
from rtgain.match.result import MatchResult
from rtgain.number_format import UNKNOWN, format_number, format_time_ms

COLUMNS = 80

SAME_LEVEL_DB = 0.005
"""Gain in dB that is written as no difference."""

SAME_TIME_MS = 0.05
"""Delay in ms that is written as no difference."""

EXCERPT_MS = 1000.0
"""Delay in ms from which the position of the recordings is a line of its own."""

SHOWN_STD_DB = 0.005
"""Standard deviation in dB from which it is written next to the gain."""


def match_report(details: MatchDetails, dry: Path, target: Path, written: Sequence[str]) -> str:
    """Write the report; `written` are the names of the files that were written."""
    result = details.result
    lines = [f"Dry recording  {dry}", f"Target         {target}", ""]
    lines += _wrapped(f"{match_sentence(result)} {remainder_sentence(result)}".rstrip())
    if result.findings:
        lines.append("")
    for finding in result.findings:
        lines += _wrapped(finding["text"], "  - ", "    ")
    lines += ["", *_loudness_lines(details)]
    position = position_sentence(details)
    if position:
        lines += ["", *_wrapped(position)]
    if written:
        lines += ["", *_wrapped(f"Written: {', '.join(written)}")]
    return "\n".join(lines) + "\n"


def match_sentence(result: MatchResult) -> str:
    """Return the match in one or two sentences."""
    if result.gain_db is None:
        return {
            "silent": "One of the recordings is silent: there is nothing to compare.",
            "clipped": "The sound is clipped nearly everywhere: the gain cannot be measured.",
        }.get(result.state, "The two recordings do not match: no gain turns the dry recording into the target.")
    deviation = 0.0 if result.std_db is None else result.std_db
    time = _time(result.delay_ms)
    upside_down = " It is upside down (inverted polarity)." if result.polarity < 0 else ""
    if result.state == "converging":
        return (
            "No one gain turns the dry recording into the target. On average the target is "
            f"{_level(result.gain_db)}, give or take {format_number(deviation, 1)} dB{time}.{upside_down}"
        )
    doubt = f" (± {format_number(deviation, 2)} dB)" if deviation >= SHOWN_STD_DB else ""
    return f"The target is {_level(result.gain_db, doubt)}{time}.{upside_down}"


def remainder_sentence(result: MatchResult) -> str:
    """Return what the match leaves; empty without a match."""
    if result.gain_db is None or result.residual_db is None:
        return ""
    side = "below" if result.residual_db <= 0.0 else "above"
    amount = f"{format_number(abs(result.residual_db), 0)} dB {side} the target"
    if not result.findings and result.state == "tracking":
        return f"Nothing else differs: the difference lies {amount}."
    return f"What this gain leaves as a difference lies {amount}."


def position_sentence(details: MatchDetails) -> str:
    """Return where in the longer recording the shorter one lies; empty if they begin and end together."""
    delay_ms = details.result.delay_ms
    if delay_ms is None or (abs(delay_ms) < EXCERPT_MS and details.common_s > COMMON_SHARE * details.longest_s):
        return ""
    if delay_ms < 0.0:
        sentence = f"The target begins at {format_time_ms(-delay_ms / 1e3)} of the dry recording."
    elif delay_ms >= SAME_TIME_MS:
        sentence = f"The dry recording begins at {format_time_ms(delay_ms / 1e3)} of the target."
    else:
        sentence = "Both recordings begin together."
    sentence += f" They have {format_time_ms(details.common_s)} in common"
    lufs = details.common_lufs
    if lufs is not None and all(map(math.isfinite, lufs)):
        sentence += f", where the loudness is {_unit(lufs[0], 'LUFS')} (dry) and {_unit(lufs[1], 'LUFS')} (target)"
    return f"{sentence}."


def _loudness_lines(details: MatchDetails) -> list[str]:
    result = details.result
    rows = (
        ("Loudness", result.lufs_dry, result.lufs_target, "LUFS"),
        ("Loudness range", result.lra_dry, result.lra_target, "LU"),
        ("Highest peak", result.true_peak_dry_dbtp, result.true_peak_target_dbtp, "dBTP"),
    )
    header = f"{'':16}{'dry recording':>15}{'target':>15}"
    return [header, *(f"{name:16}{_unit(dry, unit):>15}{_unit(target, unit):>15}" for name, dry, target, unit in rows)]


def _unit(value: float | None, unit: str) -> str:
    return UNKNOWN if value is None else f"{format_number(value, 1)} {unit}"


def _level(gain_db: float, doubt: str = "") -> str:
    if abs(gain_db) < SAME_LEVEL_DB:
        return f"as loud as the dry recording{doubt}"
    comparison = "softer" if gain_db < 0.0 else "louder"
    return f"{format_number(abs(gain_db), 2)} dB {comparison}{doubt} than the dry recording"


def _time(delay_ms: float | None) -> str:
    if delay_ms is None or not SAME_TIME_MS <= abs(delay_ms) < EXCERPT_MS:
        return ""
    return f", and {format_number(abs(delay_ms), 1)} ms {'later' if delay_ms > 0.0 else 'earlier'}"


def _wrapped(text: str, first: str = "", further: str = "") -> list[str]:
    return textwrap.wrap(
        text, COLUMNS, initial_indent=first, subsequent_indent=further, break_on_hyphens=False, break_long_words=False
    )
