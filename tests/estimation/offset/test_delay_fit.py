"""Lines through measured delays."""

import numpy as np
import pytest

from rtgain.estimation.offset.delay_fit import fit_delays

TIMES_FRAMES = np.linspace(0.0, 20.0 * 44_100, 50)


def drift_of(moved_frames: float, scatter_frames: float, std_frames: float, seed: int) -> float:
    """Movement in frames that is found in delays that scatter by `scatter_frames`."""
    noise = scatter_frames * np.random.default_rng(seed).standard_normal(50)
    delays = moved_frames * TIMES_FRAMES / TIMES_FRAMES[-1] + noise
    fit = fit_delays(TIMES_FRAMES, delays, np.full(50, std_frames), np.zeros(50, np.intp), 1)
    return fit.drift * float(TIMES_FRAMES[-1])


@pytest.mark.parametrize("seed", range(5))
def test_delays_that_scatter_beyond_their_deviations_are_no_drift(seed: int) -> None:
    """Behind a distortion the delay follows the sound: a line through it means nothing unless it dominates."""
    assert drift_of(2.5, scatter_frames=1.0, std_frames=0.03, seed=seed) == 0.0
    assert drift_of(25.0, scatter_frames=1.0, std_frames=0.03, seed=seed) == pytest.approx(25.0, abs=2.0)


@pytest.mark.parametrize("seed", range(5))
def test_a_drift_within_honest_deviations_is_found(seed: int) -> None:
    assert drift_of(2.5, scatter_frames=1.0, std_frames=1.0, seed=seed) == pytest.approx(2.5, abs=2.0)
