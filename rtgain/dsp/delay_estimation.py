"""Delay and polarity between a dry signal and its target, from the phase of their cross-spectrum.

Both functions look at the *envelope* of a generalized cross-correlation (Knapp and Carter, 1976): its peak is
at the delay whatever constant phase lies between the signals, and the phase at the peak tells the polarity.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from rtgain.dsp.spectra import Spectra, SpectraPair

MAX_SNR = 1e3
"""Coherence beyond this signal-to-noise ratio weighs a bin no more: the rest is rounding."""

WHITENING = 0.75
"""Exponent of the phase transform over the whole range: 1 hears every bin alike, noise too; 0 only the loudest."""

GLOBAL_CONFIDENCE = 8.0
"""A global peak this many times the envelope's RMS; noise alone reaches 4 to 5 among 10^5 lags."""

FLAT_DELAY_BAND = 0.6
"""Up to this share of the Nyquist frequency fractional delays and converters' filters are as late as at 0 Hz …"""

UPPER_BAND_WEIGHT = 0.01
"""… and bins above it count this much, so that they decide only where there is nothing else."""

DECIMALS = 6
"""Digits of a frame in a local reading: what rounding leaves of no delay at all is no delay (it was 5e-8 frames)."""

MIN_PEAK_TO_RMS = 4.0
"""A correlation must stand out of its RMS this much to tell one delay from others; chance among 4,096 lags reaches 3.
Recordings and their copies reach 11 to 35, in a nearly silent opening 1.4 to 1.8; with noise 20 dB below, 2 to 10; a
held note that locked 100 ms off, 1.1."""

LOCAL_CONFIDENCE = 0.5
"""A local peak with this share of the weight in step."""


@dataclass(frozen=True)
class DelayEstimate:
    """How much later the target is than the dry signal, in frames (fractions count), and how sure that is.

    `confident` says whether the reading should be acted on at all.
    """

    delay_frames: float
    confidence: float
    confident: bool


