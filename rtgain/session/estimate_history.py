"""Estimates over time: the CSV, the JSON summary, and what the window plots."""

import math
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from rtgain.records.estimate import ESTIMATE_FIELDS, Estimate, State
from rtgain.records.history import History

SETTLED_DB = 0.1
"""An estimate this near to the reference, for good, has settled."""

HISTORY_S = 20.0
"""What the window plots, back from now."""

MAX_ESTIMATES = 30_000
"""Estimates that are kept for an export: ten minutes of them at the usual hop."""


class EstimateHistory:
    """History of estimates: the newest `MAX_ESTIMATES`, or all of them with `whole`.

    What is not `whole` takes constant memory, from the beginning.
    """

    def __init__(self, sample_rate: int, *, whole: bool = False) -> None:
        self._sample_rate = sample_rate
        self._whole = whole
        self._rows = np.full((2 * MAX_ESTIMATES, len(ESTIMATE_FIELDS)), np.nan)
        self._end = 0
        self.last: Estimate | None = None
        self.estimates = 0
        self.steps = 0
        self._squared_error = 0.0
        self._tracked = 0
        self._settled_since_s: float | None = None

    def add(self, estimate: Estimate) -> None:
        """Take the next estimate."""
        time_s = estimate.center_frame / self._sample_rate
        self.last = estimate
        self.estimates += 1
        self.steps += estimate.steps
        error_db = estimate.gain_est_db - estimate.gain_true_db
        if estimate.state is State.TRACKING and math.isfinite(error_db):
            self._squared_error += error_db**2
            self._tracked += 1
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
        """Root mean square error against the reference over the estimates that are tracking."""
        return math.sqrt(self._squared_error / self._tracked) if self._tracked else None

    @property
    def settle_s(self) -> float | None:
        """The time of the first estimate from which on all were within 0.1 dB of the reference."""
        return self._settled_since_s

    def history(self, last_s: float = math.inf) -> History:
        """The estimates kept, or those of the `last_s` seconds, as arrays of the caller's own."""
        rows = self._newest
        centers = rows[:, ESTIMATE_FIELDS.index("center_frame")]
        if rows.size:
            rows = rows[np.searchsorted(centers, centers[-1] - last_s * self._sample_rate) :]
        columns = dict(zip(ESTIMATE_FIELDS, rows.T.copy(), strict=True))
        columns["time_s"] = columns["center_frame"] / self._sample_rate
        return History(**{field.name: columns[field.name] for field in fields(History)})

    def to_array(self) -> NDArray[np.float64]:
        """The estimates kept, oldest first, as rows of `Estimate.to_row`, ``(estimates, fields)``: a copy."""
        return self._newest.copy()

    @property
    def _newest(self) -> NDArray[np.float64]:
        """The rows kept, oldest first, always in one piece: a window shows the last of them thirty times a second."""
        return self._rows[0 if self._whole else max(0, self._end - MAX_ESTIMATES) : self._end]

    def _make_room(self) -> None:
        if self._whole:
            self._rows = np.concatenate([self._rows, np.full_like(self._rows, np.nan)])
        else:
            self._rows[:MAX_ESTIMATES] = self._rows[-MAX_ESTIMATES:]
            self._end = MAX_ESTIMATES
