"""Filters against scipy's recursive ones; their gradients, and finite responses over all parameter ranges."""

import math

import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from rtgain.dsp.filters import Filter, LowShelf, ThreeBandGain

RATE = 48_000


def double(**values: float) -> dict[str, Tensor]:
    return {name: torch.tensor([value], dtype=torch.float64) for name, value in values.items()}


def noise(frames: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal(frames)


def filtered(processor: Filter, x: NDArray[np.float64]) -> NDArray[np.float64]:
    return processor(torch.from_numpy(x).unsqueeze(0)).detach().numpy()[0]


def cookbook_low_shelf(gain_db: float, corner_hz: float) -> tuple[list[float], list[float]]:
    """The formulas as printed in the cookbook, with alpha and the square root written out for S = 1."""
    a, w0 = 10 ** (gain_db / 40), 2 * math.pi * corner_hz / RATE
    alpha = math.sin(w0) / 2 * math.sqrt(2)
    c, r = math.cos(w0), 2 * math.sqrt(a) * alpha
    b = [a * ((a + 1) - (a - 1) * c + r), 2 * a * ((a - 1) - (a + 1) * c), a * ((a + 1) - (a - 1) * c - r)]
    return b, [(a + 1) + (a - 1) * c + r, -2 * ((a - 1) + (a + 1) * c), (a + 1) + (a - 1) * c - r]


@pytest.mark.parametrize(("gain_db", "octaves"), [(-12.0, -2.0), (6.0, 0.0), (24.0, 2.0), (-24.0, -4.0)])
def test_low_shelf_is_the_cookbooks_filter(gain_db: float, octaves: float) -> None:
    x = noise(9000)
    shelf = LowShelf(RATE, **double(gain_db=gain_db, corner_octaves=octaves))
    expected = scipy.signal.lfilter(*cookbook_low_shelf(gain_db, 1000 * 2**octaves), x)
    np.testing.assert_allclose(filtered(shelf, x), expected, atol=1e-8)


def test_low_shelf_has_full_half_and_no_gain_at_0_corner_and_nyquist() -> None:
    shelf = LowShelf(RATE, **double(gain_db=-12.0, corner_octaves=-1.0))
    omega = torch.tensor([0.0, 2 * math.pi * 500 / RATE, math.pi], dtype=torch.float64)
    level_db = 20 * torch.log10(shelf.response(omega).abs()).detach().numpy()[0]
    np.testing.assert_allclose(level_db, [-12.0, -6.0, 0.0], atol=1e-9)


def linkwitz_riley(corner_hz: float, kind: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
    sections = scipy.signal.butter(2, corner_hz, kind, fs=RATE, output="sos")
    return scipy.signal.sosfilt(np.concatenate([sections, sections]), x)


def test_three_bands_equal_scipys_butterworth_filters() -> None:
    x = noise(9000)
    levels_db = {"low_db": 6.0, "mid_db": -3.0, "high_db": -20.0}
    low, above = (linkwitz_riley(250, kind, x) for kind in ("low", "high"))
    low = linkwitz_riley(2500, "low", low) + linkwitz_riley(2500, "high", low)
    bands = low, linkwitz_riley(2500, "low", above), linkwitz_riley(2500, "high", above)
    expected = sum(10 ** (level_db / 20) * band for level_db, band in zip(levels_db.values(), bands, strict=True))
    np.testing.assert_allclose(filtered(ThreeBandGain(RATE, **double(**levels_db)), x), expected, atol=1e-8)


def test_equal_band_gains_are_one_gain_in_magnitude() -> None:
    omega = torch.linspace(0, math.pi, 200, dtype=torch.float64)
    alike = ThreeBandGain(RATE, **double(low_db=-6.0, mid_db=-6.0, high_db=-6.0)).response(omega)
    np.testing.assert_allclose(alike.abs().detach().numpy(), 10 ** (-6 / 20), rtol=1e-12)


@pytest.mark.parametrize("kind", [ThreeBandGain, LowShelf])
def test_gradients_equal_finite_differences(kind: type[Filter]) -> None:
    x = torch.from_numpy(noise(64)).unsqueeze(0)
    values = {name: torch.tensor([1.5], dtype=torch.float64) for name in kind.info}

    def output(*given_values: Tensor) -> Tensor:
        processor = kind(RATE, **values)
        return torch.func.functional_call(processor, dict(zip(kind.info, given_values, strict=True)), (x,))

    assert torch.autograd.gradcheck(output, tuple(value.requires_grad_() for value in values.values()))


@settings(max_examples=40, deadline=None)
@given(
    gain_db=st.floats(*(getattr(LowShelf.info["gain_db"], end) for end in ("minimum", "maximum"))),
    octaves=st.floats(*(getattr(LowShelf.info["corner_octaves"], end) for end in ("minimum", "maximum"))),
    rate=st.sampled_from([8000, 16000, 48000, 192000]),
)
def test_low_shelf_is_finite_and_between_its_gain_and_unity(gain_db: float, octaves: float, rate: int) -> None:
    shelf = LowShelf(rate, **double(gain_db=gain_db, corner_octaves=octaves))
    omega = torch.linspace(0, math.pi, 500, dtype=torch.float64)
    level_db = 20 * torch.log10(shelf.response(omega).abs()).detach().numpy()
    assert level_db.min() >= min(gain_db, 0.0) - 1e-6
    assert level_db.max() <= max(gain_db, 0.0) + 1e-6


def test_clamp_parameters_limits_values_to_their_range() -> None:
    shelf = LowShelf(RATE, **double(gain_db=99.0, corner_octaves=-99.0))
    shelf.clamp_parameters()
    assert (shelf.gain_db.item(), shelf.corner_octaves.item()) == (24.0, -5.0)
