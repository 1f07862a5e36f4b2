"""Gains, delays and filters of the matched signal, from the estimator to the audio callback."""

import math

import numpy as np

from rtgain.audio.engine.shared_memory import ControlRecord
from rtgain.records.estimate import Estimate
from rtgain.records.learned_equalizer import LearnedEqualizer


class MatchedSignalPublisher:
    """Writer of the control record's gains, delays and filters, by which the callback makes the matched signal."""

    def __init__(self, control: ControlRecord) -> None:
        self._control = control
        self._has_published = False
        self._learned: LearnedEqualizer | None = None

    def publish(self, estimate: Estimate, learned: LearnedEqualizer | None) -> None:
        """Write each channel's gain and delay, and the filters of all channels if they have changed; None for none.

        Without a gain the last one stays.
        """
        if math.isfinite(estimate.gain_est_db):
            self._control["matched_gain"] = estimate.matched_gains
            self._control["matched_delay_frames"] = estimate.matched_delays_frames
        if self._has_published and learned is self._learned:
            return
        self._has_published, self._learned = True, learned
        filters = np.empty((0, 5)) if learned is None else learned.equalizer.coefficients(self._control["sample_rate"])
        self._control.publish_equalizer(filters)
