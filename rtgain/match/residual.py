"""Residual of a pair behind its response and gain over time: independent noise, or sound that follows the signal."""

import math
from dataclasses import dataclass

import numpy as np

from rtgain.match.analysis import Complex, PairSpectra, Real, mean_square, ratio_db
from rtgain.match.gain_model import GainModel

BAND_SHARE = 0.9
"""Share of the Nyquist frequency up to which a residual is taken for the target's; above it are filters' errors."""

MIN_WINDOWS = 12
"""Number of windows below which a residual is not examined."""


@dataclass(frozen=True)
class Residual:
    """Parts of the residual, as mean squares.

    Attributes:
        target_power: mean square of the target over the common part.
        total: mean square of the residual.
        noise: part that does not depend on the level, in the whole band.
        noise_std: standard deviation of `noise`.
        following: part in proportion to the signal, below `BAND_SHARE` of the Nyquist frequency.
        following_std: standard deviation of `following`.
        cubic_share: share of the residual that the cube of the dry signal explains beyond chance.
        coherent_fraction: share of the target's power that response and gain explain.
    """

    target_power: float
    total: float
    noise: float
    noise_std: float
    following: float
    following_std: float
    cubic_share: float
    coherent_fraction: float

    @property
    def residual_db(self) -> float:
        """Level of the residual relative to the target."""
        return ratio_db(self.total, self.target_power)


def split_residual(pair: PairSpectra, model: GainModel) -> Residual | None:
    """Split the residual of the sampled windows; None if there are too few."""
    known = model.counts[pair.sampled]
    if known.sum() < MIN_WINDOWS:
        return None
    dry, target = (_without_offset(spectra[known]) for spectra in (pair.matched_spectra, pair.target_spectra))
    gain = 10.0 ** (model.gain_db[pair.sampled][known] / 20.0)[:, None, None]
    scaled = gain * dry
    # A response to noisy sound is too low, and leaves some of the sound. Bins with more noise than sound are left out.
    scaled_noise = float((gain**2).sum()) * _noise_per_bin(pair, model)
    # Within a band that the target only has a part of, the bins of this part have no noise.
    power, cross = _power(scaled, "ck"), np.einsum("nck,nck->ck", scaled.conj(), target)
    incoherent = power - np.abs(cross) ** 2 / np.maximum(_power(target, "ck"), np.finfo(np.float64).tiny)
    scaled_noise = np.clip(scaled_noise, 0.0, np.maximum(incoherent, 0.0))
    is_clear = power > 2.0 * scaled_noise
    response = _regression(scaled, target, np.where(is_clear, scaled_noise, 0.0))
    predicted = response * scaled
    del scaled
    windows = len(dry)
    independent = windows / 1.6
    dof = max(1.0 - 1.0 / independent, 0.5)
    frames = 2 * (dry.shape[-1] - 1)
    target_power = _window_power(target, frames)
    rest = (target - predicted) / math.sqrt(dof)
    del target
    limit = max(3, round(BAND_SHARE * dry.shape[-1]))
    rest_power, signal_power = _window_power(rest, frames), _window_power(predicted, frames)
    noise, noise_std, _, _ = _constant_and_proportional(rest_power, signal_power)
    in_band, in_band_signal = (
        _window_power(spectra[..., :limit] * is_clear[..., :limit], frames) for spectra in (rest, predicted)
    )
    del predicted
    _, _, ratio, ratio_std = _constant_and_proportional(in_band, in_band_signal)
    cubed = _without_offset(pair.cubed_spectra[known])
    signal = float(in_band_signal.mean())
    total_target = float(target_power.mean())
    return Residual(
        target_power=pair.target_mean_square,
        total=float(rest_power.mean()),
        noise=noise,
        noise_std=noise_std,
        following=ratio * signal * pair.target_mean_square / total_target,
        following_std=ratio_std * signal * pair.target_mean_square / total_target,
        cubic_share=_cubic_share(dry[..., :limit], rest[..., :limit], cubed[..., :limit], independent),
        coherent_fraction=max(0.0, 1.0 - float(rest_power.mean()) / total_target) if total_target > 0.0 else 0.0,
    )


