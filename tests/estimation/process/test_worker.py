"""Estimator process, a real one: its reports, its commands, its exit."""

import itertools
import json
import math
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from rtgain.audio.engine.shared_memory import EngineSharedMemory
from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.estimation.process.messages import (
    Command,
    DroppedFramesMessage,
    EnableDiagnostics,
    FailureMessage,
    FinishMessage,
    FreezeMessage,
    ReadyMessage,
    ResetMessage,
)
from rtgain.estimation.process.worker import Worker
from rtgain.estimation.process.worker_process import MAX_SLOW_BATCHES, _WorkerLoop
from rtgain.records.estimate import Estimate, State
from rtgain.records.loss_curves import LossCurves
from tests.polling import TIMEOUT_S, wait_until
from tests.processes import is_running

RATE, WINDOW, HOP = 8_000, 512, 128
GAIN = 0.15
GAIN_DB = 20.0 * math.log10(GAIN)
SETTINGS = EstimatorSettings(RATE, WINDOW, HOP, align=False)


def write(memory: EngineSharedMemory, hops: int, gain: float = GAIN, seed: int = 1) -> None:
    rows = np.zeros((4, hops * HOP), np.float32)
    rows[0] = 0.1 * np.random.default_rng(seed).standard_normal(hops * HOP)
    rows[1], rows[3] = gain * rows[0], abs(gain)
    memory.audio.write(rows)


def read_estimates(memory: EngineSharedMemory) -> list[Estimate]:
    rows = memory.estimates.read(0, memory.estimates.frames_written)
    return [Estimate.from_row(row) for row in rows.T.astype(np.float64)]


def wait_for(memory: EngineSharedMemory, estimates: int) -> None:
    wait_until(lambda: memory.estimates.frames_written >= estimates)


def make_loop(memory: EngineSharedMemory) -> tuple[Connection, _WorkerLoop]:
    """Return the session's end of the pipe, and the loop of a worker without its process."""
    from rtgain.estimation.estimator import Estimator
    from rtgain.estimation.signal_reader import RingSignalReader
    from rtgain.estimation.streaming import StreamingEstimator

    session_end, worker_end = multiprocessing.Pipe()
    reader = RingSignalReader(memory.audio, memory.control)
    return session_end, _WorkerLoop(
        memory, reader, StreamingEstimator(reader, Estimator(SETTINGS), live=True), worker_end
    )


@pytest.fixture
def memory() -> Iterator[EngineSharedMemory]:
    with EngineSharedMemory.create(RATE) as memory:
        yield memory


@pytest.fixture
def worker(memory: EngineSharedMemory) -> Iterator[Worker]:
    worker = Worker(memory.name, SETTINGS)
    yield worker
    worker.stop()


def test_process_estimates_obeys_commands_and_finishes(memory: EngineSharedMemory, worker: Worker) -> None:
    assert worker.messages(timeout_s=60.0) == [ReadyMessage()]
    assert worker.pid != os.getpid()

    write(memory, 20, -GAIN)
    wait_for(memory, 17)
    estimates = read_estimates(memory)
    assert [one.center_frame for one in estimates] == [WINDOW / 2 + HOP * hop for hop in range(17)]
    assert estimates[-1].gain_est_db == pytest.approx(GAIN_DB, abs=0.001)
    wait_until(lambda: memory.control["matched_gain"] != 1.0)
    assert memory.control["matched_gain"] == pytest.approx(-GAIN, rel=1e-3)

    worker.send(FreezeMessage(True))
    worker.send(ResetMessage(-6.0))

    def is_reset() -> bool:  # commands are executed one by one between windows
        count = memory.estimates.frames_written + 1
        write(memory, 1)
        wait_for(memory, count)
        last = read_estimates(memory)[-1]
        return last.state is State.WAITING and math.isnan(last.gain_est_db)

    wait_until(is_reset)
    worker.send(FreezeMessage(False))

    worker.send(replace(SETTINGS, hop_frames=2 * HOP))

    def has_longer_hops() -> bool:
        count = memory.estimates.frames_written + 1
        write(memory, 2)
        wait_for(memory, count)
        return bool(np.diff([one.center_frame for one in read_estimates(memory)[-2:]])[0] == 2 * HOP)

    wait_until(has_longer_hops)

    write(memory, 8)
    end_frame = memory.audio.frames_written
    assert worker.finish(end_frame, timeout_s=TIMEOUT_S)
    assert not worker.alive
    assert end_frame - 2 * HOP < read_estimates(memory)[-1].available_frame <= end_frame


