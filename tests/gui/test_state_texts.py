"""Numbers and states in the window's words."""

import math

import pytest

from gui import state_texts
from rtgain import number_format


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (-16.478, 2, "−16.48"),
        (-0.001, 2, "0.00"),
        (6.0, 0, "6"),
        (math.nan, 2, "–"),
        (-math.inf, 2, "–"),
    ],
)
def test_number_has_a_real_minus_and_no_negative_zero(value: float, digits: int, text: str) -> None:
    assert number_format.number(value, digits) == text


@pytest.mark.parametrize(
    ("gain", "polarity", "text"),
    [
        (0.15, 1, "×0.150"),
        (0.15, -1, "×−0.150"),
        (-0.15, -1, "×−0.150"),
        (0.15, 0, "×0.150"),
        (0.001, 1, "×0.0010"),
        (15.85, 1, "×15.8"),
        (math.nan, 0, "×–"),
    ],
)
def test_linear_gain_carries_the_polarity(gain: float, polarity: int, text: str) -> None:
    assert number_format.gain_linear(gain, polarity) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.0123, "12 ms"), (0.9996, "1.0 s"), (2.0, "2.0 s"), (math.nan, "–")])
def test_duration_turns_to_seconds_at_one(seconds: float, text: str) -> None:
    assert number_format.duration(seconds) == text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("no output device was found; connect one", "No output device was found; connect one."),
        ("x.wav: no such file", "x.wav: no such file."),
        ("USB Audio: it was unplugged.", "USB Audio: it was unplugged."),
    ],
)
def test_the_line_of_an_error_becomes_a_sentence(line: str, said: str) -> None:
    assert state_texts.sentence(line) == said


def test_what_is_wrong_can_be_told_without_the_advice() -> None:
    line = "no output device was found; connect one, or run without one: --clock timer"
    assert state_texts.problem_only(line) == "No output device was found."


def test_sample_rate_is_in_kilohertz_without_needless_zeros() -> None:
    assert [number_format.sample_rate(rate) for rate in (44100, 48000, 192000)] == ["44.1 kHz", "48 kHz", "192 kHz"]


def test_spread_is_finer_when_small_but_never_nothing() -> None:
    assert [number_format.spread(std_db) for std_db in (0.00312, 3.21, 1e-6)] == [
        "± 0.003",
        "± 3.2",
        "± 0.001",
    ]


def test_every_state_of_the_contract_has_words() -> None:
    contract = {"waiting", "silent", "converging", "tracking", "clipped", "incoherent"}
    assert contract <= set(state_texts.STATES)
