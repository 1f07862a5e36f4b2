"""Gain over time from one measurement per window: averages while measurements agree, resets when the gain changes.

`GainTracker` is a Kalman filter. Its state is the gain and, while the gain moves, its slope. It smooths the estimate in
noise, follows a step quickly, and provides the standard deviation. `robust_mean` averages the measurements of a whole
recording.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from rtgain.dsp.closed_form import weighted_median

OUTLIER_SIGMAS = 4.0
"""Deviation, in standard deviations, beyond which a measurement is an outlier."""

MEAN_SHIFT_SIGMAS = 1.5
"""Exponentially averaged deviation, in standard deviations, beyond which the gain has changed."""

SINGLE_OUTLIER_SIGMAS = 8.0
"""Deviation, in standard deviations, beyond which a single outlier is a change of the gain.

An outlier also counts as a change if its own standard deviation is below the present one; otherwise three in a row are
needed. Single measurements were off by up to six of their standard deviations at the end of a word, where digital
silence follows and the target's filter shifts sound into it.
"""

MAX_STD_FOR_CHANGE_DB = 0.5
"""Standard deviation in dB from which a measurement does not count in the mean deviation.

`SINGLE_OUTLIER_SIGMAS` does not apply to it either. Consecutive windows whose signal is below the noise overestimate
the gain by 1 to 3 standard deviations; that is not a change.
"""

OVERLAP_VARIANCE_FACTOR = 2.0
"""Factor on the variance of each further measurement: windows overlap by three quarters (measured)."""

MEMORY_MEASUREMENTS = 48
"""Time constant of the forgetting in measurements (about 1 s): the filter follows slower drifts."""

FLOOR_STD_DB = 2e-4
"""Least standard deviation in dB: float32 and the optimizer's tolerance do not average out."""

SHIFTED_FLOOR_STD_DB = 6e-4
"""Least standard deviation in dB for windows shifted by a fraction of a frame (measured on speech, 7.56 ms late)."""

PROCESS_NOISE_DECAY = 0.93
"""Factor by which the process noise decays per window."""

MAX_PROCESS_NOISE_DB = 0.5
"""Limit of the process noise, in dB per window."""

STATIONARY_DB = 1e-3
"""Process noise, in dB per window, below which the gain is stationary and its slope is 0."""

SLOPE_NOISE_RATIO = 0.1
"""Standard deviation of a slope's change per window, relative to the process noise (measured on ±6 dB at 0.5 Hz)."""

CHANGE_UNCERTAINTY = 0.1
"""Standard deviation after a change of the gain, relative to that change (measured on a ±6 dB sweep)."""

CHANGES_DECAY = 0.98
"""Factor per window by which the number of recent changes decays: 50 windows, about 1 s."""

MAX_CHANGES = 6.0
"""Limit of the number of recent changes, so that it decays soon after the last one."""

MOTION_BLUR_RATIO = 0.2
"""Error of a measurement relative to the gain's motion over the sound in its window (measured on a ±6 dB sweep)."""


@dataclass(frozen=True)
class GainMeasurement:
    """Gain of one window with its standard deviation (infinite: no information) and its time.

    The measured gain is that at the time of the window's sound: on average `lag_hops` after the window's center, with
    an RMS spread of `spread_hops`. `floor_std_db` is the part of the deviation that averaging does not reduce.
    """

    gain_db: float
    std_db: float
    lag_hops: float = 0.0
    spread_hops: float = 0.0
    floor_std_db: float = FLOOR_STD_DB


