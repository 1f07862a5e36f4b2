"""How much of a target its dry signal explains, band by band, and how far a gain read from it can be believed.

A band of neighbouring bins is fitted with one complex gain. What the fit explains is signal, whatever its
phase; what it leaves is noise, and says how noisy each bin of the band is. Nothing is assumed about the
noise but that it is smooth over a band, and one window is enough.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from rtgain.dsp.spectra import SpectraPair

BAND_BINS = 16
"""Bins fitted with one complex gain: narrow enough for a phase that turns, wide enough to tell noise."""

SIGNIFICANT = 25.0
"""A band counts when its fit holds this many times the noise of a bin: chance does it once in 4,500 bands."""

NOISE_FLOOR = 1e-7
"""Noise assumed in every bin, re the target's mean power: float32 cannot tell less."""

RINGING_POWER = 1e-5
"""What rings on in a bin after a sound has stopped, re the power that it had (measured on the phase rotation)."""

TYPICAL_REDUCED_CHI2 = 16.0
"""The reduced χ² of the bands' gains that is found in one gain and white noise, on music and speech."""

MEDIAN_VARIANCE = 4.5
"""Variance of the weighted median's log gain times twice the signal-to-noise ratio, such that errors on music, speech
and pink noise lie within two deviations nine times in ten and more (`rtgain bench accuracy`). It would be one for
least squares on independent bins; Hann-windowed ones are not, and 3 is what white noise alone measures."""


POLARITY_COSINE = 0.3
"""Below this cosine of the phase between dry and target, polarity cannot be told (90° has none)."""


@dataclass(frozen=True)
class NoiseEstimate:
    """What each of B windows says about its gain.

    Attributes:
        weights: ``(B, K)``, what a bin's error counts in a loss: magnitude over noise power, 0 where nothing is known.
        std_log: ``(B,)``, one standard deviation of a log gain in nepers; infinite where nothing can be told.
        explained: ``(B,)``, share of the target's power that the dry signal explains, 0 to 1.
        phase_cosine: ``(B,)``, cosine of the phase between dry and target over all that is explained, −1 to 1.
        noise: ``(B, K)``, the noise power in each bin of the target.
        noise_floor_loss: ``(B,)``, the normalized spectral L1 that the noise alone leaves at the best gain.
    """

    weights: Tensor
    std_log: Tensor
    coherent_fraction: Tensor
    phase_cosine: Tensor
    noise: Tensor
    noise_floor_loss: Tensor

    @property
    def inverted(self) -> Tensor:
        """Whether the target's polarity is the other one, ``(B,)``."""
        return self.phase_cosine < -POLARITY_COSINE

    def at(self, index: int) -> "NoiseEstimate":
        """The evidence of one window, as a batch of its own."""
        one = slice(index, None if index == -1 else index + 1)
        return NoiseEstimate(*(getattr(self, field.name)[one] for field in fields(self)))


def estimate_noise(pair: SpectraPair, decay_ratio: Tensor) -> NoiseEstimate:
    """Weigh the evidence in spectra of aligned windows, each ``(B, K)`` with K − 1 a multiple of 16.

    `decay_ratio`, ``(B,)``, is the power that the dry signal had a moment ago over what it has now, not below 1: what
    filters still ring with, after a sound has stopped, is as good as noise.
    """
    tiny = torch.finfo(torch.float32).tiny
    dry_power, target_power, cross = (_banded(bins) for bins in (pair.dry.power, pair.target.power, pair.cross))
    fitted = cross.abs().square() / dry_power.clamp_min(tiny)
    left = (target_power - fitted).clamp_min(0.0) / (BAND_BINS - 1.5)
    power = target_power.sum(-1, keepdim=True)
    floor = (
        (NOISE_FLOOR + RINGING_POWER * (decay_ratio - 1.0)).unsqueeze(-1) * power / (BAND_BINS * target_power.shape[-1])
    )
    noise = left + floor
    signal = torch.where(fitted > SIGNIFICANT * noise, fitted - noise, 0.0)
    believed = torch.where(signal > 0, 1.0 / noise.clamp_min(tiny), 0.0)
    band_snr = signal * believed
    told = torch.where(signal > 0, cross, 0.0)
    weights = _per_bin(believed) * pair.dry.magnitude
    # The magnitude of a bin strays by its noise's radial part: mean |N(0, σ²/2)| = σ / √π.
    strayed = (believed * (left / torch.pi).sqrt() * _banded(pair.dry.magnitude)).sum(-1)
    return NoiseEstimate(
        weights=weights / weights.amax(-1, keepdim=True).clamp_min(tiny),
        std_log=(0.5 * MEDIAN_VARIANCE / band_snr.sum(-1) * _excess_chi2(cross, dry_power, band_snr)).sqrt(),
        coherent_fraction=signal.sum(-1) / power.squeeze(-1).clamp_min(tiny),
        phase_cosine=told.real.sum(-1) / told.abs().sum(-1).clamp_min(tiny),
        noise=_per_bin(left),
        noise_floor_loss=strayed / (believed * _banded(pair.product)).sum(-1).clamp_min(tiny),
    )


def subtract_rician_bias(magnitude: Tensor, noise: Tensor) -> Tensor:
    """`magnitude` lowered by what `noise` power adds to it in the mean, ``noise / (4 magnitude)``, not below 0.

    Mean and median of Rice's distribution, to first order in the noise (Rice, 1945, section 3.10).
    """
    return (magnitude - 0.25 * noise / magnitude.clamp_min(torch.finfo(noise.dtype).tiny)).clamp_min(0.0)


def _excess_chi2(cross: Tensor, dry_power: Tensor, band_snr: Tensor) -> Tensor:
    """By how much the bands' gains vary more than their noise allows: a reduced χ², ``(B,)``, not below 1.

    An equalized or smeared target has no one gain; a reading from it is only as sure as its bands agree.
    """
    told = band_snr > 0
    log_gain = torch.where(told, cross.abs() / dry_power.clamp_min(torch.finfo(dry_power.dtype).tiny), 1.0).log()
    mean = (band_snr * log_gain).sum(-1, keepdim=True) / band_snr.sum(-1, keepdim=True).clamp_min(1.0)
    chi_squared = (2.0 * band_snr * (log_gain - mean).square()).sum(-1)
    reduced = chi_squared / (told.sum(-1) - 1).clamp_min(1)
    return (reduced / TYPICAL_REDUCED_CHI2).clamp_min(1.0)


def _banded(bins: Tensor) -> Tensor:
    """Sums over bands; the bin at 0 Hz, which no band can tell from its image, is left out."""
    banded: Tensor = bins[..., 1:].reshape(*bins.shape[:-1], -1, BAND_BINS).sum(-1)
    return banded


def _per_bin(bands: Tensor) -> Tensor:
    """The number of its band for each bin, and 0 for that at 0 Hz."""
    bins = torch.zeros(*bands.shape[:-1], 1 + BAND_BINS * bands.shape[-1])
    bins[..., 1:].view(*bands.shape, BAND_BINS).copy_(bands.unsqueeze(-1))
    return bins
