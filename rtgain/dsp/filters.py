"""Parametric equalizer as a differentiable processor.

Its recursive filters are sampled in frequency: the spectrum of the signal is multiplied by the frequency response of
the coefficients. There is no recursion to differentiate, and nothing can become unstable (Nercessian, "Neural
Parametric Equalizer Matching Using Differentiable Biquads", DAFx 2020).
"""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from rtgain.config.api_arguments import checked_sample_rate
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


class ParametricEQ(Processor):
    """Parametric equalizer at `sample_rate` Hz: a gain, a low shelf, four peaks and a high shelf, in series.

    The tail after the signal's end is discarded.
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

    def __init__(self, sample_rate: int, **values: Tensor | float) -> None:
        super().__init__(**values)
        self.sample_rate = checked_sample_rate("ParametricEQ", sample_rate)

    def forward(self, x: Tensor) -> Tensor:
        """Filter `x`, ``(B, N)``, from a zero initial state."""
        frames = x.shape[-1]
        padded = 2 ** math.ceil(math.log2(frames + TAIL_S * self.sample_rate))
        omega = torch.linspace(0.0, math.pi, padded // 2 + 1, dtype=x.dtype)
        filtered: Tensor = torch.fft.irfft(torch.fft.rfft(x, padded) * self.response(omega), padded)
        return filtered[..., :frames]

    def response(self, omega: Tensor) -> Tensor:
        """Compute the complex response ``(B, K)`` at angular frequencies ``(K,)`` in radians per sample, 0 to π."""
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


def _delay(omega: Tensor, frames: int) -> Tensor:
    """Compute ``z ** -frames`` on the unit circle."""
    return torch.polar(torch.ones_like(omega), -frames * omega)
