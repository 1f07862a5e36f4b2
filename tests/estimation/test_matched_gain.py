"""Publication of the matched gain: signed, with a delay that is not negative."""

import math
from dataclasses import replace

import pytest

from rtgain.audio.engine.shared_memory import EngineSharedMemory
from rtgain.estimation.matched_gain import MatchedSignalPublisher
from rtgain.records.estimate import Estimate, State

GAIN = 0.15
GAIN_DB = 20.0 * math.log10(GAIN)


@pytest.mark.parametrize(("polarity", "delay", "gain", "delay_frames"), [(-1, 40.5, -GAIN, 40.5), (1, -3.0, GAIN, 0.0)])
def test_matched_gain_is_signed_and_its_delay_is_not_negative(
    polarity: int, delay: float, gain: float, delay_frames: float
) -> None:
    nan = math.nan
    levels = (0.0, 0.0, nan, GAIN_DB, nan, nan, nan, nan, 0.1, 0.0)
    estimate = Estimate(*levels, State.TRACKING, 1, delay, polarity, (GAIN_DB,), (polarity,), (delay,))
    unknown = replace(estimate, gain_est_db=nan)
    with EngineSharedMemory.create(8000) as memory:
        publisher = MatchedSignalPublisher(memory.control)
        publisher.publish(estimate, None)
        assert memory.control["matched_gain"] == pytest.approx(gain, rel=1e-12)
        assert memory.control["matched_delay_frames"] == delay_frames
        publisher.publish(unknown, None)
        assert memory.control["matched_gain"] == pytest.approx(gain, rel=1e-12)  # the last known one
