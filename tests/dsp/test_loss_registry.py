"""Attributes of the registered losses, including auraloss's: level, phase, closed form, weights."""

import math

import pytest
import torch
from torch import Tensor

from rtgain.config.names import AURALOSSES, LOSSES
from rtgain.dsp.auraloss_adapter import AURALOSS_FACTORIES
from rtgain.dsp.loss_registry import LOSS_FACTORIES, get_loss
from rtgain.dsp.losses import FeatureLoss, SpectralLoss
from rtgain.dsp.processors import LogGain

WINDOW = 4096
OWN_LOSSES = pytest.mark.parametrize("name", LOSSES)
EVERY_LOSS = pytest.mark.parametrize("name", LOSSES + AURALOSSES)


def music(seed: int = 0) -> Tensor:
    """A window of pink-like noise with a few tones in it, ``(1, 4096)``."""
    generator = torch.Generator().manual_seed(seed)
    spectrum = torch.fft.rfft(torch.randn(1, WINDOW, generator=generator))
    spectrum = spectrum / (1.0 + torch.arange(spectrum.shape[-1]) / 20.0)
    time = torch.arange(WINDOW)
    tones = sum(torch.sin(0.01 * k * time) / k for k in (3, 7, 12))
    signal = torch.fft.irfft(spectrum, WINDOW) + 0.5 * tones
    return signal / signal.square().mean().sqrt()


def rotated(signal: Tensor, degrees: float) -> Tensor:
    """Rotate the phase of every frequency by one angle."""
    spectrum = torch.fft.rfft(signal)
    spectrum[:, 1:-1] *= complex(math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))
    return torch.fft.irfft(spectrum, WINDOW)


def value(loss: FeatureLoss, estimate: Tensor, target: Tensor) -> float:
    return float(loss(estimate, target))


def test_registries_have_the_names_of_the_command_line() -> None:
    assert (tuple(LOSS_FACTORIES), tuple(AURALOSS_FACTORIES)) == (LOSSES, AURALOSSES)


@EVERY_LOSS
def test_equal_signals_have_the_least_loss(name: str) -> None:
    loss, x = get_loss(name), music()
    assert value(loss, x, x) == pytest.approx(0.0, abs=1e-5)
    assert value(loss, 0.5 * x, x) > 0.01
    assert value(loss, 2.0 * x, x) > 0.01


@EVERY_LOSS
def test_loss_is_level_invariant_exactly_if_normalized(name: str) -> None:
    loss, x = get_loss(name), music()
    whole, quiet = value(loss, 0.5 * x, x), value(loss, 5e-4 * x, 1e-3 * x)
    if loss.normalize:
        assert quiet == pytest.approx(whole, rel=1e-3)
    elif name == "auraloss-log-cosh":  # its scale is fixed: quiet errors vanish
        assert quiet < 0.01 * whole


@EVERY_LOSS
def test_loss_depends_on_phase_and_polarity_exactly_if_it_sees_phase(name: str) -> None:
    loss, x = get_loss(name), music()
    half = value(loss, 0.5 * x, x)
    for changed in (rotated(x, 90.0), -x):
        if loss.sees_phase:
            assert value(loss, changed, x) > half
        else:
            assert value(loss, changed, x) < half


@EVERY_LOSS
def test_silence_has_a_finite_loss_and_gradient(name: str) -> None:
    silent, x = torch.zeros(1, WINDOW), music()
    for dry, target in ((silent, silent), (silent, x), (x, silent)):
        loss, gain = get_loss(name), LogGain(log_gain=torch.zeros(1))
        result = loss.distance(loss.apply_gain(loss.features(dry), gain), loss.features(target)).sum()
        torch.autograd.backward(result)
        assert math.isfinite(float(result.detach()))
        assert gain.log_gain.grad is not None
        assert math.isfinite(float(gain.log_gain.grad))


@OWN_LOSSES
def test_scaled_features_are_those_of_the_scaled_signal(name: str) -> None:
    loss, x = get_loss(name), music()
    apply_gain = loss.apply_gain(loss.features(x), LogGain(log_gain=torch.tensor([math.log(0.3)]))).detach()
    torch.testing.assert_close(apply_gain, loss.features(0.3 * x), rtol=1e-4, atol=1e-5)


