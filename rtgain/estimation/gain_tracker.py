"""One gain over time out of one reading a window: long memory while readings agree, none when the gain moved.

A Kalman filter whose state is the gain and, while it moves, its slope. It is what makes the estimate calm in
noise and quick after a step, and it says how sure the result is.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from rtgain.dsp.closed_form import weighted_median

OUTLIER_SIGMAS = 4.0
"""A reading this many standard deviations off is no noise."""

MEAN_SHIFT_SIGMAS = 1.5
"""Nor is a run of readings on one side with this (exponentially averaged) mean."""

SINGLE_OUTLIER_SIGMAS = 8.0
"""One reading this far off, or surer than what it contradicts, declares a change alone; others must be three in a row.

Where a word ends in digital silence, and the target's filter has shifted its sound into that, single readings were
off by up to six of the deviations that they stated.
"""

MAX_STD_FOR_CHANGE_DB = 0.5
"""Weaker readings declare no change alone, nor does a run of them on one side.

What noise drowns reads high by one to three deviations, window after window: that is no drift.
"""

OVERLAP_VARIANCE_FACTOR = 2.0
"""Windows overlap by three quarters, so a further reading is worth only half a new one (measured)."""

MEMORY_READINGS = 48
"""Readings remembered at most, about a second: what drifts more slowly than that is followed."""

FLOOR_STD_DB = 2e-4
"""Nothing is believed beyond this: float32 and the optimizer's tolerance do not average out."""

SHIFTED_FLOOR_STD_DB = 6e-4
"""Nor is beyond this what windows say that were shifted by a fraction of a frame (measured on speech, 7.56 ms late)."""

MOTION_NOISE_DECAY = 0.93
"""What is left after each window of the unrest that changes brought."""

MAX_MOTION_NOISE_DB = 0.5
"""The most by which a restless gain is thought to move from window to window."""

STATIONARY_DB = 1e-3
"""Below this unrest the gain stands still: it has no slope."""

SLOPE_NOISE_RATIO = 0.1
"""How much of its unrest a moving gain's slope may change by from window to window (measured on ±6 dB at 0.5 Hz)."""

CHANGE_UNCERTAINTY = 0.1
"""A gain that moved by d since the last reading is known only to this share of d (measured on a ±6 dB sweep)."""

MOTION_BLUR_RATIO = 0.2
"""A gain that moves by d over what is heard of a window is read with this share of d as error (measured likewise)."""


@dataclass(frozen=True)
class GainMeasurement:
    """What one window says: the gain and its standard deviation (infinite: nothing), and when.

    The gain is heard where the window's sound is: `lag_hops` behind the window's centre on average, over
    `spread_hops` (RMS) around that. `floor_std_db` is the part of its deviation that no average makes less.
    """

    gain_db: float
    std_db: float
    lag_hops: float = 0.0
    spread_hops: float = 0.0
    floor_std_db: float = FLOOR_STD_DB


