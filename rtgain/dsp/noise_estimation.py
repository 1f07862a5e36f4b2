"""Noise per band, coherent fraction and standard deviation of the gain, estimated from single windows.

Each band of neighboring bins is fitted with one complex gain. The fit explains the signal in the band, whatever its
phase. The remainder is noise and gives the noise power of each bin of the band. The only assumption about the noise is
that it is smooth over a band, and one window is enough.
"""

from dataclasses import dataclass, fields
from functools import cached_property

import torch
from torch import Tensor

from rtgain.dsp.spectra import SpectraPair

BAND_BINS = 16
"""Bins fitted with one complex gain: narrow enough for a rotating phase, wide enough to detect noise."""

SIGNIFICANT = 25.0
"""Ratio of a band's fitted power to the noise power of a bin from which the band is used.

Chance exceeds it in one of 4,500 bands.
"""

NOISE_FLOOR = 1e-7
"""Noise power assumed in every bin, relative to the target's mean power: the resolution of float32."""

RINGING_POWER = 1e-5
"""Power of the filter ringing in a bin after a sound has stopped, relative to the sound (measured: phase rotation)."""

TYPICAL_REDUCED_CHI2 = 16.0
"""Reduced χ² of the bands' gains for a single gain in white noise, measured on music and speech."""

MEDIAN_VARIANCE = 4.5
"""Variance of the weighted median's log gain times twice the signal-to-noise ratio.

With it, errors on music, speech and pink noise lie within two standard deviations in at least nine of ten cases
(`rtgain bench accuracy`). For least squares on independent bins it would be one. Hann-windowed bins are dependent;
white noise alone measures 3.
"""

POLARITY_COSINE = 0.3
"""Magnitude of the cosine of the phase between dry and target below which polarity is undetermined (0 at 90°)."""


@dataclass(frozen=True)
class NoiseEstimate:
    """Noise and signal statistics of B windows of C channels.

    Attributes:
        weights: ``(B, C · K)``, weight of a bin's error in a loss: magnitude over noise power, 0 in insignificant
            bands.
        std_log: ``(B,)``, standard deviation of a log gain in nepers; infinite without a significant band.
        channel_std_log: ``(B, C)``, the same for a log gain from one channel alone.
        coherent_fraction: ``(B,)``, share of the target's power that the dry signal explains, 0 to 1.
        phase_cosine: ``(B, C)``, cosine of the phase between dry and target over the significant bands, −1 to 1.
        noise_power: ``(B, C · K)``, the noise power in each bin of the target.
        noise_floor_loss: ``(B,)``, the normalized spectral L1 loss at the best gain, caused by the noise alone.
    """

    weights: Tensor
    std_log: Tensor
    channel_std_log: Tensor
    coherent_fraction: Tensor
    phase_cosine: Tensor
    noise_power: Tensor
    noise_floor_loss: Tensor

    @cached_property
    def uninformative(self) -> Tensor:
        """True for windows without a significant band, ``(B,)``."""
        return self.std_log.isinf()

    @property
    def inverted(self) -> Tensor:
        """True for channels whose target is inverted, ``(B, C)``."""
        return self.phase_cosine < -POLARITY_COSINE

    def at(self, index: int) -> "NoiseEstimate":
        """Select one window, as a batch of one."""
        one = slice(index, None if index == -1 else index + 1)
        return NoiseEstimate(*(getattr(self, field.name)[one] for field in fields(self)))


