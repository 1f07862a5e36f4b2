"""Losses between an estimate and its target, by name.

Every loss is built from parts that the estimator uses apart: `features`, taken once per signal; `apply_gain`, what
they become at another gain, so that the dry signal need not be transformed anew at each step; `distance`, taken at
every step; and `optimum`, the gain at which that is least, in closed form.
"""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from rtgain.dsp.closed_form import least_squares, weighted_median
from rtgain.dsp.processors import LogGain

Bias = Literal["up", "none"]


class FeatureLoss(nn.Module):
    """L1 distance between features of an estimate and of its target, one number a window.

    With `normalize` it is divided by the target's weighted features: its gradient with respect to log
    gain then lies between −`power` and `power` · (1 + loss), whatever the level and the length of the signal.

    Attributes:
        sees_phase: whether a turn of phase, or a shift in time, changes it; only such a loss sees polarity.
        noise_bias: which way independent noise on the target draws the unweighted optimum.
        level_invariant: whether rescaling both signals alike leaves it as it is.
        power: a gain scales the features by ``gain ** power``; 0 where they are logarithms.

    Shape:
        - estimate and target ``(B, N)`` in samples; features ``(B, K)``; weights ``(B, K)`` or None;
          the loss itself is a scalar, the mean over the batch.
    """

    sees_phase: bool
    noise_bias: Bias

    def __init__(self, power: float = 1.0, *, normalize: bool = True) -> None:
        super().__init__()
        self.power = power
        self.normalize = normalize

    @property
    def level_invariant(self) -> bool:
        """Whether rescaling both signals alike leaves the loss as it is."""
        return self.normalize

    def features(self, signal: Tensor) -> Tensor:
        """What is compared, ``(B, K)``."""
        raise NotImplementedError

    def apply_gain(self, dry: Tensor, gain: LogGain) -> Tensor:
        """The features of the dry signal at another gain."""
        louder: Tensor = gain(dry, self.power)
        return louder

    def weights(self, believed: Tensor, dry: Tensor) -> Tensor | None:
        """What each feature's error counts, ``(B, K)``; None for all alike.

        `believed` is one over the noise power in each bin of the whole window's spectrum, 0 where nothing is known;
        `dry` are the dry signal's features.
        """
        return None

    def distance(self, estimate: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """One loss a window, ``(B,)``, between features. Silence against silence is 0."""
        error = (estimate - target).abs()
        if weights is not None:
            error = error * weights
        if not self.normalize:
            return error.mean(-1)
        error = error.sum(-1)
        scale = (target.abs() if weights is None else target.abs() * weights).sum(-1)
        number = torch.finfo(scale.dtype)
        # Divided by silence, an error would have no finite gradient: a loss beyond 1 / eps is 1 / eps.
        return error / torch.maximum(scale, number.eps * error.detach()).clamp_min(number.tiny)

    def optimum(self, dry: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """The gain at which `distance` is least, ``(B,)``, in closed form from the features.

        The sum of ``w |s·X − Y|`` over features is convex and piecewise linear in s, with its minimum at the
        median of ``Y / X`` weighted by ``w |X|``. Zero where the best gain is not positive.
        """
        slope = dry.abs() if weights is None else dry.abs() * weights
        ratio = torch.where(dry != 0, target / torch.where(dry != 0, dry, 1.0), 0.0)
        return weighted_median(ratio, slope).clamp_min(0.0) ** (1.0 / self.power)

    def least_squares(self, dry: Tensor, target: Tensor) -> Tensor:
        """The gain at which the features' squared error is least, ``(B,)``: ``⟨X, Y⟩ / ⟨X, X⟩``, not below 0."""
        return least_squares(dry, target).clamp_min(0.0) ** (1.0 / self.power)

    def forward(self, estimate: Tensor, target: Tensor) -> Tensor:
        """The mean over the batch of the distance between the two signals' features."""
        return self.distance(self.features(estimate), self.features(target)).mean()


class WaveformLoss(FeatureLoss):
    """L1 between samples. It hears phase, polarity and delay, so a mere shift of phase hides the gain from it."""

    sees_phase = True
    noise_bias: Bias = "none"

    def features(self, signal: Tensor) -> Tensor:
        """The samples; with a power, the magnitude is raised to it and the sign kept."""
        return signal if self.power == 1.0 else signal.sign() * magnitude_power(signal.abs(), self.power)


class SpectralLoss(FeatureLoss):
    """L1 between the magnitude spectra of the whole window, raised to a power. Blind to phase and polarity.

    Without `window` and `normalize` it is the loss of the lesson: ``mean | |rfft(x)|^p − |rfft(y)|^p |``.
    """

    sees_phase = False
    noise_bias: Bias = "up"

    def __init__(self, power: float = 1.0, *, window: bool = True, normalize: bool = True) -> None:
        super().__init__(power, normalize=normalize)
        self.window = window

    def features(self, signal: Tensor) -> Tensor:
        """Magnitudes of the (Hann-windowed) spectrum, ``(B, N // 2 + 1)``, to the power."""
        if self.window:
            signal = signal * torch.hann_window(signal.shape[-1], dtype=signal.dtype)
        return self.of_magnitude(torch.fft.rfft(signal).abs())

    def of_magnitude(self, magnitude: Tensor) -> Tensor:
        """The same from magnitudes of spectra that are there already, ``(B, K)``."""
        return magnitude_power(magnitude, self.power)


class StftLoss(FeatureLoss):
    """L1 between magnitudes of short-time spectra: when in the window, besides at what frequency.

    Hann windows of `frame` samples (shorter where the signal is), each a quarter of it apart. With several frames it
    is the multi-resolution loss (Wang, Takaki and Yamagishi, 2020): a click and a hum are each resolved by one of them.
    """

    sees_phase = False
    noise_bias: Bias = "up"

    def __init__(self, frames: Sequence[int] = (1024,), *, normalize: bool = True) -> None:
        super().__init__(normalize=normalize)
        self.frames = frames

    def features(self, signal: Tensor) -> Tensor:
        """Magnitudes, ``(B, K)``: all bins of all frames of every resolution, white noise at one level in each."""
        return torch.cat([self._magnitudes(signal, frame) for frame in self._lengths(signal.shape[-1])], dim=-1)

    def weights(self, believed: Tensor, dry: Tensor) -> Tensor:
        """Magnitude over noise power, as in the whole window's bin of that frequency."""
        window = 2 * (believed.shape[-1] - 1)
        near = [self._repeated(believed[:, :: window // frame], window, frame) for frame in self._lengths(window)]
        weights: Tensor = dry * torch.cat(near, dim=-1)
        return weights / weights.amax(-1, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)

    def _lengths(self, window: int) -> list[int]:
        return sorted({min(frame, window) for frame in self.frames})

    def _magnitudes(self, signal: Tensor, frame: int) -> Tensor:
        hann = torch.hann_window(frame, dtype=signal.dtype)
        pieces = signal.unfold(-1, frame, frame // 4) * hann
        magnitudes = torch.fft.rfft(pieces).abs().flatten(1)
        scaled: Tensor = magnitudes / (math.sqrt(frame) * magnitudes.shape[-1])
        return scaled

    def _repeated(self, bins: Tensor, window: int, frame: int) -> Tensor:
        count = (window - frame) // (frame // 4) + 1
        repeated: Tensor = bins.unsqueeze(1).expand(-1, count, -1).flatten(1)
        return repeated


class LogStftLoss(StftLoss):
    """L1 between log magnitudes of short-time spectra, in nepers, where both signals can be heard.

    Every bin counts alike, loud or soft, so it is masked: bins `RANGE_DB` below the loudest of either signal say
    nothing about a gain, and unmasked they are all that it hears where the source pauses.
    """

    RANGE_DB = 60.0

    def __init__(self, frames: Sequence[int] = (1024,)) -> None:
        super().__init__(frames)
        self.power = 0.0

    def features(self, signal: Tensor) -> Tensor:
        """Natural logarithms of magnitudes, −∞ where they are too far below the loudest."""
        magnitudes = super().features(signal)
        floor = magnitudes.detach().amax(-1, keepdim=True) * 10.0 ** (-self.RANGE_DB / 20.0)
        heard = magnitudes > floor.clamp_min(torch.finfo(magnitudes.dtype).tiny)
        return torch.where(heard, torch.where(heard, magnitudes, 1.0).log(), -torch.inf)

    def apply_gain(self, dry: Tensor, gain: LogGain) -> Tensor:
        """The logarithms, moved by that of the gain."""
        return dry + gain.log_gain.unsqueeze(-1)

    def weights(self, believed: Tensor, dry: Tensor) -> Tensor:
        """1 where the dry signal stands out of the noise by 10 dB, else 0."""
        power = torch.where(dry.isfinite(), dry, 0.0).mul(2.0).exp() * dry.isfinite()
        standing_out = super().weights(believed, power)
        return (standing_out > 0.1 * standing_out.mean(-1, keepdim=True)).to(dry.dtype)

    def distance(self, estimate: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """The mean difference in nepers, ``(B,)``, where both are heard; 0 where that is nowhere."""
        heard = estimate.isfinite() & target.isfinite()
        weights = heard.to(estimate.dtype) if weights is None else weights * heard
        error = torch.where(heard, estimate, 0.0) - torch.where(heard, target, 0.0)
        return (error.abs() * weights).sum(-1) / weights.sum(-1).clamp_min(torch.finfo(weights.dtype).tiny)

    def optimum(self, dry: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """The exponential of the median difference; 1 where nothing is heard."""
        heard = dry.isfinite() & target.isfinite()
        weights = heard.to(dry.dtype) if weights is None else weights * heard
        difference = torch.where(heard, target, 0.0) - torch.where(heard, dry, 0.0)
        return torch.exp(weighted_median(difference, weights).where(weights.sum(-1) > 0, 0.0))

    def least_squares(self, dry: Tensor, target: Tensor) -> Tensor:
        """The exponential of the mean difference where both are heard; 1 where nothing is."""
        heard = dry.isfinite() & target.isfinite()
        difference = torch.where(heard, target, 0.0) - torch.where(heard, dry, 0.0)
        return torch.exp(difference.sum(-1) / heard.sum(-1).clamp_min(1))


def magnitude_power(magnitude: Tensor, power: float) -> Tensor:
    """``magnitude ** power`` with a gradient of zero, not infinity, at zero."""
    if power == 1.0:
        return magnitude
    positive = magnitude > 0
    return torch.where(positive, torch.where(positive, magnitude, 1.0) ** power, 0.0)
