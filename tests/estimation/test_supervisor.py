"""Who watches over the estimator: processes that are killed, stopped or fail, and the clock that needs none."""

import math
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from rtgain.audio.engine.shared_memory import EngineSharedMemory
from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.estimation import supervisor as supervisor_module
from rtgain.estimation.process.messages import FailureMessage, ReadyMessage
from rtgain.estimation.runner import InProcessRunner
from rtgain.estimation.supervisor import MAX_CONSECUTIVE_FAILURES, Supervisor
from rtgain.records.estimate import Estimate, State
from tests.polling import wait_until
from tests.processes import is_running

RATE, WINDOW, HOP = 8_000, 512, 128
GAIN = 0.15
GAIN_DB = 20.0 * math.log10(GAIN)
SETTINGS = EstimatorSettings(RATE, WINDOW, HOP, align=False)


class SignalReader:
    """Noise into the ring, as the audio side writes it: one long take, of which the gain may change."""

    def __init__(self, memory: EngineSharedMemory) -> None:
        self._memory = memory
        self._rng = np.random.default_rng(1)

    def play(self, hops: int, gain: float = GAIN) -> int:
        """Write so many hops; the frames written in all."""
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
def sound(memory: EngineSharedMemory) -> SignalReader:
    return SignalReader(memory)


@pytest.fixture
def supervisor(memory: EngineSharedMemory) -> Iterator[Supervisor]:
    supervisor = Supervisor(memory, SETTINGS)
    yield supervisor
    supervisor.stop()


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


# --- a process that is watched over -----------------------------------------------------------------


def test_a_process_that_is_killed_is_started_again_from_where_it_was(
    supervisor: Supervisor, sound: SignalReader
) -> None:
    supervisor.start()
    supervisor.wait_until_ready()
    sound.play(20, -GAIN)
    first = poll_until(supervisor, 17)
    assert (supervisor.restarts, supervisor.notices()) == (0, [])
    killed = pid_of(supervisor)

    supervisor.freeze(True)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: not is_running(killed) or supervisor.poll() != [] or supervisor.restarts == 1)
    wait_until(lambda: supervisor.poll() == [] and supervisor.restarts == 1)
    assert pid_of(supervisor) != killed
    assert supervisor.notices() == ["The estimator was ended from outside and was started again (1)."]
    assert supervisor.notices() == [], "it is said once"
    supervisor.wait_until_ready()

    sound.play(10, -GAIN)
    second = poll_until(supervisor, 10)
    assert centers(first + second) == [WINDOW / 2 + HOP * hop for hop in range(27)]
    # Frozen as the one before was, and with what that one knew: gain, polarity, deviation.
    assert {(one.gain_est_db, one.std_db, one.polarity) for one in second} == {
        (first[-1].gain_est_db, first[-1].std_db, -1)
    }
    supervisor.freeze(False)

    limit_frame = sound.play(12, -GAIN)
    last = supervisor.finish(limit_frame)
    assert centers(last) == [WINDOW / 2 + HOP * hop for hop in range(27, 39)]
    assert last[-1].gain_est_db == pytest.approx(GAIN_DB, abs=0.001)
    assert supervisor.poll() == []
    assert supervisor.notices() == []
    assert supervisor.dropped_frames == 0


