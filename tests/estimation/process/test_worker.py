"""The estimator's process, a real one: what it says, obeys and leaves behind."""

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
from pathlib import Path

import numpy as np
import pytest

from rtgain.audio.engine.shared_memory import EngineSharedMemory
from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.estimation.process.messages import (
    DroppedFramesMessage,
    EnableDiagnostics,
    FailureMessage,
    FinishMessage,
    FreezeMessage,
    ReadyMessage,
    ResetMessage,
)
from rtgain.estimation.process.worker import Worker
from rtgain.estimation.process.worker_process import MAX_SLOW_BATCHES, _WorkerLoop, publish_matched_gain
from rtgain.records.estimate import Estimate, State
from rtgain.records.loss_curves import LossCurves
from tests.polling import until
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


def taken(memory: EngineSharedMemory) -> list[Estimate]:
    rows = memory.estimates.read(0, memory.estimates.frames_written)
    return [Estimate.from_row(row) for row in rows.T.astype(np.float64)]


def wait_for(memory: EngineSharedMemory, estimates: int) -> None:
    until(lambda: memory.estimates.frames_written >= estimates)


@pytest.fixture
def memory() -> Iterator[EngineSharedMemory]:
    with EngineSharedMemory.create(RATE) as memory:
        yield memory


@pytest.fixture
def worker(memory: EngineSharedMemory) -> Iterator[Worker]:
    worker = Worker(memory.name, SETTINGS)
    yield worker
    worker.stop()


def test_one_process_from_its_first_word_to_its_last(memory: EngineSharedMemory, worker: Worker) -> None:
    assert worker.messages(timeout_s=60.0) == [ReadyMessage()]
    assert worker.pid != os.getpid()

    write(memory, 20, -GAIN)
    wait_for(memory, 17)
    estimates = taken(memory)
    assert [one.center_frame for one in estimates] == [WINDOW / 2 + HOP * hop for hop in range(17)]
    assert estimates[-1].gain_est_db == pytest.approx(GAIN_DB, abs=0.001)
    until(lambda: memory.control["match_gain"] != 1.0)
    assert memory.control["match_gain"] == pytest.approx(-GAIN, rel=1e-3)

    worker.send(FreezeMessage(True))
    write(memory, 10, 10.0 * GAIN)
    wait_for(memory, 27)
    assert taken(memory)[-1].gain_est_db == pytest.approx(GAIN_DB, abs=0.001)

    worker.send(FreezeMessage(False))
    write(memory, 10, 10.0 * GAIN)
    wait_for(memory, 37)
    assert taken(memory)[-1].gain_est_db == pytest.approx(GAIN_DB + 20.0, abs=0.01)

    worker.send(FreezeMessage(True))
    worker.send(ResetMessage(-6.0))

    def has_forgotten() -> bool:  # commands are obeyed one between windows
        count = memory.estimates.frames_written + 1
        write(memory, 1)
        wait_for(memory, count)
        last = taken(memory)[-1]
        return last.state is State.WAITING and math.isnan(last.gain_est_db)

    until(has_forgotten)
    worker.send(FreezeMessage(False))

    worker.send(replace(SETTINGS, hop_frames=2 * HOP))

    def has_longer_hops() -> bool:
        count = memory.estimates.frames_written + 1
        write(memory, 2)
        wait_for(memory, count)
        return bool(np.diff([one.center_frame for one in taken(memory)[-2:]])[0] == 2 * HOP)

    until(has_longer_hops)

    before = len(taken(memory))
    os.kill(worker.pid, signal.SIGSTOP)  # else it may estimate them before it hears of a limit
    write(memory, 8)
    limit_frame = memory.audio.frames_written - 4 * HOP
    worker.send(FinishMessage(limit_frame))
    os.kill(worker.pid, signal.SIGCONT)
    assert worker.finish(limit_frame, timeout_s=30.0)
    assert not worker.alive
    assert len(taken(memory)) >= before
    assert taken(memory)[-1].available_frame <= limit_frame
    assert taken(memory)[-1].available_frame > limit_frame - 2 * HOP


def test_commands_that_wait_are_all_obeyed_before_the_next_window(memory: EngineSharedMemory, worker: Worker) -> None:
    assert worker.messages(timeout_s=60.0) == [ReadyMessage()]
    write(memory, 20)
    wait_for(memory, 17)
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGSTOP)
    for _ in range(50):
        worker.send(FreezeMessage(True))
    worker.send(FreezeMessage(False))
    worker.send(FreezeMessage(True))
    worker.send(ResetMessage(-6.0))
    write(memory, 3)
    os.kill(worker.pid, signal.SIGCONT)
    wait_for(memory, 20)
    assert [one.state for one in taken(memory)[17:]] == [State.WAITING] * 3


