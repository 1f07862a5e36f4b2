"""Baselines of the equalizer benchmark."""

import math

import pytest
import torch

from rtgain.bench.equalizer import _dasp_response, _own_response
from rtgain.dsp.filters import ParametricEQ

RATE = 44_100


def test_the_equalizer_of_dasp_pytorch_has_the_same_response() -> None:
    """The packages were written independently from one cookbook. The impulse response is cut after 4,096 frames."""
    generator = torch.Generator().manual_seed(1)
    equalizer = ParametricEQ(RATE)
    for name in equalizer.NAMES:
        getattr(equalizer, f"{name}_gain_db").data.uniform_(-9.0, 9.0, generator=generator)
        getattr(equalizer, f"{name}_q").data.uniform_(0.5, 1.0, generator=generator)
    omega = 2.0 * math.pi / RATE * torch.logspace(math.log10(100.0), math.log10(18_000.0), 40)
    own, dasp = _own_response(equalizer, omega), _dasp_response(equalizer, omega)
    assert 20.0 * (own / dasp).abs().log10().abs().max().item() == pytest.approx(0.0, abs=0.01)
    assert (own / dasp).angle().abs().max().item() == pytest.approx(0.0, abs=0.003)
