"""Filters as differentiable processors: gains in three bands, a low shelf, and a parametric equalizer.

All are recursive filters, sampled in frequency: the spectrum of the signal is multiplied by the frequency response of
the coefficients. There is no recursion to differentiate, and nothing can become unstable (Nercessian, "Neural
Parametric Equalizer Matching Using Differentiable Biquads", DAFx 2020).
"""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from rtgain.config.names import (
    LEARNED_FREQUENCY_RANGES_HZ,
    LEARNED_GAIN_RANGE_DB,
    LEARNED_Q_RANGES,
    FilterKind,
)
from rtgain.dsp.processors import DB_PER_NEPER, ParameterInfo, Processor
from rtgain.records.biquad import LOG_ROOT, cookbook_biquad
from rtgain.records.equalizer import EqualizerFilter, EqualizerFilters

TAIL_S = 0.25
"""Silence appended to the signal for the filter's tail; longer than the ringing of corner frequencies from 20 Hz up."""

HIGHEST_SHARE = 0.95
"""Highest frequency of a filter as a share of half the sample rate."""

SHELF_Q = math.sqrt(0.5)
"""Q of a shelf of slope 1, the steepest without a bump."""


def _filter_info(kind: FilterKind, frequency_hz: float) -> dict[str, ParameterInfo]:
    """Describe gain, frequency and Q of a filter that starts at `frequency_hz`."""
    octaves = (math.log2(hz / 1000.0) for hz in (*LEARNED_FREQUENCY_RANGES_HZ[kind], frequency_hz))
    return {
        "gain_db": ParameterInfo("dB", *LEARNED_GAIN_RANGE_DB, 0.0),
        "octaves": ParameterInfo("octaves re 1 kHz", *octaves),
        "q": ParameterInfo("", *LEARNED_Q_RANGES[kind], 1.0 if kind == "peak" else SHELF_Q),
    }


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
        gain_db, octaves = self.gain_db.unsqueeze(-1), self.corner_octaves.unsqueeze(-1)
        q = torch.full_like(gain_db, SHELF_Q)
        return cookbook_responses(("low_shelf",), gain_db, octaves, q, omega, self.sample_rate).squeeze(-2)


class ParametricEQ(Filter):
    """Parametric equalizer: a gain, a low shelf, four peaks and a high shelf, in series.

    Source of the filters: the audio EQ cookbook (`rtgain.records.biquad`). A corner or center frequency is
    limited to 0.95 of half the sample rate.
    """

    KINDS: ClassVar[tuple[FilterKind, ...]] = ("low_shelf", "peak", "peak", "peak", "peak", "high_shelf")
    NAMES: ClassVar = ("low_shelf", "peak_1", "peak_2", "peak_3", "peak_4", "high_shelf")

    info: ClassVar = {"gain_db": ParameterInfo("dB", -60.0, 60.0, 0.0)} | {
        f"{name}_{parameter}": info
        for name, kind, frequency_hz in zip(NAMES, KINDS, (100.0, 250.0, 800.0, 2200.0, 5500.0, 9000.0), strict=True)
        for parameter, info in _filter_info(kind, frequency_hz).items()
    }
    gain_db: nn.Parameter

    def response(self, omega: Tensor) -> Tensor:
        """Multiply the filters' transfer functions and the gain."""
        gains_db, octaves, qs = (
            torch.stack([getattr(self, f"{name}_{parameter}") for name in self.NAMES], dim=-1)
            for parameter in ("gain_db", "octaves", "q")
        )
        filters = cookbook_responses(self.KINDS, gains_db, octaves, qs, omega, self.sample_rate)
        return torch.exp(self.gain_db / DB_PER_NEPER).unsqueeze(-1) * filters.prod(dim=-2)

    @property
    def filters(self) -> EqualizerFilters:
        """The present parameters of the first signal as a record."""
        values = {name: float(getattr(self, name).detach()[0]) for name in self.info}
        highest_hz = HIGHEST_SHARE * self.sample_rate / 2.0
        filters = (
            EqualizerFilter(
                kind,
                min(1000.0 * 2.0 ** values[f"{name}_octaves"], highest_hz),
                values[f"{name}_gain_db"],
                values[f"{name}_q"],
            )
            for name, kind in zip(self.NAMES, self.KINDS, strict=True)
        )
        return EqualizerFilters(values["gain_db"], tuple(filters))


def cookbook_responses(
    kinds: tuple[FilterKind, ...], gain_db: Tensor, octaves: Tensor, q: Tensor, omega: Tensor, sample_rate: float
) -> Tensor:
    """Compute the complex response of each of F filters.

    `octaves` are the corner or center frequencies relative to 1 kHz. Filters of one kind must be adjacent.

    Shape:
        - `gain_db`, `octaves` and `q`: ``(…, F)``; `omega`, in radians per sample: ``(K,)``; output: ``(…, F, K)``.
    """
    frequency = (2000.0 * math.pi / sample_rate * torch.exp2(octaves)).clamp_max(HIGHEST_SHARE * math.pi)
    values = torch.exp(LOG_ROOT * gain_db), q, torch.cos(frequency), torch.sin(frequency)
    groups = []
    for kind in dict.fromkeys(kinds):
        first = kinds.index(kind)
        of_kind = slice(first, first + kinds.count(kind))
        groups.append(cookbook_biquad(kind, *(value[..., of_kind] for value in values)))
    b0, b1, b2, a0, a1, a2 = (torch.cat(parts, dim=-1) for parts in zip(*groups, strict=True))
    z1, z2 = _delay(omega, 1), _delay(omega, 2)
    numerator, denominator = (
        first.unsqueeze(-1) + second.unsqueeze(-1) * z1 + third.unsqueeze(-1) * z2
        for first, second, third in ((b0, b1, b2), (a0, a1, a2))
    )
    response: Tensor = numerator / denominator
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
