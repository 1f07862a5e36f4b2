"""Session side of the estimator process: start it, send commands, read its reports, stop it."""

import multiprocessing
from contextlib import suppress

from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.estimation.process.fork_server import ESTIMATOR_SERVER
from rtgain.estimation.process.messages import Command, FinishMessage, Report, StartMessage
from rtgain.records.estimate import Estimate


class Worker:
    """Estimator process of a session."""

    def __init__(self, memory_name: str, settings: EstimatorSettings, last: Estimate | None = None) -> None:
        """Start the process, which resumes from the estimate `last` if there is one."""
        self._connection, child_end = multiprocessing.Pipe()
        self._process = ESTIMATOR_SERVER.start(child_end)
        child_end.close()
        self.send(StartMessage(memory_name, settings, last))

    @property
    def pid(self) -> int | None:
        """The process's ID; None if it was never started."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self._process.is_alive()

    def send(self, command: Command) -> None:
        """Send a command; after the process has exited, do nothing."""
        with suppress(BrokenPipeError, ConnectionResetError):  # the supervisor polls `alive` and restarts
            self._connection.send(command)

    def messages(self, timeout_s: float = 0.0) -> list[Report]:
        """Return the reports since the last call, after waiting up to `timeout_s` for the first one."""
        reports: list[Report] = []
        with suppress(EOFError, ConnectionResetError):  # the process has exited; its earlier reports have been read
            while self._connection.poll(0.0 if reports else timeout_s):
                reports.append(self._connection.recv())
        return reports

    def finish(self, limit_frame: int, timeout_s: float) -> bool:
        """Let it estimate the remaining windows and exit; return False if it did not within `timeout_s`."""
        self.send(FinishMessage(limit_frame))
        self._process.join(timeout_s)
        return not self._process.is_alive()

    def stop(self) -> None:
        """Kill the process at any point: it owns only memory that the session clears. Idempotent."""
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._connection.close()
