"""Newest analysis window of the signals, with spectra."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float32]
Bins = NDArray[np.float64]


@dataclass(frozen=True)
class Scope:
    """The newest analysis window of all channels.

    Attributes:
        dry, target, matched: ``(channels, window_frames)``, full scale at 1.
        frequency_hz: ``(bins,)``, centers of at most 400 bins, ascending, evenly spaced in log frequency from 20 Hz to
            the Nyquist frequency where the window resolves that.
        dry_db, target_db, matched_db: ``(channels, bins)``, largest magnitude of the Hann-windowed spectrum in each
            bin, in dBFS (0 dB for a full-scale sine), at least −200 dB.
    """

    dry: Signal
    target: Signal
    matched: Signal
    frequency_hz: Bins
    dry_db: Bins
    target_db: Bins
    matched_db: Bins
