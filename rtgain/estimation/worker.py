"""The estimator's own process: it cannot disturb the sound, and it can be killed and started again.

It attaches to the session's shared memory, follows the audio ring, and writes estimates and the gain of the
matched signal back. This module is imported by both sides; torch is imported only inside the process.
"""

import multiprocessing
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

import numpy as np

from rtgain.audio.memory import EngineMemory
from rtgain.audio.ring import Overtaken
from rtgain.estimation.estimate import Estimate
from rtgain.estimation.loudness_thread import LoudnessThread
from rtgain.estimation.nursery import Nursery
from rtgain.estimation.settings import EstimatorSettings, name_key

if TYPE_CHECKING:
    from rtgain.estimation.follower import Follower, RingSound
    from rtgain.estimation.landscape import Painter

LATE_S = 2.0
"""Who is this late, and was slower than the sound for so many batches, leaves out what he will not catch up with."""

SLOW_BATCHES = 3
"""One alone may have been held up, and the first is slow."""

LONGEST_WAIT_S = 0.1
"""The ring is looked at this often even when no window can be complete: the clock may have stalled."""


@dataclass(frozen=True)
class Begin:
    """Attach to a session's memory and follow it, from the estimate `last` on."""

    memory_name: str
    settings: EstimatorSettings
    last: Estimate | None


@dataclass(frozen=True)
class Reset:
    """Forget everything and start again from `gain_db`."""

    gain_db: float = 0.0


@dataclass(frozen=True)
class Freeze:
    """Hold the estimate (`on`), or let it go."""

    on: bool


@dataclass(frozen=True)
class Finish:
    """Estimate what is left up to frame `limit_frame`, then leave."""

    limit_frame: int


@dataclass(frozen=True)
class Watch:
    """Somebody looks: draw loss against gain, and measure loudness, from now on."""


@dataclass(frozen=True)
class Ready:
    """The process has loaded torch and begins to estimate."""


@dataclass(frozen=True)
class Progress:
    """Frames that were overwritten before they could be analysed."""

    dropped_frames: int


@dataclass(frozen=True)
class Failed:
    """The estimator raised; the process ends."""

    reason: str


class Worker:
    """The session's side: starts the process, sends it commands, hears from it, stops it."""

    def __init__(self, memory_name: str, settings: EstimatorSettings, last: Estimate | None = None) -> None:
        """Start the process. `last` is the estimate to go on from."""
        self._connection, theirs = multiprocessing.Pipe()
        self._process = _NURSERY.start(theirs)
        theirs.close()
        self.send(Begin(memory_name, settings, last))

    @property
    def pid(self) -> int | None:
        """The process's number."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.is_alive()

    def send(self, command: Begin | EstimatorSettings | Reset | Freeze | Watch | Finish) -> None:
        """Send a command; to a process that has died, nothing is sent."""
        with suppress(BrokenPipeError, ConnectionResetError):  # `alive` tells, and another one is started
            self._connection.send(command)

    def messages(self, timeout_s: float = 0.0) -> list[Ready | Progress | Failed]:
        """What the process has said since the last call, waiting up to `timeout_s` for the first of it."""
        received: list[Ready | Progress | Failed] = []
        with suppress(EOFError, ConnectionResetError):  # the process has gone; what it said before is here
            while self._connection.poll(0.0 if received else timeout_s):
                received.append(self._connection.recv())
        return received

    def finish(self, limit_frame: int, timeout_s: float) -> bool:
        """Let it estimate what is left and leave; False when it did not within `timeout_s`."""
        self.send(Finish(limit_frame))
        self._process.join(timeout_s)
        return not self._process.is_alive()

    def stop(self) -> None:
        """End the process, whatever it is doing: it owns nothing but memory that others clear. Idempotent."""
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._connection.close()


def _load() -> None:
    """Import all that estimating needs; no thread may start here."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the session ends us in order
    os.environ["OMP_NUM_THREADS"] = "1"  # measured: more threads are slower at these sizes and take audio's cores
    from rtgain.estimation import follower  # noqa: F401


def _main(commands: Connection) -> None:
    from rtgain.estimation.estimator import Estimator
    from rtgain.estimation.follower import Follower, RingSound

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


_NURSERY = Nursery(_main, _load)


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
                from rtgain.estimation.landscape import Painter

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
