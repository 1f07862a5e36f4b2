"""Report of a match for people: a sentence, the findings, loudness and peaks, as plain text of 80 columns."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rtgain.match.details import COMMON_SHARE, MatchDetails
from rtgain.match.result import MatchResult
from rtgain.number_format import NO_BREAK_SPACE, UNKNOWN, format_number, format_time_ms, join_units
from rtgain.records.match_sentences import SAME_TIME_MS, comparative, sentence_of_match

COLUMNS = 80

SAME_DEPTH_DB = 0.5
"""Level of the difference relative to the target in dB that is written as equal."""

SAME_LOUDNESS_LU = 0.5
"""Difference between the change of the loudness and the average gain from which both are written."""

SHOWN_LOUDNESS_LU = 0.05
"""Change of the loudness that is written as none."""

EXCERPT_MS = 1000.0
"""Delay in ms from which the position of the recordings is a line of its own."""


def match_report(details: MatchDetails, dry: Path, target: Path, written: Sequence[str]) -> str:
    """Write the report; `written` are the names of the files that were written."""
    result = details.result
    lines = [f"Dry recording  {dry}", f"Target         {target}", ""]
    sentences = match_sentence(result), loudness_sentence(details), remainder_sentence(result)
    lines += _wrapped(" ".join(sentence for sentence in sentences if sentence))
    if result.residual_eq_db is not None:
        lines += ["", *_wrapped(f"With the learned equalizer, the difference {_depth(result.residual_eq_db)}.")]
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
    return sentence_of_match(asdict(result))


def loudness_sentence(details: MatchDetails) -> str:
    """Return the difference of the loudness where it contradicts the average gain; empty if it does not."""
    result = details.result
    lufs = details.common_lufs or (result.lufs_dry, result.lufs_target)
    if result.state != "converging" or result.gain_db is None or lufs[0] is None or lufs[1] is None:
        return ""
    difference_lu = lufs[1] - lufs[0]
    if not abs(difference_lu - result.gain_db) > SAME_LOUDNESS_LU:  # infinite for silence
        return ""
    if abs(difference_lu) < SHOWN_LOUDNESS_LU:
        return "Its loudness, to which loud and bright sound counts most, is the same."
    amount = f"{format_number(abs(difference_lu), 1)} LU {'higher' if difference_lu > 0.0 else 'lower'}"
    return f"Its loudness, to which loud and bright sound counts most, is {amount}."


def remainder_sentence(result: MatchResult) -> str:
    """Return what the match leaves; empty without a match."""
    if result.gain_db is None or result.residual_db is None:
        return ""
    if not result.findings and result.state == "tracking":
        return f"Nothing else differs: the difference {_depth(result.residual_db)}."
    if abs(result.residual_db) < SAME_DEPTH_DB:
        return "At one level, the difference between the two is as loud as the target itself."
    amount = f"{format_number(abs(result.residual_db), 0)} dB {comparative(result.residual_db)}"
    return f"At one level, the difference between the two is {amount} than the target itself."


def _depth(residual_db: float) -> str:
    """``lies 12 dB below the target``."""
    if abs(residual_db) < SAME_DEPTH_DB:
        return "is as loud as the target"
    return f"lies {format_number(abs(residual_db), 0)} dB {'below' if residual_db < 0.0 else 'above'} the target"


def position_sentence(details: MatchDetails) -> str:
    """Return which section was compared, or where in the longer recording the shorter one lies.

    Empty if they begin and end together.
    """
    delay_ms = details.result.delay_ms
    if delay_ms is None or (abs(delay_ms) < EXCERPT_MS and details.common_s > COMMON_SHARE * details.longest_s):
        return ""
    lufs = details.common_lufs
    loudness = (
        f", where the loudness is {_unit(lufs[0], 'LUFS')} (dry) and {_unit(lufs[1], 'LUFS')} (target)"
        if lufs is not None and all(map(math.isfinite, lufs))
        else ""
    )
    if details.section_start_s is not None:
        begin, end = (format_time_ms(details.section_start_s + time_s) for time_s in (0.0, details.common_s))
        return f"Compared from {begin} to {end} of the dry recording{loudness}."
    if delay_ms < 0.0:
        sentence = f"The target begins at {format_time_ms(-delay_ms / 1e3)} of the dry recording."
    elif delay_ms >= SAME_TIME_MS:
        sentence = f"The dry recording begins at {format_time_ms(delay_ms / 1e3)} of the target."
    else:
        sentence = "Both recordings begin together."
    return f"{sentence} They have {format_time_ms(details.common_s)} in common{loudness}."


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


def _wrapped(text: str, first: str = "", further: str = "") -> list[str]:
    """Wrap to `COLUMNS`. No line ends between a number and its unit; their space is a plain one in the output."""
    lines = textwrap.wrap(
        join_units(text), COLUMNS, initial_indent=first, subsequent_indent=further, break_on_hyphens=False,
        break_long_words=False,
    )  # fmt: skip
    return [line.replace(NO_BREAK_SPACE, " ") for line in lines]
