"""Estimate records: conversion to rows, labels, matched gain and delay."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtgain.audio.engine.shared_memory import EngineSharedMemory
from rtgain.records.estimate import ESTIMATE_FIELDS, Estimate, State, estimate_rows

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
    polarity=0,
    channel_gains_db=(-16.0, -17.0),
    channel_polarities=(-1, 1),
    channel_delays_frames=(240.25, 241.0),
)
NUMBER = st.floats(allow_infinity=True, allow_nan=True)


def test_row_has_as_many_numbers_as_the_shared_ring() -> None:
    with EngineSharedMemory.create(8000, channels=2) as memory:
        assert len(ESTIMATE.to_row()) == estimate_rows(2) == memory.estimates.rows == memory.comparisons.rows - 1
    assert estimate_rows(1) == len(ESTIMATE_FIELDS) + 3


@given(
    numbers=st.tuples(*[NUMBER] * 11),
    state=st.sampled_from(State),
    steps=st.integers(0, 10_000),
    polarity=st.sampled_from([-1, 0, 1]),
    channels=st.lists(st.tuples(NUMBER, st.sampled_from([-1, 0, 1]), NUMBER), min_size=1, max_size=8),
)
def test_estimate_survives_conversion_to_a_row(
    numbers: tuple[float, ...],
    state: State,
    steps: int,
    polarity: int,
    channels: list[tuple[float, int, float]],
) -> None:
    *levels, loss, delay = numbers
    gains_db, polarities, delays_frames = zip(*channels, strict=True)
    estimate = Estimate(*levels, loss, state, steps, delay, polarity, gains_db, polarities, delays_frames)
    restored = Estimate.from_row(estimate.to_row())
    np.testing.assert_array_equal(restored.to_row(), estimate.to_row())
    assert (restored.state, restored.steps, restored.polarity) == (state, steps, polarity)
    assert isinstance(restored.state, State)
    assert isinstance(restored.steps, int)
    assert isinstance(restored.polarity, int)
    np.testing.assert_array_equal(restored.channel_gains_db, gains_db)
    np.testing.assert_array_equal(restored.channel_delays_frames, delays_frames)
    assert restored.channel_polarities == polarities
    assert all(isinstance(polarity, int) for polarity in restored.channel_polarities)


def test_state_labels_are_those_of_the_readme() -> None:
    labels = [state.label for state in State]
    assert labels == ["waiting", "silent", "converging", "tracking", "clipped", "incoherent"]


@pytest.mark.parametrize(
    ("polarity", "channel_polarities", "signs"),
    [
        (1, (1, 1), (1, 1)),
        (-1, (-1, -1), (-1, -1)),
        (0, (1, -1), (1, -1)),
        (-1, (-1, 0), (-1, -1)),
        (0, (0, 0), (1, 1)),
    ],
)
def test_matched_gains_are_the_gain_with_each_channels_polarity(
    polarity: int, channel_polarities: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    estimate = replace(ESTIMATE, gain_est_db=-20.0, polarity=polarity, channel_polarities=channel_polarities)
    assert estimate.matched_gains == pytest.approx([0.1 * sign for sign in signs], rel=1e-12)


def test_matched_gains_are_1_while_the_gain_is_unknown() -> None:
    assert replace(ESTIMATE, gain_est_db=math.nan).matched_gains == (1.0, 1.0)


def test_matched_delays_are_the_known_delays_and_not_negative() -> None:
    estimate = replace(ESTIMATE, channel_delays_frames=(240.25, 0.0, -5.0, math.nan))
    assert estimate.matched_delays_frames == (240.25, 0.0, 0.0, 0.0)
