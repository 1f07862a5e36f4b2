"""The follower over a real ring: which windows it takes and when, what it loses, where the sound ends."""

import math
from collections.abc import Iterator
from dataclasses import astuple

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from rtgain.audio.engine.engine import Engine
from rtgain.audio.engine.ring_buffer import OverrunError
from rtgain.audio.engine.shared_memory import EngineSharedMemory
from rtgain.audio.io.offline_driver import OfflineDriver
from rtgain.audio.sources.synthetic import PinkSource
from rtgain.config.estimator_settings import LEAST_GAIN, EstimatorSettings
from rtgain.estimation.delay_tracker import STEADY_READINGS
from rtgain.estimation.estimator import Estimator
from rtgain.estimation.signal_reader import RingSignalReader
from rtgain.estimation.streaming import (
    DELAY_SEARCH_INTERVAL_HOPS,
    DELAY_TRACK_INTERVAL_HOPS,
    LIVE_BATCH_HOPS,
    MAX_BACKLOG_HOPS,
    StreamingEstimator,
    mean_gain_db,
)
from rtgain.records.estimate import Estimate, State

RATE, WINDOW, HOP = 8_000, 512, 128
GAIN = 0.15
GAIN_DB = 20.0 * math.log10(GAIN)

Signal = NDArray[np.float64]


def settings(**values: object) -> EstimatorSettings:
    return EstimatorSettings(**{"sample_rate": RATE, "window_frames": WINDOW, "hop_frames": HOP, **values})  # type: ignore[arg-type]


@pytest.fixture
def memory() -> Iterator[EngineSharedMemory]:
    with EngineSharedMemory.create(RATE) as memory:
        yield memory


def noise(frames: int, seed: int = 1) -> Signal:
    return 0.1 * np.random.default_rng(seed).standard_normal(frames)


def write(memory: EngineSharedMemory, dry: Signal, target: Signal, gain: float = GAIN) -> None:
    for start in range(0, len(dry), memory.audio.capacity):
        stop = min(start + memory.audio.capacity, len(dry))
        rows = np.zeros((4, stop - start), np.float32)
        rows[0], rows[1], rows[3] = dry[start:stop], target[start:stop], gain
        memory.audio.write(rows)


def follow(memory: EngineSharedMemory, *, last: Estimate | None = None, **values: object) -> StreamingEstimator:
    return StreamingEstimator(RingSignalReader(memory.audio, memory.control), Estimator(settings(**values)), last=last)


def all_of(follower: StreamingEstimator) -> list[Estimate]:
    estimates: list[Estimate] = []
    while batch := follower.advance():
        estimates += batch
    return estimates


def later(dry: Signal, frames: int) -> Signal:
    """What comes `frames` later (or earlier), on and on: a loop."""
    return np.roll(dry, frames)


# --- the grid ---------------------------------------------------------------------------------------


def test_windows_lie_on_a_grid_of_hops_in_the_dry_signals_time(memory: EngineSharedMemory) -> None:
    dry = noise(WINDOW + 20 * HOP + HOP - 1)
    write(memory, dry, GAIN * dry)
    estimates = all_of(follow(memory))
    assert [one.center_frame for one in estimates] == [WINDOW / 2 + HOP * hop for hop in range(21)]
    assert [one.available_frame for one in estimates] == [WINDOW + HOP * hop for hop in range(21)]
    assert all(abs(one.gain_est_db - GAIN_DB) < 0.001 for one in estimates)


def test_a_window_is_taken_when_its_last_frame_is_there_and_not_before(memory: EngineSharedMemory) -> None:
    dry = noise(WINDOW + HOP)
    follower = follow(memory)
    assert follower.next_frame == WINDOW
    write(memory, dry[: WINDOW - 1], GAIN * dry[: WINDOW - 1])
    assert follower.advance() == []
    write(memory, dry[:1], GAIN * dry[:1])
    assert len(follower.advance()) == 1
    assert follower.next_frame == WINDOW + HOP
    assert follower.advance() == []


