"""Gain model of a pair: one response over frequency times one gain over time, and the gain's dependence on the level.

The model is ``target(t, f) = gain(t) · response(f) · matched(t, f) + noise``. Response and gain are fitted in turn by
least squares, each with the other one held, so that an equalizer does not look like a moving gain, nor the reverse.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rtgain.match.analysis import BLOCKS_PER_WINDOW, Complex, PairSpectra, Real
from rtgain.metering.level_detectors import DETECTORS, Detector
from rtgain.records.response import Response

ITERATIONS = 8

OVERLAP_FACTOR = 1.6
"""Factor on variances for Hann windows that overlap by half (measured on white noise)."""

MIN_LEVEL_DB = -35.0
"""Level of a window relative to the loudest one from which its gain counts."""

NOISE_FLOOR = 1e-9
"""Noise power assumed in every bin, relative to the mean power of the target: the resolution of float32 spectra."""

NOISE_ITERATIONS = 2
"""Measurements of the noise: the first one knows a gain that is too low in soft windows."""

NOISE_GROUPS = 8
"""Groups of windows of similar level in which the noise of the matched signal is measured."""

MIN_GROUP_WINDOWS = 8

MIN_INFORMATION_RATIO = 3.0
"""Least information about the gain of a window, relative to its standard deviation by noise of the matched signal."""

MIN_SLOPE_NOISE = 1e-6
"""Least uncertain share of a band's power."""

DB_PER_NEPER = 20.0 / math.log(10.0)

SIGMAS = 4.0
"""Standard deviations that a difference must exceed, beyond the largest that chance makes of many."""

MAX_UNEXPLAINED = 0.9
"""Unexplained share of a window up to which its doubt grows."""


@dataclass(frozen=True)
class GainModel:
    """Fitted model of a pair of T windows in B bands.

    Attributes:
        response: ``(C, B)`` complex, relative to the matched signal.
        gain_db: ``(T,)``, gain over time relative to the mean gain; NaN where the sound is too soft.
        std_db: ``(T,)``, standard deviation of `gain_db`, if the residual is noise of constant level.
        scatter_db: ``(T,)``, standard deviation of `gain_db` as the bands of this window disagree about it: the error
            of a codec is not noise of constant level.
        doubt_db: ``(T,)``, most by which `gain_db` may be too low: sound that a codec leaves out, or noise of the
            matched signal, lowers the gain by the share of the target that is not explained.
        coherence: ``(B,)``, share of the target's power that the model explains.
        dry_noise: ``(C, B)``, noise of the matched signal in each window, in the unit of `PairSpectra.matched_power`.
    """

    response: Complex
    gain_db: Real
    std_db: Real
    scatter_db: Real
    doubt_db: Real
    coherence: Real
    dry_noise: Real

    @property
    def counts(self) -> NDArray[np.bool_]:
        """True for windows whose gain is known, ``(T,)``."""
        return np.isfinite(self.gain_db)

    def dry_noise_share(self, pair: PairSpectra) -> float:
        """Return the share of the matched signal's power that is noise."""
        return float(self.dry_noise.sum() / pair.matched_power.mean(axis=0, dtype=np.float64).sum())


def fit_gain_model(pair: PairSpectra) -> GainModel:
    """Fit the model to a pair.

    Noise in the matched signal would lower the gain where the sound is soft. It is measured, and its power subtracted.
    """
    model = _fit(pair, np.zeros(pair.cross.shape[1:]))
    for _ in range(NOISE_ITERATIONS):
        noise = _dry_noise(pair, model)
        if not noise.any():
            break
        model = _fit(pair, noise)
    return model


