"""Supervisor of a process that is killed, hangs or fails, and the runner in the calling process."""

import math
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from rtgain.audio.engine.shared_memory import EngineSharedMemory
from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.estimation import supervisor as supervisor_module
from rtgain.estimation.process.messages import FailureMessage, LoadingMessage, ReadyMessage
from rtgain.estimation.runner import InProcessRunner
from rtgain.estimation.supervisor import MAX_CONSECUTIVE_FAILURES, Supervisor
from rtgain.records.estimate import Estimate, State
from rtgain.records.loss_curves import CURVE_POINTS, LossCurves, gain_grid
from tests.estimation.scripted_worker import ScriptedWorker
from tests.polling import wait_until
from tests.processes import is_running

RATE, WINDOW, HOP = 8_000, 512, 128
GAIN = 0.15
GAIN_DB = 20.0 * math.log10(GAIN)
SETTINGS = EstimatorSettings(RATE, WINDOW, HOP, align=False)


class SignalWriter:
    """Writer of noise to the audio ring, in place of the engine; the gain may change between calls."""

    def __init__(self, memory: EngineSharedMemory) -> None:
        self._memory = memory
        self._rng = np.random.default_rng(1)

    def play(self, hops: int, gain: float = GAIN) -> int:
        """Write `hops` hops; return the number of frames written in total."""
        rows = np.zeros((4, hops * HOP), np.float32)
        rows[0] = 0.1 * self._rng.standard_normal(hops * HOP)
        rows[1], rows[3] = gain * rows[0], abs(gain)
        self._memory.audio.write(rows)
        self._memory.control["frames"] = self._memory.audio.frames_written
        return int(self._memory.audio.frames_written)


@pytest.fixture
def memory() -> Iterator[EngineSharedMemory]:
    with EngineSharedMemory.create(RATE) as memory:
        yield memory


@pytest.fixture
def signal_writer(memory: EngineSharedMemory) -> SignalWriter:
    return SignalWriter(memory)


@pytest.fixture
def supervisor(memory: EngineSharedMemory) -> Iterator[Supervisor]:
    supervisor = Supervisor(memory, SETTINGS)
    yield supervisor
    supervisor.stop()


def test_loss_curves_are_the_same_object_until_there_are_newer_ones(
    memory: EngineSharedMemory, supervisor: Supervisor
) -> None:
    """The window draws an object once."""
    assert supervisor.curves() is None
    losses = np.arange(CURVE_POINTS, dtype=float)
    row = LossCurves(gain_grid(1.0), losses, losses, 0.5, 1.0, 2.0, 100.0, 7).to_row().reshape(-1, 1)
    memory.curves.write(row)
    first = supervisor.curves()
    assert first is not None
    np.testing.assert_array_equal(first.loss, losses)
    assert supervisor.curves() is first
    memory.curves.write(row)
    assert supervisor.curves() is not first


def poll_until(supervisor: Supervisor, count: int) -> list[Estimate]:
    estimates: list[Estimate] = []

    def enough() -> bool:
        estimates.extend(supervisor.poll())
        return len(estimates) >= count

    wait_until(enough)
    return estimates


def pid_of(supervisor: Supervisor) -> int:
    assert supervisor._worker is not None
    assert supervisor._worker.pid is not None
    return supervisor._worker.pid


def centers(estimates: list[Estimate]) -> list[float]:
    return [one.center_frame for one in estimates]


# --- supervised process -----------------------------------------------------------------------------


