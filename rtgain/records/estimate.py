"""What one estimate says, and how it travels from the estimator's process to the session."""

import math
from dataclasses import dataclass, fields
from enum import IntEnum
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray


class State(IntEnum):
    """How an estimate is to be read; the names are the contract's."""

    WAITING = 0
    SILENT = 1
    CONVERGING = 2
    TRACKING = 3
    CLIPPED = 4
    INCOHERENT = 5

    @property
    def label(self) -> str:
        """The state as the CSV, the JSON and the window write it."""
        return self.name.lower()


@dataclass(frozen=True)
class Estimate:
    """The gain at one moment: the centre of its analysis window, in the dry signal's own frames.

    Levels in dB; NaN where a number is not known, as the gain is until a window has told something.
    `available_frame` is the frame counter's value from which the estimate could be known (the end of its later
    window), `gain_opt_db` the closed-form optimum of the window alone and `opt_std_db` its standard deviation,
    `least_squares_db` the least-squares gain of the same window and features, `bound_db` the Cramér–Rao bound of the
    deviation of any unbiased reading of it, `std_db` one standard deviation of `gain_est_db`, `polarity` 1, −1, or 0
    where it cannot be told.
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

    @property
    def matched_gain(self) -> float:
        """What the dry signal is to be multiplied with to match the target: linear, signed; 1 while unknown."""
        if math.isnan(self.gain_est_db):
            return 1.0
        return math.copysign(10.0 ** (self.gain_est_db / 20.0), self.polarity)

    @property
    def matched_delay_frames(self) -> float:
        """How much later the matched signal must be; a target ahead of the dry signal cannot be reached live."""
        return max(self.delay_frames, 0.0) if math.isfinite(self.delay_frames) else 0.0

    def to_row(self) -> NDArray[np.float64]:
        """The estimate as a column of the estimates ring, ``(len(ESTIMATE_FIELDS),)``."""
        return np.array(_values_of(self), dtype=np.float64)

    @classmethod
    def from_row(cls, row: NDArray[np.float64]) -> "Estimate":
        """Undo `to_row`."""
        values = dict(zip(ESTIMATE_FIELDS, row.tolist(), strict=True))
        return cls(**{**values, "state": State(int(values["state"])), "steps": int(values["steps"]),
                      "polarity": int(values["polarity"])})  # fmt: skip


ESTIMATE_FIELDS = tuple(field.name for field in fields(Estimate))

_values_of = attrgetter(*ESTIMATE_FIELDS)
