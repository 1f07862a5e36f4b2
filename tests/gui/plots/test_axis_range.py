"""Decibel axis that changes in steps."""

import math

from hypothesis import given
from hypothesis import strategies as st

from gui.plots.axis_range import HIGHEST_DB, LOWEST_DB, SHRINK_DELAY_S, AxisRange, SteppedRange, smallest_range

levels = st.floats(-100, 40)


@given(levels, levels)
def test_smallest_range_contains_its_curves_and_ends_at_ticks(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    found = smallest_range(low, high)
    assert found.low <= low
    assert high <= found.high
    assert found.low % found.tick == 0
    assert found.ticks()[-1] == found.high


@given(levels)
def test_constant_gain_is_shown_on_six_decibels(level: float) -> None:
    found = smallest_range(level, level)
    assert found.high - found.low == 6
    assert abs(0.5 * (found.low + found.high) - level) <= 0.5


def test_range_is_limited_for_extreme_levels() -> None:
    assert smallest_range(-900, 500) == AxisRange(LOWEST_DB, HIGHEST_DB, 20)


def test_axis_widens_at_once() -> None:
    axis = SteppedRange(smallest_range(-16.5, -16.5))
    assert axis.follow(-16.5, 0.0, now_s=0.0)
    assert axis.current == AxisRange(-25, 5, 5)


def test_axis_narrows_after_the_shrink_delay() -> None:
    axis = SteppedRange(AxisRange(-25, 5, 5))
    assert not axis.follow(-16.5, -16.5, now_s=10.0)
    assert not axis.follow(-16.5, -16.5, now_s=10.0 + 0.9 * SHRINK_DELAY_S)
    assert axis.follow(-16.5, -16.5, now_s=10.0 + SHRINK_DELAY_S)
    assert axis.current == AxisRange(-20, -14, 1)


def test_excursion_restarts_the_shrink_delay() -> None:
    axis = SteppedRange(AxisRange(-25, 5, 5))
    axis.follow(-16.5, -16.5, now_s=0.0)
    axis.follow(-16.5, 0.0, now_s=1.0)
    assert not axis.follow(-16.5, -16.5, now_s=SHRINK_DELAY_S + 0.1)


def test_curves_within_the_range_do_not_change_it() -> None:
    axis = SteppedRange(AxisRange(-20, -14, 1))
    assert not any(axis.follow(level, level, now_s=level) for level in (-19.0, -18.2, -15.0, -14.5))


def test_axis_without_curves_does_not_change() -> None:
    axis = SteppedRange(AxisRange(-25, 5, 5))
    assert not axis.follow(math.nan, math.nan, now_s=0.0)
