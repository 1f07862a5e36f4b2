"""Lines through measured delays."""

import numpy as np
import pytest

from rtgain.estimation.offset.delay_fit import DelayFit, fit_bent_delays, fit_delays

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


def bent_fit(ppm: list[float], scatter_frames: float, seed: int, smoothed: int = 1) -> DelayFit:
    """Fit to delays over 300 s at 44.1 kHz with another drift in each of equal parts; errors of neighbors are alike."""
    times = np.arange(0.2, 300.0, 0.4) * 44_100
    edges = np.linspace(0.0, 300.0 * 44_100, len(ppm) + 1)
    delays = sum(1e-6 * each * np.clip(times - edges[i], 0.0, edges[1]) for i, each in enumerate(ppm))
    noise = np.random.default_rng(seed).standard_normal(len(times) + smoothed)
    noise = np.convolve(noise, np.ones(smoothed) / np.sqrt(smoothed), "same")[: len(times)]
    stds = np.full(len(times), scatter_frames)
    return fit_bent_delays(times, delays + scatter_frames * noise, stds, np.zeros(len(times), np.intp), 1)


@pytest.mark.parametrize("scatter_frames", [0.001, 0.05, 0.5])
@pytest.mark.parametrize("ppm", [[60, -40], [0, 60, 0], [10, -20, 20, 0], [5, 0, -5, 0, 20]])
def test_changes_of_the_drift_are_found_at_their_moments(ppm: list[float], scatter_frames: float) -> None:
    fit = bent_fit(ppm, scatter_frames, seed=3)
    drifts = 1e6 * (fit.first_drift + np.cumsum([0.0, *(bend.change for bend in fit.bends)]))
    assert drifts == pytest.approx(ppm, abs=1)
    moments_s = [bend.time_frames / 44_100 for bend in fit.bends]
    assert moments_s == pytest.approx(np.linspace(0, 300, len(ppm) + 1)[1:-1], abs=1 + 4 * scatter_frames)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("smoothed", [1, 12])
def test_one_drift_in_noise_does_not_change(seed: int, smoothed: int) -> None:
    for ppm in (0.0, 30.0):
        assert bent_fit([ppm], 0.3, seed, smoothed).bends == ()
