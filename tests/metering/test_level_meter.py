"""Level meter: peak since the last reading, RMS over 300 ms, momentary loudness."""

import math
from collections.abc import Iterator

import numpy as np
import pyloudnorm
import pytest

from rtgain.audio.engine.shared_memory import LOUDNESS_FIELDS, EngineSharedMemory
from rtgain.audio.sources.synthetic import PinkSource
from rtgain.metering.level_meter import LevelMeter
from rtgain.metering.loudness import MomentaryLoudness

RATE = 48_000


@pytest.fixture
def memory() -> Iterator[EngineSharedMemory]:
    with EngineSharedMemory.create(RATE) as memory:
        yield memory


def play(memory: EngineSharedMemory, dry: np.ndarray, gain: float = 0.5) -> None:
    memory.audio.write(np.stack([dry, gain * dry, 0.0 * dry, np.full(len(dry), gain)]).astype(np.float32))


def test_levels_are_unknown_before_the_first_frame(memory: EngineSharedMemory) -> None:
    for level in LevelMeter(memory).levels().values():
        assert math.isnan(level.peak_dbfs)
        assert math.isnan(level.rms_dbfs)
        assert math.isnan(level.lufs)


def test_rms_of_a_sine_is_3_db_below_its_peak(memory: EngineSharedMemory) -> None:
    meters = LevelMeter(memory)
    play(memory, np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE))
    levels = meters.levels()
    assert levels["dry"].peak_dbfs == pytest.approx(0.0, abs=0.01)
    assert levels["dry"].rms_dbfs == pytest.approx(-3.01, abs=0.01)
    assert levels["target"].peak_dbfs == pytest.approx(20 * math.log10(0.5), abs=0.01)
    assert levels["target"].rms_dbfs == pytest.approx(20 * math.log10(0.5) - 3.01, abs=0.01)
    assert (levels["matched"].peak_dbfs, levels["matched"].rms_dbfs) == (-math.inf, -math.inf)


@pytest.mark.parametrize(("estimate", "difference_dbfs"), [(0.4, -20.0), (0.6, -20.0), (0.5, -math.inf), (-0.5, 0.0)])
def test_difference_is_target_minus_matched(
    memory: EngineSharedMemory, estimate: float, difference_dbfs: float
) -> None:
    meters = LevelMeter(memory)
    dry = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
    memory.audio.write(np.stack([dry, 0.5 * dry, estimate * dry, np.full(RATE, 0.5)]).astype(np.float32))
    level = meters.levels()["difference"]
    assert level.peak_dbfs == pytest.approx(difference_dbfs, abs=0.01)
    assert level.rms_dbfs == pytest.approx(difference_dbfs - 3.01, abs=0.01)


def test_peak_is_reported_once_and_rms_covers_300_ms(memory: EngineSharedMemory) -> None:
    meters = LevelMeter(memory)
    play(memory, np.array([0.8]))
    play(memory, np.full(100, 0.1))
    assert meters.levels()["dry"].peak_dbfs == pytest.approx(20 * math.log10(0.8), abs=1e-4)
    play(memory, np.full(round(0.2 * RATE), 0.1))
    level = meters.levels()["dry"]
    assert level.peak_dbfs == pytest.approx(-20.0, abs=1e-4)
    assert level.rms_dbfs > -20.0  # the window still contains the peak
    play(memory, np.full(round(0.1 * RATE), 0.1))
    assert meters.levels()["dry"].rms_dbfs == pytest.approx(-20.0, abs=1e-4)


def test_levels_stay_without_new_frames_and_after_an_overrun(memory: EngineSharedMemory) -> None:
    meters = LevelMeter(memory)
    play(memory, np.full(RATE, 0.1))
    first = meters.levels()
    assert meters.levels() == first
    for _ in range(12):
        play(memory, np.full(RATE, 0.01))
    assert meters.levels()["dry"].peak_dbfs == pytest.approx(-40.0, abs=1e-3)


def test_loudness_comes_from_the_control_record(memory: EngineSharedMemory) -> None:
    meters = LevelMeter(memory)
    for field, lufs in zip(LOUDNESS_FIELDS, (-20.0, -26.0, -math.inf, -40.0), strict=True):
        memory.control[field] = lufs
    play(memory, np.ones(10))
    assert [level.lufs for level in meters.levels().values()] == [-20.0, -26.0, -math.inf, -40.0]


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_momentary_loudness_equals_the_reference_implementation(rate: int) -> None:
    noise = np.stack([PinkSource(rate, seed=seed).read(3 * rate)[0] for seed in range(2)])
    noise[:, rate : 2 * rate] *= 0.1
    meter = MomentaryLoudness(rate, 2)
    step = meter.step_frames
    measured = np.array([meter.add(noise[:, start : start + step]) for start in range(0, 3 * rate, step)])
    assert np.isnan(measured[:3]).all()
    for signal, lufs in zip(noise, measured[3:].T, strict=True):
        reference = pyloudnorm.Meter(rate)
        reference.integrated_loudness(signal.astype(np.float64))
        np.testing.assert_allclose(lufs, reference.blockwise_loudness, atol=1e-6)


def test_loudness_of_silence_is_minus_infinity() -> None:
    meter = MomentaryLoudness(RATE, 1)
    lufs = [meter.add(np.zeros((1, meter.step_frames))).item() for _ in range(5)]
    assert lufs[3:] == [-math.inf] * 2