@pytest.mark.parametrize("align", [True, False])
def test_how_the_sound_comes_in_changes_no_estimate(memory: EngineSharedMemory, align: bool) -> None:
    dry = noise(5 * RATE)
    target = GAIN * later(dry, 40) + 0.002 * noise(len(dry), seed=2)
    with EngineSharedMemory.create(RATE) as bitwise:
        whole, parts = follow(memory, align=align), follow(bitwise, align=align)
        write(memory, dry, target)
        at_once = all_of(whole)
        rng, start, piecewise = np.random.default_rng(3), 0, []
        while start < len(dry):
            stop = start + int(rng.integers(1, 3000))
            write(bitwise, dry[start:stop], target[start:stop])
            piecewise += all_of(parts)
            start = stop
    once, twice = (np.array([astuple(one) for one in trace], dtype=np.float64) for trace in (at_once, piecewise))
    assert once.shape == twice.shape
    fields = list(Estimate.__dataclass_fields__)
    exact = [fields.index(name) for name in ("center_frame", "available_frame", "gain_true_db", "state", "polarity")]
    np.testing.assert_allclose(twice[:, exact], once[:, exact], atol=1e-9)
    delay, gain = fields.index("delay_frames"), fields.index("gain_est_db")
    np.testing.assert_allclose(twice[:, delay], once[:, delay], atol=1e-3)
    np.testing.assert_allclose(twice[:, gain], once[:, gain], atol=0.02)
    assert whole.aligner.offset_frames == (40 if align else 0)


def test_a_batch_ends_where_the_delay_is_read(memory: EngineSharedMemory) -> None:
    dry = noise(WINDOW + 300 * HOP)
    write(memory, dry, GAIN * dry)
    follower = follow(memory)
    for _ in range(STEADY_READINGS):
        assert not follower.aligner.steady
        assert len(follower.advance()) == DELAY_SEARCH_INTERVAL_HOPS
        assert follower.aligner.confirmed
    assert follower.aligner.steady
    assert STEADY_READINGS * DELAY_SEARCH_INTERVAL_HOPS % DELAY_TRACK_INTERVAL_HOPS == 0
    assert len(follower.advance()) == DELAY_TRACK_INTERVAL_HOPS


@pytest.mark.parametrize("drift", [5e-5, -2e-4])
def test_two_clocks_that_drift_apart_are_held_together(memory: EngineSharedMemory, drift: float) -> None:
    dry = noise(WINDOW + 600 * HOP)
    target = soxr.resample(dry, 1e6, 1e6 * (1.0 + drift), quality="VHQ")
    frames = min(len(dry), len(target))
    write(memory, dry[:frames], GAIN * target[:frames])
    estimates = all_of(follow(memory))[100:]
    delays = np.array([one.delay_frames - drift * one.center_frame for one in estimates])
    assert {one.state for one in estimates} == {State.TRACKING}
    assert np.abs(delays).max() < 2.0
    assert max(abs(one.gain_est_db - GAIN_DB) for one in estimates) < 0.1


# --- delay ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [0, 3, 40, 1600, -300, -1600])
def test_a_delay_either_way_is_found_and_the_gain_with_it(memory: EngineSharedMemory, frames: int) -> None:
    dry = noise(8 * RATE)
    write(memory, dry, GAIN * later(dry, frames))
    estimates = all_of(follow(memory))
    last = estimates[-1]
    assert last.state is State.TRACKING
    assert last.delay_frames == pytest.approx(frames, abs=0.01)
    assert last.gain_est_db == pytest.approx(GAIN_DB, abs=0.001)
    # An estimate is known when its later window is complete: the target's, or where that is ahead the dry one.
    assert last.available_frame == last.center_frame + WINDOW / 2 + max(0, frames)
    assert all(math.isnan(one.delay_frames) or abs(one.delay_frames - frames) < 1 for one in estimates)
    tracking = [one for one in estimates if one.state is State.TRACKING]
    assert all(abs(one.gain_est_db - GAIN_DB) < 0.01 for one in tracking)


