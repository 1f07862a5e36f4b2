"""Level meter: peak since the last reading, RMS over 300 ms, momentary loudness."""

import math
from collections.abc import Iterator

import numpy as np
import pytest

from rtgain.audio.engine.shared_memory import LOUDNESS_FIELDS, EngineSharedMemory
from rtgain.metering.level_meter import LevelMeter
from rtgain.records.levels import Loudness

RATE = 48_000


@pytest.fixture
def memory() -> Iterator[EngineSharedMemory]:
    with EngineSharedMemory.create(RATE) as memory:
        yield memory


def play(memory: EngineSharedMemory, dry: np.ndarray, gain: float = 0.5) -> None:
    memory.audio.write(np.stack([dry, gain * dry, 0.0 * dry, np.full(len(dry), gain)]).astype(np.float32))


def test_levels_are_unknown_before_the_first_frame(memory: EngineSharedMemory) -> None:
    for level in LevelMeter(memory).levels().values():
        assert all(map(math.isnan, (*level.peak_dbfs, *level.rms_dbfs, level.loudness.momentary_lufs)))


def test_rms_of_a_sine_is_3_db_below_its_peak(memory: EngineSharedMemory) -> None:
    meters = LevelMeter(memory)
    play(memory, np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE))
    levels = meters.levels()
    assert levels["dry"].peak_dbfs[0] == pytest.approx(0.0, abs=0.01)
    assert levels["dry"].rms_dbfs[0] == pytest.approx(-3.01, abs=0.01)
    assert levels["target"].peak_dbfs[0] == pytest.approx(20 * math.log10(0.5), abs=0.01)
    assert levels["target"].rms_dbfs[0] == pytest.approx(20 * math.log10(0.5) - 3.01, abs=0.01)
    assert (*levels["matched"].peak_dbfs, *levels["matched"].rms_dbfs) == (-math.inf, -math.inf)


@pytest.mark.parametrize(("estimate", "difference_dbfs"), [(0.4, -20.0), (0.6, -20.0), (0.5, -math.inf), (-0.5, 0.0)])
def test_difference_is_target_minus_matched(
    memory: EngineSharedMemory, estimate: float, difference_dbfs: float
) -> None:
    meters = LevelMeter(memory)
    dry = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
    memory.audio.write(np.stack([dry, 0.5 * dry, estimate * dry, np.full(RATE, 0.5)]).astype(np.float32))
    level = meters.levels()["difference"]
    assert level.peak_dbfs[0] == pytest.approx(difference_dbfs, abs=0.01)
    assert level.rms_dbfs[0] == pytest.approx(difference_dbfs - 3.01, abs=0.01)


def test_peak_is_reported_once_and_rms_covers_300_ms(memory: EngineSharedMemory) -> None:
    meters = LevelMeter(memory)
    play(memory, np.array([0.8]))
    play(memory, np.full(100, 0.1))
    assert meters.levels()["dry"].peak_dbfs[0] == pytest.approx(20 * math.log10(0.8), abs=1e-4)
    play(memory, np.full(round(0.2 * RATE), 0.1))
    level = meters.levels()["dry"]
    assert level.peak_dbfs[0] == pytest.approx(-20.0, abs=1e-4)
    assert level.rms_dbfs[0] > -20.0  # the window still contains the peak
    play(memory, np.full(round(0.1 * RATE), 0.1))
    assert meters.levels()["dry"].rms_dbfs[0] == pytest.approx(-20.0, abs=1e-4)


def test_levels_stay_without_new_frames_and_after_an_overrun(memory: EngineSharedMemory) -> None:
    meters = LevelMeter(memory)
    play(memory, np.full(RATE, 0.1))
    first = meters.levels()
    assert meters.levels() == first
    for _ in range(12):
        play(memory, np.full(RATE, 0.01))
    assert meters.levels()["dry"].peak_dbfs[0] == pytest.approx(-40.0, abs=1e-3)


def test_loudness_comes_from_the_control_record(memory: EngineSharedMemory) -> None:
    meters = LevelMeter(memory)
    measured = [[-20.0, -21.0, -22.0, 3.0, -1.0], [-26.0] * 5, [-math.inf] * 5, [-40.0] * 5]
    for fields, numbers in zip(LOUDNESS_FIELDS.values(), measured, strict=True):
        for field, number in zip(fields, numbers, strict=True):
            memory.control[field] = number
    play(memory, np.ones(10))
    assert [level.loudness for level in meters.levels().values()] == [Loudness(*numbers) for numbers in measured]


def test_every_channel_has_its_own_peak_and_rms() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
    with EngineSharedMemory.create(RATE, channels=2) as memory:
        meters = LevelMeter(memory)
        rows = [tone, 0.1 * tone, 0.5 * tone, -0.1 * tone, 0.5 * tone, 0.1 * tone, np.ones(RATE)]
        memory.audio.write(np.stack(rows).astype(np.float32))
        levels = meters.levels()
    assert levels["dry"].peak_dbfs == pytest.approx((0.0, -20.0), abs=0.01)
    assert levels["target"].rms_dbfs == pytest.approx((-9.03, -23.01), abs=0.01)
    assert levels["difference"].peak_dbfs == pytest.approx((-math.inf, 20 * math.log10(0.2)), abs=0.01)
