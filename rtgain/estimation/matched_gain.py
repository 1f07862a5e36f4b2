"""Gains and delays of the matched signal, from the estimator to the audio callback."""

import math

from rtgain.audio.engine.shared_memory import ControlRecord
from rtgain.records.estimate import Estimate


def publish_matched_gain(control: ControlRecord, estimate: Estimate) -> None:
    """Write each channel's gain and delay to the control record; the callback plays dry × gain as matched signal.

    Without a gain the last one stays.
    """
    if math.isnan(estimate.gain_est_db):
        return
    control["matched_gain"] = estimate.matched_gains
    control["matched_delay_frames"] = estimate.matched_delays_frames
