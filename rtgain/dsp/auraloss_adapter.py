"""auraloss's losses (Steinmetz and Reiss, 2020) under our interface, where auraloss is installed: to compare with.

They take audio whole: nothing is prepared once a window, no closed form is known, and windows go one by one.
"""

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn

from rtgain.dsp.losses import Bias, FeatureLoss


class AuralossAdapter(FeatureLoss):
    """One of auraloss's modules; the features are the samples themselves."""

    def __init__(self, make: Callable[[int], nn.Module], *, sees_phase: bool, noise_bias: Bias) -> None:
        """`make` builds the module for a window of so many samples."""
        super().__init__(normalize=False)
        self.make = functools.cache(make)
        self.sees_phase = sees_phase
        self.noise_bias = noise_bias

    def features(self, signal: Tensor) -> Tensor:
        """The samples."""
        return signal

    def distance(self, estimate: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """One loss a window, ``(B,)``. There are no weights."""
        module = self.make(target.shape[-1])
        pairs = zip(estimate, target.expand_as(estimate), strict=True)
        return torch.stack([module(x.view(1, 1, -1), y.view(1, 1, -1)) for x, y in pairs])

    def optimum(self, dry: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """Not known: NaN, ``(B,)``."""
        return torch.full((dry.shape[0],), torch.nan)


def _stft() -> FeatureLoss:
    from auraloss.freq import STFTLoss

    return AuralossAdapter(lambda window: STFTLoss(*_sizes(1024, window)), sees_phase=False, noise_bias="up")


def _multi_resolution() -> FeatureLoss:
    from auraloss.freq import MultiResolutionSTFTLoss

    def make(window: int) -> nn.Module:
        sizes = sorted({_sizes(fft, window) for fft in (512, 1024, 2048)})
        module: nn.Module = MultiResolutionSTFTLoss(*(list(column) for column in zip(*sizes, strict=True)))
        return module

    return AuralossAdapter(make, sees_phase=False, noise_bias="up")


def _sizes(fft: int, window: int) -> tuple[int, int, int]:
    """Transform, hop and frame, no longer than the window: auraloss pads by half a transform on either side."""
    size = min(fft, window)
    return size, size // 4, size


def _error_to_signal() -> FeatureLoss:
    from auraloss.time import ESRLoss

    return AuralossAdapter(lambda _: ESRLoss(), sees_phase=True, noise_bias="none")


def _log_cosh() -> FeatureLoss:
    from auraloss.time import LogCoshLoss

    return AuralossAdapter(lambda _: LogCoshLoss(), sees_phase=True, noise_bias="none")


AURALOSSES: dict[str, Callable[[], FeatureLoss]] = {
    "auraloss-stft": _stft,
    "auraloss-multi-resolution": _multi_resolution,
    "auraloss-esr": _error_to_signal,
    "auraloss-log-cosh": _log_cosh,
}
