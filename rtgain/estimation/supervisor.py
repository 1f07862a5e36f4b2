"""Supervisor: runs the estimator in a monitored process and restarts it after a failure."""

import time
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.engine.ring_buffer import OverrunError, RingBuffer
from rtgain.audio.engine.shared_memory import EngineSharedMemory
from rtgain.config.estimator_settings import EstimatorSettings, name_crc
from rtgain.estimation.process.messages import (
    DroppedFramesMessage,
    EnableDiagnostics,
    FailureMessage,
    FreezeMessage,
    LoadingMessage,
    NewTargetMessage,
    ReadyMessage,
    ResetMessage,
)
from rtgain.estimation.process.worker import Worker
from rtgain.records.estimate import Estimate
from rtgain.records.learned_equalizer import LearnedEqualizer
from rtgain.records.loss_curves import LossCurves
from rtgain.records.response import Response

HANG_TIMEOUT_S = 5.0
"""Time in seconds without an estimate, at a backlog of the same length, after which the process is replaced."""

FIRST_ESTIMATE_TIMEOUT_S = 30.0
"""The same for the first estimate of a process. It needs about a second of processor time, which lasts longer on a busy
machine; another process would need it again. Measured at load 12: 6 s, and no process ever got as far.
"""

MAX_CONSECUTIVE_FAILURES = 3
"""Number of failures without an estimate in between after which the process is not restarted."""

FINISH_TIMEOUT_S = 10.0
"""Time limit in seconds for the remaining estimates after the end of the audio."""

STARTUP_TIMEOUT_S = 60.0
"""Time limit in seconds for loading torch on a slow machine."""


Record = TypeVar("Record")