class CrossSpectrum:
    """Cross- and power spectra added up over windows (Welch), from which a small delay is read below a sample."""

    def __init__(self) -> None:
        self.windows = 0
        self._cross = torch.zeros(1, dtype=torch.complex64)
        self._dry = torch.zeros(1)
        self._target = torch.zeros(1)
        self._product = torch.zeros(1)
        self._squared_product = torch.zeros(1)

    def add(self, pair: SpectraPair, level: Tensor) -> None:
        """Add spectra of windows, all at one alignment, both times `level`, ``(B,)``; one at a level of 0 is none."""
        self.windows += int(level.count_nonzero())
        square = level.square()
        cross = square @ torch.view_as_real(pair.cross).flatten(1)
        product = square.unsqueeze(-1) * pair.product
        self._cross = self._cross + torch.view_as_complex(cross.view(-1, 2))
        self._dry = self._dry + square @ pair.dry.power
        self._target = self._target + square @ pair.target.power
        self._product = self._product + product.sum(0)
        self._squared_product = self._squared_product + product.square().sum(0)

    @property
    def coherent_fraction(self) -> float:
        """Share of the target's power that one fixed filter on the dry signal explains, 0 to 1, beyond chance."""
        coherence, chance = self._coherence()
        judged = float((self._target * (1.0 - chance)).sum())
        if judged <= 0.0:
            return 0.0
        return max(0.0, float((self._target * (coherence - chance)).sum()) / judged)

    @property
    def is_unambiguous(self) -> bool:
        """Whether the sound is broad enough to tell a delay: a sustained tone agrees with itself at any.

        With all bins in step the correlation peaks at the sum of their weights; its RMS over all lags is the root
        of the sum of their squares (Parseval).
        """
        weights = self._weights()
        return float(weights.sum()) > MIN_PEAK_TO_RMS * float(weights.square().sum().sqrt())

    def _coherence(self) -> tuple[Tensor, Tensor]:
        """Magnitude-squared coherence of each bin, and what chance alone would make of it.

        A single window is no test: any two tones of one pitch explain each other. Two unrelated signals reach one
        part in as many as there are independent windows; that is half of those that count, for they overlap, and
        where few are loud, few count.
        """
        tiny = torch.finfo(self._dry.dtype).tiny
        coherence = Spectra(self._cross).power / (self._dry * self._target).clamp_min(tiny)
        chance = 2.0 * self._squared_product / self._product.square().clamp_min(tiny)
        return coherence, chance.clamp_max(1.0)

    def read(self) -> DelayEstimate:
        """The delay left between the windows, within half a window either way; not confident without two windows."""
        if self.windows < 2:
            return DelayEstimate(0.0, 0.0, False)
        weights = self._weights()
        total = float(weights.sum())
        if total <= 0.0:
            return DelayEstimate(0.0, 0.0, False)
        unit = torch.polar(weights, self._cross.angle())
        lags = 2 * (unit.shape[0] - 1)
        envelope = _analytic(unit, lags).abs()
        lag = _nearest_peak(envelope, lags)
        confidence = float(envelope[lag]) / total
        coarse = float(lag if lag <= lags // 2 else lag - lags)
        delay_frames = round(_phase_slope(unit, weights, lags, coarse), DECIMALS)
        return DelayEstimate(delay_frames, confidence, confidence > LOCAL_CONFIDENCE)

    def _weights(self) -> Tensor:
        """Signal-to-noise ratio of each bin by its coherence (Hannan and Thomson, 1973), capped, or 0."""
        coherence, chance = self._coherence()
        coherence = ((coherence - chance) / (1.0 - chance).clamp_min(1e-6)).clamp(0.0, 1.0 - 1.0 / MAX_SNR)
        audible = (self._dry > 1e-9 * self._dry.max()) & (self._target > 1e-9 * self._target.max())
        weights = torch.where(audible, coherence / (1.0 - coherence), 0.0)
        weights[0] = 0.0
        weights[round(FLAT_DELAY_BAND * len(weights)) :] *= UPPER_BAND_WEIGHT
        return weights


def gcc_phat_delay(dry: Tensor, target: Tensor, max_delay_frames: int, decimation: int = 1) -> DelayEstimate:
    """The delay of `target` against `dry` within ±`max_delay_frames`, to a frame, out of one stretch of both.

    Shape: dry and target ``(N,)``, the same stretch of time; N of at least twice the delays sought serves best.
    With a stride the correlation is made at every so many frames, of the lower part of the band.
    """
    if decimation > 1:
        dry, target = (_decimate(signal, decimation) for signal in (dry, target))
    reach = max_delay_frames // decimation
    size = 1 << (dry.shape[0] + reach - 1).bit_length()
    taper = _taper(dry.shape[0])
    cross = torch.fft.rfft(dry * taper, size).conj() * torch.fft.rfft(target * taper, size)
    magnitude = cross.abs()
    peak = float(magnitude.max())
    if not peak > 0.0:
        return DelayEstimate(0.0, 0.0, False)
    whitened = torch.where(magnitude > 1e-9 * peak, cross / magnitude.clamp_min(1e-9 * peak) ** WHITENING, 0.0)
    whitened[0] = 0.0
    envelope = _analytic(whitened, size).abs()
    around = torch.cat([envelope[-reach:], envelope[: reach + 1]])
    rms = float(around.square().mean().sqrt())
    best = int(around.argmax())
    confidence = float(around[best]) / max(rms, 1e-30)
    lag = best - reach + _parabolic_peak_offset(around[max(0, best - 1) : best + 2])
    return DelayEstimate(float(round(decimation * lag)), confidence, confidence > GLOBAL_CONFIDENCE)


def _decimate(signal: Tensor, decimation: int) -> Tensor:
    """Every so-manyth frame of ``(N,)``, each a Hann-weighted mean: that is 0 from half the rate that is left."""
    hann = torch.hann_window(4 * decimation, dtype=signal.dtype)
    return functional.conv1d(signal.view(1, 1, -1), hann.view(1, 1, -1) / hann.sum(), stride=decimation).flatten()


def _taper(frames: int) -> Tensor:
    """Fades at both ends: two stretches cut at one moment would share the cut, and agree on a delay of 0."""
    fade = 0.5 - 0.5 * torch.cos(torch.linspace(0.0, math.pi, frames // 8))
    return torch.cat([fade, torch.ones(frames - 2 * len(fade)), fade.flip(0)])


def _parabolic_peak_offset(around: Tensor) -> float:
    """Where between its neighbours a peak, in the middle of three values, is highest: on the parabola through them."""
    if len(around) < 3:
        return 0.0
    before, peak, behind = around.tolist()
    bend = before - 2.0 * peak + behind
    return 0.5 * (before - behind) / bend if bend else 0.0


def _analytic(half_spectrum: Tensor, size: int) -> Tensor:
    """The analytic signal of a spectrum's positive frequencies, ``(size,)``, not divided by its length."""
    analytic: Tensor = torch.fft.ifft(half_spectrum, size) * size
    return analytic


def _nearest_peak(envelope: Tensor, lags: int) -> int:
    """The lag nearest to 0 whose envelope comes within 2 % of the largest: a periodic sound has many such."""
    distance = torch.minimum(torch.arange(lags), lags - torch.arange(lags))
    candidates = torch.nonzero(envelope >= 0.98 * envelope.max()).flatten()
    lag = int(candidates[distance[candidates].argmin()])
    for _ in range(lags):
        step = max((lag - 1) % lags, (lag + 1) % lags, key=lambda near: float(envelope[near]))
        if envelope[step] <= envelope[lag]:
            break
        lag = step
    return lag


def _phase_slope(unit: Tensor, weights: Tensor, lags: int, coarse: float) -> float:
    """Refine a delay to a fraction: weighted least squares of phase against frequency, free of constant phase."""
    omega = 2.0 * math.pi * torch.arange(unit.shape[0], dtype=torch.float64) / lags
    weights = weights.double()
    delay = coarse
    for _ in range(3):
        turned = unit.to(torch.complex128) * torch.polar(torch.ones_like(omega), omega * delay)
        residual = (turned * turned.sum().conj()).angle()
        centered = omega - (weights * omega).sum() / weights.sum()
        spread = float((weights * centered.square()).sum())
        if spread <= 1e-12 * float(weights.sum()):
            break
        delay -= float((weights * centered * residual).sum()) / spread
    return delay if abs(delay - coarse) <= 1.0 else coarse
