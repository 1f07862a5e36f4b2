"""Text for numbers and times: real minus signs, fixed decimals, one mark for unknown values."""

import math
import re

MINUS = "\N{MINUS SIGN}"
UNKNOWN = "\N{EN DASH}"
"""Text for a number without a finite value."""

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
_SPACE_OF_UNIT = re.compile(r"(?:(?<=\d) (?=(?:dB\w*|LUFS|LU|ms|s|k?Hz|ppm|%|±|frames?)(?!\w)))|(?<=±) (?=\d)")


def join_units(text: str) -> str:
    """Replace the space between a number and its unit by a no-break space, for text that is wrapped into lines."""
    return _SPACE_OF_UNIT.sub(NO_BREAK_SPACE, text)


def plain_number(text: str) -> str:
    """Rewrite a typed number for `float`: a real minus becomes a hyphen, and a decimal comma a point.

    A comma next to a point, or a second one, is not decimal and stays.
    """
    plain = text.replace(MINUS, "-")
    return plain.replace(",", ".") if plain.count(",") == 1 and "." not in plain else plain


def format_as(value: float, spec: str) -> str:
    """Format `value` by a format specification, with a real minus, without negative zero; unknown if not finite."""
    if not math.isfinite(value):
        return UNKNOWN
    text = format(value, spec)
    if text.startswith("-") and float(text) == 0.0:
        text = text[1:]
    return text.replace("-", MINUS)


def format_number(value: float, digits: int) -> str:
    """Format `value` with `digits` decimals and a real minus, without negative zero; `UNKNOWN` if it is not finite."""
    return format_as(value, f".{digits}f")


def format_gain_linear(gain: float, polarity: int) -> str:
    """Format a linear gain as ``×0.150``, with a minus if the polarity is inverted (−1)."""
    magnitude = abs(gain)
    if not math.isfinite(magnitude):
        return f"×{UNKNOWN}"
    digits = 5 if magnitude < 0.0005 else 4 if magnitude < 0.1 else 3 if magnitude < 10 else 1
    return f"×{format_number(-magnitude if polarity < 0 else magnitude, digits)}"


def format_std(std_db: float) -> str:
    """Format one standard deviation as ``± 0.003`` (dB), at least 0.001, with one decimal from 1 dB."""
    return f"± {format_number(max(std_db, 0.001), 3 if std_db < 1 else 1)}"


def format_sample_rate(rate_hz: int) -> str:
    """Format a sample rate as ``44.1 kHz``."""
    return f"{rate_hz / 1000:g} kHz"


def format_duration(seconds: float) -> str:
    """Format a short time as ``12 ms``, from one second as ``1.2 s``."""
    if not math.isfinite(seconds):
        return UNKNOWN
    return f"{seconds:.1f} s" if seconds >= 0.9995 else f"{seconds * 1000:.0f} ms"


def format_time(seconds: float) -> str:
    """Format a position as ``1:05``, from one hour as ``1:00:05``; fractions of a second are cut."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def format_percent(share: float, digits: int) -> str:
    """Format a share of one in percent: 0.003 is ``0.3 %``."""
    return f"{format_number(100 * share, digits)} %"


def none_if_nan(value: float) -> float | None:
    """Return `value`, or None if it is not finite: JSON has no NaN."""
    return value if math.isfinite(value) else None


def format_time_ms(seconds: float) -> str:
    """Format a position in a file as ``2:03.456``, from one hour as ``1:02:03.456``."""
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    hours_text = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{hours_text}:{milliseconds / 1000:06.3f}"


REASONS_FOR_NO_ESTIMATE = {
    "waiting": "the sound is too short",
    "silent": "the sound is silent",
    "clipped": "the sound is clipped",
    "incoherent": "the target is unrelated to the dry signal",
}
"""Explanation of a result without a gain, by the state of its last estimate."""


def format_result(gain_db: float | None, std_db: float | None, state: str) -> str:
    """Format a result in one line, for example ``−16.4782 ± 0.0003 dB (×0.15000), tracking``.

    `gain_db` is None without an estimate, `std_db` without a standard deviation; `state` is that of the last estimate.
    """
    if gain_db is None:
        return f"no estimate: {REASONS_FOR_NO_ESTIMATE.get(state, state)}"
    deviation = "" if std_db is None else f" ± {format_number(std_db, 4)}"
    last_state = "held: silent at the end" if state == "silent" else state
    return f"{format_number(gain_db, 4)}{deviation} dB (×{10.0 ** (gain_db / 20.0):.5f}), {last_state}"
