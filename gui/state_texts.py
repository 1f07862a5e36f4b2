"""State names and marks in the GUI."""

from rtgain.lessons.checks import Outcome

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
    "pending": "\N{WHITE CIRCLE}",
    "holding": "\N{CIRCLE WITH LEFT HALF BLACK}",
    "passed": "\N{BLACK CIRCLE}",
    "failed": "\N{BLACK UP-POINTING TRIANGLE}",
}
"""Marks for the outcomes of a lesson's checks."""


def as_sentence(line: str) -> str:
    """The line of an `rtgain.errors.RtgainError` as a sentence; a name that it begins with stays as it is."""
    first = line.split(" ", 1)[0]
    begun = line[:1].upper() + line[1:] if first.isalpha() else line
    return begun.rstrip(".") + "."


def problem_only(line: str) -> str:
    """The first half of such a line as a sentence, without the advice, which speaks of command line options."""
    return as_sentence(line.split("; ", 1)[0])
