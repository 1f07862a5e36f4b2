"""Losses against their formulas, at silence, at any level; and the lesson's three experiments."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rtgain.config.names import LOSSES
from rtgain.dsp.loss_registry import LOSS_FACTORIES
from rtgain.dsp.losses import FeatureLoss, SpectralLoss, WaveformLoss, magnitude_power
from rtgain.dsp.processors import LogGain

POWERS = (0.5, 1.0, 2.0)
BOTH = pytest.mark.parametrize("make", [WaveformLoss, SpectralLoss])
EACH_POWER = pytest.mark.parametrize("power", POWERS)


def noise(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def loss_and_slope(loss: FeatureLoss, dry: Tensor, target: Tensor, log_gain: float = 0.0) -> tuple[float, float]:
    """Loss at a log gain, and its derivative there."""
    processor = LogGain(log_gain=torch.full((1,), log_gain, dtype=dry.dtype))
    value = loss.distance(loss.apply_gain(loss.features(dry), processor), loss.features(target)).sum()
    torch.autograd.backward(value)
    assert processor.log_gain.grad is not None
    return value.item(), processor.log_gain.grad.item()


def test_registry_has_the_names_of_the_command_line() -> None:
    assert tuple(LOSS_FACTORIES) == LOSSES


# --- values -----------------------------------------------------------------------------------------


def test_waveform_loss_is_the_mean_distance_between_samples() -> None:
    estimate, target = torch.tensor([[1.0, -2.0, 3.0]]), torch.tensor([[0.5, 0.0, 4.0]])
    assert WaveformLoss(normalize=False)(estimate, target).item() == pytest.approx((0.5 + 2.0 + 1.0) / 3, rel=1e-7)
    assert WaveformLoss()(estimate, target).item() == pytest.approx((0.5 + 2.0 + 1.0) / 4.5, rel=1e-7)


def test_waveform_loss_with_a_power_keeps_the_sign() -> None:
    estimate, target = torch.tensor([[3.0, -4.0]]), torch.tensor([[-1.0, -1.0]])
    assert WaveformLoss(2.0, normalize=False)(estimate, target).item() == (10.0 + 15.0) / 2
    assert WaveformLoss(0.5, normalize=False)(estimate, target).item() == pytest.approx((math.sqrt(3) + 2) / 2)


def test_batch_loss_is_the_mean_of_the_windows_losses() -> None:
    estimate, target = torch.tensor([[2.0, 2.0], [0.0, 0.0]]), torch.tensor([[1.0, 1.0], [10.0, 10.0]])
    loss = WaveformLoss()
    assert loss.distance(estimate, target).tolist() == [1.0, 1.0]
    assert WaveformLoss(normalize=False).distance(estimate, target).tolist() == [1.0, 10.0]
    assert WaveformLoss(normalize=False)(estimate, target).item() == 5.5


def test_weights_count_in_error_and_scale() -> None:
    estimate, target, weights = torch.tensor([[1.0, 5.0]]), torch.tensor([[3.0, 4.0]]), torch.tensor([[0.5, 2.0]])
    assert WaveformLoss(normalize=False).distance(estimate, target, weights).item() == (1.0 + 2.0) / 2
    assert WaveformLoss().distance(estimate, target, weights).item() == pytest.approx((1.0 + 2.0) / (1.5 + 8.0))


@EACH_POWER
@pytest.mark.parametrize("window", [True, False])
def test_spectral_loss_is_its_formula_over_an_explicit_dft(power: float, window: bool) -> None:
    frames = 64
    estimate, target = noise(1, frames, dtype=torch.float64), noise(1, frames, dtype=torch.float64, seed=2)
    times = np.arange(frames)
    transform = np.exp(-2j * np.pi * np.outer(np.arange(frames // 2 + 1), times) / frames)
    if window:
        transform = transform * scipy.signal.get_window("hann", frames)
    x, y = (np.abs(transform @ signal[0].numpy()) ** power for signal in (estimate, target))
    error = np.abs(x - y)
    plain = SpectralLoss(power, window=window, normalize=False)(estimate, target).item()
    assert plain == pytest.approx(error.mean(), rel=1e-12)
    normalized = SpectralLoss(power, window=window)(estimate, target).item()
    assert normalized == pytest.approx(error.sum() / y.sum(), rel=1e-12)


@EACH_POWER
@pytest.mark.parametrize("frames", [1024, 8000, 65_536])
def test_plain_spectral_loss_is_the_lessons_to_the_last_bit(power: float, frames: int) -> None:
    x, y = noise(1, frames), noise(1, frames, seed=2)
    lesson = (torch.abs(torch.fft.rfft(x)) ** power - torch.abs(torch.fft.rfft(y)) ** power).abs().mean()
    assert SpectralLoss(power, window=False, normalize=False)(x, y).item() == lesson.item()


@BOTH
@EACH_POWER
def test_features_scale_with_the_gain_to_the_power(make: Callable[[float], FeatureLoss], power: float) -> None:
    loss, x = make(power), noise(2, 256, dtype=torch.float64)
    expected = 0.15**power * loss.features(x)
    torch.testing.assert_close(loss.features(0.15 * x), expected, rtol=1e-12, atol=0.0)


@BOTH
def test_loss_of_equal_signals_is_zero(make: Callable[[], FeatureLoss]) -> None:
    x = noise(1, 512)
    assert make()(x, x).item() == 0.0


# --- silence ----------------------------------------------------------------------------------------


@BOTH
@EACH_POWER
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("silent", ["dry", "target", "both"])
def test_gradients_are_finite_at_silence(
    make: Callable[..., FeatureLoss], power: float, normalize: bool, silent: str
) -> None:
    dry = noise(1, 256) * (silent == "target")
    target = noise(1, 256, seed=2) * (silent == "dry")
    loss = make(power, normalize=normalize)
    value, slope = loss_and_slope(loss, dry, target)
    assert math.isfinite(value)
    assert math.isfinite(slope)
    dry.requires_grad_()
    torch.autograd.backward(loss(dry, target))
    assert dry.grad is not None
    assert bool(dry.grad.isfinite().all())


@BOTH
@pytest.mark.parametrize("normalize", [True, False])
def test_loss_of_silence_against_silence_is_zero(make: Callable[..., FeatureLoss], normalize: bool) -> None:
    assert make(normalize=normalize)(torch.zeros(1, 128), torch.zeros(1, 128)).item() == 0.0


@BOTH
def test_loss_of_silence_against_any_signal_is_one(make: Callable[[], FeatureLoss]) -> None:
    assert make()(torch.zeros(1, 128), 1e-6 * noise(1, 128)).item() == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize("power", [0.25, 0.5, 1.0, 2.0, 3.0])
def test_magnitude_power_has_its_derivative_and_zero_at_zero(power: float) -> None:
    magnitude = torch.tensor([0.0, 0.25, 1.0, 9.0], dtype=torch.float64, requires_grad=True)
    value = magnitude_power(magnitude, power)
    torch.autograd.backward(value.sum())
    assert magnitude.grad is not None
    positive = magnitude.detach().numpy()[1:]
    np.testing.assert_allclose(value.detach().numpy()[1:], positive**power, rtol=1e-14)
    np.testing.assert_allclose(magnitude.grad.numpy()[1:], power * positive ** (power - 1.0), rtol=1e-14)
    assert value[0].item() == 0.0
    assert magnitude.grad[0].item() == (1.0 if power == 1.0 else 0.0)


# --- level and length -------------------------------------------------------------------------------


@BOTH
@EACH_POWER
@settings(max_examples=40, deadline=None)
@given(level_db=st.floats(-80.0, 20.0), log_gain=st.floats(-5.0, 5.0), frames=st.integers(16, 3000))
def test_normalized_loss_and_slope_are_the_same_at_every_level(
    make: Callable[[float], FeatureLoss], power: float, level_db: float, log_gain: float, frames: int
) -> None:
    loss, level = make(power), 10.0 ** (level_db / 20.0)
    dry, target = noise(1, frames, dtype=torch.float64), noise(1, frames, dtype=torch.float64, seed=2)
    value, slope = loss_and_slope(loss, dry, target, log_gain)
    quieter_value, quieter_slope = loss_and_slope(loss, level * dry, level * target, log_gain)
    assert quieter_value == pytest.approx(value, rel=1e-9)
    assert quieter_slope == pytest.approx(slope, rel=1e-9, abs=1e-9 * power)


@BOTH
@EACH_POWER
@settings(max_examples=40, deadline=None)
@given(dry_db=st.floats(-80.0, 20.0), target_db=st.floats(-80.0, 20.0), frames=st.integers(16, 3000))
def test_normalized_slope_lies_between_minus_power_and_power_times_one_plus_loss(
    make: Callable[[float], FeatureLoss], power: float, dry_db: float, target_db: float, frames: int
) -> None:
    dry = 10.0 ** (dry_db / 20.0) * noise(1, frames, dtype=torch.float64)
    target = 10.0 ** (target_db / 20.0) * noise(1, frames, dtype=torch.float64, seed=2)
    value, slope = loss_and_slope(make(power), dry, target)
    assert -power * (1 + 1e-12) <= slope <= power * (1.0 + value) * (1 + 1e-12)


@BOTH
@EACH_POWER
@settings(max_examples=20, deadline=None)
@given(level_db=st.floats(-80.0, 20.0), below_db=st.floats(0.0, 80.0), frames=st.integers(16, 3000))
def test_normalized_slope_is_minus_power_times_the_gain_ratio_from_below(
    make: Callable[[float], FeatureLoss], power: float, level_db: float, below_db: float, frames: int
) -> None:
    target = 10.0 ** (level_db / 20.0) * noise(1, frames, dtype=torch.float64)
    ratio = 10.0 ** (-below_db / 20.0)
    value, slope = loss_and_slope(make(power), ratio * target, target)
    if ratio < 1.0 - 1e-9:
        assert slope == pytest.approx(-power * ratio**power, rel=1e-9)
    assert value == pytest.approx(1.0 - ratio**power, abs=1e-9)


@pytest.mark.parametrize(("frames", "expected"), [(1024, 28.0), (65_536, 227.0)])
def test_plain_spectral_slope_grows_with_the_length(frames: int, expected: float) -> None:
    # White noise of deviation 1: bins are complex normal of variance N, so their mean magnitude is √(πN) / 2.
    x = noise(8, frames, dtype=torch.float64)
    magnitude = SpectralLoss(window=False, normalize=False).features(x).mean().item()
    assert magnitude == pytest.approx(math.sqrt(math.pi * frames) / 2, rel=0.02)
    assert magnitude == pytest.approx(expected, rel=0.02)


# --- invariances ------------------------------------------------------------------------------------


def rotated(signal: Tensor, phase_deg: float) -> Tensor:
    """Rotate the phase of all frequencies (except 0 Hz and Nyquist, which have none)."""
    spectrum = torch.fft.rfft(signal)
    spectrum[:, 0] = spectrum[:, -1] = 0.0
    rotated: Tensor = torch.fft.irfft(spectrum * np.exp(1j * math.radians(phase_deg)), signal.shape[-1])
    return rotated


def test_waveform_loss_depends_on_phase_and_spectral_loss_does_not() -> None:
    x = rotated(noise(1, 4096, dtype=torch.float64), 0.0)
    spectral = SpectralLoss(window=False)
    for phase_deg in (1.0, 37.0, 90.0):
        y = rotated(x, phase_deg)
        assert spectral(x, y).item() < 1e-13
        # The distance between two cosines that are φ apart is 2 sin(φ/2) of one of them.
        expected = 2.0 * math.sin(math.radians(phase_deg) / 2.0)
        assert WaveformLoss()(x, y).item() == pytest.approx(expected, rel=0.05)


def test_waveform_loss_depends_on_polarity_and_spectral_loss_does_not() -> None:
    x = noise(1, 1024)
    assert SpectralLoss()(-x, x).item() == 0.0
    assert WaveformLoss()(-x, x).item() == 2.0
    assert WaveformLoss.sees_phase
    assert not SpectralLoss.sees_phase


# --- the closed form --------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@BOTH
@EACH_POWER
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), bins=st.integers(1, 60), gain=st.floats(0.01, 100.0), stray=st.floats(0.0, 2.0))
def test_optimum_is_where_the_distance_is_least(
    make: Callable[[float], FeatureLoss],
    power: float,
    weighted: bool,
    seed: int,
    bins: int,
    gain: float,
    stray: float,
) -> None:
    rng, loss = np.random.default_rng(seed), make(power)
    x = rng.standard_normal(bins) if loss.sees_phase else rng.rayleigh(size=bins)
    y = gain**power * x + stray * (rng.standard_normal(bins) if loss.sees_phase else rng.rayleigh(size=bins))
    dry, target = torch.from_numpy(x)[None], torch.from_numpy(y)[None]
    weights = torch.from_numpy(rng.uniform(size=(1, bins))) if weighted else None
    optimum = loss.optimum(dry, target, weights)

    def distance(gains: Tensor) -> Tensor:
        return loss.distance(gains[:, None] ** power * dry, target, weights)

    # The distance is linear between the bins' own gains, so its minimum is at one of them or at zero.
    corners = (target / dry).clamp_min(0.0)[0] ** (1.0 / power)
    least = distance(torch.cat([corners, torch.zeros(1, dtype=torch.float64), torch.logspace(-3, 3, 200).double()]))
    assert distance(optimum).item() <= least.min().item() * (1 + 1e-12) + 1e-15


@BOTH
@EACH_POWER
def test_optimum_of_a_scaled_copy_is_its_gain(make: Callable[[float], FeatureLoss], power: float) -> None:
    loss, x = make(power), noise(3, 512, dtype=torch.float64)
    gains = torch.tensor([0.001, 0.15, 20.0], dtype=torch.float64)
    found = loss.optimum(loss.features(x), loss.features(gains[:, None] * x))
    torch.testing.assert_close(found, gains, rtol=1e-12, atol=0.0)


@BOTH
def test_optimum_is_zero_where_no_positive_gain_is_best(make: Callable[[], FeatureLoss]) -> None:
    loss = make()
    x, silence = loss.features(noise(1, 64)), loss.features(torch.zeros(1, 64))
    assert loss.optimum(x, silence).item() == 0.0
    assert loss.optimum(silence, x).item() == 0.0
    if loss.sees_phase:
        assert loss.optimum(x, -x).item() == 0.0


# --- the lesson -------------------------------------------------------------------------------------

LESSON_RATE, LESSON_GAIN = 16_000, 0.15


def lesson_sine(phase_deg: float = 0.0) -> Tensor:
    """Half a second of the lesson's sine."""
    return torch.sin(torch.linspace(0.0, 2.0 * math.pi * 300.0, LESSON_RATE // 2) + math.radians(phase_deg))[None]


def sgd_path(loss: FeatureLoss, phase_deg: float) -> np.ndarray:
    """Gain over the lesson's 300 steps of stock SGD on the linear gain, from 1."""
    dry, target = lesson_sine(), LESSON_GAIN * lesson_sine(phase_deg)
    gain = torch.ones(1, requires_grad=True)
    optimizer = torch.optim.SGD([gain], lr=0.01)
    path = []
    for _ in range(300):
        optimizer.zero_grad()
        torch.autograd.backward(loss(gain * dry, target))
        optimizer.step()
        path.append(gain.item())
    return np.array(path)


def one_step(loss: FeatureLoss) -> float:
    """Change of the gain in one step of SGD if all features have slopes of one sign."""
    return 0.01 * loss.features(lesson_sine()).abs().mean().item()


WAVEFORM = WaveformLoss(normalize=False)
SPECTRAL = SpectralLoss(window=False, normalize=False)


def test_lesson_sine_has_600_hz() -> None:
    spectrum = torch.fft.rfft(lesson_sine()[0] * torch.hann_window(LESSON_RATE // 2)).abs()
    assert float(spectrum.argmax()) * LESSON_RATE / (LESSON_RATE // 2) == 600.0


@pytest.mark.parametrize(("phase_deg", "expected"), [(0.0, LESSON_GAIN), (90.0, 0.0), (180.0, -LESSON_GAIN)])
def test_sgd_with_waveform_loss_converges_by_phase(phase_deg: float, expected: float) -> None:
    path = sgd_path(WAVEFORM, phase_deg)
    assert np.abs(path[-50:] - expected).max() < one_step(WAVEFORM)
    assert one_step(WAVEFORM) == pytest.approx(0.01 * 2.0 / math.pi, rel=1e-3)


@pytest.mark.parametrize("phase_deg", [0.0, 90.0, 180.0])
def test_sgd_with_spectral_loss_reaches_the_gain_at_any_phase(phase_deg: float) -> None:
    path = sgd_path(SPECTRAL, phase_deg)
    assert np.abs(path[-50:] - LESSON_GAIN).max() < one_step(SPECTRAL)
    assert np.abs(path[-50:] - LESSON_GAIN).max() > 0.2 * one_step(SPECTRAL)  # it never settles


def test_sgd_with_spectral_loss_ends_in_the_known_limit_cycle() -> None:
    path_db = 20.0 * np.log10(sgd_path(SPECTRAL, 90.0) / LESSON_GAIN)
    for fifty in (path_db[150:200], path_db[250:]):  # it does not shrink
        assert fifty.min() == pytest.approx(-0.72, abs=0.005)
        assert fifty.max() == pytest.approx(0.45, abs=0.005)


def test_waveform_closed_form_predicts_the_lesson() -> None:
    for phase_deg, expected in ((0.0, 0.15), (90.0, 0.0)):
        target = LESSON_GAIN * lesson_sine(phase_deg)
        assert WAVEFORM.optimum(lesson_sine(), target).item() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", LOSSES)
def test_features_of_channels_are_those_of_each_signal(name: str) -> None:
    loss = LOSS_FACTORIES[name]()
    signals = torch.from_numpy(np.random.default_rng(1).standard_normal((2, 3, 512))).float()
    features = loss.features(signals)
    for channel in range(3):
        torch.testing.assert_close(features[:, channel], loss.features(signals[:, channel]))


@pytest.mark.parametrize("name", LOSSES)
def test_optima_are_those_of_all_features_and_of_each_channel(name: str) -> None:
    loss = LOSS_FACTORIES[name]()
    dry = torch.from_numpy(np.random.default_rng(1).standard_normal((2, 3, 512))).float()
    target = torch.tensor([0.1, 0.5, 2.0]).view(1, 3, 1) * dry
    features = loss.features(dry), loss.features(target)
    overall, per_channel = loss.optima(*(x.flatten(1) for x in features), None, 3)
    torch.testing.assert_close(overall, loss.optimum(*(x.flatten(1) for x in features)))
    torch.testing.assert_close(per_channel, torch.tensor([[0.1, 0.5, 2.0]] * 2), rtol=1e-4, atol=0.0)


@pytest.mark.parametrize("name", ["stft", "multi-resolution"])
def test_weights_of_channels_keep_their_ratio(name: str) -> None:
    loss = LOSS_FACTORIES[name]()
    loud = torch.from_numpy(np.random.default_rng(1).standard_normal((1, 1, 512))).float()
    features = loss.features(torch.cat([loud, 0.01 * loud], dim=1))
    weights = loss.weights(torch.ones(1, 2, 257), features)
    assert weights is not None
    assert weights.max().item() == 1.0
    torch.testing.assert_close(weights[:, 1], 0.01 * weights[:, 0])
