"""Texts and marks for states of the estimate and of the session, and for error lines."""

from rtgain.lessons.checks import Outcome

STATES = {
    "waiting": ("\N{WHITE CIRCLE}", "no estimate yet"),
    "silent": ("\N{WHITE CIRCLE}", "silence: the last gain is held"),
    "converging": ("\N{CIRCLE WITH LEFT HALF BLACK}", "moving to the loss minimum"),
    "tracking": ("\N{BLACK CIRCLE}", "at the loss minimum"),
    "clipped": ("\N{BLACK UP-POINTING TRIANGLE}", "clipping: the last gain is held"),
    "incoherent": ("\N{BLACK UP-POINTING TRIANGLE}", "unrelated to the dry signal"),
    "stale": ("\N{BLACK UP-POINTING TRIANGLE}", "no new estimates: the last is shown"),
    "frozen": ("\N{BLACK SQUARE}", "frozen by the user"),
    "starting": ("\N{WHITE CIRCLE}", "starting audio and estimator"),
    "stopped": ("\N{BLACK SQUARE}", "showing the last estimate"),
}
"""Mark that needs no color, and description, for each state of the estimate and of the session."""

MARKS: dict[Outcome, str] = {
    "pending": "\N{WHITE CIRCLE}",
    "holding": "\N{CIRCLE WITH LEFT HALF BLACK}",
    "passed": "\N{BLACK CIRCLE}",
    "failed": "\N{BLACK UP-POINTING TRIANGLE}",
}
"""Marks for the outcomes of a lesson's checks."""


def as_sentence(line: str) -> str:
    """Turn the line of an `RtgainError` into a sentence; a name at its beginning keeps its case."""
    first = line.split(" ", 1)[0]
    text = line[:1].upper() + line[1:] if first.isalpha() else line
    return text.rstrip(".") + "."


def problem_only(line: str) -> str:
    """Return the problem of such a line as a sentence, without the advice, which names command-line options."""
    return as_sentence(line.split("; ", 1)[0])
