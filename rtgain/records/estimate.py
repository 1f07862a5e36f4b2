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

    @property
    def is_coherent(self) -> bool:
        """True if the dry signal explains sound of the target, whether or not the gain is known already."""
        return self in (State.CONVERGING, State.TRACKING)


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
        delay_frames: delay of the target; that of most channels if they differ.
        polarity: 1, −1, or 0 if it cannot be determined or the channels differ.
        channel_gains_db: estimated gain of each channel; NaN for a silent one.
        channel_polarities: polarity of each channel, 1 or −1; 0 if it cannot be determined, or for a silent one.
        channel_delays_frames: delay of each channel.
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
    channel_gains_db: tuple[float, ...]
    channel_polarities: tuple[int, ...]
    channel_delays_frames: tuple[float, ...]

    @property
    def matched_gains(self) -> tuple[float, ...]:
        """Factors that match each channel of the dry signal to the target: linear, signed.

        They are 1 while the gain is unknown. All channels have the estimated gain, each with its own polarity, or with
        the common one if its own cannot be determined.
        """
        if math.isnan(self.gain_est_db):
            return (1.0,) * len(self.channel_polarities)
        gain = 10.0 ** (self.gain_est_db / 20.0)
        return tuple(math.copysign(gain, polarity or self.polarity) for polarity in self.channel_polarities)

    @property
    def matched_delays_frames(self) -> tuple[float, ...]:
        """Delay of each channel of the matched signal in frames.

        It is at least 0: live, a target ahead of the dry signal is unreachable.
        """
        return tuple(max(delay, 0.0) if math.isfinite(delay) else 0.0 for delay in self.channel_delays_frames)

    def to_row(self) -> NDArray[np.float64]:
        """Convert to a column of the estimates ring, ``(estimate_rows(channels),)``."""
        values = (*_values_of(self), *self.channel_gains_db, *self.channel_polarities, *self.channel_delays_frames)
        return np.array(values, dtype=np.float64)

    @classmethod
    def from_row(cls, row: NDArray[np.float64]) -> "Estimate":
        """Convert back from `to_row`."""
        numbers = row.tolist()
        values = dict(zip(ESTIMATE_FIELDS, numbers, strict=False))
        channels = (len(numbers) - len(ESTIMATE_FIELDS)) // CHANNEL_FIELDS
        gains, polarities, delays = (
            tuple(numbers[start : start + channels]) for start in range(len(ESTIMATE_FIELDS), len(numbers), channels)
        )
        return cls(**{**values, "state": State(int(values["state"])), "steps": int(values["steps"]),
                      "polarity": int(values["polarity"])}, channel_gains_db=gains,
                   channel_polarities=tuple(map(int, polarities)), channel_delays_frames=delays)  # fmt: skip


CHANNEL_FIELDS = 3
"""Number of fields of `Estimate` with one value per channel; they are the last ones."""

ESTIMATE_FIELDS = tuple(field.name for field in fields(Estimate))[:-CHANNEL_FIELDS]
"""Fields of `Estimate` with a single value, in the order of a row. The values per channel follow them."""

_values_of = attrgetter(*ESTIMATE_FIELDS)


def estimate_rows(channels: int) -> int:
    """Return the number of rows of the estimates ring."""
    return len(ESTIMATE_FIELDS) + CHANNEL_FIELDS * channels
