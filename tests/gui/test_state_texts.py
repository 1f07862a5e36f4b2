"""State names and error lines as the GUI shows them."""

import pytest

from gui import state_texts


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("no output device was found; connect one", "No output device was found; connect one."),
        ("x.wav: no such file", "x.wav: no such file."),
        ("USB Audio: it was unplugged.", "USB Audio: it was unplugged."),
    ],
)
def test_error_line_becomes_a_sentence(line: str, text: str) -> None:
    assert state_texts.as_sentence(line) == text


def test_problem_is_shown_without_the_advice() -> None:
    line = "no output device was found; connect one, or run without one: --clock timer"
    assert state_texts.problem_only(line) == "No output device was found."


def test_every_estimate_state_has_a_mark_and_a_text() -> None:
    labels = {"waiting", "silent", "converging", "tracking", "clipped", "incoherent"}
    assert labels <= set(state_texts.STATES)