def test_who_is_watched_draws_curves_and_measures_loudness(memory: EngineSharedMemory, worker: Worker) -> None:
    assert worker.messages(timeout_s=60.0) == [ReadyMessage()]
    write(memory, 20)
    wait_for(memory, 17)
    assert memory.curves.frames_written == 0
    worker.send(EnableDiagnostics())

    def is_measured() -> bool:
        write(memory, 1)
        return memory.curves.frames_written > 0 and math.isfinite(memory.control["dry_lufs"])

    until(is_measured, timeout_s=30.0)
    curves = LossCurves.from_row(memory.curves.read(memory.curves.frames_written - 1, 1)[:, 0].astype(np.float64))
    assert curves.gain_est == pytest.approx(GAIN, rel=1e-3)
    assert memory.control["dry_lufs"] - memory.control["target_lufs"] == pytest.approx(-GAIN_DB, abs=0.1)
    assert memory.control["matched_lufs"] == -math.inf
    assert worker.finish(memory.audio.frames_written, timeout_s=30.0)


def test_what_came_too_fast_is_reported(memory: EngineSharedMemory, worker: Worker) -> None:
    assert worker.messages(timeout_s=60.0) == [ReadyMessage()]
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGSTOP)
    hops = memory.audio.capacity // HOP
    for seed in range(3):
        write(memory, hops // 2, seed=seed)
    os.kill(worker.pid, signal.SIGCONT)
    wait_for(memory, 1)
    said = worker.messages(timeout_s=30.0)
    newest = (memory.audio.frames_written - WINDOW) // HOP
    assert said == [DroppedFramesMessage(newest * HOP)]
    assert taken(memory)[0].center_frame == newest * HOP + WINDOW / 2


def test_a_mistake_in_the_process_is_told_and_ends_it(memory: EngineSharedMemory) -> None:
    worker = Worker(memory.name, replace(SETTINGS, loss="louder"))
    try:
        until(lambda: not worker.alive)
        assert worker.messages() == [FailureMessage("KeyError: 'louder'")]
        worker.send(FreezeMessage(True))  # to nobody, and without a word
        assert worker.finish(0, timeout_s=1.0)
    finally:
        worker.stop()
    worker.stop()


def test_a_process_without_memory_to_attach_says_so() -> None:
    worker = Worker("rtgain-none", SETTINGS)
    try:
        until(lambda: not worker.alive)
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


def test_a_parent_that_is_killed_leaves_no_process_and_never_loaded_torch(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(ORPHAN, encoding="utf-8")
    command = [sys.executable, str(script)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}  # this tree, not what is installed
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        told = json.loads(parent.stdout.readline())
        assert is_running(told["pid"])
        assert told["torch"] is False
        parent.kill()
    until(lambda: not is_running(told["pid"]), timeout_s=20.0)


@pytest.mark.parametrize(("batch_s", "left_out"), [(0.2, False), (0.3, True)])
def test_who_is_late_and_slower_than_the_sound_goes_on_with_the_newest(
    memory: EngineSharedMemory, monkeypatch: pytest.MonkeyPatch, batch_s: float, left_out: bool
) -> None:
    """Sixteen hops are 0.256 s of sound. With four seconds of it there, each batch takes `batch_s`."""
    from rtgain.estimation.estimator import Estimator
    from rtgain.estimation.signal_reader import RingSignalReader
    from rtgain.estimation.streaming import LIVE_BATCH_HOPS, StreamingEstimator

    write(memory, 4 * RATE // HOP)
    ours, theirs = multiprocessing.Pipe()
    sound = RingSignalReader(memory)
    process = _WorkerLoop(memory, sound, StreamingEstimator(sound, Estimator(SETTINGS), live=True), theirs)
    clock = itertools.count(0.0, batch_s)
    monkeypatch.setattr("rtgain.estimation.process.worker_process.time.monotonic", lambda: next(clock))
    while process._estimate():
        pass
    hops = MAX_SLOW_BATCHES * LIVE_BATCH_HOPS
    times = [one.center_frame - WINDOW / 2 for one in taken(memory)]
    assert times[:hops] == [hop * HOP for hop in range(hops)]
    assert times[hops] == (4 * RATE - WINDOW if left_out else hops * HOP)
    dropped = 4 * RATE - WINDOW - hops * HOP
    assert (ours.recv() == DroppedFramesMessage(dropped)) if left_out else not ours.poll()


@pytest.mark.parametrize(("polarity", "delay", "gain", "delay_frames"), [(-1, 40.5, -GAIN, 40.5), (1, -3.0, GAIN, 0.0)])
def test_the_match_is_published_signed_and_never_ahead(
    memory: EngineSharedMemory, polarity: int, delay: float, gain: float, delay_frames: float
) -> None:
    nan = math.nan
    publish_matched_gain(
        memory, Estimate(0.0, 0.0, nan, GAIN_DB, nan, nan, nan, nan, 0.1, 0.0, State.TRACKING, 1, delay, polarity)
    )
    assert memory.control["match_gain"] == pytest.approx(gain, rel=1e-12)
    assert memory.control["match_delay_frames"] == delay_frames
