"""Estimates are independent of a common scale of both signals, for any course of the gain."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtgain.audio.sources.synthetic_speech import synthetic_speech
from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.estimation.estimator import Estimator
from rtgain.estimation.window_features import Windows
from rtgain.records.estimate import Estimate, State

RATE, WINDOW, HOP = 16_000, 1024, 256


def estimates_at(level: float, loss: str) -> list[Estimate]:
    """Speech-like signal with pauses, a gain that steps and then moves, and a little noise, all at one level."""
    dry = synthetic_speech(RATE, 2 * RATE)
    time_s = np.arange(len(dry)) / RATE
    gain_db = np.where(time_s < 0.7, -12.0, -3.0 + 4.0 * np.sin(2 * np.pi * 0.5 * time_s))
    target = 10.0 ** (gain_db / 20.0) * dry + 1e-3 * np.random.default_rng(1).standard_normal(len(dry))

    def cut(signal: np.ndarray) -> np.ndarray:
        scaled = (level * signal).astype(np.float32)
        return np.lib.stride_tricks.sliding_window_view(scaled, WINDOW)[::HOP, None].copy()

    windows = cut(dry)
    centers = WINDOW / 2 + HOP * np.arange(len(windows), dtype=np.float64)
    estimator = Estimator(EstimatorSettings(RATE, WINDOW, HOP, loss=loss))
    return estimator.estimate(
        Windows(windows, cut(target), centers, centers + WINDOW / 2, np.full(len(windows), np.nan))
    )


@pytest.fixture(scope="module", params=["spectral", "multi-resolution", "log-stft", "waveform"])
def before(request: pytest.FixtureRequest) -> tuple[str, list[Estimate]]:
    return request.param, estimates_at(1.0, request.param)


@given(level_db=st.floats(-80.0, 20.0))
@settings(max_examples=12, deadline=None)
def test_estimates_are_independent_of_level_from_minus_80_to_20_db(before, level_db: float) -> None:
    """Only the rounding of a descent in noise remains: less than a seventh of the reported deviation."""
    loss, expected = before
    found = estimates_at(10.0 ** (level_db / 20.0), loss)
    assert [one.state for one in found] == [one.state for one in expected]
    assert [one.polarity for one in found] == [one.polarity for one in expected]
    assert sum(one.state is State.TRACKING for one in expected) > 40
    gains_db, wanted_db = (np.array([one.gain_est_db for one in trace]) for trace in (found, expected))
    std_db = np.array([one.std_db for one in expected])
    assert np.all(np.abs(gains_db - wanted_db) <= 0.001 + std_db / 7)


@pytest.mark.parametrize("exponent", [-13, -1, 3])
def test_power_of_two_in_level_changes_estimates_by_less_than_a_millionth(before, exponent: int) -> None:
    loss, expected = before
    found = estimates_at(2.0**exponent, loss)
    for name in ("gain_est_db", "gain_opt_db", "std_db", "loss"):
        values, wanted = ([getattr(one, name) for one in trace] for trace in (found, expected))
        np.testing.assert_allclose(values, wanted, rtol=1e-6, atol=5e-6, err_msg=name)
