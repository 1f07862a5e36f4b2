"""Child side of the estimator process: it cannot disturb the audio, and it can be killed and restarted.

The process attaches to the session's shared memory and reads the audio ring. It writes estimates and the gain of the
matched signal back. Only the fork server and its children import this module.
"""

import multiprocessing
import os
import signal
import time
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING

import numpy as np

from rtgain.audio.engine.ring_buffer import OverrunError, RingBuffer
from rtgain.audio.engine.shared_memory import EngineSharedMemory
from rtgain.config.estimator_settings import EstimatorSettings, name_crc
from rtgain.estimation.matched_gain import MatchedSignalPublisher
from rtgain.estimation.process.loudness_worker import LoudnessWorker
from rtgain.estimation.process.messages import (
    Command,
    DroppedFramesMessage,
    EnableDiagnostics,
    FailureMessage,
    FinishMessage,
    FreezeMessage,
    LoadingMessage,
    NewTargetMessage,
    ReadyMessage,
    ResetMessage,
)
from rtgain.records.estimate import State
from rtgain.records.learned_equalizer import LearnedEqualizer

if TYPE_CHECKING:
    from rtgain.estimation.loss_curve_sampler import DiagnosticsPublisher
    from rtgain.estimation.signal_reader import RingSignalReader
    from rtgain.estimation.streaming import StreamingEstimator

MAX_BACKLOG_S = 2.0
"""Maximum backlog in seconds.

If it is exceeded, and the last `MAX_SLOW_BATCHES` batches took longer than real time, the worker skips to the newest
window.
"""

MAX_SLOW_BATCHES = 3
"""Number of consecutive slow batches: a single one may be a coincidence, and the first one is always slow."""

MAX_WAIT_S = 0.1
"""Longest wait in seconds before the ring is checked, even if no window can be complete: the clock may have stalled."""


