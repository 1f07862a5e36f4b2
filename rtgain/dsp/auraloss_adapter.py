"""Adapter for the losses of auraloss (Steinmetz and Reiss, 2020), for comparison, if auraloss is installed.

These losses take audio as a whole. Nothing is computed once per window, no closed form is known, and windows are
processed one by one.
"""

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn

from rtgain.dsp.losses import FeatureLoss


class AuralossAdapter(FeatureLoss):
    """Loss module of auraloss as a `FeatureLoss`; its features are the samples."""

    def __init__(self, make: Callable[[int], nn.Module], *, sees_phase: bool) -> None:
        """Adapt the module that `make` builds for a window length in frames."""
        super().__init__(normalize=False)
        self.make = functools.cache(make)
        self.sees_phase = sees_phase

    def features(self, signal: Tensor) -> Tensor:
        """Return the samples."""
        return signal

    def distance(self, estimate: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """Compute one loss per window, ``(B,)``. `weights` are ignored."""
        module = self.make(target.shape[-1])
        pairs = zip(estimate, target.expand_as(estimate), strict=True)
        return torch.stack([module(x.view(1, 1, -1), y.view(1, 1, -1)) for x, y in pairs])

    def optima(self, dry: Tensor, target: Tensor, weights: Tensor | None, channels: int) -> tuple[Tensor, Tensor]:
        """Return NaN, ``(B,)`` and ``(B, channels)``: no closed form is known."""
        return torch.full((dry.shape[0],), torch.nan), torch.full((dry.shape[0], channels), torch.nan)


def _stft() -> FeatureLoss:
    from auraloss.freq import STFTLoss

    return AuralossAdapter(lambda window: STFTLoss(*_sizes(1024, window)), sees_phase=False)


def _multi_resolution() -> FeatureLoss:
    from auraloss.freq import MultiResolutionSTFTLoss

    def make(window: int) -> nn.Module:
        sizes = sorted({_sizes(fft_size, window) for fft_size in (512, 1024, 2048)})
        module: nn.Module = MultiResolutionSTFTLoss(*(list(column) for column in zip(*sizes, strict=True)))
        return module

    return AuralossAdapter(make, sees_phase=False)


def _sizes(fft_size: int, window: int) -> tuple[int, int, int]:
    """Return FFT size, hop and window length, at most `window`: auraloss pads by half an FFT at either end."""
    size = min(fft_size, window)
    return size, size // 4, size


def _error_to_signal() -> FeatureLoss:
    from auraloss.time import ESRLoss

    return AuralossAdapter(lambda _: ESRLoss(), sees_phase=True)


def _log_cosh() -> FeatureLoss:
    from auraloss.time import LogCoshLoss

    return AuralossAdapter(lambda _: LogCoshLoss(), sees_phase=True)


AURALOSS_FACTORIES: dict[str, Callable[[], FeatureLoss]] = {
    "auraloss-stft": _stft,
    "auraloss-multi-resolution": _multi_resolution,
    "auraloss-esr": _error_to_signal,
    "auraloss-log-cosh": _log_cosh,
}
"""auraloss's losses by name."""