def held_note(hz: float, swell_db_s: float) -> Signal:
    """Two and a half seconds of a tone amid a room's noise, 40 dB below it at its loudest."""
    times_s = np.arange(5 * RATE // 2) / RATE
    return 0.3 * np.sin(2.0 * np.pi * hz * times_s) * 10.0 ** (swell_db_s * (times_s - 2.5) / 20.0) + 0.03 * noise(
        len(times_s), seed=9
    )


@pytest.mark.parametrize("hz", [220.0, 440.0])
def test_a_held_note_does_not_lock_where_it_only_agrees_with_itself(memory: EngineSharedMemory, hz: float) -> None:
    # 100 ms later the note, which swells by 20 dB a second, is 2 dB quieter, and else the same.
    dry = np.concatenate([held_note(hz, 20.0), noise(RATE, seed=3)])
    write(memory, dry, GAIN * np.concatenate([np.zeros(800), dry[:-800]]))
    tracking = [one for one in all_of(follow(memory)) if one.state is State.TRACKING]
    assert tracking[0].center_frame < 2.0 * RATE, "found while the note is held"
    assert all(abs(one.gain_est_db - GAIN_DB) < 0.1 for one in tracking)
    assert all(abs(one.delay_frames - 800.0) < 0.1 for one in tracking)


def test_a_steady_tone_is_tracked_though_the_whole_range_shows_no_delay(memory: EngineSharedMemory) -> None:
    dry = held_note(220.0, 0.0)
    write(memory, dry, GAIN * np.concatenate([np.zeros(800), dry[:-800]]))
    last = all_of(follow(memory))[-1]
    assert last.state is State.TRACKING
    assert last.gain_est_db == pytest.approx(GAIN_DB, abs=0.1)


def test_hops_stay_on_their_grid_while_the_delay_is_found(memory: EngineSharedMemory) -> None:
    dry = noise(8 * RATE)
    write(memory, dry, GAIN * later(dry, 1600))
    follower = follow(memory)
    centers = [one.center_frame for one in all_of(follower)]
    assert centers == [WINDOW / 2 + HOP * hop for hop in range(len(centers))]
    assert follower.dropped_frames == 0


def test_a_target_ahead_of_the_dry_signal_begins_where_there_is_one(memory: EngineSharedMemory) -> None:
    dry = noise(2 * RATE)
    write(memory, dry, GAIN * later(dry, -300))
    sound, estimator = RingSignalReader(memory.audio, memory.control), Estimator(settings())
    estimates = all_of(StreamingEstimator(sound, estimator, delay_frames=-300.0))
    assert estimates[0].center_frame == 3 * HOP + WINDOW / 2  # 2 × 128 < 300 ≤ 3 × 128
    assert estimates[0].gain_est_db == pytest.approx(GAIN_DB, abs=0.001)


def test_unrelated_sounds_are_never_tracked(memory: EngineSharedMemory) -> None:
    write(memory, noise(10 * RATE), noise(10 * RATE, seed=2))
    estimates = all_of(follow(memory))
    assert State.TRACKING not in {one.state for one in estimates}
    assert estimates[-1].state is State.INCOHERENT


# --- what is lost, and where it ends ----------------------------------------------------------------


def test_what_was_overwritten_is_counted_and_the_newest_window_taken(memory: EngineSharedMemory) -> None:
    capacity = memory.audio.capacity
    dry = noise(capacity + RATE)
    write(memory, dry, GAIN * dry)
    follower = follow(memory)
    estimates = all_of(follower)
    newest = (len(dry) - WINDOW) // HOP
    assert [one.center_frame for one in estimates] == [newest * HOP + WINDOW / 2]
    assert follower.dropped_frames == newest * HOP
    assert estimates[0].gain_est_db == pytest.approx(GAIN_DB, abs=0.001)
    write(memory, dry[: 3 * HOP], GAIN * dry[: 3 * HOP])
    assert len(all_of(follower)) == 3
    assert follower.dropped_frames == newest * HOP


class RacingSound(RingSignalReader):
    """A ring whose writer overtakes the reader between its look at the ring and its first read."""

    def __init__(self, memory: EngineSharedMemory, more: Signal) -> None:
        super().__init__(memory)
        self._ring = memory
        self._more: Signal | None = more

    def read(self, start: int, frames: int) -> NDArray[np.floating]:
        if self._more is not None:
            more, self._more = self._more, None
            write(self._ring, more, GAIN * more)
        return super().read(start, frames)


def test_a_reader_that_is_overtaken_while_it_reads_goes_on_with_what_is_left(memory: EngineSharedMemory) -> None:
    dry = noise(memory.audio.capacity)
    write(memory, dry, GAIN * dry)
    follower = StreamingEstimator(RacingSound(memory, noise(RATE, seed=5)), Estimator(settings()))
    with pytest.raises(OverrunError):
        follower.advance()
    estimates = all_of(follower)
    newest = (memory.audio.frames_written - WINDOW) // HOP
    assert [one.center_frame for one in estimates] == [newest * HOP + WINDOW / 2]
    assert follower.dropped_frames == newest * HOP


def test_silence_behind_the_sources_end_is_not_estimated(memory: EngineSharedMemory) -> None:
    dry = noise(3000)
    write(memory, dry, GAIN * dry)
    memory.control["end_frame"] = 3000
    memory.control["ended"] = 1
    write(memory, np.zeros(5000), np.zeros(5000))
    estimates = all_of(follow(memory))
    assert len(estimates) == (3000 - WINDOW) // HOP + 1
    assert State.SILENT not in {one.state for one in estimates}


def test_nothing_is_estimated_behind_a_limit(memory: EngineSharedMemory) -> None:
    dry = noise(3000)
    write(memory, dry, GAIN * dry)
    sound = RingSignalReader(memory.audio, memory.control)
    sound.limit_frame = WINDOW + 2 * HOP
    assert sound.frames_written == WINDOW + 2 * HOP
    assert len(all_of(StreamingEstimator(sound, Estimator(settings())))) == 3


# --- the reference gain -----------------------------------------------------------------------------


def test_the_true_gain_is_the_mean_in_db_as_the_window_hears_it(memory: EngineSharedMemory) -> None:
    frames = WINDOW + 10 * HOP
    gain = 10.0 ** (np.linspace(-30.0, 0.0, frames) / 20.0)
    means = mean_gain_db(gain.astype(np.float32), WINDOW, HOP)
    # The Hann window is symmetric, so the mean of a line is its value at the centre.
    centers = WINDOW / 2 + HOP * np.arange(11)
    np.testing.assert_allclose(means, -30.0 + 30.0 * centers / (frames - 1), atol=1e-4)


def test_a_step_in_the_window_counts_by_the_windows_weight() -> None:
    gain = np.ones(WINDOW, np.float32)
    gain[WINDOW // 4 :] = 0.1
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    expected = -20.0 * hann[WINDOW // 4 :].sum() / hann.sum()
    assert mean_gain_db(gain, WINDOW, HOP)[0] == pytest.approx(expected, abs=1e-6)


def test_a_constant_true_gain_is_exact_an_unknown_one_unknown_and_zero_is_bounded() -> None:
    assert set(mean_gain_db(np.full(WINDOW + 3 * HOP, np.float32(0.15)), WINDOW, HOP)) == {
        20.0 * np.log10(float(np.float32(0.15)))
    }
    assert np.isnan(mean_gain_db(np.full(WINDOW, np.nan, np.float32), WINDOW, HOP)).all()
    crossing = np.ones(WINDOW, np.float32)
    crossing[WINDOW // 2] = 0.0
    assert mean_gain_db(crossing, WINDOW, HOP)[0] == pytest.approx(
        20.0 * math.log10(LEAST_GAIN) * 2.0 / WINDOW, rel=1e-9
    )


def test_an_unknown_reference_leaves_the_true_gain_unknown(memory: EngineSharedMemory) -> None:
    dry = noise(1000)
    write(memory, dry, GAIN * dry, gain=math.nan)
    assert all(math.isnan(one.gain_true_db) for one in all_of(follow(memory)))


def test_what_the_engine_plays_is_what_the_follower_finds() -> None:
    with Engine(RATE) as engine:
        engine.reference.set(gain_db=-9.5, polarity=-1, delay_ms=5.0)
        OfflineDriver(engine, PinkSource(RATE, seed=1)).advance(8 * RATE)
        last = all_of(follow(engine.memory))[-1]
    assert last.state is State.TRACKING
    assert last.polarity == -1
    assert last.delay_frames == pytest.approx(40.0, abs=0.05)
    assert last.gain_true_db == pytest.approx(-9.5, abs=1e-5)
    assert last.gain_est_db == pytest.approx(-9.5, abs=0.002)


# --- going on ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("window", "hop"), [(1024, 128), (256, 64), (512, 256), (512, 48)])
def test_a_window_or_hop_of_other_length_is_taken_up_behind_the_last(
    memory: EngineSharedMemory, window: int, hop: int
) -> None:
    dry = noise(20_000)
    write(memory, dry[:6000], GAIN * dry[:6000])
    follower = follow(memory)
    before = all_of(follower)
    next_start = len(before) * HOP
    follower.configure(settings(window_frames=window, hop_frames=hop))
    write(memory, dry[6000:], GAIN * dry[6000:])
    after = all_of(follower)
    starts = [one.center_frame - window / 2 for one in after]
    assert next_start <= starts[0] < next_start + hop
    assert all(start % hop == 0 for start in starts)
    np.testing.assert_array_equal(np.diff(starts), hop)
    assert starts[-1] + window + hop > 20_000
    assert all(abs(one.gain_est_db - GAIN_DB) < 0.001 for one in after)
    assert follower.dropped_frames == 0


def test_another_optimizer_changes_neither_grid_nor_delay(memory: EngineSharedMemory) -> None:
    dry = noise(8 * RATE)
    target = GAIN * later(dry, 40)
    write(memory, dry[:50_000], target[:50_000])
    follower = follow(memory)
    before = all_of(follower)
    follower.configure(settings(optimizer="Adagrad"))
    write(memory, dry[50_000:], target[50_000:])
    after = all_of(follower)
    assert after[0].center_frame == before[-1].center_frame + HOP
    assert after[0].delay_frames == before[-1].delay_frames
    assert after[-1].gain_est_db == pytest.approx(GAIN_DB, abs=0.01)


def test_alignment_can_be_switched_off_and_on(memory: EngineSharedMemory) -> None:
    follower = follow(memory)
    assert not follower.aligner.alignment.known
    follower.configure(settings(align=False))
    assert follower.aligner.alignment.known
    assert follower.aligner.offset_frames == 0
    follower.configure(settings(align=True))
    assert not follower.aligner.alignment.known


@pytest.mark.parametrize("frames", [0, 40, -300])
def test_a_new_follower_goes_on_behind_the_last_estimate_of_another(memory: EngineSharedMemory, frames: int) -> None:
    dry = noise(8 * RATE)
    target = -GAIN * later(dry, frames)
    write(memory, dry[: 6 * RATE], target[: 6 * RATE])
    last = all_of(follow(memory))[-1]
    assert last.state is State.TRACKING
    other = follow(memory, last=last)
    assert other.advance() == []
    write(memory, dry[6 * RATE :], target[6 * RATE :])
    estimates = all_of(other)
    assert estimates[0].center_frame == last.center_frame + HOP
    assert {one.state for one in estimates} == {State.TRACKING}
    assert {one.polarity for one in estimates} == {-1}
    assert all(abs(one.gain_est_db - GAIN_DB) < 0.002 for one in estimates)
    assert all(abs(one.delay_frames - frames) < 0.01 for one in estimates)


def test_a_delay_that_is_told_is_taken_at_once(memory: EngineSharedMemory) -> None:
    dry = noise(4 * WINDOW)
    write(memory, dry, GAIN * later(dry, 40))
    follower = StreamingEstimator(
        RingSignalReader(memory.audio, memory.control), Estimator(settings()), delay_frames=40.0
    )
    first = follower.advance()[0]
    assert first.delay_frames == 40.0
    assert first.available_frame == WINDOW + 40
    assert first.gain_est_db == pytest.approx(GAIN_DB, abs=0.001)


# --- the race ---------------------------------------------------------------------------------------


def test_rivals_estimate_the_same_windows_at_the_same_delay(memory: EngineSharedMemory) -> None:
    dry = noise(4 * RATE)
    write(memory, dry, GAIN * later(dry, 40))
    follower = follow(memory, compare=("waveform/SGD", "stft/Adam"))
    ours = all_of(follower)
    theirs = follower.poll_comparisons()
    assert follower.poll_comparisons() == []
    for entry in ("waveform/SGD", "stft/Adam"):
        comparison = [one for name, one in theirs if name == entry]
        assert [one.center_frame for one in comparison] == [one.center_frame for one in ours]
        np.testing.assert_array_equal([one.delay_frames for one in comparison], [one.delay_frames for one in ours])
        assert comparison[-1].gain_est_db == pytest.approx(GAIN_DB, abs=0.2)


def test_a_rival_is_what_an_estimator_of_its_own_would_be(memory: EngineSharedMemory) -> None:
    dry = noise(2 * RATE)
    write(memory, dry, GAIN * dry)
    follower = follow(memory, align=False, compare=("waveform/Adagrad",))
    all_of(follower)
    comparison = [one.to_row() for _, one in follower.poll_comparisons()]
    alone = [one.to_row() for one in all_of(follow(memory, align=False, loss="waveform", optimizer="Adagrad"))]
    np.testing.assert_array_equal(comparison, alone)


def test_live_a_race_does_not_hold_up_a_follower_that_is_late(memory: EngineSharedMemory) -> None:
    dry = noise(2 * RATE)
    write(memory, dry, GAIN * dry)
    follower = StreamingEstimator(
        RingSignalReader(memory.audio, memory.control),
        Estimator(settings(align=False, compare=("waveform/SGD",))),
        live=True,
    )
    caught_up_with = all_of(follower)
    assert len(caught_up_with) > 50
    assert len(follower.poll_comparisons()) <= MAX_BACKLOG_HOPS
    write(memory, dry[:HOP], GAIN * dry[:HOP])
    assert len(all_of(follower)) == len(follower.poll_comparisons()) == 1


def test_live_a_batch_is_short_and_what_is_late_can_be_left_out(memory: EngineSharedMemory) -> None:
    dry = noise(2 * RATE)
    write(memory, dry, GAIN * dry)
    follower = StreamingEstimator(
        RingSignalReader(memory.audio, memory.control), Estimator(settings(align=False)), live=True
    )
    assert len(follower.advance()) == LIVE_BATCH_HOPS
    left_out = (2 * RATE - WINDOW) // HOP - LIVE_BATCH_HOPS
    assert follower.backlog_s == pytest.approx(left_out * HOP / RATE)
    follower.skip_to_newest()
    assert (follower.backlog_s, follower.dropped_frames) == (0.0, left_out * HOP)
    assert [one.center_frame for one in all_of(follower)] == [2 * RATE - WINDOW / 2]


def test_who_stays_in_the_race_goes_on_and_who_comes_begins(memory: EngineSharedMemory) -> None:
    follower = follow(memory, compare=("waveform/SGD", "stft/Adam"))
    stays = follower.comparisons["stft/Adam"]
    follower.configure(settings(compare=("stft/Adam", "spectral/SGD"), align=False))
    assert list(follower.comparisons) == ["stft/Adam", "spectral/SGD"]
    assert follower.comparisons["stft/Adam"] is stays
    assert stays.settings.align is False
    follower.freeze(True)
    follower.configure(settings(compare=("waveform/SGD@0.01",)))
    (comparison,) = follower.comparisons.values()
    assert comparison.frozen
    assert (comparison.settings.plain, comparison.settings.lr, comparison.settings.compare) == (True, 0.01, ())
    follower.reset(-20.0)
    assert comparison.tracker.gain_db == -20.0
