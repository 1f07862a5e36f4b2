"""What is taken from windows of sound before any loss sees them: Hann spectra, levels, moments in time."""

import torch
from torch import Tensor

EDGE_BINS = 2
"""A constant offset, as converters add it, fills the first two bins of a Hann window, and what filters ring with at
half the sample rate the last two. Neither is sound."""

HANN_MEAN_SQUARE = 0.375

NEGLIGIBLE_FRAMES = 0.005
"""A fraction of a frame too small to be worth two transforms."""


def spectrum_of(windows: Tensor) -> Tensor:
    """Hann spectra of windows, ``(B, W)`` to ``(B, W // 2 + 1)``, free of what stands at 0 Hz and at half the rate."""
    spectrum: Tensor = torch.fft.rfft(windows * torch.hann_window(windows.shape[-1]))
    spectrum[:, :EDGE_BINS] = 0.0
    spectrum[:, -EDGE_BINS:] = 0.0
    return spectrum


def rms_of(spectrum: Tensor) -> Tensor:
    """The RMS ``(B,)`` of the windows that Hann spectra came from, by Parseval's theorem."""
    return rms_of_power(power_of(spectrum))


def rms_of_power(power: Tensor) -> Tensor:
    """The same from the power in each bin, ``(B, K)``."""
    frames = 2 * (power.shape[-1] - 1)
    return torch.sqrt(power.sum(-1) * 2.0 / (HANN_MEAN_SQUARE * frames**2))


def power_of(spectrum: Tensor) -> Tensor:
    """The squared magnitude of complex bins, without the square root and its cost (and without a sum over two)."""
    return spectrum.real.square() + spectrum.imag.square()


def scaled(spectrum: Tensor, factor: Tensor) -> Tensor:
    """Complex bins times a real factor, ``(B, K)`` or ``(B, 1)``, which torch would make complex first."""
    return torch.view_as_complex(torch.view_as_real(spectrum) * factor.unsqueeze(-1))


def moments_of(windows: Tensor, spectrum: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """When in each window its energy comes, in frames from the centre: mean and standard deviation, each ``(B,)``.

    Bins count by `weights` times magnitude, ``(B, K)``. The mean time of a bin's energy is its group delay: the
    spectrum of time times signal over that of the signal (Cohen, *Time-Frequency Analysis*, section 1.4).
    """
    frames = windows.shape[-1]
    time_frames = torch.arange(frames) - frames / 2
    timed = torch.fft.rfft(windows * (torch.hann_window(frames) * time_frames))
    magnitude = power_of(spectrum).sqrt()
    tiny = torch.finfo(magnitude.dtype).tiny
    believed = weights / magnitude.clamp_min(tiny)
    energy = (weights * magnitude).sum(-1).clamp_min(tiny)
    mean = (believed * (timed * spectrum.conj()).real).sum(-1) / energy
    mean_square = (believed * power_of(timed)).sum(-1) / energy
    return mean, (mean_square - mean.square()).clamp_min(0.0).sqrt()


def delayed(windows: Tensor, frames: float) -> Tensor:
    """`windows`, ``(B, W)``, later by a fraction of a frame. Circular: the Hann window hides what wraps around."""
    if abs(frames) < NEGLIGIBLE_FRAMES:
        return windows
    omega = 2.0 * torch.pi * torch.fft.rfftfreq(windows.shape[-1])
    turn = torch.polar(torch.ones_like(omega), -omega * frames)
    later: Tensor = torch.fft.irfft(torch.fft.rfft(windows) * turn, windows.shape[-1])
    return later