def _without_offset(spectra: Complex) -> Complex:
    """Copy spectra to double precision, with the bins of a constant offset at 0."""
    double = spectra.astype(np.complex128)
    double[..., :2] = 0.0
    return double


def _regression(x: Complex, y: Complex, noise: Real | float = 0.0) -> Complex:
    """Least-squares factor of x for y over the windows, per channel and bin; `noise` is a part of x's power."""
    power = np.maximum(_power(x, "ck") - noise, np.finfo(np.float64).tiny)
    factor: Complex = np.einsum("nck,nck->ck", x.conj(), y) / power
    return factor


def _noise_per_bin(pair: PairSpectra, model: GainModel) -> Real:
    """Noise power of the matched signal in each bin, ``(C, K)``."""
    noise = np.zeros(pair.matched_spectra.shape[1:])
    for (low, high), band in zip(pair.edges.bins, model.dry_noise.T, strict=True):
        noise[:, low:high] = band[:, None] / (high - low)
    return noise


def power_over_windows(spectra: Complex) -> Real:
    """Sum the squared magnitudes of ``(N, C, K)`` over the windows, ``(C, K)``, in double precision."""
    return _power(spectra.astype(np.complex128), "ck")


def _power(spectra: Complex, axes: str) -> Real:
    """Sum the squared magnitudes of ``(N, C, K)`` over all axes but `axes`, of n, c and k."""
    power: Real = sum(np.einsum(f"nck,nck->{axes}", part, part) for part in (spectra.real, spectra.imag))
    return power


def _window_power(spectra: Complex, frames: int) -> Real:
    """Mean square of each window, ``(N,)``."""
    power: Real = mean_square(_power(spectra, "n"), frames) / spectra.shape[1]
    return power


def _constant_and_proportional(rest: Real, signal: Real) -> tuple[float, float, float, float]:
    """Fit ``rest = constant + ratio · signal``, both at least 0, by weighted least squares.

    The scatter of a power is in proportion to itself. Returns the constant, its standard deviation, the ratio, and
    its standard deviation.
    """
    tiny = 1e-30 + 1e-12 * float(signal.mean())
    model = np.maximum(rest.mean(), tiny) * np.ones_like(rest)
    constant = ratio = constant_std = ratio_std = 0.0
    for _ in range(10):
        weights = 1.0 / np.maximum(model, tiny) ** 2
        design = np.stack([np.ones_like(signal), signal])
        normal = (design * weights) @ design.T
        normal[np.diag_indices(2)] *= 1.0 + 1e-9
        inverse = np.linalg.inv(normal)
        constant, ratio = inverse @ ((design * weights) @ rest)
        if ratio < 0.0:
            ratio, constant = 0.0, float(np.average(rest, weights=weights))
        if constant < 0.0:
            constant, ratio = 0.0, float((weights * signal * rest).sum() / (weights * signal**2).sum())
        model = constant + ratio * signal
        spread = float(np.mean(((rest - model) / np.maximum(model, tiny)) ** 2))
        constant_std, ratio_std = np.sqrt(1.6 * max(spread, 1e-4) * np.diag(inverse))
    return float(constant), float(constant_std), float(ratio), float(ratio_std)


def _cubic_share(dry: Complex, rest: Complex, cubed: Complex, independent: float) -> float:
    """Share of the residual that the cube of the dry signal explains, without the part that the dry signal does."""
    beyond = cubed - _regression(dry, cubed) * dry
    power = np.maximum(_power(beyond, "ck"), np.finfo(np.float64).tiny)
    explained = np.abs(np.einsum("nck,nck->ck", beyond.conj(), rest)) ** 2 / power
    total = float(_power(rest, ""))
    return float(explained.sum()) / total - 1.0 / independent if total > 0.0 else 0.0
