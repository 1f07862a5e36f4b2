"""Delay between a dry signal and its target, estimated from the phase of their cross-spectrum.

Both estimators use the *envelope* of a generalized cross-correlation (Knapp and Carter, 1976). Its peak is at the
delay, whatever constant phase lies between the signals; the phase at the peak gives the polarity. The delay of several
channels is that of the sum of their envelopes. A sum of their cross-spectra would cancel if one channel is inverted.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from rtgain.dsp.closed_form import weighted_median
from rtgain.dsp.delay_constants import FLAT_DELAY_BAND, MAX_SNR, MIN_PEAK_TO_RMS, MIN_POWER_SHARE, WHITENING
from rtgain.dsp.processors import DB_PER_NEPER
from rtgain.dsp.spectra import Spectra, SpectraPair, band_sums

GLOBAL_CONFIDENCE = 8.0
"""Ratio of a global peak to the envelope's RMS from which it is confident; noise reaches 4 to 5 among 10^5 lags."""

UPPER_BAND_WEIGHT = 0.01
"""Weight of bins above `FLAT_DELAY_BAND`: they are decisive only if there are no others."""

DEVIATION_BAND_BINS = 16
"""Bins of a band whose gain is compared with that of the others."""

MIN_BAND_COHERENCE = 0.5
"""Coherence of a band from which its gain counts."""

MIN_MEDIAN_OFFSET_DB = 0.5
"""Distance of the bands' median from the gain in dB from which it counts: noise in pauses reaches a part of it."""

MOST_OF_THE_SOUND = 0.8
"""Share of the target's power whose gain two standard deviations contain."""

DECIMALS = 6
"""Decimal places of a local delay in frames, so that rounding errors at no delay (5e-8 frames) become 0."""

LOCAL_CONFIDENCE = 0.5
"""Share of the total weight that must be in phase at a local peak for the delay to be confident."""


@dataclass(frozen=True)
class DelayEstimate:
    """Delay of the target relative to the dry signal, in frames with fraction, and its confidence.

    `confident` is True if the delay may be used at all.
    """

    delay_frames: float
    confidence: float
    confident: bool


