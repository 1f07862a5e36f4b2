"""Lines through the delays of blocks: one delay per stretch between two jumps, and a drift, which may change."""

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

MAX_BENDS = 64
"""Largest number of changes of the drift."""

EQUAL_BENDS = (8, 16, 32, MAX_BENDS)
"""Numbers of changes at equal distances that are tried: of a smooth change of the drift, one explains little."""

TRIED_BENDS = 3
"""Changes that are added at once, until they explain the delays: one alone may explain little of two."""

MIN_LINE_BLOCKS = 4
"""Least number of blocks between two changes of the drift."""

MAX_STEP = 1.0 / 16.0
"""Share of the recording by which a moment is moved at most in an iteration."""

BEND_CANDIDATES = 64
"""Number of moments that are compared for a change, before the best one is refined."""


@dataclass(frozen=True)
class Bend:
    """Change of the drift, in frames per frame, at a moment at which the delay does not jump."""

    time_frames: float
    change: float


@dataclass(frozen=True)
class DelayFit:
    """Result of a fit: drift in frames per frame with its deviation, and the delay of each stretch at frame 0.

    Delays are NaN for stretches without a measurement. With `bends`, `drift` is that of a line through all delays,
    `first_drift` that before the first bend, and `delays_frames` are those of the lines before it.
    """

    drift: float
    drift_std: float
    delays_frames: NDArray[np.float64]
    first_drift: float
    bends: tuple[Bend, ...] = ()

    @property
    def last_line(self) -> tuple[float, float]:
        """Delay at frame 0 of the line behind the last jump and bend, and its drift."""
        delay = float(self.delays_frames[-1]) - sum(bend.change * bend.time_frames for bend in self.bends)
        return delay, self.first_drift + sum(bend.change for bend in self.bends)


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
    least = _least_movement_frames(residual, accepted, scale)
    if not (moved > least and abs(drift) > SIGNIFICANT_SIGMAS * drift_std):
        drift = 0.0
    delays = _means(delays_frames - drift * times_frames, accepted, labels, stretches)
    return DelayFit(drift, drift_std, delays, drift)