def test_frozen_estimate_is_constant_until_it_is_released(memory: EngineSharedMemory) -> None:
    """The loop runs in this thread: a process may have begun a window when a command arrives."""
    session_end, loop = make_loop(memory)

    def gain_db_after(*commands: Command, gain: float) -> float:
        """Send the commands, write ten hops, and return the last gain that the loop estimates."""
        write(memory, 10, gain)
        for command in (*commands, FinishMessage(memory.audio.frames_written)):
            session_end.send(command)
        loop.run()
        return read_estimates(memory)[-1].gain_est_db

    assert gain_db_after(gain=GAIN) == pytest.approx(GAIN_DB, abs=0.001)
    assert gain_db_after(FreezeMessage(True), gain=10.0 * GAIN) == pytest.approx(GAIN_DB, abs=0.001)
    assert gain_db_after(FreezeMessage(False), gain=10.0 * GAIN) == pytest.approx(GAIN_DB + 20.0, abs=0.01)


def test_pending_commands_are_executed_before_the_next_window_and_the_last_one_limits_it(
    memory: EngineSharedMemory,
) -> None:
    """The loop runs in this thread: a process may have begun a window when a command arrives."""
    session_end, loop = make_loop(memory)
    write(memory, 20)
    while loop._estimate():
        pass
    assert len(read_estimates(memory)) == 17
    for frozen in [*[True] * 50, False, True]:
        session_end.send(FreezeMessage(frozen))
    session_end.send(ResetMessage(-6.0))
    write(memory, 8)
    session_end.send(FinishMessage(memory.audio.frames_written - 5 * HOP))
    loop.run()
    assert [one.state for one in read_estimates(memory)[17:]] == [State.WAITING] * 3


def test_diagnostics_publish_curves_and_loudness(memory: EngineSharedMemory, worker: Worker) -> None:
    assert worker.messages(timeout_s=60.0) == [ReadyMessage()]
    write(memory, 20)
    wait_for(memory, 17)
    assert memory.curves.frames_written == 0
    worker.send(EnableDiagnostics())

    def is_measured() -> bool:
        write(memory, 1)
        return memory.curves.frames_written > 0 and math.isfinite(memory.control["dry_momentary_lufs"])

    wait_until(is_measured)
    assert worker.finish(memory.audio.frames_written, timeout_s=TIMEOUT_S)  # after all signals of a step are measured
    curves = LossCurves.from_row(memory.curves.read(memory.curves.frames_written - 1, 1)[:, 0].astype(np.float64))
    assert curves.gain_est == pytest.approx(GAIN, rel=1e-3)
    for name in ("momentary_lufs", "integrated_lufs", "true_peak_dbtp"):
        dry, target = (memory.control[f"{signal}_{name}"] for signal in ("dry", "target"))
        assert dry - target == pytest.approx(-GAIN_DB, abs=0.1)
    assert memory.control["matched_momentary_lufs"] == -math.inf


def test_loudness_is_measured_again_when_a_reset_estimate_is_tracking(
    memory: EngineSharedMemory, worker: Worker
) -> None:
    """Otherwise the true peak of the matched signal would be that before the gain was known."""
    assert worker.messages(timeout_s=60.0) == [ReadyMessage()]
    worker.send(EnableDiagnostics())

    def true_peaks(gain: float) -> float:
        write(memory, 2, gain)
        return float(memory.control["target_true_peak_dbtp"])

    wait_until(lambda: true_peaks(1.0) > -20.0)
    wait_until(lambda: true_peaks(1.0) > -20.0 and read_estimates(memory)[-1].state is State.TRACKING)
    wait_until(lambda: true_peaks(1.0) > -20.0)  # since it is tracking
    write(memory, 20, 0.01)
    worker.send(ResetMessage(0.0))
    wait_until(lambda: true_peaks(0.01) < -40.0)
    assert worker.finish(memory.audio.frames_written, timeout_s=TIMEOUT_S)


