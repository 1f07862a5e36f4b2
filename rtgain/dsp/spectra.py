"""What is taken from windows of sound before any loss sees them: Hann spectra, levels, moments in time."""

from dataclasses import dataclass
from functools import cache, cached_property

import torch
from torch import Tensor

EDGE_BINS = 2
"""A constant offset, as converters add it, fills the first two bins of a Hann window, and what filters ring with at
half the sample rate the last two. Neither is sound."""

HANN_MEAN_SQUARE = 0.375

NEGLIGIBLE_FRAMES = 0.005
"""A fraction of a frame too small to be worth two transforms."""


class Spectra:
    """Complex `bins` of windows, ``(…, K)``, and what else is asked of them, each worked out once."""

    def __init__(self, bins: Tensor, power: Tensor | None = None) -> None:
        self.bins = bins
        if power is not None:
            self.power = power

    def __getitem__(self, index: int) -> "Spectra":
        """One along the first axis."""
        return Spectra(self.bins[index], self.power[index])

    @cached_property
    def power(self) -> Tensor:
        """The squared magnitude of each bin, ``(…, K)``."""
        # Neither `abs`, which takes roots, nor a sum over two: this is several times faster.
        return self.bins.real.square() + self.bins.imag.square()

    @cached_property
    def magnitude(self) -> Tensor:
        """``(…, K)``."""
        return self.power.sqrt()

    @property
    def rms(self) -> Tensor:
        """The RMS ``(…,)`` of the windows that Hann spectra came from, by Parseval's theorem."""
        return rms_of_power(self.power)

    def scaled(self, factor: Tensor) -> "Spectra":
        """Each window's bins times a real factor, ``(…,)``."""
        factor = factor.unsqueeze(-1)
        real = torch.view_as_real(self.bins) * factor.unsqueeze(-1)  # a real factor would be made complex first
        return Spectra(torch.view_as_complex(real), self.power * factor.square())


@dataclass(frozen=True)
class SpectraPair:
    """Spectra of B windows of two signals, ``(B, K)`` each, and what only both together have."""

    dry: Spectra
    target: Spectra

    @cached_property
    def cross(self) -> Tensor:
        """The cross-spectrum, ``(B, K)`` complex: its phase is that of the target against the dry signal."""
        return self.dry.bins.conj() * self.target.bins

    @cached_property
    def product(self) -> Tensor:
        """Its magnitude, ``(B, K)``."""
        return self.dry.magnitude * self.target.magnitude


def hann_spectra(windows: Tensor) -> Spectra:
    """Hann spectra of windows, ``(…, W)`` to ``(…, W // 2 + 1)``, free of what stands at 0 Hz and at half the rate."""
    bins = torch.fft.rfft(windows * _hann(windows.shape[-1]))
    bins[..., :EDGE_BINS] = 0.0
    bins[..., -EDGE_BINS:] = 0.0
    return Spectra(bins)


def rms_of_power(power: Tensor) -> Tensor:
    """The RMS ``(…,)`` of Hann-windowed windows out of the power in each bin, ``(…, K)``."""
    frames = 2 * (power.shape[-1] - 1)
    return torch.sqrt(power.sum(-1) * (2.0 / (HANN_MEAN_SQUARE * frames**2)))


def temporal_moments(windows: Tensor, spectra: Spectra, weights: Tensor) -> tuple[Tensor, Tensor]:
    """When in each window its energy comes, in frames from the centre: mean and standard deviation, each ``(B,)``.

    Bins count by `weights` times magnitude, ``(B, K)``. The mean time of a bin's energy is its group delay: the
    spectrum of time times signal over that of the signal (Cohen, *Time-Frequency Analysis*, section 1.4).
    """
    timed = Spectra(torch.fft.rfft(windows * _timed_hann(windows.shape[-1])))
    tiny = torch.finfo(weights.dtype).tiny
    believed = weights / spectra.magnitude.clamp_min(tiny)
    energy = (weights * spectra.magnitude).sum(-1).clamp_min(tiny)
    in_step = timed.bins.real * spectra.bins.real + timed.bins.imag * spectra.bins.imag
    mean = (believed * in_step).sum(-1) / energy
    mean_square = (believed * timed.power).sum(-1) / energy
    return mean, (mean_square - mean.square()).clamp_min(0.0).sqrt()


def delayed(windows: Tensor, frames: float) -> Tensor:
    """`windows`, ``(B, W)``, later by a fraction of a frame. Circular: the Hann window hides what wraps around."""
    if abs(frames) < NEGLIGIBLE_FRAMES:
        return windows
    omega = 2.0 * torch.pi * torch.fft.rfftfreq(windows.shape[-1])
    turn = torch.polar(torch.ones_like(omega), -omega * frames)
    later: Tensor = torch.fft.irfft(torch.fft.rfft(windows) * turn, windows.shape[-1])
    return later


@cache
def _hann(frames: int) -> Tensor:
    return torch.hann_window(frames)


@cache
def _timed_hann(frames: int) -> Tensor:
    """The Hann window times the time from its centre, in frames."""
    return torch.hann_window(frames) * (torch.arange(frames) - frames / 2)
