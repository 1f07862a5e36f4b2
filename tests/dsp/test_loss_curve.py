"""`rtgain.loss_curve` and `rtgain.closed_form_gain` on the lesson's sine, where both are known."""

import math

import numpy as np
import pytest

import rtgain
from rtgain.errors import InputError

PHASE = np.linspace(0, 600 * np.pi, 8000)
DRY = np.sin(PHASE)
WAVEFORM = rtgain.WaveformLoss(normalize=False)


def test_loss_curve_of_a_shifted_sine_is_its_amplitude_times_two_over_pi() -> None:
    # mean |g·sin − 0.15·cos| = 2/π · √(g² + 0.15²)
    gains = np.linspace(-1, 1, 9)
    losses = rtgain.loss_curve(rtgain.LinearGain(gain=1.0), "gain", gains, DRY, 0.15 * np.cos(PHASE), loss=WAVEFORM)
    np.testing.assert_allclose(losses, 2 / math.pi * np.hypot(gains, 0.15), rtol=2e-3)


def test_loss_curve_keeps_the_other_parameters_and_the_processor() -> None:
    noise = np.random.default_rng(0).standard_normal(4000)
    shelf = rtgain.ParametricEQ(16000, low_shelf_gain_db=-12.0, low_shelf_octaves=-1.0)
    target = shelf.process(noise)
    losses = rtgain.loss_curve(shelf, "low_shelf_octaves", [-2.0, -1.0, 0.0], noise, target)
    assert losses[1] == pytest.approx(0.0, abs=1e-12)
    assert min(losses[0], losses[2]) > 0.01
    assert shelf.low_shelf_octaves.item() == -1.0


@pytest.mark.parametrize("degrees", [0, 45, 80])
def test_closed_form_of_the_waveform_loss_is_the_gain_times_the_cosine(degrees: float) -> None:
    target = 0.15 * np.sin(PHASE + np.deg2rad(degrees))
    expected = 0.15 * math.cos(math.radians(degrees))
    assert rtgain.closed_form_gain(DRY, target, loss="waveform") == pytest.approx(expected, abs=1e-4)
    assert rtgain.closed_form_gain(DRY, target) == pytest.approx(0.15, abs=1e-3)


def test_wrong_arguments_raise_one_line() -> None:
    gain = rtgain.LinearGain()
    with pytest.raises(InputError, match=r"loss_curve: parameter 'gian' is not one of gain"):
        rtgain.loss_curve(gain, "gian", [1.0], DRY, DRY)
    with pytest.raises(InputError, match=r"loss_curve: expected a processor such as rtgain\.LinearGain\(\)"):
        rtgain.loss_curve(rtgain.LinearGain, "gain", [1.0], DRY, DRY)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"closed_form_gain: dry and target must be one-dimensional"):
        rtgain.closed_form_gain(DRY, DRY[:-1])
    for values, message in ((0.5, r"not \(\)"), ([[0.5]], r"not \(1, 1\)"), (["a"], "real numbers")):
        with pytest.raises(InputError, match=r"loss_curve: values must .*" + message):
            rtgain.loss_curve(gain, "gain", values, DRY, DRY)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"loss_curve: dry contains NaN or infinity; replace these samples"):
        rtgain.loss_curve(gain, "gain", [1.0], DRY * np.nan, DRY)
    for loss in ("auraloss-stft", lambda x, y: (x - y).mean()):
        with pytest.raises(InputError, match=r"closed_form_gain: this loss has no closed form; use loss_curve or fit"):
            rtgain.closed_form_gain(DRY, DRY, loss=loss)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"process: signal must have the shape \(N,\), not \(2, 4000\)"):
        gain.process(DRY.reshape(2, -1))
    with pytest.raises(
        InputError, match=r"ParametricEQ: sample_rate must be a whole number of 4000 to 768000 Hz, not 0"
    ):
        rtgain.ParametricEQ(0)