def _dry_noise(pair: PairSpectra, model: GainModel) -> Real:
    """Measure the constant part of the matched signal's power that the target does not have, ``(C, B)``.

    Between soft and loud windows, the power of the matched signal follows the cross-spectrum, and noise is what it has
    without any. This part is at most what is incoherent in any group of windows of similar level.
    """
    # The gain of soft windows is lower because of the noise. That of loud ones nearby shows how it really moves.
    slow = _slow_gain(model, pair.times_s)
    gain = np.where(model.counts, 10.0 ** (np.nan_to_num(model.gain_db) / 20.0), slow)[:, None, None]
    slow = slow[:, None, None]
    level = pair.matched_power.sum(axis=(1, 2), dtype=np.float64) * pair.target_power.sum(axis=(1, 2))
    order = np.argsort(level, kind="stable")
    order = order[level[order] > 0.0]
    groups = min(NOISE_GROUPS, len(order) // MIN_GROUP_WINDOWS)
    if groups < 2:
        return np.zeros(pair.cross.shape[1:])
    phase = np.exp(-1j * np.angle(model.response))
    parts = np.array_split(order, groups)
    dry = np.stack([pair.matched_power[part].mean(axis=0, dtype=np.float64) for part in parts])
    cross = np.stack([(pair.cross[part] * phase / slow[part]).real.mean(axis=0) for part in parts])
    even = np.stack([np.abs((pair.cross[part] / gain[part]).mean(axis=0)) ** 2 for part in parts])
    target = np.stack([(pair.target_power[part] / gain[part] ** 2).mean(axis=0) for part in parts])
    tiny = np.finfo(np.float64).tiny
    incoherent = dry - even / np.maximum(target, tiny)
    weights = 1.0 / np.maximum(dry, 1e-12 * dry.mean() + 1e-100) ** 2
    total = weights.sum(axis=0)
    mean_dry, mean_cross = (weights * dry).sum(axis=0) / total, (weights * cross).sum(axis=0) / total
    spread = (weights * (cross - mean_cross) ** 2).sum(axis=0)
    slope = (weights * (cross - mean_cross) * (dry - mean_dry)).sum(axis=0) / np.maximum(spread, tiny)
    intercept = mean_dry - slope * mean_cross
    noise: Real = np.clip(intercept, 0.0, np.maximum(incoherent.min(axis=0), 0.0))
    return noise


def _slow_gain(model: GainModel, times_s: Real) -> Real:
    """Average the gain over `SEGMENT_S` around each window, weighted by its certainty, ``(T,)``."""
    known = model.counts
    if not known.any() or len(times_s) < 2:
        return np.ones(len(times_s))
    half = max(1, round(SEGMENT_S / 2.0 / float(times_s[1] - times_s[0])))
    kernel = np.hanning(2 * half + 3)[1:-1]
    weights = np.where(known, 1.0 / (np.nan_to_num(model.std_db, nan=1.0) ** 2 + MOTION_STD_DB**2), 0.0)
    gain = np.where(known, 10.0 ** (np.nan_to_num(model.gain_db) / 20.0), 0.0)
    padded = (np.pad(values, half) for values in (weights * gain, weights))
    total, weight = (np.convolve(values, kernel, "valid") for values in padded)
    # Where nothing is known for longer, the nearest gain counts.
    has_gain = weight > 0.0
    centers = np.flatnonzero(has_gain)
    slow: Real = np.interp(np.arange(len(times_s)), centers, total[has_gain] / weight[has_gain])
    return slow


def _fit(pair: PairSpectra, dry_noise: Real) -> GainModel:
    target = pair.target_power.astype(np.float64)
    dry = np.maximum(pair.matched_power - dry_noise, 0.0)
    cross = pair.cross.astype(np.complex128)
    bins = np.diff(pair.edges.bins, axis=1)[:, 0]
    windows = len(dry)
    tiny = np.finfo(np.float64).tiny
    floor = NOISE_FLOOR * target.sum() / max(1, windows * target.shape[1] * bins.sum()) + tiny
    gain = np.ones(windows)
    power = dry.sum(axis=(1, 2))
    loud = power > 10.0 ** (MIN_LEVEL_DB / 10.0) * power.max(initial=0.0)
    scatter = dry_noise * (2.0 * dry + dry_noise) / bins  # variance of the noise's power from window to window
    least = 3.0 * np.sqrt(OVERLAP_FACTOR / (windows * bins)) * dry_noise
    for _ in range(ITERATIONS):
        weighted = np.where(loud, gain, 0.0)[:, None, None]
        scaled = (weighted**2 * dry).sum(0)
        is_known = scaled > np.maximum((weighted**2).sum(0) * least, tiny)
        response = np.where(is_known, (weighted * cross).sum(0) / np.where(is_known, scaled, 1.0), 0.0)
        aligned = (response.conj() * cross).real
        predicted = np.abs(response) ** 2 * dry
        scale = gain[:, None, None]
        noise = np.maximum(target - 2.0 * scale * aligned + scale**2 * predicted, 0.0)[loud].mean(axis=0) / bins
        per_bin = predicted / bins
        precision = 1.0 / (noise + floor + _slope_noise(response) * per_bin * scale**2)
        information = (precision * predicted).sum(axis=(1, 2))
        least_information = 1e-12 * information.max() + 1e-200
        fitted = (precision * aligned).sum(axis=(1, 2)) / np.maximum(information, least_information)
        doubt = np.sqrt(((precision * np.abs(response) ** 2) ** 2 * scatter).sum(axis=(1, 2)))
        loud &= (fitted > 0.0) & (information > 0.0) & (information > MIN_INFORMATION_RATIO * doubt)
        if not loud.any():
            break
        gain = np.where(loud, fitted, 1.0)
        # The share of the mean gain goes to the response.
        gain /= math.exp(np.average(np.log(gain[loud]), weights=np.minimum(information, 1e4)[loud]))
    variance = 1.0 / np.maximum(information, 1e-30)
    variance += (doubt * variance) ** 2
    std_db = DB_PER_NEPER * np.sqrt(OVERLAP_FACTOR / 2.0 * variance)
    known = loud & (std_db < 3.0)
    # Of this window alone: the errors of its bands, and what they leave unexplained.
    errors = aligned - gain[:, None, None] * predicted
    rest = np.maximum(target - 2.0 * scale * aligned + scale**2 * predicted, 0.0)
    own = ((precision * errors) ** 2 + 0.5 * (precision * predicted) * (precision * rest) / bins).sum(axis=(1, 2))
    scatter_db = DB_PER_NEPER * np.sqrt(own) / np.maximum(information * gain, 1e-30)
    rest, power = ((precision * each).sum(axis=(1, 2)) for each in (rest, target))
    doubt_db = -20.0 * np.log10(1.0 - np.minimum(rest, MAX_UNEXPLAINED * power) / np.maximum(power, tiny))
    weighted = np.where(loud, gain, 0.0)[:, None, None]
    explained = np.abs((weighted * cross).sum(0)) ** 2 / np.maximum((weighted**2 * pair.matched_power).sum(0), tiny)
    total = target[loud].sum(axis=0).sum(axis=0)
    coherence = np.where(total > 0.0, np.minimum(explained.sum(0) / np.maximum(total, tiny), 1.0), 0.0)
    return GainModel(
        response=response,
        gain_db=np.where(known, 20.0 * np.log10(np.where(known, gain, 1.0)), np.nan),
        std_db=np.where(known, std_db, np.nan),
        scatter_db=np.where(known, scatter_db, np.nan),
        doubt_db=np.where(known, doubt_db, np.nan),
        coherence=coherence,
        dry_noise=dry_noise,
    )


def _slope_noise(response: Complex) -> Real:
    """Share of a band's power that is uncertain because the response changes within the band, ``(C, B)``."""
    magnitude = np.pad(np.abs(response), ((0, 0), (1, 1)), mode="edge")
    change = (magnitude[:, 2:] - magnitude[:, :-2]) / 4.0
    share: Real = (change / np.maximum(magnitude[:, 1:-1], 1e-6 * magnitude.max() + 1e-100)) ** 2 + MIN_SLOPE_NOISE
    return share


def model_response(pair: PairSpectra, model: GainModel, gain_db: float) -> Response:
    """Return the response over all channels in bands; `gain_db` is the gain of the matched signal."""
    dry = pair.matched_power.sum(axis=0, dtype=np.float64)
    total = dry.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.sqrt((np.abs(model.response) ** 2 * dry).sum(0) / total)
        level_db = np.where((total > 0.0) & (gain > 0.0), 20.0 * np.log10(gain) + gain_db, np.nan)
    return Response(pair.edges.centers_hz, level_db, np.where(np.isfinite(level_db), model.coherence, 0.0))


@dataclass(frozen=True)
class LevelCurve:
    """Static curve: the gain over the level of the matched signal, flat on one side of a threshold.

    Attributes:
        threshold_db: level from which the gain changes, re full scale of the matched signal; NaN if nearly all of the
            sound is on one side of it.
        slope: change of the gain per dB of level beyond the threshold: 1/ratio − 1.
        flat_db: gain on the flat side.
        range_db: change of the gain over the levels of the recording.
        explained: share of the gain's short-time variance that the curve explains.
        detector: detector whose level explains the gain best.
        gain_db: ``(M,)``, measured gain in some of the windows.
        levels_db: ``(M,)``, level in these windows.
        curve_db: ``(M,)``, gain of the curve in these windows.
    """

    threshold_db: float
    slope: float
    flat_db: float
    range_db: float
    explained: float
    detector: Detector
    gain_db: Real
    levels_db: Real
    curve_db: Real


SEGMENT_S = 2.0
"""Length of segments in s. The curve is fitted to changes within them: slower ones may be a fader."""

MAX_CURVE_WINDOWS = 1500

MIN_CURVE_RANGE_DB = 0.5
"""Range of the gain over windows in dB below which no curve is fitted."""

RANGE_PERCENTILES = (2.0, 99.5)
"""Percentiles of the level between which the range of a curve is measured.

A limiter may work in one of fifty windows, the loudest. The gain of the softest is not certain.
"""

ABOVE_BONUS = 0.01
"""Explained share by which a curve below its threshold must be better than one above it."""

REFINED = 4
"""Number of best linear fits that are refined."""

MIN_SLOPE = -0.99
"""Least slope: a ratio of 100, as of a limiter."""

THRESHOLDS = 16
"""Number of thresholds that are tried between the softest and the loudest level."""


def fit_level_curve(pair: PairSpectra, model: GainModel) -> LevelCurve | None:
    """Fit a static curve to the gain over the level; None if fewer than 20 windows have a gain.

    Of all detectors, that whose level explains the gain best is chosen. The gain of a window is
    the mean of the curve over its blocks, weighted by their power.
    """
    known = np.flatnonzero(model.counts[pair.leveled])
    if len(known) < 20 or np.ptp(np.percentile(model.gain_db[pair.leveled[known]], (0.5, 99.5))) < MIN_CURVE_RANGE_DB:
        return None
    chosen = known[:: math.ceil(len(known) / MAX_CURVE_WINDOWS)]
    windows_chosen = pair.leveled[chosen]
    hann = np.hanning(2 * BLOCKS_PER_WINDOW + 1)[1::2]
    shares = pair.block_power[chosen] * hann**2
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    windows = _CurveWindows(
        model.gain_db[windows_chosen],
        1.0 / (model.std_db[windows_chosen] ** 2 + 0.3**2),
        (pair.times_s[windows_chosen] / SEGMENT_S).astype(np.int64),
        shares,
    )
    fits = []
    for detector, blocks_db in zip(DETECTORS, pair.block_levels_db, strict=True):
        levels_db = blocks_db[chosen].astype(np.float64)
        low, high = np.percentile((shares * levels_db).sum(axis=1), (2.0, 98.0))
        for is_above in (True, False):
            thresholds = np.linspace(low, high, THRESHOLDS)[:-1] if is_above else np.linspace(low, high, THRESHOLDS)[1:]
            fit = max(windows.linear_fit(levels_db, float(threshold), is_above) for threshold in thresholds)
            fits.append((*fit, is_above, (high - low) / THRESHOLDS, detector, levels_db))
    fits.sort(key=lambda fit: fit[0] + ABOVE_BONUS * fit[3], reverse=True)
    refined = [
        (*windows.refine(levels_db, threshold, slope, is_above, step), is_above, detector, levels_db)
        for _, threshold, slope, is_above, step, detector, levels_db in fits[:REFINED]
    ]
    explained, threshold, slope, is_above, detector, levels_db = max(refined, key=lambda fit: fit[0])
    curve_db = windows.curve_db(levels_db, threshold, slope, is_above)
    flat_db = float(np.average(windows.gain_db - curve_db, weights=windows.weights))
    mean_levels_db = (shares * levels_db).sum(axis=1)
    low, high = np.percentile(mean_levels_db, (10.0, 90.0))
    return LevelCurve(
        threshold_db=threshold if low < threshold < high else math.nan,
        slope=slope,
        flat_db=flat_db,
        range_db=float(np.ptp(np.percentile(math.copysign(1.0, slope) * curve_db, RANGE_PERCENTILES))),
        explained=explained,
        detector=detector,
        gain_db=windows.gain_db,
        levels_db=mean_levels_db,
        curve_db=flat_db + curve_db,
    )


@dataclass(frozen=True)
class _CurveWindows:
    """Windows that a curve is fitted to: gain, weight, number of the segment, and each block's share of the power."""

    gain_db: Real
    weights: Real
    segment: NDArray[np.int64]
    shares: Real

    def linear_fit(self, levels_db: Real, threshold: float, is_above: bool) -> tuple[float, float, float]:
        """Fit the slope at a threshold, as if decibels could be averaged. Returns explained share, threshold, slope."""
        beyond = self.centered((self.shares * _beyond(levels_db, threshold, is_above)).sum(axis=1))
        power = float((self.weights * beyond**2).sum())
        if power <= 0.0:
            return 0.0, threshold, 0.0
        slope = float((self.weights * beyond * self.centered_gain).sum()) / power
        return 1.0 - self.unexplained(slope * beyond), threshold, slope

    def refine(
        self, levels_db: Real, threshold: float, slope: float, is_above: bool, step_db: float
    ) -> tuple[float, float, float]:
        """Search around a linear fit in smaller and smaller steps. Returns explained share, threshold, slope."""
        best = (-1.0, threshold, slope)
        step_slope = 0.15
        for _ in range(4):
            _, threshold, slope = best
            best = max(
                (
                    1.0 - self.unexplained(self.centered(self.curve_db(levels_db, t, s, is_above))),
                    t,
                    s,
                )
                for t in threshold + step_db * np.arange(-2, 3)
                for s in np.maximum(slope + step_slope * np.arange(-2, 3), MIN_SLOPE)
            )
            step_db, step_slope = step_db / 2.0, step_slope / 2.5
        explained, threshold, slope = best
        return explained, float(threshold), float(slope)

    def curve_db(self, levels_db: Real, threshold: float, slope: float, is_above: bool) -> Real:
        """Gain of each window in dB, 0 on the flat side: the mean over its blocks, weighted by power."""
        gains = np.exp(slope / DB_PER_NEPER * _beyond(levels_db, threshold, is_above))
        mean_db: Real = DB_PER_NEPER * np.log((self.shares * gains).sum(axis=1))
        return mean_db

    def unexplained(self, centered_db: Real) -> float:
        """Share of the gain's variance within segments that remains."""
        remaining = float((self.weights * (self.centered_gain - centered_db) ** 2).sum())
        return remaining / max(float((self.weights * self.centered_gain**2).sum()), 1e-12)

    @cached_property
    def centered_gain(self) -> Real:
        """The gain without the mean of each segment."""
        return self.centered(self.gain_db)

    def centered(self, values: Real) -> Real:
        """Subtract the mean of each segment."""
        total = np.bincount(self.segment, self.weights)
        means = np.bincount(self.segment, self.weights * values) / np.maximum(total, np.finfo(np.float64).tiny)
        centered: Real = values - means[self.segment]
        return centered


def _beyond(levels_db: Real, threshold: float, is_above: bool) -> Real:
    """Level beyond a threshold, 0 on its flat side."""
    beyond: Real = np.maximum(levels_db - threshold, 0.0) if is_above else np.minimum(levels_db - threshold, 0.0)
    return beyond


@dataclass(frozen=True)
class GainMotion:
    """Movement of the gain over time, averaged over a few windows.

    Attributes:
        times_s: ``(M,)``, from the start of the common part.
        gain_db: ``(M,)``.
        std_db: ``(M,)``, standard deviation of `gain_db`.
        above_db, below_db: ``(M,)``, most by which the gain may be higher and lower than `gain_db`, apart from chance.
    """

    times_s: Real
    gain_db: Real
    std_db: Real
    above_db: Real
    below_db: Real

    def _upper_db(self, sigmas: float) -> Real:
        """Gain that is not exceeded, by doubt nor by `sigmas` standard deviations."""
        upper_db: Real = self.gain_db + self.above_db + sigmas * self.std_db
        return upper_db

    def _lower_db(self, sigmas: float) -> Real:
        lower_db: Real = self.gain_db - self.below_db - sigmas * self.std_db
        return lower_db

    @cached_property
    def _extremes(self) -> tuple[int, int]:
        """Numbers of the lowest and the highest gain."""
        return int(self._upper_db(1.0).argmin()), int(self._lower_db(1.0).argmax())

    @property
    def low_db(self) -> float:
        """The lowest gain, apart from its deviation and doubt."""
        return float(self.gain_db[self._extremes[0]])

    @property
    def high_db(self) -> float:
        """The highest gain, apart from its deviation and doubt."""
        return float(self.gain_db[self._extremes[1]])

    @property
    def range_std_db(self) -> float:
        """Standard deviation of the range."""
        low, high = self._extremes
        return float(np.hypot(self.std_db[low], self.std_db[high]))

    @property
    def range_db(self) -> float:
        """Highest minus lowest gain."""
        return self.high_db - self.low_db

    @property
    def is_certain(self) -> bool:
        """True if the gain moves by more than doubt and the largest error that chance makes of so many windows."""
        sigmas = SIGMAS / math.sqrt(2.0) + math.sqrt(2.0 * math.log(max(2, len(self.gain_db))))
        return bool(self._lower_db(sigmas).max() > self._upper_db(sigmas).min())

    def inverted(self) -> "GainMotion":
        """The motion of the inverse gain."""
        return GainMotion(self.times_s, -self.gain_db, self.std_db, self.below_db, self.above_db)


MOTION_STD_DB = 0.02
"""Standard deviation in dB to which the gain over time is averaged, as far as `MOTION_S` allows."""

MOTION_S = 0.5
"""Longest average in seconds."""

MAX_SCATTER_DB = 0.4
"""Scatter from window to window in dB up to which it counts as uncertainty; a larger one is a modulation."""


def measure_motion(model: GainModel, times_s: Real) -> GainMotion | None:
    """Measure the movement of the gain over time; None if fewer than 4 windows have a gain."""
    known = model.counts
    if known.sum() < 4:
        return None
    times_s, gain_db, doubt_db = times_s[known], model.gain_db[known], model.doubt_db[known]
    std_db = model.std_db[known]
    bends = gain_db[2:] - 2.0 * gain_db[1:-1] + gain_db[:-2]
    scatter_db = float(np.median(np.abs(bends))) * 1.4826 / math.sqrt(6.0)
    is_modulation = scatter_db > MAX_SCATTER_DB
    std_db = std_db if is_modulation else np.hypot(std_db, scatter_db)
    hop_s = float(np.median(np.diff(times_s)))
    count = 1 if is_modulation else math.ceil((float(np.median(std_db)) / MOTION_STD_DB) ** 2)
    count = int(np.clip(count, 1, max(1, min(round(MOTION_S / hop_s), len(gain_db) // 2))))
    std_db = np.hypot(std_db, model.scatter_db[known])
    weights = 1.0 / std_db**2
    kernel = np.ones(count)
    total = np.convolve(weights, kernel, "valid")
    smooth_db, smooth_doubt_db = (
        np.convolve(weights * values, kernel, "valid") / total for values in (gain_db, doubt_db)
    )
    smooth_std_db = np.sqrt(OVERLAP_FACTOR / total) if count > 1 else std_db
    smooth_s = np.convolve(times_s, kernel / count, "valid")
    return GainMotion(smooth_s, smooth_db, smooth_std_db, smooth_doubt_db, np.zeros(len(smooth_s)))