def test_dropped_frames_are_reported(memory: EngineSharedMemory, worker: Worker) -> None:
    assert worker.messages(timeout_s=60.0) == [ReadyMessage()]
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGSTOP)
    hops = memory.audio.capacity // HOP
    for seed in range(3):
        write(memory, hops // 2, seed=seed)
    os.kill(worker.pid, signal.SIGCONT)
    wait_for(memory, 1)
    reports = worker.messages(timeout_s=30.0)
    newest = (memory.audio.frames_written - WINDOW) // HOP
    assert reports == [DroppedFramesMessage(newest * HOP)]
    assert read_estimates(memory)[0].center_frame == newest * HOP + WINDOW / 2


def test_exception_in_the_process_is_reported_and_ends_it(memory: EngineSharedMemory) -> None:
    worker = Worker(memory.name, replace(SETTINGS, loss="louder"))
    try:
        wait_until(lambda: not worker.alive)
        assert worker.messages() == [FailureMessage("KeyError: 'louder'")]
        worker.send(FreezeMessage(True))  # the process has exited: no error
        assert worker.finish(0, timeout_s=1.0)
    finally:
        worker.stop()
    worker.stop()


def test_missing_shared_memory_is_reported() -> None:
    worker = Worker("rtgain-none", SETTINGS)
    try:
        wait_until(lambda: not worker.alive)
        (failed,) = worker.messages()
        assert isinstance(failed, FailureMessage)
        assert failed.reason.startswith("FileNotFoundError")
    finally:
        worker.stop()


ORPHAN = """
import json, multiprocessing, os, sys
from rtgain.audio.engine.shared_memory import EngineSharedMemory
from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.estimation.process.worker import Worker
import rtgain.estimation.supervisor

if __name__ == "__main__":
    memory = EngineSharedMemory.create(8000)
    worker = Worker(memory.name, EstimatorSettings(8000, 512, 128))
    worker.messages(timeout_s=60.0)
    print(json.dumps({"pid": worker.pid, "torch": "torch" in sys.modules}), flush=True)
    sys.stdin.read()
"""


def test_killed_parent_leaves_no_process_and_never_loads_torch(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(ORPHAN, encoding="utf-8")
    command = [sys.executable, str(script)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}  # this tree, not an installed package
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        report = json.loads(parent.stdout.readline())
        assert is_running(report["pid"])
        assert report["torch"] is False
        parent.kill()
    wait_until(lambda: not is_running(report["pid"]))


@pytest.mark.parametrize(("batch_s", "skips"), [(0.2, False), (0.3, True)])
def test_slow_worker_with_a_backlog_skips_to_the_newest_window(
    memory: EngineSharedMemory, monkeypatch: pytest.MonkeyPatch, batch_s: float, skips: bool
) -> None:
    """Sixteen hops are 0.256 s of audio. At a backlog of four seconds, each batch takes `batch_s`."""
    from rtgain.estimation.streaming import LIVE_BATCH_HOPS

    write(memory, 4 * RATE // HOP)
    session_end, loop = make_loop(memory)
    clock = itertools.count(0.0, batch_s)
    monkeypatch.setattr("rtgain.estimation.process.worker_process.time.monotonic", lambda: next(clock))
    while loop._estimate():
        pass
    hops = MAX_SLOW_BATCHES * LIVE_BATCH_HOPS
    times = [one.center_frame - WINDOW / 2 for one in read_estimates(memory)]
    assert times[:hops] == [hop * HOP for hop in range(hops)]
    assert times[hops] == (4 * RATE - WINDOW if skips else hops * HOP)
    dropped = 4 * RATE - WINDOW - hops * HOP
    assert (session_end.recv() == DroppedFramesMessage(dropped)) if skips else not session_end.poll()
