"""Numbers and states as the window writes them: real minus signs, fixed decimals, plain words."""

import math

MINUS = "\N{MINUS SIGN}"
UNKNOWN = "\N{EN DASH}"
"""What stands where a number is not known."""


def number(value: float, digits: int) -> str:
    """`value` with that many decimals, a real minus, and never a negative zero; unknown when not finite."""
    if not math.isfinite(value):
        return UNKNOWN
    text = f"{value:.{digits}f}"
    if float(text) == 0.0:
        text = text.removeprefix("-")
    return text.replace("-", MINUS)


def gain_linear(gain: float, polarity: int) -> str:
    """A linear gain as ``×0.150``, with a minus where the polarity is known to be inverted (−1)."""
    magnitude = abs(gain)
    if not math.isfinite(magnitude):
        return f"×{UNKNOWN}"
    digits = 5 if magnitude < 0.0005 else 4 if magnitude < 0.1 else 3 if magnitude < 10 else 1
    return f"×{number(-magnitude if polarity < 0 else magnitude, digits)}"


def spread(std_db: float) -> str:
    """One standard deviation as ``± 0.003`` (dB), coarser when large; it never claims to be nothing."""
    return f"± {number(max(std_db, 0.001), 3 if std_db < 1 else 1)}"


def sample_rate(rate_hz: int) -> str:
    """A sample rate as ``44.1 kHz``."""
    return f"{rate_hz / 1000:g} kHz"


def duration(seconds: float) -> str:
    """A short time: ``12 ms``, from a second up ``1.2 s``."""
    if not math.isfinite(seconds):
        return UNKNOWN
    return f"{seconds:.1f} s" if seconds >= 0.9995 else f"{seconds * 1000:.0f} ms"


def percent(share: float, digits: int) -> str:
    """A share of one in percent: 0.003 is ``0.3 %``."""
    return f"{number(100 * share, digits)} %"


def none_if_nan(value: float) -> float | None:
    """`value`, or None where it is not finite: JSON has no NaN."""
    return value if math.isfinite(value) else None


def format_time_ms(seconds: float) -> str:
    """Format a position in a file to the millisecond: ``1:02:03.456``, without the hours if there are none."""
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    hours_text = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{hours_text}:{milliseconds / 1000:06.3f}"
