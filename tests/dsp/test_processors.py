"""Gain processors: multiplication, and its derivatives."""

import math

import numpy as np
import pytest
import torch

from rtgain.dsp.processors import DB_PER_NEPER, MAX_LOG_GAIN, MIN_LOG_GAIN, LogGain


def noise(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def test_db_per_neper_is_20_over_ln_10() -> None:
    assert pytest.approx(20.0 * math.log10(math.e), rel=1e-15) == DB_PER_NEPER
    assert pytest.approx(1e6, rel=1e-12) == math.exp(MAX_LOG_GAIN)
    assert MIN_LOG_GAIN == -MAX_LOG_GAIN


def test_log_gain_of_0_passes_every_bit() -> None:
    x = noise(2, 1000, dtype=torch.float32)
    assert torch.equal(LogGain(log_gain=torch.zeros(2))(x), x)


@pytest.mark.parametrize("gain_db", [-120.0, -16.478, -0.001, 6.0, 120.0])
def test_output_is_the_gain_in_decibels_times_the_input(gain_db: float) -> None:
    x = noise(1, 100)
    y = LogGain(log_gain=torch.tensor([gain_db / DB_PER_NEPER], dtype=torch.float64))(x)
    np.testing.assert_allclose(y.detach().numpy(), 10.0 ** (gain_db / 20.0) * x.numpy(), rtol=1e-14)


def test_each_window_has_its_own_gain() -> None:
    gains = torch.tensor([0.15, 1.0, 4.0], dtype=torch.float64)
    x = noise(3, 50)
    y = LogGain(log_gain=gains.log())(x).detach()
    np.testing.assert_allclose(y.numpy(), gains.numpy()[:, None] * x.numpy(), rtol=1e-15)


@pytest.mark.parametrize("degree", [0.5, 1.0, 2.0])
def test_features_of_any_degree_scale_as_the_amplified_signal(degree: float) -> None:
    log_gain, x = torch.tensor([-1.9], dtype=torch.float64), noise(1, 100).abs()
    amplified = np.exp(-1.9) * x.numpy()
    features = LogGain(log_gain=log_gain)(x**degree, degree).detach().numpy()
    np.testing.assert_allclose(features, amplified**degree, rtol=1e-14)


@pytest.mark.parametrize("degree", [0.5, 1.0, 2.0])
def test_first_and_second_derivatives_pass_gradcheck(degree: float) -> None:
    def output(log_gain: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        parameters = {"log_gain": log_gain}
        return torch.func.functional_call(LogGain(log_gain=torch.zeros_like(log_gain)), parameters, (x, degree))

    inputs = noise(3).requires_grad_(), noise(3, 5, seed=2).requires_grad_()
    assert torch.autograd.gradcheck(output, inputs)
    assert torch.autograd.gradgradcheck(output, inputs)


def test_initial_value_is_copied() -> None:
    start = torch.zeros(1)
    gain = LogGain(log_gain=start)
    torch.nn.init.constant_(gain.log_gain, 3.0)
    assert start.item() == 0.0
