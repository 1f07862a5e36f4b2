"""Data of a session export: estimates, summary and options at one moment."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtgain.config.session_config import SessionConfig
from rtgain.records.history import History, Summary


@dataclass(frozen=True)
class SessionExport:
    """Results of a session at one moment.

    Attributes:
        config: options of the session, with the changes made while it ran.
        sample_rate: in Hz.
        estimates: newest estimates as rows of `Estimate.to_row`, ``(estimates, fields)``.
        history: the same estimates as arrays for the figure.
        summary: results of the whole session.
    """

    config: SessionConfig
    sample_rate: int
    estimates: NDArray[np.float64]
    history: History
    summary: Summary
