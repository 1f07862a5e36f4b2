"""Estimate records, and their conversion to rows of the ring buffer between the estimator and the session."""

import math
from dataclasses import dataclass, fields
from enum import IntEnum
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray


class State(IntEnum):
    """State of an estimate."""

    WAITING = 0
    SILENT = 1
    CONVERGING = 2
    TRACKING = 3
    CLIPPED = 4
    INCOHERENT = 5

    @property
    def label(self) -> str:
        """The state's name in the CSV, the JSON and the GUI."""
        return self.name.lower()


@dataclass(frozen=True)
class Estimate:
    """Estimated gain for the center of one analysis window.

    Gains and deviations are in dB; unknown numbers are NaN, as the gain is before the first coherent window.

    Attributes:
        center_frame: center of the window, in frames of the dry signal.
        available_frame: frame counter from which the estimate can be known: the end of its later window.
        gain_true_db: reference gain over the window.
        gain_est_db: estimated gain.
        gain_opt_db: closed-form gain of this window alone.
        opt_std_db: standard deviation of `gain_opt_db`.
        least_squares_db: least-squares gain of the same window and features.
        bound_db: Cramér–Rao bound: least standard deviation of any unbiased estimate from this window.
        std_db: standard deviation of `gain_est_db`.
        loss: loss at the start of the last step.
        state: State of the estimate.
        steps: optimizer steps taken.
        delay_frames: delay of the target.
        polarity: 1, −1, or 0 if it cannot be determined.
    """

    center_frame: float
    available_frame: float
    gain_true_db: float
    gain_est_db: float
    gain_opt_db: float
    opt_std_db: float
    least_squares_db: float
    bound_db: float
    std_db: float
    loss: float
    state: State
    steps: int
    delay_frames: float
    polarity: int
    channel_gains_db: tuple[float, ...] = ()
    channel_polarities: tuple[int, ...] = ()
    channel_delays_frames: tuple[float, ...] = ()

    @property
    def matched_gain(self) -> float:
        """Factor that matches the dry signal to the target: linear, signed; 1 while the gain is unknown."""
        if math.isnan(self.gain_est_db):
            return 1.0
        return math.copysign(10.0 ** (self.gain_est_db / 20.0), self.polarity)

    @property
    def matched_delay_frames(self) -> float:
        """Delay of the matched signal in frames, at least 0: live, a target ahead of the dry signal is unreachable."""
        return max(self.delay_frames, 0.0) if math.isfinite(self.delay_frames) else 0.0

    def to_row(self) -> NDArray[np.float64]:
        """Convert to a column of the estimates ring, ``(len(ESTIMATE_FIELDS),)``."""
        channels = (*self.channel_gains_db, *self.channel_polarities, *self.channel_delays_frames)
        return np.array((*_values_of(self), *channels), dtype=np.float64)

    @classmethod
    def from_row(cls, row: NDArray[np.float64]) -> "Estimate":
        """Convert back from `to_row`."""
        values = dict(zip(ESTIMATE_FIELDS, row.tolist(), strict=False))
        gains, polarities, delays = row[len(ESTIMATE_FIELDS) :].reshape(3, -1).tolist()
        return cls(**{**values, "state": State(int(values["state"])), "steps": int(values["steps"]),
                      "polarity": int(values["polarity"]), "channel_gains_db": tuple(gains),
                      "channel_polarities": tuple(map(int, polarities)),
                      "channel_delays_frames": tuple(delays)})  # fmt: skip


CHANNEL_FIELDS = 3

ESTIMATE_FIELDS = tuple(field.name for field in fields(Estimate))[:-CHANNEL_FIELDS]


def estimate_rows(channels: int) -> int:
    """Return the number of rows of the estimates ring."""
    return len(ESTIMATE_FIELDS) + CHANNEL_FIELDS * channels


_values_of = attrgetter(*ESTIMATE_FIELDS)
