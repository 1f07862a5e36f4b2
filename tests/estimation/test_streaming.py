"""Streaming estimator on a real ring: grid of windows, delay search, overruns, end of the source, comparisons."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from rtgain.audio.engine.audio_ring import AudioSignals
from rtgain.audio.engine.engine import Engine
from rtgain.audio.engine.ring_buffer import OverrunError
from rtgain.audio.engine.shared_memory import EngineSharedMemory
from rtgain.audio.io.offline_driver import OfflineDriver
from rtgain.audio.sources.demo import DemoSource
from rtgain.audio.sources.synthetic import PinkSource
from rtgain.audio.sources.synthetic_speech import synthetic_speech
from rtgain.config.estimator_settings import MIN_REFERENCE_GAIN, EstimatorSettings
from rtgain.estimation.delay_tracker import STEADY_MEASUREMENTS
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


def make_streaming(memory: EngineSharedMemory, *, last: Estimate | None = None, **values: object) -> StreamingEstimator:
    return StreamingEstimator(RingSignalReader(memory.audio, memory.control), Estimator(settings(**values)), last=last)


def all_estimates(streaming: StreamingEstimator) -> list[Estimate]:
    estimates: list[Estimate] = []
    while batch := streaming.advance():
        estimates += batch
    return estimates


def estimates_while_written(memory: EngineSharedMemory, dry: Signal, target: Signal) -> list[Estimate]:
    """Write second by second, and estimate each before it is overwritten."""
    streaming = make_streaming(memory)
    estimates: list[Estimate] = []
    for start in range(0, len(dry), RATE):
        write(memory, dry[start : start + RATE], target[start : start + RATE])
        estimates += all_estimates(streaming)
    return estimates


def delayed(dry: Signal, frames: int) -> Signal:
    """Delay `dry` by `frames` (negative: advance it) as a loop."""
    return np.roll(dry, frames)


# --- the grid ---------------------------------------------------------------------------------------


def test_windows_lie_on_a_grid_of_hops_in_the_dry_signals_time(memory: EngineSharedMemory) -> None:
    dry = noise(WINDOW + 20 * HOP + HOP - 1)
    write(memory, dry, GAIN * dry)
    estimates = all_estimates(make_streaming(memory))
    assert [one.center_frame for one in estimates] == [WINDOW / 2 + HOP * hop for hop in range(21)]
    assert [one.available_frame for one in estimates] == [WINDOW + HOP * hop for hop in range(21)]
    assert all(abs(one.gain_est_db - GAIN_DB) < 0.001 for one in estimates)


def test_window_is_estimated_once_its_last_frame_is_written(memory: EngineSharedMemory) -> None:
    dry = noise(WINDOW + HOP)
    streaming = make_streaming(memory)
    assert streaming.next_frame == WINDOW
    write(memory, dry[: WINDOW - 1], GAIN * dry[: WINDOW - 1])
    assert streaming.advance() == []
    write(memory, dry[:1], GAIN * dry[:1])
    assert len(streaming.advance()) == 1
    assert streaming.next_frame == WINDOW + HOP
    assert streaming.advance() == []


@pytest.mark.parametrize("align", [True, False])
def test_estimates_are_independent_of_write_sizes(memory: EngineSharedMemory, align: bool) -> None:
    dry = noise(5 * RATE)
    target = GAIN * delayed(dry, 40) + 0.002 * noise(len(dry), seed=2)
    with EngineSharedMemory.create(RATE) as bitwise:
        whole, parts = make_streaming(memory, align=align), make_streaming(bitwise, align=align)
        write(memory, dry, target)
        at_once = all_estimates(whole)
        rng, start, piecewise = np.random.default_rng(3), 0, []
        while start < len(dry):
            stop = start + int(rng.integers(1, 3000))
            write(bitwise, dry[start:stop], target[start:stop])
            piecewise += all_estimates(parts)
            start = stop
    once, twice = (np.array([one.to_row() for one in trace]) for trace in (at_once, piecewise))
    assert once.shape == twice.shape
    fields = list(Estimate.__dataclass_fields__)
    exact = [fields.index(name) for name in ("center_frame", "available_frame", "gain_true_db", "state", "polarity")]
    np.testing.assert_allclose(twice[:, exact], once[:, exact], atol=1e-9)
    delay, gain = fields.index("delay_frames"), fields.index("gain_est_db")
    np.testing.assert_allclose(twice[:, delay], once[:, delay], atol=1e-3)
    np.testing.assert_allclose(twice[:, gain], once[:, gain], atol=0.02)
    assert whole.delay_tracker.offset_frames == (40 if align else 0)


def test_batch_ends_at_a_delay_measurement(memory: EngineSharedMemory) -> None:
    dry = noise(WINDOW + 300 * HOP)
    write(memory, dry, GAIN * dry)
    streaming = make_streaming(memory)
    for _ in range(STEADY_MEASUREMENTS):
        assert not streaming.delay_tracker.is_steady
        assert len(streaming.advance()) == DELAY_SEARCH_INTERVAL_HOPS
        assert streaming.delay_tracker.confirmed
    assert streaming.delay_tracker.is_steady
    assert STEADY_MEASUREMENTS * DELAY_SEARCH_INTERVAL_HOPS % DELAY_TRACK_INTERVAL_HOPS == 0
    assert len(streaming.advance()) == DELAY_TRACK_INTERVAL_HOPS


@pytest.mark.parametrize("drift", [5e-5, -2e-4])
def test_clock_drift_is_tracked(memory: EngineSharedMemory, drift: float) -> None:
    dry = noise(WINDOW + 600 * HOP)
    target = soxr.resample(dry, 1e6, 1e6 * (1.0 + drift), quality="VHQ")
    frames = min(len(dry), len(target))
    write(memory, dry[:frames], GAIN * target[:frames])
    estimates = all_estimates(make_streaming(memory))[100:]
    delays = np.array([one.delay_frames - drift * one.center_frame for one in estimates])
    assert {one.state for one in estimates} == {State.TRACKING}
    assert np.abs(delays).max() < 2.0
    assert max(abs(one.gain_est_db - GAIN_DB) for one in estimates) < 0.1


# --- delay ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [0, 3, 40, 1600, -300, -1600])
def test_delay_in_either_direction_is_found(memory: EngineSharedMemory, frames: int) -> None:
    dry = noise(8 * RATE)
    write(memory, dry, GAIN * delayed(dry, frames))
    estimates = all_estimates(make_streaming(memory))
    last = estimates[-1]
    assert last.state is State.TRACKING
    assert last.delay_frames == pytest.approx(frames, abs=0.01)
    assert last.gain_est_db == pytest.approx(GAIN_DB, abs=0.001)
    # An estimate is known once its later window is complete: the target's, or the dry one if the target is early.
    assert last.available_frame == last.center_frame + WINDOW / 2 + max(0, frames)
    assert all(math.isnan(one.delay_frames) or abs(one.delay_frames - frames) < 1 for one in estimates)
    tracking = [one for one in estimates if one.state is State.TRACKING]
    assert all(abs(one.gain_est_db - GAIN_DB) < 0.01 for one in tracking)


def held_note(hz: float, swell_db_s: float) -> Signal:
    """Two and a half seconds of a tone in room noise, 40 dB below its maximum."""
    times_s = np.arange(5 * RATE // 2) / RATE
    return 0.3 * np.sin(2.0 * np.pi * hz * times_s) * 10.0 ** (swell_db_s * (times_s - 2.5) / 20.0) + 0.03 * noise(
        len(times_s), seed=9
    )


@pytest.mark.parametrize("hz", [220.0, 440.0])
def test_held_note_does_not_lock_at_a_wrong_delay(memory: EngineSharedMemory, hz: float) -> None:
    # At a delay of 100 ms the note, which swells by 20 dB per second, is 2 dB quieter and otherwise equal.
    dry = np.concatenate([held_note(hz, 20.0), noise(RATE, seed=3)])
    write(memory, dry, GAIN * np.concatenate([np.zeros(800), dry[:-800]]))
    tracking = [one for one in all_estimates(make_streaming(memory)) if one.state is State.TRACKING]
    assert tracking[0].center_frame < 2.0 * RATE, "found during the note"
    assert all(abs(one.gain_est_db - GAIN_DB) < 0.1 for one in tracking)
    assert all(abs(one.delay_frames - 800.0) < 0.1 for one in tracking)


def test_steady_tone_is_tracked_without_a_global_delay(memory: EngineSharedMemory) -> None:
    dry = held_note(220.0, 0.0)
    write(memory, dry, GAIN * np.concatenate([np.zeros(800), dry[:-800]]))
    last = all_estimates(make_streaming(memory))[-1]
    assert last.state is State.TRACKING
    assert last.gain_est_db == pytest.approx(GAIN_DB, abs=0.1)


def test_hops_stay_on_their_grid_during_the_delay_search(memory: EngineSharedMemory) -> None:
    dry = noise(8 * RATE)
    write(memory, dry, GAIN * delayed(dry, 1600))
    streaming = make_streaming(memory)
    centers = [one.center_frame for one in all_estimates(streaming)]
    assert centers == [WINDOW / 2 + HOP * hop for hop in range(len(centers))]
    assert streaming.dropped_frames == 0


def test_first_window_of_an_early_target_is_the_first_complete_one(memory: EngineSharedMemory) -> None:
    dry = noise(2 * RATE)
    write(memory, dry, GAIN * delayed(dry, -300))
    reader, estimator = RingSignalReader(memory.audio, memory.control), Estimator(settings())
    estimates = all_estimates(StreamingEstimator(reader, estimator, delay_frames=-300.0))
    assert estimates[0].center_frame == 3 * HOP + WINDOW / 2  # 2 × 128 < 300 ≤ 3 × 128
    assert estimates[0].gain_est_db == pytest.approx(GAIN_DB, abs=0.001)


def test_unrelated_noise_is_never_tracking(memory: EngineSharedMemory) -> None:
    write(memory, noise(10 * RATE), noise(10 * RATE, seed=2))
    estimates = all_estimates(make_streaming(memory))
    assert State.TRACKING not in {one.state for one in estimates}
    assert estimates[-1].state is State.INCOHERENT


def test_equalized_target_is_converging_and_its_deviation_contains_both_parts(memory: EngineSharedMemory) -> None:
    dry = noise(8 * RATE)
    spectrum = np.fft.rfft(dry)
    spectrum[: len(spectrum) // 3] *= 2.0
    late = estimates_while_written(memory, dry, GAIN * np.fft.irfft(spectrum, len(dry)))[-100:]
    assert {one.state for one in late} == {State.CONVERGING}
    for one in late:
        assert one.gain_est_db - 2 * one.std_db < GAIN_DB + 0.1
        assert one.gain_est_db + 2 * one.std_db > GAIN_DB + 5.9


def test_target_that_is_mostly_other_sound_is_not_tracking(memory: EngineSharedMemory) -> None:
    dry, other = noise(6 * RATE), noise(6 * RATE, seed=2)
    estimates = estimates_while_written(memory, dry, GAIN * (dry + 2.0 * other))
    assert State.TRACKING not in {one.state for one in estimates}, "the dry signal explains a fifth of the target"


def tracking_share(estimates: list[Estimate]) -> float:
    """Share of `tracking` in the states of windows with sound, without the first two seconds."""
    states = [one.state for one in estimates if one.center_frame > 2 * RATE and one.state is not State.SILENT]
    return states.count(State.TRACKING) / len(states)


def test_room_behind_speech_is_not_one_gain(memory: EngineSharedMemory) -> None:
    dry = synthetic_speech(RATE, 14 * RATE, seed=21).astype(np.float64)
    time_s = np.arange(round(0.8 * RATE)) / RATE
    tail = np.random.default_rng(4).standard_normal(len(time_s)) * np.exp(-time_s / 0.2) * (time_s > 0.01)
    room = np.convolve(dry, tail)[: len(dry)]
    room *= 10 ** (-10 / 20) * dry.std() / room.std()
    assert tracking_share(estimates_while_written(memory, dry, GAIN * (dry + room))) < 0.1


def test_distorted_music_is_not_one_gain(memory: EngineSharedMemory) -> None:
    dry = DemoSource(RATE).read(14 * RATE)[0].astype(np.float64)
    drive = 10 ** (9 / 20) / np.abs(dry).max()
    assert tracking_share(estimates_while_written(memory, dry, 0.5 * np.tanh(drive * dry))) < 0.3


def test_hand_on_the_fader_stays_tracking(memory: EngineSharedMemory) -> None:
    dry = DemoSource(RATE).read(14 * RATE)[0].astype(np.float64)
    random = np.random.default_rng(6)
    gain_db = np.repeat(random.uniform(-18, 0, 14), RATE)
    assert tracking_share(estimates_while_written(memory, dry, dry * 10 ** (gain_db / 20))) > 0.7


# --- overruns and the end of the source -------------------------------------------------------------


def test_overwritten_frames_are_counted_and_skipped(memory: EngineSharedMemory) -> None:
    capacity = memory.audio.capacity
    dry = noise(capacity + RATE)
    write(memory, dry, GAIN * dry)
    streaming = make_streaming(memory)
    estimates = all_estimates(streaming)
    newest = (len(dry) - WINDOW) // HOP
    assert [one.center_frame for one in estimates] == [newest * HOP + WINDOW / 2]
    assert streaming.dropped_frames == newest * HOP
    assert estimates[0].gain_est_db == pytest.approx(GAIN_DB, abs=0.001)
    write(memory, dry[: 3 * HOP], GAIN * dry[: 3 * HOP])
    assert len(all_estimates(streaming)) == 3
    assert streaming.dropped_frames == newest * HOP


class OverrunningReader(RingSignalReader):
    """Reader whose writer overwrites the frames between the check of the ring and the first read."""

    def __init__(self, memory: EngineSharedMemory, more: Signal) -> None:
        super().__init__(memory.audio, memory.control)
        self._memory = memory
        self._more: Signal | None = more

    def read(self, start: int, frames: int) -> AudioSignals:
        if self._more is not None:
            more, self._more = self._more, None
            write(self._memory, more, GAIN * more)
        return super().read(start, frames)


def test_overrun_during_a_read_skips_to_the_newest_window(memory: EngineSharedMemory) -> None:
    dry = noise(memory.audio.capacity)
    write(memory, dry, GAIN * dry)
    streaming = StreamingEstimator(OverrunningReader(memory, noise(RATE, seed=5)), Estimator(settings()))
    with pytest.raises(OverrunError):
        streaming.advance()
    estimates = all_estimates(streaming)
    newest = (memory.audio.frames_written - WINDOW) // HOP
    assert [one.center_frame for one in estimates] == [newest * HOP + WINDOW / 2]
    assert streaming.dropped_frames == newest * HOP


def test_silence_after_the_sources_end_is_not_estimated(memory: EngineSharedMemory) -> None:
    dry = noise(3000)
    write(memory, dry, GAIN * dry)
    memory.control["end_frame"] = 3000
    memory.control["ended"] = 1
    write(memory, np.zeros(5000), np.zeros(5000))
    estimates = all_estimates(make_streaming(memory))
    assert len(estimates) == (3000 - WINDOW) // HOP + 1
    assert State.SILENT not in {one.state for one in estimates}


def test_nothing_is_estimated_after_the_limit_frame(memory: EngineSharedMemory) -> None:
    dry = noise(3000)
    write(memory, dry, GAIN * dry)
    reader = RingSignalReader(memory.audio, memory.control)
    reader.limit_frame = WINDOW + 2 * HOP
    assert reader.frames_written == WINDOW + 2 * HOP
    assert len(all_estimates(StreamingEstimator(reader, Estimator(settings())))) == 3


# --- the reference gain -----------------------------------------------------------------------------


def test_reference_gain_is_the_hann_weighted_mean_in_db(memory: EngineSharedMemory) -> None:
    frames = WINDOW + 10 * HOP
    gain = 10.0 ** (np.linspace(-30.0, 0.0, frames) / 20.0)
    means = mean_gain_db(gain.astype(np.float32), WINDOW, HOP)
    # The Hann window is symmetric, so the mean of a line is its value at the center.
    centers = WINDOW / 2 + HOP * np.arange(11)
    np.testing.assert_allclose(means, -30.0 + 30.0 * centers / (frames - 1), atol=1e-4)


def test_step_of_the_reference_gain_is_hann_weighted() -> None:
    gain = np.ones(WINDOW, np.float32)
    gain[WINDOW // 4 :] = 0.1
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    expected = -20.0 * hann[WINDOW // 4 :].sum() / hann.sum()
    assert mean_gain_db(gain, WINDOW, HOP)[0] == pytest.approx(expected, abs=1e-6)


def test_reference_gain_is_exact_nan_or_limited() -> None:
    assert set(mean_gain_db(np.full(WINDOW + 3 * HOP, np.float32(0.15)), WINDOW, HOP)) == {
        20.0 * np.log10(float(np.float32(0.15)))
    }
    assert np.isnan(mean_gain_db(np.full(WINDOW, np.nan, np.float32), WINDOW, HOP)).all()
    crossing = np.ones(WINDOW, np.float32)
    crossing[WINDOW // 2] = 0.0
    assert mean_gain_db(crossing, WINDOW, HOP)[0] == pytest.approx(
        20.0 * math.log10(MIN_REFERENCE_GAIN) * 2.0 / WINDOW, rel=1e-9
    )


def test_unknown_reference_gain_stays_unknown(memory: EngineSharedMemory) -> None:
    dry = noise(1000)
    write(memory, dry, GAIN * dry, gain=math.nan)
    assert all(math.isnan(one.gain_true_db) for one in all_estimates(make_streaming(memory)))


def test_estimates_equal_the_engines_reference_path() -> None:
    with Engine(RATE) as engine:
        engine.reference.set(gain_db=-9.5, polarity=-1, delay_ms=5.0)
        OfflineDriver(engine, PinkSource(RATE, seed=1)).advance(8 * RATE)
        last = all_estimates(make_streaming(engine.memory))[-1]
    assert last.state is State.TRACKING
    assert last.polarity == -1
    assert last.delay_frames == pytest.approx(40.0, abs=0.05)
    assert last.gain_true_db == pytest.approx(-9.5, abs=1e-5)
    assert last.gain_est_db == pytest.approx(-9.5, abs=0.002)


# --- changes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("window", "hop"), [(1024, 128), (256, 64), (512, 256), (512, 48)])
def test_new_window_or_hop_length_takes_effect_after_the_last_window(
    memory: EngineSharedMemory, window: int, hop: int
) -> None:
    dry = noise(20_000)
    write(memory, dry[:6000], GAIN * dry[:6000])
    streaming = make_streaming(memory)
    before = all_estimates(streaming)
    next_start = len(before) * HOP
    streaming.configure(settings(window_frames=window, hop_frames=hop))
    write(memory, dry[6000:], GAIN * dry[6000:])
    after = all_estimates(streaming)
    starts = [one.center_frame - window / 2 for one in after]
    assert next_start <= starts[0] < next_start + hop
    assert all(start % hop == 0 for start in starts)
    np.testing.assert_array_equal(np.diff(starts), hop)
    assert starts[-1] + window + hop > 20_000
    assert all(abs(one.gain_est_db - GAIN_DB) < 0.001 for one in after)
    assert streaming.dropped_frames == 0


def test_new_optimizer_changes_neither_grid_nor_delay(memory: EngineSharedMemory) -> None:
    dry = noise(8 * RATE)
    target = GAIN * delayed(dry, 40)
    write(memory, dry[:50_000], target[:50_000])
    streaming = make_streaming(memory)
    before = all_estimates(streaming)
    streaming.configure(settings(optimizer="Adagrad"))
    write(memory, dry[50_000:], target[50_000:])
    after = all_estimates(streaming)
    assert after[0].center_frame == before[-1].center_frame + HOP
    assert after[0].delay_frames == before[-1].delay_frames
    assert after[-1].gain_est_db == pytest.approx(GAIN_DB, abs=0.01)


def test_alignment_can_be_disabled_and_enabled(memory: EngineSharedMemory) -> None:
    streaming = make_streaming(memory)
    assert not streaming.delay_tracker.alignment.is_known
    streaming.configure(settings(align=False))
    assert streaming.delay_tracker.alignment.is_known
    assert streaming.delay_tracker.offset_frames == 0
    streaming.configure(settings(align=True))
    assert not streaming.delay_tracker.alignment.is_known
    streaming.configure(settings(align=False, delay_frames=40.0))
    streaming.configure(settings(align=True, delay_frames=40.0))
    assert streaming.delay_tracker.alignment.offset_frames == 40, "the delay between two recordings is still known"


@pytest.mark.parametrize("frames", [0, 40, -300])
def test_streaming_resumes_after_the_last_estimate_of_another(memory: EngineSharedMemory, frames: int) -> None:
    dry = noise(8 * RATE)
    target = -GAIN * delayed(dry, frames)
    write(memory, dry[: 6 * RATE], target[: 6 * RATE])
    last = all_estimates(make_streaming(memory))[-1]
    assert last.state is State.TRACKING
    other = make_streaming(memory, last=last)
    assert other.advance() == []
    write(memory, dry[6 * RATE :], target[6 * RATE :])
    estimates = all_estimates(other)
    assert estimates[0].center_frame == last.center_frame + HOP
    assert {one.state for one in estimates} == {State.TRACKING}
    assert {one.polarity for one in estimates} == {-1}
    assert all(abs(one.gain_est_db - GAIN_DB) < 0.002 for one in estimates)
    assert all(abs(one.delay_frames - frames) < 0.01 for one in estimates)


def test_given_delay_is_used_at_once(memory: EngineSharedMemory) -> None:
    dry = noise(4 * WINDOW)
    write(memory, dry, GAIN * delayed(dry, 40))
    streaming = StreamingEstimator(
        RingSignalReader(memory.audio, memory.control), Estimator(settings()), delay_frames=40.0
    )
    first = streaming.advance()[0]
    assert first.delay_frames == 40.0
    assert first.available_frame == WINDOW + 40
    assert first.gain_est_db == pytest.approx(GAIN_DB, abs=0.001)


def test_given_delay_is_tracking_once_a_measurement_has_confirmed_it(memory: EngineSharedMemory) -> None:
    dry = noise(8 * WINDOW)
    write(memory, dry, GAIN * delayed(dry, 40))
    streaming = StreamingEstimator(
        RingSignalReader(memory.audio, memory.control), Estimator(settings()), delay_frames=40.0
    )
    states = [one.state for _ in range(2) for one in streaming.advance()]
    assert states[:DELAY_SEARCH_INTERVAL_HOPS] == [State.CONVERGING] * DELAY_SEARCH_INTERVAL_HOPS
    assert states[-1] is State.TRACKING


# --- comparisons ------------------------------------------------------------------------------------


def test_comparisons_use_equal_windows_and_delays(memory: EngineSharedMemory) -> None:
    dry = noise(4 * RATE)
    write(memory, dry, GAIN * delayed(dry, 40))
    streaming = make_streaming(memory, compare=("waveform/SGD", "stft/Adam"))
    primary = all_estimates(streaming)
    comparisons = streaming.poll_comparisons()
    assert streaming.poll_comparisons() == []
    for entry in ("waveform/SGD", "stft/Adam"):
        comparison = [one for name, one in comparisons if name == entry]
        assert [one.center_frame for one in comparison] == [one.center_frame for one in primary]
        np.testing.assert_array_equal([one.delay_frames for one in comparison], [one.delay_frames for one in primary])
        assert comparison[-1].gain_est_db == pytest.approx(GAIN_DB, abs=0.2)


def test_comparison_equals_an_independent_estimator(memory: EngineSharedMemory) -> None:
    dry = noise(2 * RATE)
    write(memory, dry, GAIN * dry)
    streaming = make_streaming(memory, align=False, compare=("waveform/Adagrad",))
    all_estimates(streaming)
    comparison = [one.to_row() for _, one in streaming.poll_comparisons()]
    independent = [
        one.to_row() for one in all_estimates(make_streaming(memory, align=False, loss="waveform", optimizer="Adagrad"))
    ]
    np.testing.assert_array_equal(comparison, independent)


def test_live_comparisons_skip_windows_during_a_backlog(memory: EngineSharedMemory) -> None:
    dry = noise(2 * RATE)
    write(memory, dry, GAIN * dry)
    streaming = StreamingEstimator(
        RingSignalReader(memory.audio, memory.control),
        Estimator(settings(align=False, compare=("waveform/SGD",))),
        live=True,
    )
    estimates = all_estimates(streaming)
    assert len(estimates) > 50
    assert len(streaming.poll_comparisons()) <= MAX_BACKLOG_HOPS
    write(memory, dry[:HOP], GAIN * dry[:HOP])
    assert len(all_estimates(streaming)) == len(streaming.poll_comparisons()) == 1


def test_live_batches_are_short_and_a_backlog_can_be_skipped(memory: EngineSharedMemory) -> None:
    dry = noise(2 * RATE)
    write(memory, dry, GAIN * dry)
    streaming = StreamingEstimator(
        RingSignalReader(memory.audio, memory.control), Estimator(settings(align=False)), live=True
    )
    assert len(streaming.advance()) == LIVE_BATCH_HOPS
    skipped_hops = (2 * RATE - WINDOW) // HOP - LIVE_BATCH_HOPS
    assert streaming.backlog_s == pytest.approx(skipped_hops * HOP / RATE)
    streaming.skip_to_newest()
    assert (streaming.backlog_s, streaming.dropped_frames) == (0.0, skipped_hops * HOP)
    assert [one.center_frame for one in all_estimates(streaming)] == [2 * RATE - WINDOW / 2]


def test_remaining_comparisons_continue_and_new_ones_start(memory: EngineSharedMemory) -> None:
    streaming = make_streaming(memory, compare=("waveform/SGD", "stft/Adam"))
    remaining = streaming.comparisons["stft/Adam"]
    streaming.configure(settings(compare=("stft/Adam", "spectral/SGD"), align=False))
    assert list(streaming.comparisons) == ["stft/Adam", "spectral/SGD"]
    assert streaming.comparisons["stft/Adam"] is remaining
    assert remaining.settings.align is False
    streaming.set_frozen(True)
    streaming.configure(settings(compare=("waveform/SGD@0.01",)))
    (comparison,) = streaming.comparisons.values()
    assert comparison.frozen
    assert (comparison.settings.stock_optimizer, comparison.settings.lr, comparison.settings.compare) == (
        True,
        0.01,
        (),
    )
    streaming.reset(-20.0)
    assert comparison.tracker.gain_db == -20.0
