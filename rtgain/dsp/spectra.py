"""Spectral analysis of windows: Hann spectra, levels, temporal moments, fractional shifts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import torch
from torch import Tensor

EDGE_BINS = 2
"""Bins set to zero at either end of a Hann spectrum.

A constant offset, as converters add it, fills the first two bins of a Hann window. Filter ringing at half the sample
rate fills the last two.
"""

HANN_MEAN_SQUARE = 0.375

NEGLIGIBLE_FRAMES = 0.005
"""Fraction of a frame below which windows are not shifted: it does not justify two transforms."""


class Spectra:
    """Complex `bins` of windows, ``(…, K)``; derived quantities are computed once, on first use."""

    def __init__(self, bins: Tensor, power: Tensor | None = None) -> None:
        self.bins = bins
        if power is not None:
            self.power = power

    def __getitem__(self, index: int | slice) -> "Spectra":
        """Select entries along the first axis."""
        return Spectra(self.bins[index], self.power[index])

    @cached_property
    def power(self) -> Tensor:
        """The squared magnitude of each bin, ``(…, K)``."""
        # Neither `abs`, which takes roots, nor a sum over two: this is several times faster.
        return self.bins.real.square() + self.bins.imag.square()

    @cached_property
    def magnitude(self) -> Tensor:
        """The magnitude of each bin, ``(…, K)``."""
        return self.power.sqrt()

    @property
    def mean_square(self) -> Tensor:
        """The mean square ``(…,)`` of the windows behind these Hann spectra, by Parseval's theorem."""
        return mean_square_of_power(self.power)

    @property
    def rms(self) -> Tensor:
        """The RMS ``(…,)`` of the windows."""
        return self.mean_square.sqrt()

    def scaled(self, factor: Tensor) -> "Spectra":
        """Scale each window's bins by a real factor, ``(…,)``."""
        factor = factor.unsqueeze(-1)
        real = torch.view_as_real(self.bins) * factor.unsqueeze(-1)  # torch would first convert a real factor
        return Spectra(torch.view_as_complex(real), self.power * factor.square())


@dataclass(frozen=True)
class SpectraPair:
    """Spectra of B windows of two signals of C channels, ``(B, C, K)`` each, and their cross-spectrum."""

    dry: Spectra
    target: Spectra

    @cached_property
    def cross(self) -> Tensor:
        """The cross-spectrum, ``(B, C, K)`` complex; its phase is that of the target relative to the dry signal."""
        return self.dry.bins.conj() * self.target.bins

    @cached_property
    def cross_magnitude(self) -> Tensor:
        """The magnitude of the cross-spectrum, ``(B, C, K)``."""
        return self.dry.magnitude * self.target.magnitude


def hann_spectra(windows: Tensor) -> Spectra:
    """Compute Hann spectra, ``(…, W)`` to ``(…, W // 2 + 1)``, with `EDGE_BINS` at either end set to zero."""
    bins = torch.fft.rfft(windows * _hann(windows.shape[-1]))
    bins[..., :EDGE_BINS] = 0.0
    bins[..., -EDGE_BINS:] = 0.0
    return Spectra(bins)


def mean_square_of_power(power: Tensor) -> Tensor:
    """Compute the mean square ``(…,)`` of Hann-windowed windows from the power in each bin, ``(…, K)``."""
    frames = 2 * (power.shape[-1] - 1)
    return power.sum(-1) * (2.0 / (HANN_MEAN_SQUARE * frames**2))


def temporal_moments(windows: Tensor, spectra: Spectra, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the mean time and the standard deviation in time of each window's energy, ``(B,)`` each.

    Shape: windows ``(B, C, W)``, spectra ``(B, C, K)``; weights ``(B, C · K)``, the channels side by side.

    Both are in frames; the mean counts from the window's center. Bins are weighted by `weights` times magnitude.
    The mean time of a bin's energy is its group delay: the spectrum of time times signal, divided by the
    spectrum of the signal (Cohen, *Time-Frequency Analysis*, section 1.4).
    """
    time_weighted = Spectra(torch.fft.rfft(windows * _time_weighted_hann(windows.shape[-1])))
    tiny = torch.finfo(weights.dtype).tiny
    magnitude = spectra.magnitude.flatten(1)
    bin_weights = weights / magnitude.clamp_min(tiny)
    energy = (weights * magnitude).sum(-1).clamp_min(tiny)
    re_cross = time_weighted.bins.real * spectra.bins.real + time_weighted.bins.imag * spectra.bins.imag
    mean = (bin_weights * re_cross.flatten(1)).sum(-1) / energy
    mean_square = (bin_weights * time_weighted.power.flatten(1)).sum(-1) / energy
    return mean, (mean_square - mean.square()).clamp_min(0.0).sqrt()


def band_sums(spectra: Tensor, bins: int) -> Tensor:
    """Sum spectra, ``(…, K)``, over bands of `bins` adjacent bins, ``(…, K // bins)``; the rest is left out."""
    bands = spectra.shape[-1] // bins
    sums: Tensor = spectra[..., : bands * bins].reshape(*spectra.shape[:-1], bands, bins).sum(-1)
    return sums


def fractional_shift(windows: Tensor, frames: Sequence[float]) -> Tensor:
    """Delay each channel of `windows`, ``(B, C, W)``, by its fraction of a frame; `frames` has C of them.

    The shift is circular; the Hann window attenuates the part that wraps around.
    """
    if max(map(abs, frames)) < NEGLIGIBLE_FRAMES:
        return windows
    omega = 2.0 * torch.pi * torch.fft.rfftfreq(windows.shape[-1])
    angle = -omega * torch.tensor(frames).unsqueeze(-1)
    phase_shift = torch.polar(torch.ones_like(angle), angle)
    shifted: Tensor = torch.fft.irfft(torch.fft.rfft(windows) * phase_shift, windows.shape[-1])
    return shifted


@cache
def _hann(frames: int) -> Tensor:
    return torch.hann_window(frames)


@cache
def _time_weighted_hann(frames: int) -> Tensor:
    """Return the Hann window times the time from its center, in frames."""
    return torch.hann_window(frames) * (torch.arange(frames) - frames / 2)