@dataclass
class GainTracker:
    """Kalman filter for the gain in dB and its standard deviation, which is infinite before the first measurement.

    `outliers` counts consecutive measurements that contradict the gain but are too weak to change it. `recent_changes`
    counts changes of the gain, each with a weight that decays.
    `_forgetting_variance` is extra prior variance that lets old measurements decay. It affects the Kalman gain only,
    not the reported `std_db`.
    """

    gain_db: float = 0.0
    std_db: float = math.inf
    outliers: int = 0
    recent_changes: float = 0.0
    _forgetting_variance: float = 0.0
    _slope_db: float = 0.0
    _slope_variance: float = 0.0
    _covariance: float = 0.0
    _mean_deviation: float = 0.0
    _process_noise_db: float = 0.0
    _last_change_db: float = 0.0

    def update(self, measurement: GainMeasurement) -> None:
        """Advance by one window, and apply its measurement if that is valid."""
        valid = math.isfinite(measurement.gain_db) and math.isfinite(measurement.std_db)
        self.recent_changes *= CHANGES_DECAY
        if not math.isfinite(self.std_db):
            if valid:
                variance = measurement.std_db**2 + measurement.floor_std_db**2
                self._initialize(measurement.gain_db, variance, measurement.lag_hops)
            return
        self._predict(valid=valid)
        if valid:
            self._correct(measurement)

    def _predict(self, *, valid: bool) -> None:
        """Advance the gain along its slope by one hop; without a valid measurement, hold it and increase `std_db`."""
        if valid:
            variance = self.std_db**2 + 2.0 * self._covariance + self._slope_variance
            self.std_db = math.sqrt(max(variance, 0.0))
            self.gain_db += self._slope_db
            self._covariance += self._slope_variance
        else:
            self.std_db += abs(self._slope_db)
            self._covariance = 0.0
        self._slope_variance += (SLOPE_NOISE_RATIO * self._process_noise_db) ** 2
        is_moving = abs(self._slope_db) > 3.0 * math.sqrt(self._slope_variance)
        self._process_noise_db = max(
            PROCESS_NOISE_DECAY * self._process_noise_db, min(abs(self._slope_db), MAX_PROCESS_NOISE_DB) * is_moving
        )
        self._last_change_db *= PROCESS_NOISE_DECAY
        if self._process_noise_db < STATIONARY_DB:
            self._slope_db = self._slope_variance = self._covariance = 0.0

    def _correct(self, measurement: GainMeasurement) -> None:
        lag = measurement.lag_hops
        blur_db = MOTION_BLUR_RATIO * abs(self._slope_db) * measurement.spread_hops
        variance = measurement.std_db**2 + measurement.floor_std_db**2 + blur_db**2
        innovation = measurement.gain_db - (self.gain_db + lag * self._slope_db)
        prior_variance = self.std_db**2 + self._forgetting_variance
        gain_covariance = prior_variance + lag * self._covariance
        slope_covariance = self._covariance + lag * self._slope_variance
        innovation_variance = gain_covariance + lag * slope_covariance
        deviation = innovation / math.sqrt(variance + innovation_variance)
        is_outlier = abs(deviation) > OUTLIER_SIGMAS
        self.outliers = self.outliers + 1 if is_outlier else 0
        is_certain = measurement.std_db < MAX_STD_FOR_CHANGE_DB
        if is_certain:
            self._mean_deviation = 0.8 * self._mean_deviation + 0.2 * min(max(deviation, -3.0), 3.0)
        is_sufficient = measurement.std_db < self.std_db or (is_certain and abs(deviation) > SINGLE_OUTLIER_SIGMAS)
        if (is_outlier and (is_sufficient or self.outliers >= 3)) or abs(self._mean_deviation) > MEAN_SHIFT_SIGMAS:
            self._note_change(abs(innovation))
            gain_db = measurement.gain_db - lag * self._slope_db
            self._initialize(gain_db, variance + (CHANGE_UNCERTAINTY * innovation) ** 2, lag)
        elif not is_outlier:
            total = innovation_variance + OVERLAP_VARIANCE_FACTOR * variance
            self.gain_db += gain_covariance / total * innovation
            self._slope_db += slope_covariance / total * innovation
            posterior_variance = prior_variance - gain_covariance**2 / total
            retained_variance = max(
                posterior_variance, min(prior_variance, OVERLAP_VARIANCE_FACTOR * variance / MEMORY_MEASUREMENTS)
            )
            self._forgetting_variance = (
                (1.0 - gain_covariance / total) ** 2 * self._forgetting_variance
                + retained_variance
                - posterior_variance
            )
            self.std_db = math.sqrt(max(retained_variance - self._forgetting_variance, measurement.floor_std_db**2))
            self._covariance -= gain_covariance * slope_covariance / total
            self._slope_variance = max(self._slope_variance - slope_covariance**2 / total, 0.0)

    def _note_change(self, change_db: float) -> None:
        """Count a change, and raise the process noise at the second one in a short time: more are likely then."""
        self.recent_changes = min(self.recent_changes + 1.0, MAX_CHANGES)
        self._process_noise_db = max(self._process_noise_db, min(change_db, self._last_change_db, MAX_PROCESS_NOISE_DB))
        self._last_change_db = max(self._last_change_db, change_db)

    def _initialize(self, gain_db: float, variance: float, lag: float) -> None:
        """Restart from one measurement, `lag` hops after the window's center, over which the slope is unknown."""
        self._slope_variance = max(self._slope_variance, self._process_noise_db**2)
        self._covariance = -lag * self._slope_variance
        self.gain_db = gain_db
        self.std_db = math.sqrt(variance + lag**2 * self._slope_variance)
        self.outliers = 0
        self._forgetting_variance = 0.0
        self._mean_deviation = 0.0


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
