"""Loss against gain: the curves have their least where the closed form lies, and the shape that mathematics gives."""

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
from rtgain.estimation.estimator import Estimator, Windows
from rtgain.estimation.loss_curve_sampler import LossCurvePublisher, LossCurveSampler, gain_range
from rtgain.records.loss_curves import GAINS, LossCurves, gain_grid

RATE, WINDOW, HOP = 8_000, 512, 128
GAIN = 0.15


def told(dry: np.ndarray, target: np.ndarray, loss: str = "spectral") -> Estimator:
    """An estimator that has heard one window."""
    estimator = Estimator(EstimatorSettings(RATE, WINDOW, HOP, loss=loss))
    one = np.zeros(1)
    estimator.estimate(
        Windows(dry[None].astype(np.float32), target[None].astype(np.float32), one + 7.0, one, one * math.nan)
    )
    return estimator


def noise(level: float = 0.1) -> np.ndarray:
    return level * np.random.default_rng(1).standard_normal(WINDOW)


def drawn(estimator: Estimator) -> LossCurves:
    curves = LossCurveSampler().draw(estimator)
    assert curves is not None
    return curves


@pytest.mark.parametrize("loss", LOSSES + AURALOSSES)
@pytest.mark.parametrize("gain", [GAIN, -GAIN, 8.0])
def test_every_loss_is_1_at_gain_0_and_least_at_the_gain(loss: str, gain: float) -> None:
    curves = drawn(told(noise(), gain * noise(), loss))
    step = curves.gain[1] - curves.gain[0]
    assert curves.loss[GAINS // 2] == curves.waveform[GAINS // 2] == 1.0
    assert abs(curves.gain[np.argmin(curves.waveform)] - gain) <= step / 2 + 1e-9
    least = curves.gain[np.argmin(curves.loss)]
    if get_loss(loss).sees_phase:
        assert abs(least - gain) <= step / 2 + 1e-9
    else:
        np.testing.assert_array_equal(curves.loss, curves.loss[::-1])
        assert abs(abs(least) - abs(gain)) <= step / 2 + 1e-9


@pytest.mark.parametrize("gain", [GAIN, -GAIN])
def test_without_noise_both_are_straight_lines_to_the_gain(gain: float) -> None:
    """Σ|g·x − G·x| / Σ|G·x| = |g/G − 1|, and of magnitudes ||g| / |G| − 1|."""
    curves = drawn(told(noise(), gain * noise()))
    np.testing.assert_allclose(curves.waveform, np.abs(curves.gain / gain - 1.0), atol=1e-4)
    np.testing.assert_allclose(curves.loss, np.abs(np.abs(curves.gain / gain) - 1.0), atol=1e-4)
    assert curves.gain_est == pytest.approx(gain, rel=1e-4)
    assert (curves.loss_est, curves.waveform_est) == (pytest.approx(0.0, abs=1e-3), pytest.approx(0.0, abs=1e-3))
    assert curves.center_frame == 7.0


def test_waveforms_a_quarter_turn_apart_have_their_least_at_0() -> None:
    """⟨|g·cos − G·sin|⟩ = (2/π)·√(g² + G²): the lesson's second act."""
    phase = 2.0 * np.pi * 33.0 * np.arange(WINDOW) / WINDOW + 0.1
    curves = drawn(told(0.5 * np.cos(phase), GAIN * 0.5 * np.sin(phase)))
    np.testing.assert_allclose(curves.waveform, np.sqrt((curves.gain / GAIN) ** 2 + 1.0), rtol=0.01)
    assert abs(abs(curves.gain[np.argmin(curves.loss)]) - GAIN) <= curves.gain[1] - curves.gain[0]


def test_a_hundred_times_softer_is_the_same_picture() -> None:
    loud, soft = (drawn(told(level * noise(), level * GAIN * noise())) for level in (1.0, 0.01))
    np.testing.assert_allclose(soft.loss, loud.loss, atol=1e-4)
    np.testing.assert_allclose(soft.waveform, loud.waveform, atol=1e-4)
    np.testing.assert_array_equal(soft.gain, loud.gain)


def test_nothing_is_drawn_before_a_window_and_silence_leaves_the_last_one() -> None:
    assert LossCurveSampler().draw(Estimator(EstimatorSettings(RATE, WINDOW, HOP))) is None
    estimator = told(noise(), GAIN * noise())
    zero = np.zeros((1, WINDOW), np.float32)
    estimator.estimate(Windows(zero, zero, np.full(1, 99.0), np.zeros(1), np.zeros(1)))
    assert drawn(estimator).center_frame == 7.0


def test_a_gain_that_is_not_known_is_no_point_on_the_curve() -> None:
    estimator = told(noise(), GAIN * noise())
    estimator.reset()
    curves = drawn(estimator)
    assert math.isnan(curves.gain_est)
    assert math.isnan(curves.loss_est)
    assert np.isfinite(curves.loss).all()


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=20))
def test_the_range_holds_what_there_is_to_see_on_a_ladder_of_1_2_5(gains: list[float]) -> None:
    largest = 0.0
    for gain in gains:
        largest = gain_range(largest, gain)
        assert largest >= 1.5 * gain
        mantissa = largest / 10.0 ** math.floor(math.log10(largest * (1 + 1e-9)))
        assert min(abs(mantissa - rung) for rung in (1.0, 2.0, 5.0)) < 1e-6
        assert largest <= 2.5 * 1.5 * 1.25 * max(gains) * (1 + 1e-9)


