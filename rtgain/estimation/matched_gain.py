"""Gain and delay of the matched signal, from the estimator to the audio callback."""

from rtgain.audio.engine.shared_memory import ControlRecord
from rtgain.records.estimate import Estimate


def publish_matched_gain(control: ControlRecord, estimate: Estimate) -> None:
    """Write an estimate's gain and delay to the control record; the callback plays dry × gain as the matched signal."""
    control["matched_gain"] = estimate.matched_gain
    control["matched_delay_frames"] = estimate.matched_delay_frames
