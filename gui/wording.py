"""Numbers and states as the window writes them: real minus signs, fixed decimals, plain words."""

import math

from rtgain.lessons.expectations import Outcome

MINUS = "\N{MINUS SIGN}"
UNKNOWN = "\N{EN DASH}"
"""What stands where a number is not known."""

STATES = {
    "waiting": ("\N{WHITE CIRCLE}", "for the first estimate"),
    "silent": ("\N{WHITE CIRCLE}", "holding the last gain"),
    "converging": ("\N{CIRCLE WITH LEFT HALF BLACK}", "descending to the optimum"),
    "tracking": ("\N{BLACK CIRCLE}", "where its loss is least"),
    "clipped": ("\N{BLACK UP-POINTING TRIANGLE}", "the input is at full scale"),
    "incoherent": ("\N{BLACK UP-POINTING TRIANGLE}", "the target is no scaled copy"),
    "late": ("\N{BLACK UP-POINTING TRIANGLE}", "no new estimate comes; this is the last"),
    "frozen": ("\N{BLACK SQUARE}", "held as it was, by you"),
    "starting": ("\N{WHITE CIRCLE}", "opening sound and estimator"),
    "stopped": ("\N{BLACK SQUARE}", "this is the last estimate"),
}
"""For each state of the estimate, and of the window: a mark that needs no color, and what it means."""

MARKS: dict[Outcome, str] = {
    "waiting": "\N{WHITE CIRCLE}",
    "happening": "\N{CIRCLE WITH LEFT HALF BLACK}",
    "seen": "\N{BLACK CIRCLE}",
    "not so": "\N{BLACK UP-POINTING TRIANGLE}",
}
"""The same marks for what a lesson expects."""


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


def sentence(line: str) -> str:
    """The line of an `rtgain.errors.RtgainError` as a sentence; a name that it begins with stays as it is."""
    first = line.split(" ", 1)[0]
    begun = line[:1].upper() + line[1:] if first.isalpha() else line
    return begun.rstrip(".") + "."


def what_is_wrong(line: str) -> str:
    """The first half of such a line as a sentence, without the advice, which speaks of command line options."""
    return sentence(line.split("; ", 1)[0])


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