def estimate_noise(pair: SpectraPair, decay_ratio: Tensor) -> NoiseEstimate:
    """Estimate the noise per band from spectra of aligned windows, each ``(B, C, K)`` with K − 1 a multiple of 16.

    The bands of all channels stand side by side: the least noise is relative to the mean power of all of them.
    `decay_ratio`, ``(B,)``, at least 1, is the recent peak power of the dry signal divided by its present power. After
    a sound has stopped, filter ringing counts as noise in proportion to this ratio minus 1.
    """
    tiny = torch.finfo(torch.float32).tiny
    channels = pair.cross.shape[1]
    dry_power, target_power, cross = (_banded(bins) for bins in (pair.dry.power, pair.target.power, pair.cross))
    cross_magnitude = cross.abs()
    dry_power = dry_power.clamp_min(tiny)
    fitted = cross_magnitude.square() / dry_power
    remainder_power = (target_power - fitted).clamp_min(0.0) / (BAND_BINS - 1.5)
    power = target_power.sum(-1, keepdim=True)
    floor = (
        (NOISE_FLOOR + RINGING_POWER * (decay_ratio - 1.0)).unsqueeze(-1) * power / (BAND_BINS * target_power.shape[-1])
    )
    noise = remainder_power + floor
    significant = fitted > SIGNIFICANT * noise
    signal = torch.where(significant, fitted - noise, 0.0)
    inverse_noise = torch.where(significant, noise.clamp_min(tiny).reciprocal(), 0.0)
    band_snr = signal * inverse_noise
    cosine_sum, cross_sum = (
        _per_channel(torch.where(significant, part, 0.0), channels).sum(-1) for part in (cross.real, cross_magnitude)
    )
    inverse_noise_per_bin, noise_power = _per_bin(torch.stack([inverse_noise, remainder_power]), channels)
    weights = inverse_noise_per_bin * pair.dry.magnitude.flatten(1)
    log_gain = torch.where(significant, cross_magnitude / dry_power, 1.0).log()
    std_log = _std_log(log_gain, band_snr)
    channel_std_log = std_log.unsqueeze(-1)
    if channels > 1:
        channel_std_log = _std_log(_per_channel(log_gain, channels), _per_channel(band_snr, channels))
    # The magnitude of a bin deviates by its noise's radial part: mean |N(0, σ²/2)| = σ / √π.
    noise_magnitude = (inverse_noise * (remainder_power / torch.pi).sqrt() * _banded(pair.dry.magnitude)).sum(-1)
    return NoiseEstimate(
        weights=weights / weights.amax(-1, keepdim=True).clamp_min(tiny),
        std_log=std_log,
        channel_std_log=channel_std_log,
        coherent_fraction=signal.sum(-1) / power.squeeze(-1).clamp_min(tiny),
        phase_cosine=cosine_sum / cross_sum.clamp_min(tiny),
        noise_power=noise_power,
        noise_floor_loss=noise_magnitude / (inverse_noise * _banded(pair.cross_magnitude)).sum(-1).clamp_min(tiny),
    )


def subtract_rician_bias(magnitude: Tensor, noise_power: Tensor) -> Tensor:
    """Subtract from `magnitude` the mean increase caused by `noise_power`; the result is at least 0.

    The increase is ``noise_power / (4 magnitude)``: mean and median of Rice's distribution, to first order in the
    noise (Rice, 1945, section 3.10).
    """
    tiny = torch.finfo(noise_power.dtype).tiny
    return (magnitude - 0.25 * noise_power / magnitude.clamp_min(tiny)).clamp_min(0.0)


def _std_log(log_gain: Tensor, band_snr: Tensor) -> Tensor:
    """Compute the standard deviation of a log gain, ``(…,)``, from the log gain and the SNR of bands, ``(…, bands)``.

    It is proportional to the root of a reduced χ²: the variance of the bands' gains relative to what their noise
    allows, at least 1. An equalized or smeared target has no single gain; the variance between bands then increases
    the standard deviation.
    """
    snr = band_snr.sum(-1)
    mean = (band_snr * log_gain).sum(-1, keepdim=True) / snr.unsqueeze(-1).clamp_min(1.0)
    chi_squared = (2.0 * band_snr * (log_gain - mean).square()).sum(-1)
    reduced = chi_squared / ((band_snr > 0).sum(-1) - 1).clamp_min(1)
    return (0.5 * MEDIAN_VARIANCE / snr * (reduced / TYPICAL_REDUCED_CHI2).clamp_min(1.0)).sqrt()


def _banded(bins: Tensor) -> Tensor:
    """Sum over bands, ``(B, C, K)`` to ``(B, C · bands)``, without the bin at 0 Hz, which is its own mirror image."""
    banded: Tensor = bins[..., 1:].reshape(*bins.shape[:-1], -1, BAND_BINS).sum(-1).flatten(1)
    return banded


def _per_channel(bands: Tensor, channels: int) -> Tensor:
    """Separate the channels, ``(…, C · bands)`` to ``(…, C, bands)``."""
    return bands.view(*bands.shape[:-1], channels, -1)


def _per_bin(bands: Tensor, channels: int) -> Tensor:
    """Expand a number per band to each of its bins, ``(…, C · bands)`` to ``(…, C · K)``; the bin at 0 Hz is 0."""
    bands = _per_channel(bands, channels)
    bins = torch.zeros(*bands.shape[:-1], 1 + BAND_BINS * bands.shape[-1])
    bins[..., 1:].view(*bands.shape, BAND_BINS).copy_(bands.unsqueeze(-1))
    return bins.flatten(-2)
