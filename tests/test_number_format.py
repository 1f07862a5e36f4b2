"""Text for numbers and times."""

import math

import pytest

from rtgain.number_format import (
    NO_BREAK_SPACE,
    format_duration,
    format_gain_linear,
    format_number,
    format_sample_rate,
    format_std,
    format_time,
    join_units,
    plain_number,
)


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
    assert format_number(value, digits) == text


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
    assert format_gain_linear(gain, polarity) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.0123, "12 ms"), (0.9996, "1.0 s"), (2.0, "2.0 s"), (math.nan, "–")])
def test_duration_changes_to_seconds_at_one(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.0, "0:00"), (65.9, "1:05"), (3605.0, "1:00:05")])
def test_time_has_minutes_and_seconds_and_hours_if_needed(seconds: float, text: str) -> None:
    assert format_time(seconds) == text


def test_sample_rate_is_in_kilohertz_without_needless_zeros() -> None:
    assert [format_sample_rate(rate) for rate in (44100, 48000, 192000)] == ["44.1 kHz", "48 kHz", "192 kHz"]


def test_standard_deviation_is_finer_when_small_and_never_zero() -> None:
    assert [format_std(std_db) for std_db in (0.00312, 3.21, 1e-6)] == ["± 0.003", "± 3.2", "± 0.001"]


@pytest.mark.parametrize(
    ("typed", "plain"),
    [("−6.5", "-6.5"), ("-6,5", "-6.5"), ("1,5 dB", "1.5 dB"), ("1,000.5", "1,000.5"), ("1,2,3", "1,2,3"), ("7", "7")],
)
def test_typed_numbers_have_a_hyphen_and_a_point(typed: str, plain: str) -> None:
    assert plain_number(typed) == plain


def test_units_stay_with_their_numbers_and_other_spaces_do_not_change():
    text = (
        "Between 590 Hz and 1.6 kHz it is 4.12 ± 0.02 dB softer, 3.2 s later at 0:01.5 of 2 files, 5 % below −3 dBFS."
    )
    joined = join_units(text)
    assert joined.replace(NO_BREAK_SPACE, " ") == text
    assert joined.split(" ") == (
        "Between 590~Hz and 1.6~kHz it is 4.12~±~0.02~dB softer, 3.2~s later at 0:01.5 of 2 files, 5~% below −3~dBFS."
    ).replace("~", NO_BREAK_SPACE).split(" ")
