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

from rtgain.audio.engine.ring_buffer import Overtaken
from rtgain.audio.engine.shared_memory import EngineMemory
from rtgain.config.estimator_settings import EstimatorSettings, name_key
from rtgain.estimation.process.loudness_worker import LoudnessThread
from rtgain.estimation.process.messages import Failed, Finish, Freeze, Progress, Ready, Reset, Watch
from rtgain.records.estimate import Estimate

if TYPE_CHECKING:
    from rtgain.estimation.loss_curve_sampler import Painter
    from rtgain.estimation.signal_reader import RingSound
    from rtgain.estimation.streaming import Follower

LATE_S = 2.0
"""Who is this late, and was slower than the sound for so many batches, leaves out what he will not catch up with."""

SLOW_BATCHES = 3
"""One alone may have been held up, and the first is slow."""

LONGEST_WAIT_S = 0.1
"""The ring is looked at this often even when no window can be complete: the clock may have stalled."""


def _load() -> None:
    """Import all that estimating needs; no thread may start here."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the session ends us in order
    os.environ["OMP_NUM_THREADS"] = "1"  # measured: more threads are slower at these sizes and take audio's cores
    from rtgain.estimation import streaming  # noqa: F401


def _main(commands: Connection) -> None:
    from rtgain.estimation.estimator import Estimator
    from rtgain.estimation.signal_reader import RingSound
    from rtgain.estimation.streaming import Follower

    try:
        begin = commands.recv()
    except EOFError:  # stopped before it was born
        return
    try:
        with EngineMemory.attach(begin.memory_name) as memory:
            sound, estimator = RingSound(memory), Estimator(begin.settings)
            estimator.warm_up()
            process = _Process(memory, sound, Follower(sound, estimator, last=begin.last, live=True), commands)
            try:
                process.run()
            finally:
                process.close()
    except Exception as error:
        commands.send(Failed(f"{type(error).__name__}: {error}"))
        raise SystemExit(1) from error


class _Process:
    """The loop: wait for a window or a command, estimate, publish."""

    def __init__(self, memory: EngineMemory, sound: "RingSound", follower: "Follower", commands: Connection) -> None:
        self._memory = memory
        self._sound = sound
        self._follower = follower
        self._commands = commands
        self._reported_dropped = 0
        self._slow_batches = 0
        self._painter: Painter | None = None
        self._loudness: LoudnessThread | None = None

    def run(self) -> None:
        parent = multiprocessing.parent_process()
        ends_with = [parent.sentinel] if parent is not None else []  # none in a thread, as a benchmark has it
        self._commands.send(Ready())
        while True:
            ready = wait([self._commands, *ends_with], self._until_next_window_s())
            if any(sentinel in ready for sentinel in ends_with):
                return
            while self._commands.poll():  # all that wait: a dragged control must not lag behind
                if not self._obey(self._commands.recv()):
                    return
            while self._estimate() and not self._commands.poll():
                pass

    def close(self) -> None:
        """Let go of the memory."""
        if self._loudness is not None:
            self._loudness.stop()

    def _until_next_window_s(self) -> float:
        frames = self._follower.next_frame - self._sound.written
        return min(max(frames / self._follower.estimator.settings.sample_rate, 0.0), LONGEST_WAIT_S)

    def _obey(self, command: Any) -> bool:
        match command:
            case EstimatorSettings():
                self._follower.configure(command)
            case Reset(gain_db):
                self._follower.reset(gain_db)
            case Freeze(on):
                self._follower.freeze(on)
            case Watch():
                from rtgain.estimation.loss_curve_sampler import Painter

                self._painter = Painter(self._memory)
                self._loudness = LoudnessThread(self._memory)
            case Finish(limit_frame):
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
        except Overtaken:
            return True
        settings = self._follower.estimator.settings
        slow = time.monotonic() - began_s > len(estimates) * settings.hop_frames / settings.sample_rate
        self._slow_batches = self._slow_batches + 1 if estimates and slow else 0
        if self._slow_batches >= SLOW_BATCHES and self._follower.late_s > LATE_S:
            self._follower.skip_to_newest()
        if estimates:
            publish_match(self._memory, estimates[-1])  # first: an estimate that is shown is heard already
        for estimate in estimates:
            self._memory.estimates.write(estimate.to_row().reshape(-1, 1))
        if estimates and self._painter is not None:
            self._painter.paint(self._follower.estimator)
        for entry, estimate in self._follower.take_rivals():
            self._memory.rivals.write(np.append(name_key(entry), estimate.to_row()).reshape(-1, 1))
        if self._follower.dropped_frames != self._reported_dropped:
            self._reported_dropped = self._follower.dropped_frames
            self._commands.send(Progress(self._reported_dropped))
        return bool(estimates)


def publish_match(memory: EngineMemory, estimate: Estimate) -> None:
    """Hand an estimate to the audio side, which plays dry × estimate as the matched signal."""
    memory.control["match_gain"] = estimate.match_gain
    memory.control["match_delay_frames"] = estimate.match_delay_frames
