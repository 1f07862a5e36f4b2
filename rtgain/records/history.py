"""Estimates over time as arrays, and the summary of a session."""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

GAP_S = 0.5
"""Seconds by which a time step must exceed its neighbors to count as a gap, where estimates were dropped."""

BALANCE_DB = 0.05
"""Difference in dB between the gains of two channels from which each is shown on its own."""


@dataclass(frozen=True)
class History:
    """The newest estimates as arrays ``(estimates,)``, oldest first; NaN for unknown numbers.

    Attributes:
        channel_gains_db, channel_polarities: ``(channels, estimates)``, gain and polarity of each channel.
    """

    time_s: NDArray[np.float64]
    gain_true_db: NDArray[np.float64]
    gain_est_db: NDArray[np.float64]
    gain_opt_db: NDArray[np.float64]
    std_db: NDArray[np.float64]
    loss: NDArray[np.float64]
    least_squares_db: NDArray[np.float64]
    bound_db: NDArray[np.float64]
    channel_gains_db: NDArray[np.float64]
    channel_polarities: NDArray[np.float64]

    @property
    def is_unbalanced(self) -> bool:
        """True if the gains of the channels differ by more than `BALANCE_DB` most of the time."""
        difference_db = np.abs(np.diff(self.channel_gains_db, axis=0))
        known_db = difference_db[np.isfinite(difference_db)]
        return known_db.size > 0 and bool(np.median(known_db) > BALANCE_DB)

    def with_gap_markers(self) -> Self:
        """Insert an estimate of NaN in the middle of each gap, so that plotted lines break there.

        A gap exceeds the shorter of the time steps before and after it by more than `GAP_S`: the hop may be seconds
        long, and may change.
        """
        step_s = np.diff(self.time_s)
        if len(step_s) < 2 or step_s.max() <= GAP_S:
            return self
        neighbors_s = np.concatenate([[math.inf], step_s, [math.inf]])
        gaps = np.flatnonzero(step_s > np.minimum(neighbors_s[:-2], neighbors_s[2:]) + GAP_S)
        columns = {name: np.insert(column, gaps + 1, math.nan, axis=-1) for name, column in vars(self).items()}
        columns["time_s"][gaps + 1 + np.arange(len(gaps))] = self.time_s[gaps] + step_s[gaps] / 2
        return type(self)(**columns)


@dataclass(frozen=True)
class Summary:
    """The object of ``--json``; None for unknown numbers.

    Attributes:
        channel_gains_db, channel_polarities: gain and polarity of each channel.
        drift_ppm: how much faster the target's clock runs, in parts per million; 0 if the delay does not move.
        filters: learned filters, `EqualizerFilter.to_object` each; None with the processor ``gain``.
        settle_s: time of the first estimate from which on all were within 0.1 dB of the reference gain.
        realtime_factor: seconds of audio per elapsed second.
    """

    version: str
    input: str
    target: str
    channels: int
    sample_rate: int
    duration_s: float
    processor: str
    loss: str
    optimizer: str
    gain_db: float | None
    gain_linear: float | None
    std_db: float | None
    delay_ms: float | None
    drift_ppm: float | None
    polarity: int
    state: str
    channel_gains_db: list[float | None]
    channel_polarities: list[int]
    filters: list[dict[str, Any]] | None
    rmse_db: float | None
    settle_s: float | None
    estimates: int
    frames: int
    dropped_frames: int
    xruns: int
    realtime_factor: float | None
    steps_per_second: float | None

    def to_json(self) -> str:
        """Serialize as JSON, one field per line."""
        return json.dumps(asdict(self), indent=2, allow_nan=False) + "\n"
