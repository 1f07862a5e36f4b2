"""Statistics of listening tests against scipy."""

import pytest
from scipy.stats import binom, binomtest

from rtgain.listening.statistics import abx_p_value, wilson_interval


def test_p_value_agrees_with_scipy_for_all_scores_of_1_to_100_trials() -> None:
    for trials in range(1, 101):
        for correct in range(trials + 1):
            assert abx_p_value(correct, trials) == pytest.approx(binom.sf(correct - 1, trials, 0.5), rel=1e-9)


@pytest.mark.parametrize(("correct", "trials", "published"), [(12, 16, 0.038), (9, 10, 0.011), (14, 16, 0.002)])
def test_p_value_is_that_of_published_abx_tables(correct: int, trials: int, published: float) -> None:
    assert round(abx_p_value(correct, trials), 3) == published


@pytest.mark.parametrize("trials", [1, 16, 100])
def test_wilson_interval_agrees_with_scipy(trials: int) -> None:
    for successes in range(trials + 1):
        expected = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
        assert wilson_interval(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize("score", [(-1, 4), (5, 4)])
def test_impossible_scores_are_refused(score: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        abx_p_value(*score)
    with pytest.raises(ValueError, match="cannot be"):
        wilson_interval(*score)
