"""`rtgain.fit`: the lesson's three experiments, other processors, and error messages."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch

import rtgain
from rtgain.errors import InputError
from tests import documentation

PHASE = np.linspace(0, 600 * np.pi, 8000)
"""Phase of the lesson's sine: 300 cycles in half a second at 16 kHz."""

DRY = np.sin(PHASE)

WAVEFORM = rtgain.WaveformLoss(normalize=False)
SPECTRAL = rtgain.SpectralLoss(window=False, normalize=False)


def gains(target: np.ndarray, loss: torch.nn.Module) -> np.ndarray:
    return rtgain.fit(rtgain.LinearGain(), DRY, target, loss=loss).parameters["gain"]


def test_waveform_loss_finds_the_gain_of_a_sine_within_one_step() -> None:
    # The gradient is ± the mean of |sin|, 2/π, so each step is 0.01 times that.
    found = gains(0.15 * DRY, WAVEFORM)
    np.testing.assert_allclose(np.abs(np.diff(found)), 0.01 * 2 / math.pi, rtol=1e-3)
    assert abs(found[-1] - 0.15) < 0.01 * 2 / math.pi


def test_waveform_loss_converges_to_zero_at_90_degrees() -> None:
    # mean |g·sin − 0.15·cos| = 2/π · √(g² + 0.15²), with its minimum at 0.
    rotated = rtgain.fit(rtgain.LinearGain(), DRY, 0.15 * np.cos(PHASE), loss=WAVEFORM)
    assert abs(rotated.final["gain"]) < 0.001
    gain = rotated.parameters["gain"]
    np.testing.assert_allclose(rotated.loss, 2 / math.pi * np.hypot(gain, 0.15), rtol=2e-3)


def test_waveform_loss_converges_to_the_inverted_gain_at_180_degrees() -> None:
    assert abs(gains(-0.15 * DRY, WAVEFORM)[-1] + 0.15) < 0.01 * 2 / math.pi


def test_spectral_loss_ends_in_the_known_limit_cycle() -> None:
    off_db = 20 * np.log10(gains(0.15 * np.cos(PHASE), SPECTRAL)[-100:] / 0.15)
    assert (off_db.min(), off_db.max()) == (pytest.approx(-0.72, abs=0.005), pytest.approx(0.45, abs=0.005))


def test_history_has_start_and_every_step_and_processor_keeps_the_final_value() -> None:
    processor = rtgain.LinearGain()
    history = rtgain.fit(processor, DRY, 0.15 * DRY, optimizer="Adam", lr=0.05, steps=7)
    assert len(history.loss) == len(history.parameters["gain"]) == 8
    assert history.parameters["gain"][0] == 1.0
    assert history.final["gain"] == processor.gain.item()
    assert history.loss[-1] == pytest.approx((processor.gain.item() - 0.15) / 0.15, rel=1e-4)


def test_parameters_stay_in_their_ranges() -> None:
    dry = np.random.default_rng(0).standard_normal(2000)
    history = rtgain.fit(rtgain.DecibelGain(), dry, 1000 * dry, lr=1e6, steps=3)
    assert history.parameters["gain_db"].max() == rtgain.DecibelGain.info["gain_db"].maximum


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"loss": "loud"}, "loss 'loud' is not one of waveform, spectral"),
        ({"optimizer": "LBFGS"}, "optimizer 'LBFGS' is not one of Adadelta"),
        ({"loss": 3}, "fit: loss must be a name or a function of estimate and target, not 3"),
        (
            {"loss": lambda x, y: x - y},
            r"fit: loss must return a tensor with one number, not a tensor of shape \(1, 8000",
        ),
        ({"loss": lambda x, y: 0.0}, r"fit: loss must return a tensor with one number, not 0\.0"),
        ({"lr": -1}, "fit: lr must be a finite number above 0, not -1"),
        ({"lr": 1e300}, r"fit: lr must be a finite number above 0, not 1e\+300"),
        ({"lr": "0.1"}, r"fit: lr must be a finite number above 0, not '0\.1'"),
        ({"steps": -1}, "fit: steps must be a whole number, 0 or more, not -1"),
        ({"steps": 1.5}, r"fit: steps must be a whole number, 0 or more, not 1\.5"),
        ({"dry": "dry.wav"}, "fit: dry must be an array of real numbers, not of the type <U7"),
        ({"dry": DRY * 1j}, "fit: dry must be an array of real numbers, not of the type complex128"),
        ({"processor": rtgain.LinearGain}, r"expected a processor such as rtgain\.LinearGain\(\), not <class"),
        ({"target": DRY[:-1]}, r"of the same length, not of shapes \(8000,\) and \(7999,\)"),
        ({"target": DRY * np.nan}, "fit: target contains NaN or infinity; replace these samples"),
        ({"loss": lambda x, y: 0 * x.mean() / 0}, "fit: the loss is nan after 0 steps; use a smaller lr"),
    ],
)
def test_invalid_arguments_raise_one_line(wrong: dict, message: str) -> None:
    given = {"processor": rtgain.LinearGain(), "dry": DRY, "target": DRY, **wrong}
    with pytest.raises(InputError, match=message):
        rtgain.fit(**given)


