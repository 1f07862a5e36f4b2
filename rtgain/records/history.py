"""Estimates over time as arrays, and the summary of a session."""

import json
import math
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

GAP_S = 0.5
"""Estimates further apart than their neighbors by more than this have a gap between them: some were left out."""


@dataclass(frozen=True)
class History:
    """The newest estimates as arrays of one length, oldest first; NaN where a number is not known."""

    time_s: NDArray[np.float64]
    gain_true_db: NDArray[np.float64]
    gain_est_db: NDArray[np.float64]
    gain_opt_db: NDArray[np.float64]
    std_db: NDArray[np.float64]
    loss: NDArray[np.float64]
    least_squares_db: NDArray[np.float64]
    bound_db: NDArray[np.float64]

    def with_gap_markers(self) -> Self:
        """The same with one more estimate in the middle of each gap, all NaN, for a line to break there.

        A gap is longer by more than `GAP_S` than what is before it or after it, whichever is shorter: the hop may
        be seconds, and change.
        """
        step_s = np.diff(self.time_s)
        if len(step_s) < 2 or step_s.max() <= GAP_S:
            return self
        aside_s = np.concatenate([[math.inf], step_s, [math.inf]])
        gaps = np.flatnonzero(step_s > np.minimum(aside_s[:-2], aside_s[2:]) + GAP_S)
        columns = np.insert(np.stack(list(vars(self).values())), gaps + 1, math.nan, axis=1)
        columns[0, gaps + 1 + np.arange(len(gaps))] = self.time_s[gaps] + step_s[gaps] / 2
        return type(self)(*columns)


@dataclass(frozen=True)
class Summary:
    """The object of ``--json``; None where a number is not known."""

    version: str
    input: str
    sample_rate: int
    duration_s: float
    loss: str
    optimizer: str
    gain_db: float | None
    gain_linear: float | None
    std_db: float | None
    delay_ms: float | None
    polarity: int
    state: str
    rmse_db: float | None
    settle_s: float | None
    estimates: int
    frames: int
    dropped_frames: int
    xruns: int
    realtime_factor: float | None
    steps_per_second: float | None

    def to_json(self) -> str:
        """The summary as text, one line a field."""
        return json.dumps(asdict(self), indent=2, allow_nan=False) + "\n"