class Supervisor:
    """Runs the estimator in a process, and restarts a process that has failed from the last estimate."""

    worker_type = Worker
    """Class of the object that runs the estimator; benchmarks and tests replace it."""

    def __init__(self, memory: EngineSharedMemory, settings: EstimatorSettings) -> None:
        self.restarts = 0
        self.dropped_frames = 0
        self._memory = memory
        self._settings = settings
        self._worker: Worker | None = None
        self._last: Estimate | None = None
        self._frozen = False
        self._diagnostics_enabled = False
        self._estimate_rows_read = 0
        self._comparison_rows_read = 0
        self._equalizer_rows_read = 0
        self._dropped_before_restart = 0
        self._consecutive_failures = 0
        self._ready = False
        self._has_estimated = False
        self._failure_reason = ""
        self._notices: list[str] = []
        self._curves = _NewestRow(memory.curves, LossCurves.from_row)
        self._response = _NewestRow(memory.responses, Response.from_row)
        self._last_progress_s = 0.0

    def start(self) -> None:
        self._spawn()

    def wait_until_ready(self, cancelled: Callable[[], bool] = lambda: False) -> None:
        deadline = time.monotonic() + STARTUP_TIMEOUT_S
        while not (self._ready or cancelled()) and self._worker is not None and time.monotonic() < deadline:
            self._read_messages(self._worker, timeout_s=0.1)
            if not self._worker.alive:
                self._restart()

    def poll(self) -> list[Estimate]:
        estimates = self._read_estimates()
        worker = self._worker
        if worker is not None:
            self._read_messages(worker)
            if not worker.alive:
                self._restart()
            elif self._ready and self._is_hung(bool(estimates)):
                self._failure_reason = "stopped responding"
                self._restart()
        return estimates

    def poll_comparisons(self) -> list[tuple[str, Estimate]]:
        rows, self._comparison_rows_read = _read_new_rows(self._memory.comparisons, self._comparison_rows_read)
        entries = {name_crc(entry): entry for entry in self._settings.compare}
        # Rows of comparisons that have been removed meanwhile are discarded.
        return [(entries[int(row[0])], Estimate.from_row(row[1:])) for row in rows if int(row[0]) in entries]

    def poll_equalizers(self) -> list[LearnedEqualizer]:
        rows, self._equalizer_rows_read = _read_new_rows(self._memory.equalizers, self._equalizer_rows_read)
        return [LearnedEqualizer.from_row(row) for row in rows]

    def enable_diagnostics(self) -> None:
        if not self._diagnostics_enabled and self._worker is not None:
            self._worker.send(EnableDiagnostics())
        self._diagnostics_enabled = True

    def curves(self) -> LossCurves | None:
        return self._curves.read()

    def response(self) -> Response | None:
        return self._response.read()

    def notices(self) -> list[str]:
        notices, self._notices = self._notices, []
        return notices

    def configure(self, settings: EstimatorSettings) -> None:
        self._settings = settings
        if self._worker is not None:
            self._worker.send(settings)

    def reset(self, gain_db: float) -> None:
        self._last = None
        if self._worker is not None:
            self._worker.send(ResetMessage(gain_db))

    def start_target(self, settings: EstimatorSettings, gain_db: float) -> None:
        self._settings, self._last = settings, None
        if self._worker is not None:
            self._worker.send(NewTargetMessage(settings, gain_db))

    def set_frozen(self, frozen: bool) -> None:
        self._frozen = frozen
        if self._worker is not None:
            self._worker.send(FreezeMessage(frozen))

    def finish(self, limit_frame: int) -> list[Estimate]:
        if self._ready and self._worker is not None and not self._worker.finish(limit_frame, FINISH_TIMEOUT_S):
            self._notices.append("The estimator did not finish in time; the last estimates are missing.")
        estimates = self._read_estimates()
        if self._worker is not None:
            self._read_messages(self._worker)
        self.stop()
        return estimates

    def stop(self) -> None:
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    def _spawn(self) -> None:
        self._ready = self._has_estimated = False
        self._failure_reason = ""
        self._last_progress_s = time.monotonic()
        self._worker = self.worker_type(self._memory.name, self._settings, self._last)
        if self._frozen:
            self._worker.send(FreezeMessage(True))
        if self._diagnostics_enabled:
            self._worker.send(EnableDiagnostics())

    def _restart(self) -> None:
        """Restart the process after a failure, or give up after `MAX_CONSECUTIVE_FAILURES`."""
        assert self._worker is not None
        self._read_messages(self._worker)  # it may have reported a failure since, and then exited
        self._worker.stop()
        self._consecutive_failures += 1
        self._dropped_before_restart = self.dropped_frames
        reason = self._failure_reason or "was killed"
        if self._consecutive_failures >= MAX_CONSECUTIVE_FAILURES:
            self._worker = None
            self._notices.append(
                f"The estimator process {reason} again and was not restarted. Audio continues; stop and start to retry."
            )
            return
        self.restarts += 1
        self._notices.append(f"The estimator process {reason} and has been restarted ({self.restarts}).")
        self._spawn()

    def _read_messages(self, worker: Worker, timeout_s: float = 0.0) -> None:
        for message in worker.messages(timeout_s):
            match message:
                case ReadyMessage():
                    self._ready = True
                    self._last_progress_s = time.monotonic()
                case LoadingMessage():
                    self._ready = False
                case DroppedFramesMessage(dropped_frames):
                    self.dropped_frames = self._dropped_before_restart + dropped_frames
                case FailureMessage(reason):
                    self._failure_reason = f"failed ({reason})"

    def _read_estimates(self) -> list[Estimate]:
        rows, self._estimate_rows_read = _read_new_rows(self._memory.estimates, self._estimate_rows_read)
        estimates = [Estimate.from_row(row) for row in rows]
        if estimates:
            self._consecutive_failures = 0
            self._last = estimates[-1]
        return estimates

    def _is_hung(self, has_new_estimates: bool) -> bool:
        now_s = time.monotonic()
        last_frame = self._last.available_frame if self._last is not None else 0.0
        backlog_s = (self._memory.control["frames"] - last_frame) / self._settings.sample_rate
        if has_new_estimates:
            self._last_progress_s = now_s
            self._has_estimated = True
        timeout_s = HANG_TIMEOUT_S if self._has_estimated else FIRST_ESTIMATE_TIMEOUT_S
        return bool(min(backlog_s, now_s - self._last_progress_s) > timeout_s)


class _NewestRow(Generic[Record]):
    """Newest row of a ring as a record: the same object until there is another row, so that it is drawn once."""

    def __init__(self, ring: RingBuffer, make: Callable[[NDArray[np.float64]], Record]) -> None:
        self._ring = ring
        self._make = make
        self._record: Record | None = None
        self._rows_read = 0

    def read(self) -> Record | None:
        """Return the record; None before the first row."""
        if self._ring.frames_written != self._rows_read:
            rows, self._rows_read = _read_new_rows(self._ring, self._ring.frames_written - 1)
            self._record = self._make(rows[-1])
        return self._record


def _read_new_rows(ring: RingBuffer, rows_read: int) -> tuple[NDArray[np.float64], int]:
    """Read the rows after the first `rows_read` that have not been overwritten, ``(n, rows)``; and the new count."""
    while True:
        written = ring.frames_written
        try:
            return ring.read(rows_read, written - rows_read).astype(np.float64).T, written
        except OverrunError as overrun:
            rows_read = overrun.oldest_frame