def test_history_plot_is_a_png_in_a_notebook() -> None:
    figure = rtgain.fit(rtgain.LinearGain(), DRY, 0.15 * DRY, steps=3).plot()
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "gain"]
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_xdata(), [0, 1, 2, 3])


def test_package_import_does_not_import_torch() -> None:
    program = "import sys, rtgain; assert 'torch' not in sys.modules; rtgain.fit; assert 'torch' in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_package_has_exactly_the_attributes_in_all() -> None:
    assert all(getattr(rtgain, name) is not None for name in rtgain.__all__)
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        _ = rtgain.fitt


@pytest.mark.parametrize(("program", "printed"), documentation.python_examples())
def test_python_examples_of_readme_and_docs_print_what_they_show(program: str, printed: str) -> None:
    assert len([line for line in program.splitlines() if line.strip()]) <= 10
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert ran.stdout == printed


def test_docs_have_a_python_example() -> None:
    assert documentation.python_examples()


def test_animation_of_one_parameter_moves_on_its_loss() -> None:
    history = rtgain.fit(rtgain.LinearGain(gain=1.0), DRY, 0.15 * DRY, loss=WAVEFORM, lr=0.1, steps=10)
    animation = history.animate()
    animation.show(animation.frames - 1)
    loss, waveforms = animation.figure.axes
    (point,) = (line for line in loss.lines if line.get_marker() == "o")
    assert point.get_xdata()[0] == history.final["gain"]
    assert point.get_ydata()[0] == pytest.approx(history.loss[-1], abs=0.01)
    matched = next(line for line in waveforms.lines if line.get_label() == "matched")
    np.testing.assert_allclose(matched.get_ydata(), history.final["gain"] * DRY[:200])
    assert waveforms.get_title(loc="left") == f"gain {history.final['gain']:.3f}"


@pytest.mark.filterwarnings("error:constrained_layout not applied")
def test_animation_of_several_parameters_moves_over_the_steps() -> None:
    dry = np.random.default_rng(0).standard_normal(2000)
    history = rtgain.fit(rtgain.ParametricEQ(16000), dry, 0.5 * dry, optimizer="Rprop", lr=0.5, steps=4)
    animation = history.animate()
    animation.show(2)
    (point,) = (line for line in animation.figure.axes[0].lines if line.get_marker() == "o")
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (2.0, history.loss[2])
    assert animation.figure.axes[1].get_title(loc="left") == "19 parameters"
    assert animation._repr_html_().startswith('<video src="data:video/mp4;base64,')


def test_numbers_start_a_processor_in_double_precision_and_it_processes_an_array() -> None:
    equalizer = rtgain.ParametricEQ(16000, gain_db=-12.0)
    assert (equalizer.gain_db.dtype, equalizer.peak_1_octaves.dtype) == (torch.float64, torch.float64)
    np.testing.assert_array_equal(rtgain.LinearGain(gain=0.15).process(DRY), 0.15 * DRY)
    assert rtgain.LinearGain().gain.dtype == torch.float32
