"""Session side of the estimator process: start, send commands, receive messages, stop."""

import multiprocessing
from contextlib import suppress
from typing import TYPE_CHECKING

from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.estimation.process.fork_server import ForkServer
from rtgain.estimation.process.messages import (
    DroppedFramesMessage,
    EnableDiagnostics,
    FailureMessage,
    FinishMessage,
    FreezeMessage,
    ReadyMessage,
    ResetMessage,
    StartMessage,
)
from rtgain.estimation.process.worker_process import preload, worker_main
from rtgain.records.estimate import Estimate

if TYPE_CHECKING:
    pass


class Worker:
    """The session's side: starts the process, sends it commands, hears from it, stops it."""

    def __init__(self, memory_name: str, settings: EstimatorSettings, last: Estimate | None = None) -> None:
        """Start the process. `last` is the estimate to go on from."""
        self._connection, theirs = multiprocessing.Pipe()
        self._process = _FORK_SERVER.start(theirs)
        theirs.close()
        self.send(StartMessage(memory_name, settings, last))

    @property
    def pid(self) -> int | None:
        """The process's number."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.is_alive()

    def send(
        self,
        command: StartMessage | EstimatorSettings | ResetMessage | FreezeMessage | EnableDiagnostics | FinishMessage,
    ) -> None:
        """Send a command; to a process that has died, nothing is sent."""
        with suppress(BrokenPipeError, ConnectionResetError):  # `alive` tells, and another one is started
            self._connection.send(command)

    def messages(self, timeout_s: float = 0.0) -> list[ReadyMessage | DroppedFramesMessage | FailureMessage]:
        """What the process has said since the last call, waiting up to `timeout_s` for the first of it."""
        received: list[ReadyMessage | DroppedFramesMessage | FailureMessage] = []
        with suppress(EOFError, ConnectionResetError):  # the process has gone; what it said before is here
            while self._connection.poll(0.0 if received else timeout_s):
                received.append(self._connection.recv())
        return received

    def finish(self, limit_frame: int, timeout_s: float) -> bool:
        """Let it estimate what is left and leave; False when it did not within `timeout_s`."""
        self.send(FinishMessage(limit_frame))
        self._process.join(timeout_s)
        return not self._process.is_alive()

    def stop(self) -> None:
        """End the process, whatever it is doing: it owns nothing but memory that others clear. Idempotent."""
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._connection.close()


_FORK_SERVER = ForkServer(worker_main, preload)
