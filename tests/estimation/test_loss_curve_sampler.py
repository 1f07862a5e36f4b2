"""Loss curves: minimum at the closed form, and the shape of the formulas."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rtgain.audio.engine.shared_memory import CURVES_ROWS, EngineSharedMemory
from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.config.names import AURALOSSES, LOSSES
from rtgain.dsp.loss_registry import get_loss
from rtgain.estimation.estimator import Estimator
from rtgain.estimation.loss_curve_sampler import DiagnosticsPublisher, LossCurveSampler, gain_range
from rtgain.estimation.window_features import Windows
from rtgain.records.loss_curves import CURVE_POINTS, LossCurves, gain_grid

RATE, WINDOW, HOP = 8_000, 512, 128
GAIN = 0.15


def estimator_after(dry: np.ndarray, target: np.ndarray, loss: str = "spectral") -> Estimator:
    """Estimator after one window."""
    estimator = Estimator(EstimatorSettings(RATE, WINDOW, HOP, loss=loss))
    one = np.zeros(1)
    signals = (signal[None, None].astype(np.float32) for signal in (dry, target))
    estimator.estimate(Windows(*signals, one + 7.0, one, one * math.nan))
    return estimator


def noise(level: float = 0.1) -> np.ndarray:
    return level * np.random.default_rng(1).standard_normal(WINDOW)


def sample(estimator: Estimator) -> LossCurves:
    curves = LossCurveSampler().sample(estimator)
    assert curves is not None
    return curves


@pytest.mark.parametrize("loss", LOSSES + AURALOSSES)
@pytest.mark.parametrize("gain", [GAIN, -GAIN, 8.0])
def test_every_curve_is_1_at_gain_0_and_least_at_the_gain(loss: str, gain: float) -> None:
    curves = sample(estimator_after(noise(), gain * noise(), loss))
    step = curves.gain[1] - curves.gain[0]
    assert curves.loss[CURVE_POINTS // 2] == curves.waveform[CURVE_POINTS // 2] == 1.0
    assert abs(curves.gain[np.argmin(curves.waveform)] - gain) <= step / 2 + 1e-9
    least = curves.gain[np.argmin(curves.loss)]
    if get_loss(loss).sees_phase:
        assert abs(least - gain) <= step / 2 + 1e-9
    else:
        np.testing.assert_array_equal(curves.loss, curves.loss[::-1])
        assert abs(abs(least) - abs(gain)) <= step / 2 + 1e-9


@pytest.mark.parametrize("gain", [GAIN, -GAIN])
def test_curves_without_noise_are_straight_lines(gain: float) -> None:
    """Σ|g·x − G·x| / Σ|G·x| = |g/G − 1|, and of magnitudes ||g| / |G| − 1|."""
    curves = sample(estimator_after(noise(), gain * noise()))
    np.testing.assert_allclose(curves.waveform, np.abs(curves.gain / gain - 1.0), atol=1e-4)
    np.testing.assert_allclose(curves.loss, np.abs(np.abs(curves.gain / gain) - 1.0), atol=1e-4)
    assert curves.gain_est == pytest.approx(gain, rel=1e-4)
    assert (curves.loss_est, curves.waveform_est) == (pytest.approx(0.0, abs=1e-3), pytest.approx(0.0, abs=1e-3))
    assert curves.center_frame == 7.0


def test_waveform_curve_at_90_degrees_has_its_minimum_at_0() -> None:
    """⟨|g·cos − G·sin|⟩ = (2/π)·√(g² + G²), as in the lesson on the waveform loss."""
    phase = 2.0 * np.pi * 33.0 * np.arange(WINDOW) / WINDOW + 0.1
    curves = sample(estimator_after(0.5 * np.cos(phase), GAIN * 0.5 * np.sin(phase)))
    np.testing.assert_allclose(curves.waveform, np.sqrt((curves.gain / GAIN) ** 2 + 1.0), rtol=0.01)
    assert abs(abs(curves.gain[np.argmin(curves.loss)]) - GAIN) <= curves.gain[1] - curves.gain[0]


def test_curves_are_independent_of_level() -> None:
    loud, soft = (sample(estimator_after(level * noise(), level * GAIN * noise())) for level in (1.0, 0.01))
    np.testing.assert_allclose(soft.loss, loud.loss, atol=1e-4)
    np.testing.assert_allclose(soft.waveform, loud.waveform, atol=1e-4)
    np.testing.assert_array_equal(soft.gain, loud.gain)


def test_no_curves_before_a_window_and_silence_keeps_the_last_ones() -> None:
    assert LossCurveSampler().sample(Estimator(EstimatorSettings(RATE, WINDOW, HOP))) is None
    estimator = estimator_after(noise(), GAIN * noise())
    zero = np.zeros((1, 1, WINDOW), np.float32)
    estimator.estimate(Windows(zero, zero, np.full(1, 99.0), np.zeros(1), np.zeros(1)))
    assert sample(estimator).center_frame == 7.0


def test_unknown_gain_has_no_point_on_the_curve() -> None:
    estimator = estimator_after(noise(), GAIN * noise())
    estimator.reset()
    curves = sample(estimator)
    assert math.isnan(curves.gain_est)
    assert math.isnan(curves.loss_est)
    assert np.isfinite(curves.loss).all()


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=20))
def test_gain_range_covers_all_gains_in_125_steps(gains: list[float]) -> None:
    largest = 0.0
    for gain in gains:
        largest = gain_range(largest, gain)
        assert largest >= 1.5 * gain
        mantissa = largest / 10.0 ** math.floor(math.log10(largest * (1 + 1e-9)))
        assert min(abs(mantissa - step) for step in (1.0, 2.0, 5.0)) < 1e-6
        assert largest <= 2.5 * 1.5 * 1.25 * max(gains) * (1 + 1e-9)


def test_gain_range_does_not_flutter() -> None:
    ranges, largest = [], 0.0
    for gain in (0.66, 0.67, 0.66, 0.67, 0.6, 0.66):
        largest = gain_range(largest, gain)
        ranges.append(largest)
    assert ranges == [1.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    assert gain_range(2.0, 0.5) == 1.0


def test_curves_survive_conversion_to_a_row() -> None:
    curves = sample(estimator_after(noise(), GAIN * noise()))
    assert len(curves.to_row()) == CURVES_ROWS
    restored = LossCurves.from_row(curves.to_row())
    for name, value in vars(curves).items():
        np.testing.assert_array_equal(getattr(restored, name), value, err_msg=name)


def test_publisher_writes_at_most_ten_times_per_second() -> None:
    estimator = estimator_after(noise(), GAIN * noise())
    with EngineSharedMemory.create(RATE) as memory:
        publisher = DiagnosticsPublisher(memory.curves, memory.responses)
        for _ in range(20):
            publisher.publish_if_due(estimator)
        assert memory.curves.frames_written == 1
        row = memory.curves.read(0, 1)[:, 0].astype(np.float64)
        assert LossCurves.from_row(row).gain_est == pytest.approx(GAIN, rel=1e-3)


def test_gain_grid_is_symmetric_about_zero() -> None:
    gains = gain_grid(0.5)
    assert (len(gains), gains[0], gains[CURVE_POINTS // 2], gains[-1]) == (CURVE_POINTS, -0.5, 0.0, 0.5)
    np.testing.assert_array_equal(gains, -gains[::-1])


def test_waveform_curve_is_the_registrys_loss() -> None:
    """At one gain, explicitly: samples times the gain, through the loss's forward, which uses no weights."""
    dry, target = noise(), GAIN * noise() + 0.01 * np.random.default_rng(2).standard_normal(WINDOW)
    curves = sample(estimator_after(dry, target))
    loss = get_loss("waveform")
    x, y = (torch.from_numpy(signal.astype(np.float32))[None] for signal in (dry, target))
    for index in (0, 40, 75, 120):
        expected = loss(float(curves.gain[index]) * x, y) / loss(0.0 * x, y)
        assert curves.waveform[index] == pytest.approx(float(expected), rel=1e-4)


def test_settings_may_change_between_samples() -> None:
    estimator = estimator_after(noise(), GAIN * noise())
    sampler = LossCurveSampler()
    sampler.sample(estimator)
    estimator.settings = replace(estimator.settings, loss="waveform")
    assert sampler.sample(estimator) is not None


def test_curves_keep_their_loss_name_after_a_change_in_silence() -> None:
    estimator = estimator_after(noise(), GAIN * noise())
    estimator.settings = replace(estimator.settings, loss="waveform")
    assert (sample(estimator).is_of("spectral"), sample(estimator).is_of("waveform")) == (True, False)
    one = np.zeros(1)
    estimator.estimate(Windows(*(np.float32([noise(), GAIN * noise()])[:, None, None]), one + 8.0, one, one))
    assert (sample(estimator).is_of("spectral"), sample(estimator).is_of("waveform")) == (False, True)
