"""Losses between an estimate and its target.

Every loss consists of parts that the estimator uses separately: `features`, computed once per signal; `apply_gain`,
which scales the dry features, so that the dry signal is transformed once only; `distance`, computed at every step; and
`optimum`, the gain of least distance in closed form.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rtgain.dsp.closed_form import least_squares, weighted_medians
from rtgain.dsp.processors import LogGain


class FeatureLoss(nn.Module):
    """L1 distance between features of an estimate and of its target, one number per window.

    With `normalize`, the distance is divided by the target's weighted features. Rescaling both signals by one factor
    then leaves the loss unchanged. Its gradient with respect to log gain lies between −`power` and
    `power` · (1 + loss), at every level and length of the signal.

    Attributes:
        sees_phase: True if a phase rotation or a shift in time changes the loss; only such a loss detects polarity.
        power: a gain scales the features by ``gain ** power``; 0 if the features are logarithms.

    Shape:
        - estimate and target ``(B, N)`` in samples; features ``(B, K)``; weights ``(B, K)`` or None;
          the loss itself is a scalar, the mean over the batch.
        - `features` and `weights` also take and return signals of several channels, ``(B, C, …)``. Flattened to
          ``(B, C · K)``, their features stand side by side in one loss.
    """

    sees_phase: bool

    def __init__(self, power: float = 1.0, *, normalize: bool = True) -> None:
        super().__init__()
        self.power = power
        self.normalize = normalize

    def features(self, signal: Tensor) -> Tensor:
        """Compute the features that are compared, ``(B, K)``."""
        raise NotImplementedError

    def apply_gain(self, dry: Tensor, gain: LogGain) -> Tensor:
        """Scale the features of the dry signal to another gain."""
        scaled: Tensor = gain(dry, self.power)
        return scaled

    def weights(self, inverse_noise_power: Tensor, dry: Tensor) -> Tensor | None:
        """Compute the weight of each feature's error, ``(B, K)``; None for equal weights.

        `inverse_noise_power` is one over the noise power in each bin of the whole window's spectrum, and 0 in bins
        without a significant signal. `dry` are the dry signal's features.
        """
        return None

    def distance(self, estimate: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """Compute one loss per window, ``(B,)``, between features. Silence against silence is 0."""
        error = (estimate - target).abs()
        if weights is not None:
            error = error * weights
        if not self.normalize:
            return error.mean(-1)
        error = error.sum(-1)
        scale = (target.abs() if weights is None else target.abs() * weights).sum(-1)
        number = torch.finfo(scale.dtype)
        # An error divided by silence has no finite gradient: the loss is limited to 1 / eps.
        return error / torch.maximum(scale, number.eps * error.detach()).clamp_min(number.tiny)

    def distance_at(self, log_gain: Tensor, dry: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """Compute the loss of the dry signal's features at a log gain in nepers, ``(B,)``, without a gradient."""
        return self.distance(self.apply_gain(dry, LogGain(log_gain=log_gain)).detach(), target, weights)

    def optimum(self, dry: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """Compute the gain of least `distance`, ``(B,)``, in closed form from the features."""
        return self.optima(dry, target, weights, 1)[0]

    def optima(self, dry: Tensor, target: Tensor, weights: Tensor | None, channels: int) -> tuple[Tensor, Tensor]:
        """Compute the gain of least `distance` of all features, ``(B,)``, and of each channel's, ``(B, channels)``.

        The sum of ``w |s·X − Y|`` over features is convex and piecewise linear in s. Its minimum is at the median of
        ``Y / X`` weighted by ``w |X|``. The result is zero if the best gain is not positive.
        """
        slope = dry.abs() if weights is None else dry.abs() * weights
        ratio = torch.where(dry != 0, target / dry, 0.0)
        overall, per_channel = weighted_medians(ratio, slope, channels)
        return self._gain(overall), self._gain(per_channel)

    def least_squares(self, dry: Tensor, target: Tensor) -> Tensor:
        """Compute the gain of least squared feature error, ``(B,)``: ``⟨X, Y⟩ / ⟨X, X⟩``, at least 0."""
        return self._gain(least_squares(dry, target))

    def _gain(self, ratio: Tensor) -> Tensor:
        """Compute the gain, at least 0, that scales features by `ratio`."""
        ratio = ratio.clamp_min(0.0)
        return ratio if self.power == 1.0 else ratio ** (1.0 / self.power)

    def forward(self, estimate: Tensor, target: Tensor) -> Tensor:
        """Compute the mean over the batch of the distance between the two signals' features."""
        return self.distance(self.features(estimate), self.features(target)).mean()


class WaveformLoss(FeatureLoss):
    """L1 distance between samples.

    It depends on phase, polarity and delay, so a mere phase rotation makes the gain unidentifiable. Independent noise
    on the target does not bias the unweighted optimum.
    """

    sees_phase = True

    def features(self, signal: Tensor) -> Tensor:
        """Return the samples; with a power other than 1, their magnitudes to the power, with the sign kept."""
        return signal if self.power == 1.0 else signal.sign() * magnitude_power(signal.abs(), self.power)


class SpectralLoss(FeatureLoss):
    """L1 distance between the magnitude spectra of the whole window, raised to a power.

    It is independent of phase and polarity. Independent noise on the target biases the unweighted optimum upward.
    Without `window` and `normalize` it is the loss of the lessons: ``mean | |rfft(x)|^p − |rfft(y)|^p |``.
    """

    sees_phase = False

    def __init__(self, power: float = 1.0, *, window: bool = True, normalize: bool = True) -> None:
        super().__init__(power, normalize=normalize)
        self.window = window

    def features(self, signal: Tensor) -> Tensor:
        """Compute the magnitudes of the (Hann-windowed) spectrum, ``(B, N // 2 + 1)``, to the power."""
        if self.window:
            signal = signal * torch.hann_window(signal.shape[-1], dtype=signal.dtype)
        return self.of_magnitude(torch.fft.rfft(signal).abs())

    def of_magnitude(self, magnitude: Tensor) -> Tensor:
        """Compute the features from magnitude spectra, ``(B, K)``."""
        return magnitude_power(magnitude, self.power)


class StftLoss(FeatureLoss):
    """L1 distance between the magnitudes of short-time spectra: resolved in time as well as in frequency.

    Hann windows of each of `fft_sizes` samples (at most the signal's length) overlap by three quarters. With several
    sizes it is the multi-resolution loss (Wang, Takaki and Yamagishi, 2020): a click and a hum are each resolved by one
    of the sizes. Independent noise on the target biases the unweighted optimum upward.
    """

    sees_phase = False

    def __init__(self, fft_sizes: Sequence[int] = (1024,), *, normalize: bool = True) -> None:
        super().__init__(normalize=normalize)
        self.fft_sizes = fft_sizes

    def features(self, signal: Tensor) -> Tensor:
        """Compute magnitudes, ``(B, K)``: all bins of all short-time windows of every resolution.

        They are scaled so that white noise has one level in every resolution.
        """
        return torch.cat([self._magnitudes(signal, size) for size in self._fft_sizes(signal.shape[-1])], dim=-1)

    def weights(self, inverse_noise_power: Tensor, dry: Tensor) -> Tensor:
        """Compute magnitude over noise power; the noise power is that of the whole window's bin at that frequency."""
        window = 2 * (inverse_noise_power.shape[-1] - 1)
        per_size = [
            self._repeated(inverse_noise_power[..., :: window // size], window, size)
            for size in self._fft_sizes(window)
        ]
        weights: Tensor = dry * torch.cat(per_size, dim=-1)
        largest = weights.flatten(1).amax(-1).clamp_min(torch.finfo(weights.dtype).tiny)
        return weights / largest.view(-1, *[1] * (weights.ndim - 1))

    def _fft_sizes(self, window: int) -> list[int]:
        return sorted({min(size, window) for size in self.fft_sizes})

    def _magnitudes(self, signal: Tensor, size: int) -> Tensor:
        hann = torch.hann_window(size, dtype=signal.dtype)
        short_windows = signal.unfold(-1, size, size // 4) * hann
        magnitudes = torch.fft.rfft(short_windows).abs().flatten(-2)
        scaled: Tensor = magnitudes / (math.sqrt(size) * magnitudes.shape[-1])
        return scaled

    def _repeated(self, bins: Tensor, window: int, size: int) -> Tensor:
        count = (window - size) // (size // 4) + 1
        repeated: Tensor = bins.unsqueeze(-2).expand(*bins.shape[:-1], count, -1).flatten(-2)
        return repeated


class LogStftLoss(StftLoss):
    """L1 distance between log magnitudes of short-time spectra, in nepers, over the bins audible in both signals.

    Every bin has the same weight, loud or soft, so soft bins are masked: bins `RANGE_DB` below the loudest bin of
    either signal carry no information about a gain. Unmasked, they would dominate the loss in pauses.
    """

    RANGE_DB = 60.0

    def __init__(self, fft_sizes: Sequence[int] = (1024,)) -> None:
        super().__init__(fft_sizes)
        self.power = 0.0

    def features(self, signal: Tensor) -> Tensor:
        """Compute natural logarithms of magnitudes; masked bins are −∞."""
        magnitudes = super().features(signal)
        floor = magnitudes.detach().amax(-1, keepdim=True) * 10.0 ** (-self.RANGE_DB / 20.0)
        audible = magnitudes > floor.clamp_min(torch.finfo(magnitudes.dtype).tiny)
        return torch.where(audible, torch.where(audible, magnitudes, 1.0).log(), -torch.inf)

    def apply_gain(self, dry: Tensor, gain: LogGain) -> Tensor:
        """Add the log gain to the logarithms."""
        return dry + gain.log_gain.unsqueeze(-1)

    def weights(self, inverse_noise_power: Tensor, dry: Tensor) -> Tensor:
        """Return 1 for bins in which the dry signal is 10 dB above the noise, else 0."""
        power = torch.where(dry.isfinite(), dry, 0.0).mul(2.0).exp() * dry.isfinite()
        snr = super().weights(inverse_noise_power, power)
        return (snr > 0.1 * snr.mean(-1, keepdim=True)).to(dry.dtype)

    def distance(self, estimate: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """Compute the mean difference in nepers, ``(B,)``, over bins audible in both; 0 without such bins."""
        audible = estimate.isfinite() & target.isfinite()
        weights = audible.to(estimate.dtype) if weights is None else weights * audible
        error = torch.where(audible, estimate, 0.0) - torch.where(audible, target, 0.0)
        return (error.abs() * weights).sum(-1) / weights.sum(-1).clamp_min(torch.finfo(weights.dtype).tiny)

    def optima(self, dry: Tensor, target: Tensor, weights: Tensor | None, channels: int) -> tuple[Tensor, Tensor]:
        """Compute the exponentials of the median differences; 1 if no bin is audible in both."""
        audible = dry.isfinite() & target.isfinite()
        weights = audible.to(dry.dtype) if weights is None else weights * audible
        difference = torch.where(audible, target, 0.0) - torch.where(audible, dry, 0.0)
        overall, per_channel = weighted_medians(difference, weights, channels)
        total = weights.reshape(len(weights), channels, -1).sum(-1)
        return (
            torch.exp(overall.where(total.sum(-1) > 0, 0.0)),
            torch.exp(per_channel.where(total > 0, 0.0)),
        )

    def least_squares(self, dry: Tensor, target: Tensor) -> Tensor:
        """Compute the exponential of the mean difference; 1 if no bin is audible in both."""
        audible = dry.isfinite() & target.isfinite()
        difference = torch.where(audible, target, 0.0) - torch.where(audible, dry, 0.0)
        return torch.exp(difference.sum(-1) / audible.sum(-1).clamp_min(1))


def magnitude_power(magnitude: Tensor, power: float) -> Tensor:
    """Compute ``magnitude ** power`` with a gradient of zero, not infinity, at zero."""
    if power == 1.0:
        return magnitude
    positive = magnitude > 0
    return torch.where(positive, torch.where(positive, magnitude, 1.0) ** power, 0.0)
