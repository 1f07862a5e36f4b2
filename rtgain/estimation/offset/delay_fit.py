"""Lines through the delays of blocks: one drift, and one delay per stretch between two jumps."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MIN_MOVEMENT_FRAMES = 0.1
SIGNIFICANT_SIGMAS = 4.0
"""Movement of the delay, and standard deviations, from which there is a drift."""

MAX_SCALE = 5.0
"""Scatter in standard deviations above which delays follow the sound, as behind a distortion, and not only a clock.

A drift must then move the delay by `SIGNIFICANT_SIGMAS` times the scatter.
"""

FLOOR_FRAMES = 1e-3
"""Least standard deviation of a measurement."""

OUTLIER_SIGMAS = 4.0
ITERATIONS = 6


@dataclass(frozen=True)
class DelayFit:
    """Result of `fit_delays`: drift in frames per frame with its deviation, and the delay of each stretch at frame 0.

    Delays are NaN for stretches without a measurement.
    """

    drift: float
    drift_std: float
    delays_frames: NDArray[np.float64]


def fit_delays(
    times_frames: NDArray[np.float64],
    delays_frames: NDArray[np.float64],
    stds_frames: NDArray[np.float64],
    labels: NDArray[np.intp],
    stretches: int,
) -> DelayFit:
    """Fit a common drift and a delay per stretch by weighted least squares, without outliers.

    All arrays are ``(N,)``; `labels` are the numbers of the stretches, 0 to `stretches` − 1. A drift that is not
    significant is 0.
    """
    weights = 1.0 / (stds_frames**2 + FLOOR_FRAMES**2)
    accepted = weights.copy()
    drift, scale = 0.0, 1.0
    for _ in range(ITERATIONS):
        drift = _drift(times_frames, delays_frames, accepted, labels, stretches)
        residual = _centered(delays_frames - drift * times_frames, accepted, labels, stretches)
        deviations = np.abs(residual) * np.sqrt(weights)
        scale = max(1.0, 1.4826 * float(np.median(deviations))) if len(deviations) else 1.0
        accepted = weights * np.minimum(1.0, OUTLIER_SIGMAS * scale / np.maximum(deviations, 1e-12)) ** 2
        accepted[deviations > 3.0 * OUTLIER_SIGMAS * scale] = 0.0
    centered = _centered(times_frames, accepted, labels, stretches)
    information = float((accepted * centered**2).sum())
    drift_std = scale * _memory(residual) / math.sqrt(information) if information > 0.0 else math.inf
    moved = abs(drift) * _longest_span(times_frames, accepted)
    least = MIN_MOVEMENT_FRAMES
    if scale > MAX_SCALE:
        scatter_frames = 1.4826 * float(np.median(np.abs(residual[accepted > 0.0])))
        least = max(least, SIGNIFICANT_SIGMAS * scatter_frames)
    if not (moved > least and abs(drift) > SIGNIFICANT_SIGMAS * drift_std):
        drift = 0.0
    return DelayFit(drift, drift_std, _means(delays_frames - drift * times_frames, accepted, labels, stretches))


def _drift(
    times: NDArray[np.float64],
    delays: NDArray[np.float64],
    weights: NDArray[np.float64],
    labels: NDArray[np.intp],
    stretches: int,
) -> float:
    x, y = (_centered(values, weights, labels, stretches) for values in (times, delays))
    information = float((weights * x * x).sum())
    return float((weights * x * y).sum()) / information if information > 0.0 else 0.0


def _means(
    values: NDArray[np.float64], weights: NDArray[np.float64], labels: NDArray[np.intp], stretches: int
) -> NDArray[np.float64]:
    total = np.bincount(labels, weights, stretches)
    means: NDArray[np.float64] = np.bincount(labels, weights * values, stretches) / np.where(total > 0.0, total, np.nan)
    return means


def _centered(
    values: NDArray[np.float64], weights: NDArray[np.float64], labels: NDArray[np.intp], stretches: int
) -> NDArray[np.float64]:
    centered: NDArray[np.float64] = values - np.nan_to_num(_means(values, weights, labels, stretches))[labels]
    return centered


def _longest_span(times: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    known = times[weights > 0.0]
    return float(known.max() - known.min()) if known.size else 0.0


def _memory(residual: NDArray[np.float64]) -> float:
    """Factor by which a deviation grows because neighboring errors are alike."""
    power = float(residual @ residual)
    if len(residual) < 8 or power <= 0.0:
        return 1.0
    correlation = min(max(float(residual[1:] @ residual[:-1]) / power, 0.0), 0.95)
    return math.sqrt((1.0 + correlation) / (1.0 - correlation))
