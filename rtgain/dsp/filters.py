"""Filters as differentiable processors: gains in three bands, and a low shelf.

Both are recursive filters, sampled in frequency: the spectrum of the signal is multiplied by the frequency response of
the coefficients. There is no recursion to differentiate, and nothing can become unstable (Nercessian, "Neural
Parametric Equalizer Matching Using Differentiable Biquads", DAFx 2020).
"""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from rtgain.dsp.processors import DB_PER_NEPER, ParameterInfo, Processor

TAIL_S = 0.25
"""Silence appended to the signal for the filter's tail; longer than the ringing of corner frequencies from 20 Hz up."""


class Filter(Processor):
    """Linear filter at `sample_rate` Hz. The tail after the signal's end is discarded."""

    def __init__(self, sample_rate: int, **values: Tensor | float) -> None:
        super().__init__(**values)
        self.sample_rate = sample_rate

    def response(self, omega: Tensor) -> Tensor:
        """Compute the complex response ``(B, K)`` at angular frequencies ``(K,)`` in radians per sample, 0 to π."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Filter `x`, ``(B, N)``, from a zero initial state."""
        frames = x.shape[-1]
        padded = 2 ** math.ceil(math.log2(frames + TAIL_S * self.sample_rate))
        omega = torch.linspace(0.0, math.pi, padded // 2 + 1, dtype=x.dtype)
        filtered: Tensor = torch.fft.irfft(torch.fft.rfft(x, padded) * self.response(omega), padded)
        return filtered[..., :frames]


class ThreeBandGain(Filter):
    """Gains below 250 Hz, above 2500 Hz, and in between, with Linkwitz-Riley crossovers of fourth order.

    With equal gains in all three bands it is an all-pass filter times that gain.
    """

    info: ClassVar = {name: ParameterInfo("dB", -60.0, 60.0, 0.0) for name in ("low_db", "mid_db", "high_db")}
    low_db: nn.Parameter
    mid_db: nn.Parameter
    high_db: nn.Parameter

    CROSSOVERS_HZ = (250.0, 2500.0)

    def response(self, omega: Tensor) -> Tensor:
        """Sum the bands' responses at their gains."""
        below, above = _linkwitz_riley(self.CROSSOVERS_HZ[0], self.sample_rate, omega)
        middle, high = _linkwitz_riley(self.CROSSOVERS_HZ[1], self.sample_rate, omega)
        # The low band passes through the upper crossover too: otherwise its phase would not match the other bands'.
        bands = (below * (middle + high), above * middle, above * high)
        gains = (
            torch.exp(gain_db / DB_PER_NEPER).unsqueeze(-1) for gain_db in (self.low_db, self.mid_db, self.high_db)
        )
        return sum((gain * band for gain, band in zip(gains, bands, strict=True)), torch.zeros(()))


class LowShelf(Filter):
    """Gain below a corner frequency and none far above it: the low shelf of slope 1 of the audio EQ cookbook.

    Robert Bristow-Johnson, "Cookbook formulae for audio equalizer biquad filter coefficients", ``lowShelf``, S = 1.
    """

    info: ClassVar = {
        "gain_db": ParameterInfo("dB", -24.0, 24.0, 0.0),
        "corner_octaves": ParameterInfo("octaves re 1 kHz", -5.0, 3.0, 0.0),
    }
    gain_db: nn.Parameter
    corner_octaves: nn.Parameter

    @property
    def corner_hz(self) -> Tensor:
        """The frequency at which the gain is half of `gain_db`, ``(B,)``."""
        return 1000.0 * torch.exp2(self.corner_octaves)

    def response(self, omega: Tensor) -> Tensor:
        """Compute the biquad's transfer function on the unit circle."""
        a = torch.exp(self.gain_db / (2.0 * DB_PER_NEPER)).unsqueeze(-1)
        corner = (2.0 * math.pi / self.sample_rate * self.corner_hz).clamp_max(0.95 * math.pi).unsqueeze(-1)
        cos, slope = torch.cos(corner), math.sqrt(2.0) * torch.sin(corner) * torch.sqrt(a)
        b0, b2 = (a * ((a + 1) - (a - 1) * cos + sign * slope) for sign in (1, -1))
        b1 = 2 * a * ((a - 1) - (a + 1) * cos)
        a0, a2 = ((a + 1) + (a - 1) * cos + sign * slope for sign in (1, -1))
        a1 = -2 * ((a - 1) + (a + 1) * cos)
        z1, z2 = _delay(omega, 1), _delay(omega, 2)
        response: Tensor = (b0 + b1 * z1 + b2 * z2) / (a0 + a1 * z1 + a2 * z2)
        return response


def _linkwitz_riley(corner_hz: float, sample_rate: int, omega: Tensor) -> tuple[Tensor, Tensor]:
    """Compute low- and high-pass responses ``(K,)``: squared Butterworth filters, order 2, by bilinear transform."""
    warped = math.tan(math.pi * corner_hz / sample_rate)
    z1, z2 = _delay(omega, 1), _delay(omega, 2)
    poles = (1 + math.sqrt(2) * warped + warped**2) + 2 * (warped**2 - 1) * z1
    poles = poles + (1 - math.sqrt(2) * warped + warped**2) * z2
    low, high = warped**2 * (1 + 2 * z1 + z2) / poles, (1 - 2 * z1 + z2) / poles
    return low.square(), high.square()


def _delay(omega: Tensor, frames: int) -> Tensor:
    """Compute ``z ** -frames`` on the unit circle."""
    return torch.polar(torch.ones_like(omega), -frames * omega)
