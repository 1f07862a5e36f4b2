"""Newest analysis window of the signals, with spectra."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float32]
Bins = NDArray[np.float64]


@dataclass(frozen=True)
class Scope:
    """The newest analysis window of sound.

    Attributes:
        dry, target, matched: ``(window_frames,)``, full scale at 1. The matched signal has the estimate's gain and
            delay, so it lies under the target.
        frequency_hz: ``(bins,)``, centers of at most 400 bins, evenly spaced in log frequency from 20 Hz to Nyquist
            where the window resolves that, ascending.
        dry_db, target_db, matched_db: ``(bins,)``, the largest magnitude in each bin of the Hann-windowed spectrum,
            in dBFS: 0 dB is a sine of full scale. Not below −200 dB.
    """

    dry: Signal
    target: Signal
    matched: Signal
    frequency_hz: Bins
    dry_db: Bins
    target_db: Bins
    matched_db: Bins