class CrossSpectrum:
    """Cross- and power spectra averaged over windows (Welch), for delays of up to half a window, to a fraction.

    The spectra of C channels are averaged separately, ``(C, K)``.
    """

    def __init__(self) -> None:
        self.windows = 0
        self._sums = torch.zeros(5, 1, 1)
        self._squared_product = torch.zeros(1, 1)
        self._gain_sum = self._gain_weight = 0.0

    def add(self, pair: SpectraPair, level: Tensor) -> None:
        """Add spectra of windows at one alignment, both scaled by `level`, ``(B,)``; level 0 omits a window."""
        self.windows += int(level.count_nonzero())
        square = level.square()
        # In one product: the time for one window is the number of torch's calls.
        cross = pair.cross
        spectra = torch.stack([cross.real, cross.imag, pair.dry.power, pair.target.power, pair.cross_magnitude], dim=1)
        self._sums = self._sums + (square @ spectra.flatten(1)).view(spectra.shape[1:])
        product = square.view(-1, 1, 1) * pair.cross_magnitude
        self._squared_product = self._squared_product + product.square().sum(0)

    def add_gains(self, gain: Tensor, level: Tensor) -> None:
        """Add the gains of the windows as a whole, ``(B,)``, between signals scaled to level 1; see `add`."""
        for window_gain, window_level in zip(gain.tolist(), level.tolist(), strict=True):
            self._gain_sum += window_level**2 * window_gain
            self._gain_weight += window_level**2

    def channel(self, index: int) -> "CrossSpectrum":
        """Select one channel."""
        one = CrossSpectrum()
        one.windows = self.windows
        one._sums = self._sums[:, index : index + 1]
        one._squared_product = self._squared_product[index : index + 1]
        return one

    @property
    def _cross(self) -> Tensor:
        return torch.complex(self._sums[0], self._sums[1])

    @property
    def _dry(self) -> Tensor:
        return self._sums[2]

    @property
    def _target(self) -> Tensor:
        return self._sums[3]

    @property
    def _product(self) -> Tensor:
        return self._sums[4]

    @property
    def coherent_fraction(self) -> float:
        """Share of the target's power that one fixed filter on the dry signal explains beyond chance, 0 to 1.

        It is that of the channel with the largest share: others may be noisy, or have a delay of their own. Channels
        with less than `MIN_POWER_SHARE` of the loudest channel's power do not count.
        """
        return float(self._coherent_shares().max())

    @property
    def one_gain_fraction(self) -> float:
        """Share of the target's power that one gain and one phase on the dry signal explain, 0 to 1.

        It is that of the channel with the largest share.
        """
        explained = Spectra(self._cross.sum(-1)).power / self._dry.sum(-1).clamp_min(torch.finfo(torch.float32).tiny)
        target = self._target.sum(-1)
        return float(torch.where(target > 0.0, explained / target, 0.0).max())

    def _coherent_shares(self) -> Tensor:
        """Compute each channel's coherent fraction, ``(C,)``; 0 for a channel that does not count."""
        coherence, chance = self._coherence()
        testable_power = (self._target * (1.0 - chance)).sum(-1)
        coherent_power = (self._target * (coherence - chance)).sum(-1)
        counts = (testable_power > 0.0) & (testable_power >= MIN_POWER_SHARE * testable_power.max())
        return torch.where(counts, coherent_power / testable_power, 0.0).clamp_min(0.0)

    @property
    def is_unambiguous(self) -> bool:
        """True if the signal is broadband enough for a single clear peak; a sustained tone fits many delays.

        With all bins in phase the correlation peaks at the sum of their weights. Its RMS over all lags is the root
        of the sum of their squares (Parseval).
        """
        weights = self._weights().sum(0)
        return float(weights.sum()) > MIN_PEAK_TO_RMS * float(weights.square().sum().sqrt())

    def _coherence(self) -> tuple[Tensor, Tensor]:
        """Compute each bin's magnitude-squared coherence, and the coherence expected by chance.

        The coherence of a single window is always 1, so at least two windows are needed. Two unrelated signals reach
        the inverse of the number of independent windows. That number is half of the effective one, because windows
        overlap; if few windows are loud, few are effective.
        """
        tiny = torch.finfo(self._dry.dtype).tiny
        coherence = Spectra(self._cross).power / (self._dry * self._target).clamp_min(tiny)
        chance = 2.0 * self._squared_product / self._product.square().clamp_min(tiny)
        return coherence, chance.clamp_max(1.0)

    @property
    def band_deviation_db(self) -> float:
        """Half the distance in dB from their channel's median within which the gains of most of the sound's bands lie.

        If the median is further from the gain of the windows as a whole, it is half of that distance.

        Bands of `DEVIATION_BAND_BINS` bins are weighted by the target's power. A distance that noise explains, at four
        deviations, is 0; so is that of bands with less coherence than `MIN_BAND_COHERENCE`, and of channels with a
        smaller coherent fraction.
        """
        dry, target, cross = (
            band_sums(spectrum, DEVIATION_BAND_BINS) for spectrum in (self._dry, self._target, self._cross)
        )
        power = Spectra(cross).power
        tiny = torch.finfo(dry.dtype).tiny
        coherence = (power / (dry * target).clamp_min(tiny)).clamp(1e-6, 1.0)
        is_related = self._coherent_shares().unsqueeze(-1) > MIN_BAND_COHERENCE
        weights = torch.where(is_related & (coherence > MIN_BAND_COHERENCE), target, 0.0)
        if not weights.any():
            return 0.0
        gains_db = 10.0 * (power / dry.square().clamp_min(tiny)).clamp_min(tiny).log10()
        medians_db = weighted_median(gains_db, weights)
        distances_db = (gains_db - medians_db.unsqueeze(-1)).abs()
        samples = 0.25 * self.windows * DEVIATION_BAND_BINS  # windows overlap
        noise_db = DB_PER_NEPER * ((1.0 - coherence) / (2.0 * coherence * samples)).sqrt()
        distances_db = torch.where(distances_db > 4.0 * noise_db, distances_db, 0.0).flatten()
        order = distances_db.argsort()
        share = weights.flatten()[order].cumsum(0) / weights.sum()
        most = int(torch.searchsorted(share, MOST_OF_THE_SOUND).clamp_max(len(order) - 1))
        spread_db = float(distances_db[order[most]])
        loudest = int(weights.sum(-1).argmax())
        offset_db = 0.0
        # The level of an unrelated channel is part of the scale of each window, and moves the gains.
        is_comparable = bool((is_related.squeeze(-1) | (self._target.sum(-1) == 0.0)).all())
        if self._gain_sum > 0.0 and is_comparable:
            gain_db = 20.0 * math.log10(self._gain_sum / self._gain_weight)
            offset_db = abs(float(medians_db[loudest]) - gain_db)
        return max(spread_db, offset_db if offset_db > MIN_MEDIAN_OFFSET_DB else 0.0) / 2.0

    def estimate_delay(self) -> DelayEstimate:
        """Estimate the delay between the windows, within ± half a window; not confident with fewer than 2 windows."""
        if self.windows < 2:
            return DelayEstimate(0.0, 0.0, False)
        weights = self._weights()
        total = float(weights.sum())
        if total <= 0.0:
            return DelayEstimate(0.0, 0.0, False)
        unit = torch.polar(weights, self._cross.angle())
        lags = 2 * (unit.shape[-1] - 1)
        envelope = _analytic(unit, lags).abs().sum(0)
        lag = _nearest_peak(envelope, lags)
        confidence = float(envelope[lag]) / total
        coarse = float(lag if lag <= lags // 2 else lag - lags)
        delay_frames = round(_phase_slope(unit, weights, lags, coarse), DECIMALS)
        return DelayEstimate(delay_frames, confidence, confidence > LOCAL_CONFIDENCE)

    def _weights(self) -> Tensor:
        """Compute each bin's signal-to-noise ratio from its coherence (Hannan and Thomson, 1973), limited, or 0."""
        coherence, chance = self._coherence()
        coherence = ((coherence - chance) / (1.0 - chance).clamp_min(1e-6)).clamp(0.0, 1.0 - 1.0 / MAX_SNR)
        audible = (self._dry > 1e-9 * self._dry.max()) & (self._target > 1e-9 * self._target.max())
        weights = torch.where(audible, coherence / (1.0 - coherence), 0.0)
        weights[:, 0] = 0.0
        weights[:, round(FLAT_DELAY_BAND * weights.shape[-1]) :] *= UPPER_BAND_WEIGHT
        return weights


def gcc_phat_delay(dry: Tensor, target: Tensor, max_delay_frames: int, decimation: int = 1) -> DelayEstimate:
    """Estimate the delay of `target` relative to `dry` within ±`max_delay_frames`, to a whole frame.

    Shape: dry and target ``(C, N)``, over the same stretch of time; N should be at least twice `max_delay_frames`. With
    a `decimation` above 1 both signals are low-passed and decimated first. Of channels with different delays, that
    with the delay nearest to 0 is measured.
    """
    if decimation > 1:
        dry, target = (_decimate(signal, decimation) for signal in (dry, target))
    max_lag = max_delay_frames // decimation
    size = 1 << (dry.shape[-1] + max_lag - 1).bit_length()
    taper = _taper(dry.shape[-1])
    cross = torch.fft.rfft(dry * taper, size).conj() * torch.fft.rfft(target * taper, size)
    magnitude = cross.abs()
    peak = float(magnitude.max())
    if not peak > 0.0:
        return DelayEstimate(0.0, 0.0, False)
    whitened = torch.where(magnitude > 1e-9 * peak, cross / magnitude.clamp_min(1e-9 * peak) ** WHITENING, 0.0)
    whitened[:, 0] = 0.0
    envelope = _analytic(whitened, size).abs()
    per_channel = torch.cat([envelope[:, -max_lag:], envelope[:, : max_lag + 1]], dim=-1)
    in_range = per_channel.sum(0)
    rms = float(in_range.square().mean().sqrt())
    best = _earliest_peak(per_channel, int(in_range.argmax()), max_lag)
    confidence = float(in_range[best]) / max(rms, 1e-30)
    lag = best - max_lag + _parabolic_peak_offset(in_range[max(0, best - 1) : best + 2])
    return DelayEstimate(float(round(decimation * lag)), confidence, confidence > GLOBAL_CONFIDENCE)


def _earliest_peak(per_channel: Tensor, best: int, max_lag: int) -> int:
    """Return the position nearest to lag 0 of the channels' own confident peaks; `best`, the sum's, if there is none.

    In the sum, one of two channels with different delays would win in one measurement and the other in the next.
    """
    if len(per_channel) == 1:
        return best
    peaks, positions = per_channel.max(-1)
    confident = peaks > GLOBAL_CONFIDENCE * per_channel.square().mean(-1).sqrt()
    return min(positions[confident].tolist(), key=lambda position: abs(position - max_lag), default=best)


def _decimate(signal: Tensor, decimation: int) -> Tensor:
    """Decimate ``(C, N)`` by Hann-weighted means, whose response is 0 from half the new sample rate."""
    hann = torch.hann_window(4 * decimation, dtype=signal.dtype)
    return functional.conv1d(signal.unsqueeze(1), hann.view(1, 1, -1) / hann.sum(), stride=decimation).squeeze(1)


def _taper(frames: int) -> Tensor:
    """Compute fades for both ends: two stretches cut at one moment would share the cut and correlate at delay 0."""
    fade = 0.5 - 0.5 * torch.cos(torch.linspace(0.0, math.pi, frames // 8))
    return torch.cat([fade, torch.ones(frames - 2 * len(fade)), fade.flip(0)])


def _parabolic_peak_offset(neighborhood: Tensor) -> float:
    """Interpolate the position of a peak, the middle one of three values, relative to it: parabola through them."""
    if len(neighborhood) < 3:
        return 0.0
    before, peak, after = neighborhood.tolist()
    curvature = before - 2.0 * peak + after
    return 0.5 * (before - after) / curvature if curvature else 0.0


def _analytic(half_spectrum: Tensor, size: int) -> Tensor:
    """Compute the analytic signal of spectra's positive frequencies, ``(C, size)``, not divided by its length."""
    analytic: Tensor = torch.fft.ifft(half_spectrum, size) * size
    return analytic


def _nearest_peak(envelope: Tensor, lags: int) -> int:
    """Find the peak nearest to lag 0 within 2 % of the largest: a periodic signal has many of them."""
    distance = torch.minimum(torch.arange(lags), lags - torch.arange(lags))
    candidates = torch.nonzero(envelope >= 0.98 * envelope.max()).flatten()
    lag = int(candidates[distance[candidates].argmin()])
    for _ in range(lags):
        step = max((lag - 1) % lags, (lag + 1) % lags, key=lambda neighbor: float(envelope[neighbor]))
        if envelope[step] <= envelope[lag]:
            break
        lag = step
    return lag


def _phase_slope(unit: Tensor, weights: Tensor, lags: int, coarse: float) -> float:
    """Refine a delay to a fraction: weighted least squares of phase over frequency, up to one phase per channel."""
    omega = 2.0 * math.pi * torch.arange(unit.shape[-1], dtype=torch.float64) / lags
    weights = weights.double()
    tiny = torch.finfo(weights.dtype).tiny
    centered = omega - (weights * omega).sum(-1, keepdim=True) / weights.sum(-1, keepdim=True).clamp_min(tiny)
    spread = float((weights * centered.square()).sum())
    delay = coarse
    for _ in range(3):
        compensated = unit.to(torch.complex128) * torch.polar(torch.ones_like(omega), omega * delay)
        phase_error = (compensated * compensated.sum(-1, keepdim=True).conj()).angle()
        if spread <= 1e-12 * float(weights.sum()):
            break
        delay -= float((weights * centered * phase_error).sum()) / spread
    return delay if abs(delay - coarse) <= 1.0 else coarse