def test_a_process_that_does_not_answer_is_replaced(
    supervisor: Supervisor, sound: SignalReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor.start()
    supervisor.wait_until_ready()
    sound.play(20)
    poll_until(supervisor, 17)
    monkeypatch.setattr(supervisor_module, "HANG_TIMEOUT_S", 0.5)
    hung = pid_of(supervisor)
    os.kill(hung, signal.SIGSTOP)
    sound.play(2 * RATE // HOP)  # now it is two seconds behind

    def replaced() -> bool:
        supervisor.poll()
        return supervisor.restarts == 1

    wait_until(replaced)
    wait_until(lambda: not is_running(hung))
    assert supervisor.notices() == ["The estimator did not answer and was started again (1)."]
    monkeypatch.setattr(supervisor_module, "HANG_TIMEOUT_S", 60.0)
    rest = poll_until(supervisor, 2 * RATE // HOP)
    assert centers(rest) == [WINDOW / 2 + HOP * hop for hop in range(17, 17 + len(rest))]


def test_a_process_that_waits_for_sound_is_not_hung(
    supervisor: Supervisor, sound: SignalReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor.start()
    supervisor.wait_until_ready()
    sound.play(20)
    poll_until(supervisor, 17)
    monkeypatch.setattr(supervisor_module, "HANG_TIMEOUT_S", 0.02)
    pause = threading.Event()
    for _ in range(10):
        assert supervisor.poll() == []
        pause.wait(0.01)
    assert supervisor.restarts == 0


def test_a_process_that_fails_every_time_is_given_up(memory: EngineSharedMemory, sound: SignalReader) -> None:
    supervisor = Supervisor(memory, replace(SETTINGS, loss="louder"))
    supervisor.start()
    supervisor.wait_until_ready()
    assert supervisor.restarts == MAX_CONSECUTIVE_FAILURES - 1
    assert supervisor.notices() == [
        "The estimator failed (KeyError: 'louder') and was started again (1).",
        "The estimator failed (KeyError: 'louder') and was started again (2).",
        "The estimator cannot run (failed (KeyError: 'louder')). The sound goes on; stop and start to try again.",
    ]
    limit_frame = sound.play(20)
    # All that a session may still ask for does nothing.
    supervisor.configure(SETTINGS)
    supervisor.reset(0.0)
    supervisor.freeze(True)
    supervisor.wait_until_ready()
    assert supervisor.poll() == []
    assert supervisor.finish(limit_frame) == []
    supervisor.stop()


def test_a_setting_that_fails_while_it_runs_is_told_and_a_right_one_helps(
    supervisor: Supervisor, sound: SignalReader
) -> None:
    supervisor.start()
    supervisor.wait_until_ready()
    sound.play(20)
    poll_until(supervisor, 17)
    supervisor.configure(replace(SETTINGS, loss="louder"))
    sound.play(1)

    def restarted() -> bool:
        supervisor.poll()
        return supervisor.restarts == 1

    wait_until(restarted)
    assert supervisor.notices() == ["The estimator failed (KeyError: 'louder') and was started again (1)."]
    supervisor.configure(replace(SETTINGS, loss="waveform"))
    # The process that is being started has the wrong loss still; the one after it the right one.
    sound.play(10)
    estimates = poll_until(supervisor, 11)
    assert estimates[-1].gain_est_db == pytest.approx(GAIN_DB, abs=0.01)


def test_commands_reach_the_process_and_stop_ends_it(
    supervisor: Supervisor, memory: EngineSharedMemory, sound: SignalReader
) -> None:
    supervisor.start()
    pid = pid_of(supervisor)
    supervisor.configure(replace(SETTINGS, hop_frames=2 * HOP))
    supervisor.wait_until_ready()
    sound.play(20)
    assert set(np.diff(centers(poll_until(supervisor, 8)))) == {2 * HOP}
    supervisor.freeze(True)
    supervisor.reset(-3.0)

    def has_forgotten() -> bool:  # commands are obeyed one between windows
        sound.play(2)
        return poll_until(supervisor, 1)[-1].state is State.WAITING

    wait_until(has_forgotten)
    supervisor.stop()
    supervisor.stop()
    wait_until(lambda: not is_running(pid))
    assert memory.audio.read(0, HOP).any(), "the sound's memory is the session's, and stays"


# --- without a process ------------------------------------------------------------------------------


class Script:
    """A worker that is never a process: it dies when told to."""

    pid = None

    def __init__(self, *_: object) -> None:
        self.alive = True
        self.said: list[object] = []

    def send(self, command: object) -> None: ...

    def messages(self, timeout_s: float = 0.0) -> list[object]:
        said, self.said = self.said, []
        return said

    def finish(self, limit_frame: int, timeout_s: float) -> bool:
        return False

    def stop(self) -> None:
        self.alive = False


@pytest.fixture
def scripted(memory: EngineSharedMemory, monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    monkeypatch.setattr(Supervisor, "worker_type", Script)
    supervisor = Supervisor(memory, SETTINGS)
    supervisor.start()
    return supervisor


def write_estimate(memory: EngineSharedMemory) -> None:
    row = Estimate(0.0, 0.0, 0.0, -6.0, -6.0, 0.1, -6.0, 0.05, 0.1, 0.0, State.TRACKING, 1, 0.0, 1).to_row()
    memory.estimates.write(row.reshape(-1, 1))


def die(supervisor: Supervisor, reason: str | None = None) -> None:
    worker = supervisor._worker
    assert isinstance(worker, Script)
    worker.alive = False
    worker.said = [FailureMessage(reason)] if reason else []
    supervisor.poll()


def test_an_estimate_in_between_forgives_failures(scripted: Supervisor, memory: EngineSharedMemory) -> None:
    for count in range(1, 6):
        die(scripted)
        assert scripted.restarts == count
        write_estimate(memory)
        assert len(scripted.poll()) == 1
    for _ in range(MAX_CONSECUTIVE_FAILURES):
        die(scripted, "OSError: no")
    assert scripted.restarts == 5 + MAX_CONSECUTIVE_FAILURES - 1
    assert scripted.notices()[-1].startswith("The estimator cannot run (failed (OSError: no)).")


def test_estimates_that_were_overwritten_are_passed_over(scripted: Supervisor, memory: EngineSharedMemory) -> None:
    capacity = memory.estimates.capacity
    for _ in range(capacity + 10):
        write_estimate(memory)
    assert len(scripted.poll()) == capacity
    assert scripted.poll() == []


def test_a_process_that_does_not_finish_in_time_is_told_of(scripted: Supervisor, memory: EngineSharedMemory) -> None:
    worker = scripted._worker
    assert isinstance(worker, Script)
    worker.said = [ReadyMessage()]
    write_estimate(memory)
    scripted.poll()
    write_estimate(memory)
    assert len(scripted.finish(0)) == 1
    assert scripted.notices() == ["The estimator did not finish in time; the last estimates are missing."]


# --- in the calling process -------------------------------------------------------------------------


def test_in_process_every_window_is_estimated_in_step_with_the_sound(
    memory: EngineSharedMemory, sound: SignalReader
) -> None:
    inner = InProcessRunner(memory, SETTINGS)
    inner.start()
    inner.wait_until_ready()
    assert inner.poll() == []
    sound.play(20)
    assert len(inner.poll()) == 17
    assert memory.control["matched_gain"] == pytest.approx(GAIN, rel=1e-3)
    inner.freeze(True)
    sound.play(10, 10.0 * GAIN)
    assert inner.poll()[-1].gain_est_db == pytest.approx(GAIN_DB, abs=0.001)
    inner.freeze(False)
    inner.reset(-3.0)
    inner.configure(replace(SETTINGS, hop_frames=2 * HOP))
    written = sound.play(10)
    last = inner.finish(written - HOP)
    assert set(np.diff(centers(last))) == {2 * HOP}
    assert last[-1].available_frame <= written - HOP
    assert last[-1].gain_est_db == pytest.approx(GAIN_DB, abs=0.001)
    assert (inner.restarts, inner.dropped_frames, inner.notices()) == (0, 0, [])
    inner.stop()