def preload() -> None:
    """Import everything that estimation needs, and load its compiled code: once for all children, not in each.

    Starts no thread, because the process is forked afterwards.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the session stops the worker
    os.environ["OMP_NUM_THREADS"] = "1"  # measured: more threads are slower at these sizes and take audio's cores
    from rtgain.estimation import streaming  # noqa: F401

    # Measured: numba's first call takes 0.7 s, and each further function some milliseconds.
    ring = RingBuffer(memoryview(bytearray(RingBuffer.nbytes(1, 1, np.float32))), 1, 1, np.float32)
    ring.write(np.zeros((1, 1), np.float32))
    ring.read(0, 1)


def worker_main(commands: Connection) -> None:
    """Run the child: receive a `StartMessage`, estimate until a `FinishMessage`, report failures."""
    from rtgain.estimation.estimator import Estimator
    from rtgain.estimation.signal_reader import RingSignalReader
    from rtgain.estimation.streaming import StreamingEstimator

    try:
        start = commands.recv()
    except EOFError:  # stopped during startup
        return
    try:
        with EngineSharedMemory.attach(start.memory_name) as memory:
            reader, estimator = RingSignalReader(memory.audio, memory.control), Estimator(start.settings)
            estimator.warm_up()
            delay_frames = start.settings.delay_frames
            streaming = StreamingEstimator(reader, estimator, last=start.last, delay_frames=delay_frames, live=True)
            if start.last is not None and memory.equalizers.frames_written:
                newest = memory.equalizers.read(memory.equalizers.frames_written - 1, 1)[:, 0]
                streaming.resume_equalizer(LearnedEqualizer.from_row(newest.astype(np.float64)))
            loop = _WorkerLoop(memory, reader, streaming, commands)
            try:
                loop.run()
            finally:
                loop.close()
    except Exception as error:
        commands.send(FailureMessage(f"{type(error).__name__}: {error}"))
        raise SystemExit(1) from error


class _WorkerLoop:
    """The loop: wait for a window or a command, estimate, publish."""

    def __init__(
        self,
        memory: EngineSharedMemory,
        reader: "RingSignalReader",
        streaming: "StreamingEstimator",
        commands: Connection,
    ) -> None:
        self._memory = memory
        self._reader = reader
        self._streaming = streaming
        self._commands = commands
        self._publisher = MatchedSignalPublisher(memory.control)
        self._reported_dropped = 0
        self._slow_batches = 0
        self._diagnostics_publisher: DiagnosticsPublisher | None = None
        self._loudness: LoudnessWorker | None = None
        self._has_tracked = False

    def run(self) -> None:
        parent = multiprocessing.parent_process()
        parent_sentinels = [parent.sentinel] if parent is not None else []  # none in a benchmark's thread
        self._commands.send(ReadyMessage())
        while True:
            ready = wait([self._commands, *parent_sentinels], self._until_next_window_s())
            if any(sentinel in ready for sentinel in parent_sentinels):
                return
            while self._commands.poll():  # all pending commands: a dragged control must not lag
                if not self._handle_command(self._commands.recv()):
                    return
            while self._estimate() and not self._commands.poll():
                pass

    def close(self) -> None:
        """Release the shared memory."""
        if self._loudness is not None:
            self._loudness.stop()

    def _until_next_window_s(self) -> float:
        frames = self._streaming.next_frame - self._reader.frames_written
        return min(max(frames / self._streaming.estimator.settings.sample_rate, 0.0), MAX_WAIT_S)

    def _handle_command(self, command: Command) -> bool:
        """Execute a command; return False if it was the last one."""
        match command:
            case EstimatorSettings():
                self._streaming.configure(command)
            case ResetMessage(gain_db):
                self._streaming.reset(gain_db)
                self._has_tracked = False
            case NewTargetMessage(settings, gain_db):
                self._streaming.start_target(settings, gain_db)
                self._has_tracked = False
            case FreezeMessage(frozen):
                self._streaming.set_frozen(frozen)
            case EnableDiagnostics():
                from rtgain.estimation.loss_curve_sampler import DiagnosticsPublisher

                self._diagnostics_publisher = DiagnosticsPublisher(self._memory.curves, self._memory.responses)
                self._streaming.estimator.enable_response()
                # Compilation at the first start on a machine lasts longer than estimates may be absent, under load.
                self._commands.send(LoadingMessage())
                self._loudness = LoudnessWorker(self._memory)
                self._loudness.start()
                self._commands.send(ReadyMessage())
            case FinishMessage(limit_frame):
                self._reader.limit_frame = limit_frame
                while self._estimate():
                    pass
                return False
        return True

    def _estimate(self) -> bool:
        """Estimate and publish one batch; return True if there was anything to process."""
        begin_s = time.monotonic()
        try:
            estimates = self._streaming.advance()
        except OverrunError:
            return True
        settings = self._streaming.estimator.settings
        slow = time.monotonic() - begin_s > len(estimates) * settings.hop_frames / settings.sample_rate
        self._slow_batches = self._slow_batches + 1 if estimates and slow else 0
        if self._slow_batches >= MAX_SLOW_BATCHES and self._streaming.backlog_s > MAX_BACKLOG_S:
            self._streaming.skip_to_newest()
        if estimates:
            # First: an estimate that is displayed is in effect in the matched signal.
            self._publisher.publish(estimates[-1], self._streaming.equalizer)
        for estimate in estimates:
            self._memory.estimates.write(estimate.to_row().reshape(-1, 1))
        for learned in self._streaming.poll_equalizers():
            self._memory.equalizers.write(learned.to_row().reshape(-1, 1))
        if not self._has_tracked and any(estimate.state is State.TRACKING for estimate in estimates):
            self._has_tracked = True
            if self._loudness is not None:
                self._loudness.restart()  # the matched signal had another gain until now
        if estimates and self._diagnostics_publisher is not None:
            self._diagnostics_publisher.publish_if_due(self._streaming.estimator)
        for entry, estimate in self._streaming.poll_comparisons():
            self._memory.comparisons.write(np.append(name_crc(entry), estimate.to_row()).reshape(-1, 1))
        if self._streaming.dropped_frames != self._reported_dropped:
            self._reported_dropped = self._streaming.dropped_frames
            self._commands.send(DroppedFramesMessage(self._reported_dropped))
        return bool(estimates)
