"""Estimate records: conversion to rows, labels, matched gain and delay."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtgain.audio.engine.shared_memory import ESTIMATE_ROWS
from rtgain.records.estimate import ESTIMATE_FIELDS, Estimate, State

ESTIMATE = Estimate(
    center_frame=2048.0,
    available_frame=4336.0,
    gain_true_db=-16.5,
    gain_est_db=-16.4,
    gain_opt_db=-16.45,
    opt_std_db=0.05,
    least_squares_db=-16.43,
    bound_db=0.004,
    std_db=0.01,
    loss=0.03,
    state=State.TRACKING,
    steps=2,
    delay_frames=240.25,
    polarity=-1,
)
NUMBER = st.floats(allow_infinity=True, allow_nan=True)


def test_row_has_as_many_numbers_as_the_shared_ring() -> None:
    assert len(ESTIMATE_FIELDS) == ESTIMATE_ROWS == len(ESTIMATE.to_row())


@given(
    numbers=st.tuples(*[NUMBER] * 11),
    state=st.sampled_from(State),
    steps=st.integers(0, 10_000),
    polarity=st.sampled_from([-1, 0, 1]),
)
def test_estimate_survives_conversion_to_a_row(
    numbers: tuple[float, ...], state: State, steps: int, polarity: int
) -> None:
    *levels, loss, delay = numbers
    estimate = Estimate(*levels, loss, state, steps, delay, polarity)
    restored = Estimate.from_row(estimate.to_row())
    np.testing.assert_array_equal(restored.to_row(), estimate.to_row())
    assert (restored.state, restored.steps, restored.polarity) == (state, steps, polarity)
    assert isinstance(restored.state, State)
    assert isinstance(restored.steps, int)
    assert isinstance(restored.polarity, int)


def test_state_labels_are_those_of_the_readme() -> None:
    labels = [state.label for state in State]
    assert labels == ["waiting", "silent", "converging", "tracking", "clipped", "incoherent"]


@pytest.mark.parametrize(("polarity", "sign"), [(1, 1.0), (0, 1.0), (-1, -1.0)])
def test_matched_gain_is_linear_and_signed(polarity: int, sign: float) -> None:
    estimate = replace(ESTIMATE, gain_est_db=-20.0, polarity=polarity)
    assert estimate.matched_gain == pytest.approx(sign * 0.1, rel=1e-12)


def test_matched_gain_is_1_while_the_gain_is_unknown() -> None:
    assert replace(ESTIMATE, gain_est_db=math.nan).matched_gain == 1.0


@pytest.mark.parametrize(("delay", "matched"), [(240.25, 240.25), (0.0, 0.0), (-5.0, 0.0), (math.nan, 0.0)])
def test_matched_delay_is_the_known_delay_and_not_negative(delay: float, matched: float) -> None:
    assert replace(ESTIMATE, delay_frames=delay).matched_delay_frames == matched