@OWN_LOSSES
def test_closed_form_minimizes_the_loss(name: str) -> None:
    loss, x = get_loss(name), music()
    dry, target = loss.features(x), loss.features(0.4 * x + 0.05 * music(1))
    best = float(loss.optimum(dry, target))

    def at(gain: float) -> float:
        return float(
            loss.distance(loss.apply_gain(dry, LogGain(log_gain=torch.tensor([math.log(gain)]))), target).detach()
        )

    assert all(at(best) <= at(best * step) + 1e-6 for step in (0.5, 0.9, 0.99, 0.999, 1.001, 1.01, 1.1, 2.0))


@OWN_LOSSES
def test_noise_biases_the_optimum_upward_except_for_the_waveform(name: str) -> None:
    """White noise on white noise affects all bins equally. Loud tones, which dominate power 2, are hardly affected."""
    loss, generator = get_loss(name), torch.Generator().manual_seed(0)
    errors = []
    for _ in range(30):
        x, noise = torch.randn(2, 1, WINDOW, generator=generator)
        errors.append(math.log(float(loss.optimum(loss.features(x), loss.features(x + 0.3 * noise)))))
    mean = sum(errors) / len(errors)
    error_of_mean = (sum((e - mean) ** 2 for e in errors) / len(errors) ** 2) ** 0.5
    if name != "waveform":
        assert mean > 3.0 * error_of_mean
    else:
        assert abs(mean) < 3.0 * error_of_mean


@OWN_LOSSES
def test_weights_exclude_noisy_bins(name: str) -> None:
    """Half of the band is below the noise; with the weights, a loss finds the gain in the other half."""
    loss, x = get_loss(name), music()
    spectrum = torch.fft.rfft(torch.randn(1, WINDOW, generator=torch.Generator().manual_seed(3)))
    spectrum[:, : WINDOW // 4] = 0.0
    y = 0.5 * x + torch.fft.irfft(spectrum, WINDOW)
    inverse_noise_power = torch.ones(1, WINDOW // 2 + 1)
    inverse_noise_power[:, WINDOW // 4 - 64 :] = 0.0
    dry, target = loss.features(x), loss.features(y)
    weights = inverse_noise_power * dry if isinstance(loss, SpectralLoss) else loss.weights(inverse_noise_power, dry)
    if loss.sees_phase:
        assert weights is None
        return
    assert weights is not None
    assert math.log(float(loss.optimum(dry, target, weights)) / 0.5) == pytest.approx(0.0, abs=0.03)


def test_masking_makes_log_stft_robust_to_noise_in_pauses() -> None:
    """A quarter of the window has a signal; the remainder is noise 60 dB below."""
    x = music()
    x[:, WINDOW // 4 :] = 0.0
    hiss = 1e-3 * torch.randn(1, WINDOW, generator=torch.Generator().manual_seed(1))
    loss = get_loss("log-stft")
    masked = float(loss.optimum(loss.features(x), loss.features(0.1 * x + hiss)))
    assert 20 * math.log10(masked / 0.1) == pytest.approx(0.0, abs=0.5)


@pytest.mark.parametrize("name", AURALOSSES)
def test_auralosses_have_no_closed_form(name: str) -> None:
    x = music()
    assert math.isnan(float(get_loss(name).optimum(x, x)))


def test_slope_of_spectral_power_is_that_of_a_square() -> None:
    """For g·x against 0.15·x, power 1 has the slope g/0.15 on log gain, and power 2 twice its square."""
    x = music()
    for name, slope in (("spectral", 1 / 0.15), ("spectral-power", 2 / 0.15**2)):
        loss, gain = get_loss(name), LogGain(log_gain=torch.zeros(1))
        torch.autograd.backward(loss.distance(loss.apply_gain(loss.features(x), gain), loss.features(0.15 * x)).sum())
        assert float(gain.log_gain.grad) == pytest.approx(slope, rel=1e-4)