def fit_bent_delays(
    times_frames: NDArray[np.float64],
    delays_frames: NDArray[np.float64],
    stds_frames: NDArray[np.float64],
    labels: NDArray[np.intp],
    stretches: int,
) -> DelayFit:
    """Fit as `fit_delays` does, with a drift that may change at some moments.

    A change must move the delay as a drift must, and by more than chance makes of the best of so many moments.
    """
    lines = _Lines(times_frames, delays_frames, stds_frames, labels, stretches)
    best = lines.fit(np.zeros(0))
    while len(best.moments) + TRIED_BENDS <= MAX_BENDS:
        bent = best
        for _ in range(TRIED_BENDS):
            bent = lines.with_bend(bent)
            if lines.is_better(bent, best):
                break
        else:
            break
        bent = lines.without_idle_bends(bent)
        if len(bent.moments) <= len(best.moments):
            break
        best = bent
    room = max(0, len(times_frames) // MIN_LINE_BLOCKS - 1)
    for count in sorted({min(count, room) for count in EQUAL_BENDS}):
        bent = lines.with_equal_bends(count)
        if lines.is_better(bent, best):
            best = bent
    if not len(best.moments):
        return fit_delays(times_frames, delays_frames, stds_frames, labels, stretches)
    drift = _drift(times_frames, delays_frames, best.weights, labels, stretches)
    information = float((best.weights * _centered(times_frames, best.weights, labels, stretches) ** 2).sum())
    drift_std = best.scale * _memory(best.residual) / math.sqrt(information)
    delays = _means(delays_frames - lines.moved(best), best.weights, labels, stretches)
    order = np.argsort(best.moments)
    bends = tuple(Bend(float(best.moments[index]), float(best.changes[index])) for index in order)
    return DelayFit(drift, drift_std, delays, best.first_drift, bends)


@dataclass(frozen=True)
class _BentLines:
    """Lines that meet at `moments`: the drift before them, its changes, and residual and weight of each block.

    `scale` is the scatter of the blocks in standard deviations.
    """

    first_drift: float
    moments: NDArray[np.float64]
    changes: NDArray[np.float64]
    residual: NDArray[np.float64]
    weights: NDArray[np.float64]
    scale: float


class _Lines:
    """Fits of bent lines to the delays of blocks; see `fit_bent_delays`."""

    def __init__(
        self,
        times: NDArray[np.float64],
        delays: NDArray[np.float64],
        stds: NDArray[np.float64],
        labels: NDArray[np.intp],
        stretches: int,
    ) -> None:
        self._times, self._delays, self._labels, self._stretches = times, delays, labels, stretches
        self._weights = 1.0 / (stds**2 + FLOOR_FRAMES**2)
        self._spacing = float(np.median(np.diff(times))) if len(times) > 1 else 0.0

    def moved(self, lines: _BentLines) -> NDArray[np.float64]:
        """Movement of the delay since frame 0."""
        moved: NDArray[np.float64] = lines.first_drift * self._times + lines.changes @ self._hinges(lines.moments)
        return moved

    def fit(self, moments: NDArray[np.float64], *, moves: bool = True) -> _BentLines:
        """Fit drift, changes and, if it `moves` them, moments by weighted least squares, without outliers."""
        count = len(moments)
        changes = np.zeros(count)
        accepted = self._weights
        lines = _BentLines(0.0, moments, changes, self._delays, accepted, 1.0)
        for iteration in range(2 * ITERATIONS):
            columns = [self._times[None], self._hinges(moments)]
            if iteration and moves:  # a moment follows from the lines on both sides
                columns.append((self._times > moments[:, None]).astype(np.float64))
            solution = self._solve(np.concatenate(columns), accepted)
            changes = solution[1 : 1 + count]
            if iteration and moves and count:
                farthest = MAX_STEP * (self._times[-1] - self._times[0])
                steps = -solution[1 + count :] / np.where(changes == 0.0, np.inf, changes)
                moments = moments + np.clip(steps, -farthest, farthest)
                moments = np.clip(moments, self._times[MIN_LINE_BLOCKS], self._times[-1 - MIN_LINE_BLOCKS])
            lines = _BentLines(float(solution[0]), moments, changes, self._delays, accepted, 1.0)
            residual = _centered(self._delays - self.moved(lines), accepted, self._labels, self._stretches)
            # A block that contains the moment of a change has the delay of neither line.
            counts = (np.abs(self._times - moments[:, None]) >= self._spacing).all(axis=0)
            deviations = np.abs(residual) * np.sqrt(self._weights)
            scale = max(1.0, 1.4826 * float(np.median(deviations[counts]))) if counts.any() else 1.0
            trust = np.minimum(1.0, OUTLIER_SIGMAS * scale / np.maximum(deviations, 1e-12))
            if iteration < ITERATIONS:  # blocks on a line whose ends are not found yet are no outliers
                accepted = self._weights * trust * counts
            else:
                accepted = self._weights * trust**2 * (counts & (deviations <= 3.0 * OUTLIER_SIGMAS * scale))
            lines = _BentLines(lines.first_drift, moments, changes, residual, accepted, scale)
        return lines

    def with_bend(self, lines: _BentLines) -> _BentLines:
        """Add the bend that explains most of what remains; the same lines if there is no room for one."""
        candidates = np.arange(MIN_LINE_BLOCKS, len(self._times) - MIN_LINE_BLOCKS)
        distances = np.abs(self._times[candidates] - lines.moments[:, None])
        candidates = candidates[(distances > MIN_LINE_BLOCKS * self._spacing).all(axis=0)]
        if not len(candidates):
            return lines
        step = math.ceil(len(candidates) / BEND_CANDIDATES)
        best = step * int(self._explained(lines, self._times[candidates[::step]]).argmax())
        nearby = self._times[candidates[max(0, best - step + 1) : best + step]]
        moment = nearby[self._explained(lines, nearby).argmax()]
        return self.fit(np.append(lines.moments, moment))

    def _explained(self, lines: _BentLines, moments: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weighted squared residual that a further bend at each of these moments would explain."""
        known = self._scaled(np.concatenate([self._times[None], self._hinges(lines.moments)]), lines.weights)
        basis = np.linalg.qr(known.T)[0].T
        hinges = self._scaled(self._hinges(moments), lines.weights)
        power = (hinges**2).sum(axis=1)
        hinges -= (hinges @ basis.T) @ basis
        remaining = np.maximum((hinges**2).sum(axis=1), 1e-9 * power + np.finfo(np.float64).tiny)
        explained: NDArray[np.float64] = (hinges @ (lines.residual * np.sqrt(lines.weights))) ** 2 / remaining
        return explained

    def with_equal_bends(self, count: int) -> _BentLines:
        """Fit `count` bends at equal distances."""
        return self.fit(np.quantile(self._times, np.arange(1, count + 1) / (count + 1)), moves=False)

    def is_better(self, bent: _BentLines, lines: _BentLines) -> bool:
        """True if the further bends of `bent` are significant, and move the delay."""
        further = len(bent.moments) - len(lines.moments)
        if further <= 0 or not (bent.weights > 0.0).any():
            return False
        residual = self._remaining(lines.moments, bent.weights)
        explained = float((bent.weights * (residual**2 - bent.residual**2)).sum())
        sigmas = SIGNIFICANT_SIGMAS + math.sqrt(2.0 * math.log(len(self._times)))
        error = bent.scale * _memory(bent.residual[bent.weights > 0.0])
        moved = float(np.abs(residual - bent.residual)[bent.weights > 0.0].max())
        least = _least_movement_frames(bent.residual, bent.weights, bent.scale)
        return moved > least and explained > further * (sigmas * error) ** 2

    def without_idle_bends(self, lines: _BentLines) -> _BentLines:
        """Remove bends that are not significant next to the others."""
        for moment in lines.moments:
            others = self.fit(lines.moments[lines.moments != moment])
            if not self.is_better(lines, others):
                return self.without_idle_bends(others)
        return lines

    def _hinges(self, moments: NDArray[np.float64]) -> NDArray[np.float64]:
        """Time since each moment, ``(bends, N)``; 0 before it."""
        hinges: NDArray[np.float64] = np.maximum(self._times - moments[:, None], 0.0)
        return hinges

    def _scaled(self, columns: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Columns without the mean of each stretch, times the root of the weights."""
        rows = [_centered(row, weights, self._labels, self._stretches) for row in columns]
        return np.stack(rows) * np.sqrt(weights)

    def _solve(self, columns: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        scaled = self._scaled(np.concatenate([columns, self._delays[None]]), weights)
        norms = np.sqrt((scaled[:-1] ** 2).sum(axis=1))
        norms = np.where(norms > 0.0, norms, np.inf)
        solution: NDArray[np.float64] = np.linalg.lstsq((scaled[:-1] / norms[:, None]).T, scaled[-1])[0] / norms
        return solution

    def _remaining(self, moments: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Residual of a fit with bends at `moments` and these weights."""
        columns = np.concatenate([self._times[None], self._hinges(moments)])
        rest = self._delays - self._solve(columns, weights) @ columns
        return _centered(rest, weights, self._labels, self._stretches)


def _least_movement_frames(residual: NDArray[np.float64], weights: NDArray[np.float64], scale: float) -> float:
    """Movement of the delay in frames above which it is none of the sound's."""
    if scale <= MAX_SCALE:
        return MIN_MOVEMENT_FRAMES
    scatter_frames = 1.4826 * float(np.median(np.abs(residual[weights > 0.0])))
    return max(MIN_MOVEMENT_FRAMES, SIGNIFICANT_SIGMAS * scatter_frames)


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
