"""History of a session's estimates, for the CSV, the JSON summary and the plots."""

import math
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from rtgain.estimation.offset.delay_fit import fit_delays
from rtgain.records.estimate import CHANNEL_FIELDS, ESTIMATE_FIELDS, Estimate, State, estimate_rows
from rtgain.records.history import History

SETTLED_DB = 0.1
"""Largest error, in dB, of a settled estimate."""

JUMP_FRAMES = 4.0
"""Change of the delay in frames between two measurements that is a jump and no drift."""

DELAY_STD_FRAMES = 0.05
"""Standard deviation in frames of a delay measurement from which the weights of the drift's line begin."""

MIN_MEASUREMENTS = 4
"""Measurements of the delay that a drift needs."""

HISTORY_S = 20.0
"""Seconds of history that the GUI plots."""

MAX_ESTIMATES = 30_000
"""Estimates kept for an export: ten minutes at the default hop."""


class EstimateHistory:
    """The newest `MAX_ESTIMATES` estimates of `channels` in constant memory, or all of them with `keep_all`."""

    def __init__(self, sample_rate: int, channels: int = 1, *, keep_all: bool = False) -> None:
        self._sample_rate = sample_rate
        self._keep_all = keep_all
        self._channels = channels
        self._rows = np.full((2 * MAX_ESTIMATES, estimate_rows(channels)), np.nan)
        self._end = 0
        self.last: Estimate | None = None
        self.count = 0
        self.steps = 0
        self._squared_error = 0.0
        self._tracking_count = 0
        self._settled_since_s: float | None = None
        self._fitted_delay_frames = math.nan
        self._drift_ppm: float | None = None

    def add(self, estimate: Estimate) -> None:
        """Append the next estimate."""
        time_s = estimate.center_frame / self._sample_rate
        self.last = estimate
        self.count += 1
        self.steps += estimate.steps
        error_db = estimate.gain_est_db - estimate.gain_true_db
        if estimate.state is State.TRACKING and math.isfinite(error_db):
            self._squared_error += error_db**2
            self._tracking_count += 1
        if not abs(error_db) <= SETTLED_DB:
            self._settled_since_s = None
        elif self._settled_since_s is None:
            self._settled_since_s = time_s
        if self._end == len(self._rows):
            self._make_room()
        self._rows[self._end] = estimate.to_row()
        self._end += 1

    @property
    def rmse_db(self) -> float | None:
        """RMS error against the reference gain over all estimates that are tracking."""
        return math.sqrt(self._squared_error / self._tracking_count) if self._tracking_count else None

    @property
    def drift_ppm(self) -> float | None:
        """Drift of the target's clock: slope of the delay over time, between its jumps; 0 if it is not significant.

        The delay is measured once for many estimates, and the line is fitted once for each delay. None if it is
        unknown.
        """
        if self.last is not None and self.last.delay_frames != self._fitted_delay_frames:
            self._fitted_delay_frames, self._drift_ppm = self.last.delay_frames, self._fit_drift_ppm()
        return self._drift_ppm

    def _fit_drift_ppm(self) -> float | None:
        centers, delays = (self._newest[:, ESTIMATE_FIELDS.index(name)] for name in ("center_frame", "delay_frames"))
        known = np.isfinite(delays)
        centers, delays = centers[known], delays[known]
        if not len(delays):
            return None
        changes = np.flatnonzero(np.diff(delays)) + 1
        if len(changes) < MIN_MEASUREMENTS:
            return 0.0
        times, delays = centers[changes], delays[changes]
        labels = np.cumsum(np.abs(np.diff(delays, prepend=delays[0])) > JUMP_FRAMES, dtype=np.intp)
        fit = fit_delays(times, delays, np.full(len(times), DELAY_STD_FRAMES), labels, int(labels[-1]) + 1)
        return 1e6 * fit.drift

    @property
    def settle_s(self) -> float | None:
        """Time of the first estimate from which on all errors were at most `SETTLED_DB`."""
        return self._settled_since_s

    def latest(self, last_s: float = math.inf) -> History:
        """Return the estimates of the last `last_s` seconds as arrays that the caller owns."""
        rows = self._newest
        centers = rows[:, ESTIMATE_FIELDS.index("center_frame")]
        if rows.size:
            rows = rows[np.searchsorted(centers, centers[-1] - last_s * self._sample_rate) :]
        values = rows.T.copy()
        of_channels = values[len(ESTIMATE_FIELDS) :].reshape(CHANNEL_FIELDS, self._channels, -1)
        columns = dict(zip(ESTIMATE_FIELDS, values, strict=False))
        columns["time_s"] = columns["center_frame"] / self._sample_rate
        columns["channel_gains_db"], columns["channel_polarities"] = of_channels[:2]
        return History(**{field.name: columns[field.name] for field in fields(History)})

    def to_array(self) -> NDArray[np.float64]:
        """Copy the estimates, oldest first, as rows of `Estimate.to_row`, ``(estimates, fields)``."""
        return self._newest.copy()

    @property
    def _newest(self) -> NDArray[np.float64]:
        """Rows of the estimates, oldest first, always contiguous: the GUI reads the last of them at 30 Hz."""
        return self._rows[0 if self._keep_all else max(0, self._end - MAX_ESTIMATES) : self._end]

    def _make_room(self) -> None:
        if self._keep_all:
            self._rows = np.concatenate([self._rows, np.full_like(self._rows, np.nan)])
        else:
            self._rows[:MAX_ESTIMATES] = self._rows[-MAX_ESTIMATES:]
            self._end = MAX_ESTIMATES