def test_killed_process_is_restarted_from_its_last_estimate(
    supervisor: Supervisor, signal_writer: SignalWriter
) -> None:
    supervisor.start()
    supervisor.wait_until_ready()
    signal_writer.play(20, -GAIN)
    first = poll_until(supervisor, 17)
    assert (supervisor.restarts, supervisor.notices()) == (0, [])
    killed = pid_of(supervisor)

    supervisor.set_frozen(True)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: not is_running(killed) or supervisor.poll() != [] or supervisor.restarts == 1)
    wait_until(lambda: supervisor.poll() == [] and supervisor.restarts == 1)
    assert pid_of(supervisor) != killed
    assert supervisor.notices() == ["The estimator process was killed and has been restarted (1)."]
    assert supervisor.notices() == [], "each notice is reported once"
    supervisor.wait_until_ready()

    signal_writer.play(10, -GAIN)
    second = poll_until(supervisor, 10)
    assert centers(first + second) == [WINDOW / 2 + HOP * hop for hop in range(27)]
    # Frozen as before, with the previous process's gain, polarity and deviation.
    assert {(one.gain_est_db, one.std_db, one.polarity) for one in second} == {
        (first[-1].gain_est_db, first[-1].std_db, -1)
    }
    supervisor.set_frozen(False)

    limit_frame = signal_writer.play(12, -GAIN)
    last = supervisor.finish(limit_frame)
    assert centers(last) == [WINDOW / 2 + HOP * hop for hop in range(27, 39)]
    assert last[-1].gain_est_db == pytest.approx(GAIN_DB, abs=0.001)
    assert supervisor.poll() == []
    assert supervisor.notices() == []
    assert supervisor.dropped_frames == 0