@dataclass
class GainTracker:
    """The gain in dB believed now, and its standard deviation. Infinite deviation: nothing known yet.

    `outliers` counts readings in a row that contradict it and are too weak to overthrow it: it is in doubt.
    `_fading` is variance that the filter assumes on top of what the deviation says, so that old readings fade: it
    tells how much the next reading counts, and nothing of the error.
    """

    gain_db: float = 0.0
    std_db: float = math.inf
    outliers: int = 0
    _fading: float = 0.0
    _slope_db: float = 0.0
    _slope_variance: float = 0.0
    _covariance: float = 0.0
    _drift: float = 0.0
    _motion_noise_db: float = 0.0
    _last_change_db: float = 0.0

    def update(self, reading: GainMeasurement) -> None:
        """Go on by one window, and take what it says."""
        told = math.isfinite(reading.gain_db) and math.isfinite(reading.std_db)
        if not math.isfinite(self.std_db):
            if told:
                self._begin(reading.gain_db, reading.std_db**2 + reading.floor_std_db**2, reading.lag_hops)
            return
        self._predict(told=told)
        if told:
            self._take(reading)

    def _predict(self, *, told: bool) -> None:
        """One hop later, the gain has gone on along its slope; where nothing is told it is held, and so less sure."""
        if told:
            variance = self.std_db**2 + 2.0 * self._covariance + self._slope_variance
            self.std_db = math.sqrt(max(variance, 0.0))
            self.gain_db += self._slope_db
            self._covariance += self._slope_variance
        else:
            self.std_db += abs(self._slope_db)
            self._covariance = 0.0
        self._slope_variance += (SLOPE_NOISE_RATIO * self._motion_noise_db) ** 2
        is_moving = abs(self._slope_db) > 3.0 * math.sqrt(self._slope_variance)
        self._motion_noise_db = max(
            MOTION_NOISE_DECAY * self._motion_noise_db, min(abs(self._slope_db), MAX_MOTION_NOISE_DB) * is_moving
        )
        self._last_change_db *= MOTION_NOISE_DECAY
        if self._motion_noise_db < STATIONARY_DB:
            self._slope_db = self._slope_variance = self._covariance = 0.0

    def _take(self, reading: GainMeasurement) -> None:
        lag = reading.lag_hops
        blur_db = MOTION_BLUR_RATIO * abs(self._slope_db) * reading.spread_hops
        variance = reading.std_db**2 + reading.floor_std_db**2 + blur_db**2
        innovation = reading.gain_db - (self.gain_db + lag * self._slope_db)
        assumed = self.std_db**2 + self._fading
        seen_gain = assumed + lag * self._covariance
        seen_slope = self._covariance + lag * self._slope_variance
        seen = seen_gain + lag * seen_slope
        deviation = innovation / math.sqrt(variance + seen)
        outlying = abs(deviation) > OUTLIER_SIGMAS
        self.outliers = self.outliers + 1 if outlying else 0
        sure = reading.std_db < MAX_STD_FOR_CHANGE_DB
        if sure:
            self._drift = 0.8 * self._drift + 0.2 * min(max(deviation, -3.0), 3.0)
        alone = reading.std_db < self.std_db or (sure and abs(deviation) > SINGLE_OUTLIER_SIGMAS)
        if (outlying and (alone or self.outliers >= 3)) or abs(self._drift) > MEAN_SHIFT_SIGMAS:
            self._note_change(abs(innovation))
            self._begin(reading.gain_db - lag * self._slope_db, variance + (CHANGE_UNCERTAINTY * innovation) ** 2, lag)
        elif not outlying:
            total = seen + OVERLAP_VARIANCE_FACTOR * variance
            self.gain_db += seen_gain / total * innovation
            self._slope_db += seen_slope / total * innovation
            left = assumed - seen_gain**2 / total
            remembered = max(left, min(assumed, OVERLAP_VARIANCE_FACTOR * variance / MEMORY_READINGS))
            self._fading = (1.0 - seen_gain / total) ** 2 * self._fading + remembered - left
            self.std_db = math.sqrt(max(remembered - self._fading, reading.floor_std_db**2))
            self._covariance -= seen_gain * seen_slope / total
            self._slope_variance = max(self._slope_variance - seen_slope**2 / total, 0.0)

    def _note_change(self, change_db: float) -> None:
        """A gain that changed twice in short time will change again: until it rests, nothing is sure for long."""
        self._motion_noise_db = max(self._motion_noise_db, min(change_db, self._last_change_db, MAX_MOTION_NOISE_DB))
        self._last_change_db = max(self._last_change_db, change_db)

    def _begin(self, gain_db: float, variance: float, lag: float) -> None:
        """Know the gain from one reading alone, which a slope that is not known has moved by `lag` hops."""
        self._slope_variance = max(self._slope_variance, self._motion_noise_db**2)
        self._covariance = -lag * self._slope_variance
        self.gain_db = gain_db
        self.std_db = math.sqrt(variance + lag**2 * self._slope_variance)
        self.outliers = 0
        self._fading = 0.0
        self._drift = 0.0


def robust_mean(gains_db: NDArray[np.float64], stds_db: NDArray[np.float64]) -> tuple[float, float]:
    """Compute the mean of window gains, weighted by inverse variance, and its standard deviation; outliers rejected.

    Shape: both ``(N,)`` in dB, N at least 1. Outliers are measured from the weighted median. Windows that differ by
    more than their deviations increase the standard deviation: the target is equalized. If more than half are outliers,
    the gain moved: none is rejected, and the standard deviation is that of the gains themselves.
    """
    variances = stds_db**2 + FLOOR_STD_DB**2
    median_db = float(weighted_median(*(torch.from_numpy(x)[None] for x in (gains_db, 1.0 / variances))))
    near = np.abs(gains_db - median_db) <= OUTLIER_SIGMAS * np.sqrt(variances)
    moved = near.sum() <= len(near) / 2
    accepted = np.ones_like(near) if moved else near
    weights = 1.0 / variances[accepted]
    mean_db = float(np.average(gains_db[accepted], weights=weights))
    if moved:
        return mean_db, float(np.sqrt(np.average((gains_db - mean_db) ** 2, weights=1.0 / variances)))
    reduced_chi2 = float(np.average((gains_db[accepted] - mean_db) ** 2 / variances[accepted]))
    return mean_db, math.sqrt(OVERLAP_VARIANCE_FACTOR / weights.sum() * max(1.0, reduced_chi2) + FLOOR_STD_DB**2)
