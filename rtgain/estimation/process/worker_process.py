"""The estimator's own process: it cannot disturb the sound, and it can be killed and started again.

It attaches to the session's shared memory, follows the audio ring, and writes estimates and the gain of the
matched signal back. This module is imported by both sides; torch is imported only inside the process.
"""

import multiprocessing
import os
import signal
import time
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

import numpy as np

from rtgain.audio.engine.ring_buffer import OverrunError
from rtgain.audio.engine.shared_memory import EngineSharedMemory
from rtgain.config.estimator_settings import EstimatorSettings, name_crc
from rtgain.estimation.process.loudness_worker import LoudnessWorker
from rtgain.estimation.process.messages import (
    DroppedFramesMessage,
    EnableDiagnostics,
    FailureMessage,
    FinishMessage,
    FreezeMessage,
    ReadyMessage,
    ResetMessage,
)
from rtgain.records.estimate import Estimate

if TYPE_CHECKING:
    from rtgain.estimation.loss_curve_sampler import LossCurvePublisher
    from rtgain.estimation.signal_reader import RingSignalReader
    from rtgain.estimation.streaming import StreamingEstimator

MAX_BACKLOG_S = 2.0
"""Who is this late, and was slower than the sound for so many batches, leaves out what he will not catch up with."""

MAX_SLOW_BATCHES = 3
"""One alone may have been held up, and the first is slow."""

LONGEST_WAIT_S = 0.1
"""The ring is looked at this often even when no window can be complete: the clock may have stalled."""


def preload() -> None:
    """Import all that estimating needs; no thread may start here."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the session ends us in order
    os.environ["OMP_NUM_THREADS"] = "1"  # measured: more threads are slower at these sizes and take audio's cores
    from rtgain.estimation import streaming  # noqa: F401


def worker_main(commands: Connection) -> None:
    from rtgain.estimation.estimator import Estimator
    from rtgain.estimation.signal_reader import RingSignalReader
    from rtgain.estimation.streaming import StreamingEstimator

    try:
        begin = commands.recv()
    except EOFError:  # stopped before it was born
        return
    try:
        with EngineSharedMemory.attach(begin.memory_name) as memory:
            sound, estimator = RingSignalReader(memory.audio, memory.control), Estimator(begin.settings)
            estimator.warm_up()
            process = _WorkerLoop(
                memory, sound, StreamingEstimator(sound, estimator, last=begin.last, live=True), commands
            )
            try:
                process.run()
            finally:
                process.close()
    except Exception as error:
        commands.send(FailureMessage(f"{type(error).__name__}: {error}"))
        raise SystemExit(1) from error


class _WorkerLoop:
    """The loop: wait for a window or a command, estimate, publish."""

    def __init__(
        self,
        memory: EngineSharedMemory,
        sound: "RingSignalReader",
        follower: "StreamingEstimator",
        commands: Connection,
    ) -> None:
        self._memory = memory
        self._sound = sound
        self._follower = follower
        self._commands = commands
        self._reported_dropped = 0
        self._slow_batches = 0
        self._curve_publisher: LossCurvePublisher | None = None
        self._loudness: LoudnessWorker | None = None

    def run(self) -> None:
        parent = multiprocessing.parent_process()
        ends_with = [parent.sentinel] if parent is not None else []  # none in a thread, as a benchmark has it
        self._commands.send(ReadyMessage())
        while True:
            ready = wait([self._commands, *ends_with], self._until_next_window_s())
            if any(sentinel in ready for sentinel in ends_with):
                return
            while self._commands.poll():  # all that wait: a dragged control must not lag behind
                if not self._handle_command(self._commands.recv()):
                    return
            while self._estimate() and not self._commands.poll():
                pass

    def close(self) -> None:
        """Let go of the memory."""
        if self._loudness is not None:
            self._loudness.stop()

    def _until_next_window_s(self) -> float:
        frames = self._follower.next_frame - self._sound.frames_written
        return min(max(frames / self._follower.estimator.settings.sample_rate, 0.0), LONGEST_WAIT_S)

    def _handle_command(self, command: Any) -> bool:
        match command:
            case EstimatorSettings():
                self._follower.configure(command)
            case ResetMessage(gain_db):
                self._follower.reset(gain_db)
            case FreezeMessage(on):
                self._follower.freeze(on)
            case EnableDiagnostics():
                from rtgain.estimation.loss_curve_sampler import LossCurvePublisher

                self._curve_publisher = LossCurvePublisher(self._memory)
                self._loudness = LoudnessWorker(self._memory)
            case FinishMessage(limit_frame):
                self._sound.limit_frame = limit_frame
                while self._estimate():
                    pass
                return False
        return True

    def _estimate(self) -> bool:
        """Estimate and publish what is there; whether there was anything."""
        began_s = time.monotonic()
        try:
            estimates = self._follower.advance()
        except OverrunError:
            return True
        settings = self._follower.estimator.settings
        slow = time.monotonic() - began_s > len(estimates) * settings.hop_frames / settings.sample_rate
        self._slow_batches = self._slow_batches + 1 if estimates and slow else 0
        if self._slow_batches >= MAX_SLOW_BATCHES and self._follower.backlog_s > MAX_BACKLOG_S:
            self._follower.skip_to_newest()
        if estimates:
            publish_matched_gain(self._memory, estimates[-1])  # first: an estimate that is shown is heard already
        for estimate in estimates:
            self._memory.estimates.write(estimate.to_row().reshape(-1, 1))
        if estimates and self._curve_publisher is not None:
            self._curve_publisher.paint(self._follower.estimator)
        for entry, estimate in self._follower.poll_comparisons():
            self._memory.comparisons.write(np.append(name_crc(entry), estimate.to_row()).reshape(-1, 1))
        if self._follower.dropped_frames != self._reported_dropped:
            self._reported_dropped = self._follower.dropped_frames
            self._commands.send(DroppedFramesMessage(self._reported_dropped))
        return bool(estimates)


def publish_matched_gain(memory: EngineSharedMemory, estimate: Estimate) -> None:
    """Hand an estimate to the audio side, which plays dry × estimate as the matched signal."""
    memory.control["matched_gain"] = estimate.matched_gain
    memory.control["matched_delay_frames"] = estimate.matched_delay_frames