def test_hung_process_is_replaced(
    supervisor: Supervisor, signal_writer: SignalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor.start()
    supervisor.wait_until_ready()
    signal_writer.play(20)
    poll_until(supervisor, 17)
    monkeypatch.setattr(supervisor_module, "HANG_TIMEOUT_S", 0.5)
    hung = pid_of(supervisor)
    os.kill(hung, signal.SIGSTOP)
    signal_writer.play(2 * RATE // HOP)  # now the backlog is two seconds

    def replaced() -> bool:
        supervisor.poll()
        return supervisor.restarts == 1

    wait_until(replaced)
    wait_until(lambda: not is_running(hung))
    assert supervisor.notices() == ["The estimator process stopped responding and has been restarted (1)."]
    monkeypatch.setattr(supervisor_module, "HANG_TIMEOUT_S", 60.0)
    remaining = poll_until(supervisor, 2 * RATE // HOP)
    assert centers(remaining) == [WINDOW / 2 + HOP * hop for hop in range(17, 17 + len(remaining))]


def test_process_that_waits_for_audio_is_not_hung(
    supervisor: Supervisor, signal_writer: SignalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor.start()
    supervisor.wait_until_ready()
    signal_writer.play(20)
    poll_until(supervisor, 17)
    monkeypatch.setattr(supervisor_module, "HANG_TIMEOUT_S", 0.02)
    pause = threading.Event()
    for _ in range(10):
        assert supervisor.poll() == []
        pause.wait(0.01)
    assert supervisor.restarts == 0


def test_process_that_always_fails_is_not_restarted(memory: EngineSharedMemory, signal_writer: SignalWriter) -> None:
    supervisor = Supervisor(memory, replace(SETTINGS, loss="louder"))
    supervisor.start()
    supervisor.wait_until_ready()
    assert supervisor.restarts == MAX_CONSECUTIVE_FAILURES - 1
    assert supervisor.notices() == [
        "The estimator process failed (KeyError: 'louder') and has been restarted (1).",
        "The estimator process failed (KeyError: 'louder') and has been restarted (2).",
        "The estimator process failed (KeyError: 'louder') again and was not restarted. "
        "Audio continues; stop and start to retry.",
    ]
    limit_frame = signal_writer.play(20)
    # All commands that a session may still send do nothing.
    supervisor.configure(SETTINGS)
    supervisor.reset(0.0)
    supervisor.set_frozen(True)
    supervisor.wait_until_ready()
    assert supervisor.poll() == []
    assert supervisor.finish(limit_frame) == []
    supervisor.stop()


def test_failing_setting_is_reported_and_a_valid_one_recovers(
    supervisor: Supervisor, signal_writer: SignalWriter
) -> None:
    supervisor.start()
    supervisor.wait_until_ready()
    signal_writer.play(20)
    poll_until(supervisor, 17)
    supervisor.configure(replace(SETTINGS, loss="louder"))

    def restarted() -> bool:  # it may estimate one more batch before it receives the setting
        signal_writer.play(1)
        supervisor.poll()
        return supervisor.restarts == 1

    wait_until(restarted)
    assert supervisor.notices() == ["The estimator process failed (KeyError: 'louder') and has been restarted (1)."]
    supervisor.configure(replace(SETTINGS, loss="waveform"))
    # The process that is starting still has the invalid loss; the next one has the valid one.
    written = signal_writer.play(10)
    estimates: list[Estimate] = []

    def complete() -> bool:
        estimates.extend(supervisor.poll())
        return bool(estimates) and estimates[-1].available_frame == written

    wait_until(complete)
    assert estimates[-1].gain_est_db == pytest.approx(GAIN_DB, abs=0.01)


def test_commands_reach_the_process_and_stop_kills_it(
    supervisor: Supervisor, memory: EngineSharedMemory, signal_writer: SignalWriter
) -> None:
    supervisor.start()
    pid = pid_of(supervisor)
    supervisor.configure(replace(SETTINGS, hop_frames=2 * HOP))
    supervisor.wait_until_ready()
    signal_writer.play(20)

    def has_longer_hops() -> bool:  # it may estimate one more batch before it receives the setting
        signal_writer.play(4)
        return set(np.diff(centers(poll_until(supervisor, 2)))) == {2 * HOP}

    wait_until(has_longer_hops)
    supervisor.set_frozen(True)
    supervisor.reset(-3.0)

    def is_reset() -> bool:  # commands are executed one by one between windows
        signal_writer.play(2)
        return poll_until(supervisor, 1)[-1].state is State.WAITING

    wait_until(is_reset)
    supervisor.stop()
    supervisor.stop()
    wait_until(lambda: not is_running(pid))
    assert memory.audio.read(0, HOP).any(), "the audio memory belongs to the session"


# --- no process -------------------------------------------------------------------------------------


class Clock:
    """The supervisor's clock, which goes on only by `now_s`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        monkeypatch.setattr(supervisor_module, "time", SimpleNamespace(monotonic=lambda: self.now_s))


@pytest.fixture
def scripted(memory: EngineSharedMemory, monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    monkeypatch.setattr(Supervisor, "worker_type", ScriptedWorker)
    supervisor = Supervisor(memory, SETTINGS)
    supervisor.start()
    return supervisor


def write_estimate(memory: EngineSharedMemory, count: int = 1) -> None:
    levels = (0.0, 0.0, 0.0, -6.0, -6.0, 0.1, -6.0, 0.05, 0.1, 0.0)
    estimate = Estimate(*levels, State.TRACKING, 1, 0.0, 1, (-6.0,), (1,), (0.0,))
    memory.estimates.write(np.tile(estimate.to_row().reshape(-1, 1), count))


def fail(supervisor: Supervisor, reason: str | None = None) -> None:
    worker = supervisor._worker
    assert isinstance(worker, ScriptedWorker)
    worker.alive = False
    worker.pending = [FailureMessage(reason)] if reason else []
    supervisor.poll()


def test_estimate_resets_the_failure_count(scripted: Supervisor, memory: EngineSharedMemory) -> None:
    for count in range(1, 6):
        fail(scripted)
        assert scripted.restarts == count
        write_estimate(memory)
        assert len(scripted.poll()) == 1
    for _ in range(MAX_CONSECUTIVE_FAILURES):
        fail(scripted, "OSError: no")
    assert scripted.restarts == 5 + MAX_CONSECUTIVE_FAILURES - 1
    assert scripted.notices()[-1].startswith("The estimator process failed (OSError: no) again and was not restarted.")


def test_overwritten_estimates_are_skipped(scripted: Supervisor, memory: EngineSharedMemory) -> None:
    capacity = memory.estimates.capacity
    write_estimate(memory, capacity // 2)
    write_estimate(memory, capacity // 2 + 10)
    assert len(scripted.poll()) == capacity
    assert scripted.poll() == []


def test_failure_reported_just_before_the_exit_is_the_reason(scripted: Supervisor) -> None:
    """The process reports it and exits after its messages were read and before it is found dead."""
    worker = scripted._worker
    assert isinstance(worker, ScriptedWorker)
    read_messages = worker.messages

    def messages(timeout_s: float = 0.0) -> list[object]:
        read = read_messages(timeout_s)
        if worker.alive:
            worker.alive, worker.pending = False, [FailureMessage("OSError: no")]
        return read

    worker.messages = messages  # type: ignore[method-assign]
    scripted.poll()
    assert scripted.notices() == ["The estimator process failed (OSError: no) and has been restarted (1)."]


def test_process_that_does_not_finish_in_time_is_reported(scripted: Supervisor, memory: EngineSharedMemory) -> None:
    worker = scripted._worker
    assert isinstance(worker, ScriptedWorker)
    worker.pending = [ReadyMessage()]
    write_estimate(memory)
    scripted.poll()
    write_estimate(memory)
    assert len(scripted.finish(0)) == 1
    assert scripted.notices() == ["The estimator did not finish in time; the last estimates are missing."]


def test_process_that_compiles_is_not_hung(
    scripted: Supervisor, memory: EngineSharedMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first start on a machine compiles the loudness meter, which lasts longer under load than the time limit."""
    worker = scripted._worker
    assert isinstance(worker, ScriptedWorker)
    clock = Clock(monkeypatch)
    memory.control["frames"] = 60 * RATE
    for message, restarts in ((ReadyMessage(), 1), (LoadingMessage(), 1), (ReadyMessage(), 2)):
        worker = scripted._worker
        assert isinstance(worker, ScriptedWorker)
        worker.pending = [ReadyMessage()]
        scripted.poll()
        worker.pending = [message]
        scripted.poll()
        clock.now_s += supervisor_module.FIRST_ESTIMATE_TIMEOUT_S + 0.1
        scripted.poll()
        assert scripted.restarts == restarts, message


def test_first_estimate_may_be_later_than_the_next_ones(
    scripted: Supervisor, memory: EngineSharedMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy machine gives a new process too little processor time for an estimate within the usual limit."""
    worker = scripted._worker
    assert isinstance(worker, ScriptedWorker)
    clock = Clock(monkeypatch)
    memory.control["frames"] = 60 * RATE
    worker.pending = [ReadyMessage()]
    for restarts in (0, 1):
        scripted.poll()
        clock.now_s += supervisor_module.HANG_TIMEOUT_S + 0.1
        scripted.poll()
        assert scripted.restarts == restarts
        write_estimate(memory)


# --- runner in the calling process ------------------------------------------------------------------


def test_in_process_runner_estimates_every_window_in_step(
    memory: EngineSharedMemory, signal_writer: SignalWriter
) -> None:
    runner = InProcessRunner(memory, SETTINGS)
    runner.start()
    runner.wait_until_ready()
    assert runner.poll() == []
    signal_writer.play(20)
    assert len(runner.poll()) == 17
    assert memory.control["matched_gain"] == pytest.approx(GAIN, rel=1e-3)
    runner.set_frozen(True)
    signal_writer.play(10, 10.0 * GAIN)
    assert runner.poll()[-1].gain_est_db == pytest.approx(GAIN_DB, abs=0.001)
    runner.set_frozen(False)
    runner.reset(-3.0)
    runner.configure(replace(SETTINGS, hop_frames=2 * HOP))
    written = signal_writer.play(10)
    last = runner.finish(written - HOP)
    assert set(np.diff(centers(last))) == {2 * HOP}
    assert last[-1].available_frame <= written - HOP
    assert last[-1].gain_est_db == pytest.approx(GAIN_DB, abs=0.001)
    assert (runner.restarts, runner.dropped_frames, runner.notices()) == (0, 0, [])
    runner.stop()
