"""Who runs the estimator for a session: a process that is watched over live, or the caller itself on the fast clock."""

import time
from collections.abc import Callable

from rtgain.audio.engine.shared_memory import EngineSharedMemory
from rtgain.config.estimator_settings import EstimatorSettings, name_crc
from rtgain.estimation.process.messages import (
    DroppedFramesMessage,
    EnableDiagnostics,
    FailureMessage,
    FreezeMessage,
    ReadyMessage,
    ResetMessage,
)
from rtgain.estimation.process.worker import Worker
from rtgain.estimation.runner import _new_rows
from rtgain.records.estimate import Estimate
from rtgain.records.loss_curves import LossCurves

HANG_TIMEOUT_S = 5.0
"""A process that is this far behind the audio, and as long without an estimate, is taken for hung."""

MAX_CONSECUTIVE_FAILURES = 3
"""A process that dies this often without an estimate in between is not started again."""

FINISH_TIMEOUT_S = 10.0
"""How long the process may take for what is left when the audio has ended."""

STARTUP_TIMEOUT_S = 60.0
"""How long loading torch may take on a slow machine."""


class Supervisor:
    """Keeps an estimator's process running: one that dies is started again from its last estimate."""

    worker_type = Worker
    """What runs the estimator."""

    def __init__(self, memory: EngineSharedMemory, settings: EstimatorSettings) -> None:
        self.restarts = 0
        self.dropped_frames = 0
        self._memory = memory
        self._settings = settings
        self._worker: Worker | None = None
        self._last: Estimate | None = None
        self._frozen = False
        self._diagnostics_enabled = False
        self._taken = 0
        self._comparison_rows_read = 0
        self._dropped_before = 0
        self._failures = 0
        self._ready = False
        self._failure_reason = ""
        self._notices: list[str] = []
        self._alive_at_s = 0.0

    def start(self) -> None:
        self._spawn()

    def wait_until_ready(self, cancelled: Callable[[], bool] = lambda: False) -> None:
        deadline = time.monotonic() + STARTUP_TIMEOUT_S
        while not (self._ready or cancelled()) and self._worker is not None and time.monotonic() < deadline:
            self._receive(self._worker, timeout_s=0.1)
            if not self._worker.alive:
                self._restart()

    def poll(self) -> list[Estimate]:
        estimates = self._take()
        worker = self._worker
        if worker is not None:
            self._receive(worker)
            if not worker.alive:
                self._restart()
            elif self._ready and self._is_hung(bool(estimates)):
                self._failure_reason = "did not answer"
                worker.stop()
                self._restart()
        return estimates

    def poll_comparisons(self) -> list[tuple[str, Estimate]]:
        rows, self._comparison_rows_read = _new_rows(self._memory.comparisons, self._comparison_rows_read)
        entries = {name_crc(entry): entry for entry in self._settings.compare}
        # What those said who have left the race since is nobody's any more.
        return [(entries[int(row[0])], Estimate.from_row(row[1:])) for row in rows if int(row[0]) in entries]

    def enable_diagnostics(self) -> None:
        if not self._diagnostics_enabled and self._worker is not None:
            self._worker.send(EnableDiagnostics())
        self._diagnostics_enabled = True

    def curves(self) -> LossCurves | None:
        ring = self._memory.curves
        if not ring.frames_written:
            return None
        rows, _ = _new_rows(ring, ring.frames_written - 1)
        return LossCurves.from_row(rows[-1])

    def notices(self) -> list[str]:
        said, self._notices = self._notices, []
        return said

    def configure(self, settings: EstimatorSettings) -> None:
        self._settings = settings
        if self._worker is not None:
            self._worker.send(settings)

    def reset(self, gain_db: float) -> None:
        self._last = None
        if self._worker is not None:
            self._worker.send(ResetMessage(gain_db))

    def freeze(self, on: bool) -> None:
        self._frozen = on
        if self._worker is not None:
            self._worker.send(FreezeMessage(on))

    def finish(self, limit_frame: int) -> list[Estimate]:
        if self._ready and self._worker is not None and not self._worker.finish(limit_frame, FINISH_TIMEOUT_S):
            self._notices.append("The estimator did not finish in time; the last estimates are missing.")
        estimates = self._take()
        if self._worker is not None:
            self._receive(self._worker)
        self.stop()
        return estimates

    def stop(self) -> None:
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    def _spawn(self) -> None:
        self._ready = False
        self._failure_reason = ""
        self._alive_at_s = time.monotonic()
        self._worker = self.worker_type(self._memory.name, self._settings, self._last)
        if self._frozen:
            self._worker.send(FreezeMessage(True))
        if self._diagnostics_enabled:
            self._worker.send(EnableDiagnostics())

    def _restart(self) -> None:
        """Start the process again after it died, or give up when it dies every time."""
        assert self._worker is not None
        self._worker.stop()
        self._failures += 1
        self._dropped_before = self.dropped_frames
        reason = self._failure_reason or "was ended from outside"
        if self._failures >= MAX_CONSECUTIVE_FAILURES:
            self._worker = None
            self._notices.append(
                f"The estimator cannot run ({reason}). The sound goes on; stop and start to try again."
            )
            return
        self.restarts += 1
        self._notices.append(f"The estimator {reason} and was started again ({self.restarts}).")
        self._spawn()

    def _receive(self, worker: Worker, timeout_s: float = 0.0) -> None:
        for message in worker.messages(timeout_s):
            match message:
                case ReadyMessage():
                    self._ready = True
                    self._alive_at_s = time.monotonic()
                case DroppedFramesMessage(dropped_frames):
                    self.dropped_frames = self._dropped_before + dropped_frames
                case FailureMessage(reason):
                    self._failure_reason = f"failed ({reason})"

    def _take(self) -> list[Estimate]:
        rows, self._taken = _new_rows(self._memory.estimates, self._taken)
        estimates = [Estimate.from_row(row) for row in rows]
        if estimates:
            self._failures = 0
            self._last = estimates[-1]
        return estimates

    def _is_hung(self, answered: bool) -> bool:
        now_s = time.monotonic()
        last_frame = self._last.available_frame if self._last is not None else 0.0
        behind_s = (self._memory.control["frames"] - last_frame) / self._settings.sample_rate
        if answered:
            self._alive_at_s = now_s
        return bool(min(behind_s, now_s - self._alive_at_s) > HANG_TIMEOUT_S)