def test_the_range_does_not_flutter_about_a_rung() -> None:
    rungs, largest = [], 0.0
    for gain in (0.66, 0.67, 0.66, 0.67, 0.6, 0.66):
        largest = gain_range(largest, gain)
        rungs.append(largest)
    assert rungs == [1.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    assert gain_range(2.0, 0.5) == 1.0


def test_curves_come_out_of_the_ring_as_they_went_in() -> None:
    curves = drawn(told(noise(), GAIN * noise()))
    assert len(curves.to_row()) == CURVES_ROWS
    again = LossCurves.from_row(curves.to_row())
    for name, value in vars(curves).items():
        np.testing.assert_array_equal(getattr(again, name), value, err_msg=name)


def test_the_painter_draws_at_most_ten_times_a_second() -> None:
    estimator = told(noise(), GAIN * noise())
    with EngineSharedMemory.create(RATE) as memory:
        painter = LossCurvePublisher(memory)
        for _ in range(20):
            painter.paint(estimator)
        assert memory.curves.frames_written == 1
        row = memory.curves.read(0, 1)[:, 0].astype(np.float64)
        assert LossCurves.from_row(row).gain_est == pytest.approx(GAIN, rel=1e-3)


def test_gains_are_symmetric_about_zero() -> None:
    gains = gain_grid(0.5)
    assert (len(gains), gains[0], gains[GAINS // 2], gains[-1]) == (GAINS, -0.5, 0.0, 0.5)
    np.testing.assert_array_equal(gains, -gains[::-1])


def test_the_loss_that_is_drawn_is_the_registry_s_own() -> None:
    """At one gain, by hand: samples times the gain, through the loss's forward, where no weights are involved."""
    dry, target = noise(), GAIN * noise() + 0.01 * np.random.default_rng(2).standard_normal(WINDOW)
    curves = drawn(told(dry, target))
    loss = get_loss("waveform")
    x, y = (torch.from_numpy(signal.astype(np.float32))[None] for signal in (dry, target))
    for index in (0, 40, 75, 120):
        expected = loss(float(curves.gain[index]) * x, y) / loss(0.0 * x, y)
        assert curves.waveform[index] == pytest.approx(float(expected), rel=1e-4)


def test_settings_may_change_while_it_draws() -> None:
    estimator = told(noise(), GAIN * noise())
    landscape = LossCurveSampler()
    landscape.draw(estimator)
    estimator.settings = replace(estimator.settings, loss="waveform")
    assert landscape.draw(estimator) is not None


def test_a_loss_that_is_changed_in_silence_does_not_name_the_curves_of_the_one_before() -> None:
    estimator = told(noise(), GAIN * noise())
    estimator.settings = replace(estimator.settings, loss="waveform")
    assert (drawn(estimator).is_of("spectral"), drawn(estimator).is_of("waveform")) == (True, False)
    one = np.zeros(1)
    estimator.estimate(Windows(*(np.float32([noise(), GAIN * noise()])[:, None]), one + 8.0, one, one))
    assert (drawn(estimator).is_of("spectral"), drawn(estimator).is_of("waveform")) == (False, True)
