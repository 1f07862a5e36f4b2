"""Who runs the estimator for a session: a process that is watched over live, or the caller itself on the fast clock."""

import time
from collections.abc import Callable

from rtgain.audio.engine.shared_memory import EngineMemory
from rtgain.config.estimator_settings import EstimatorSettings, name_key
from rtgain.estimation.process.messages import Failed, Freeze, Progress, Ready, Reset, Watch
from rtgain.estimation.process.worker import Worker
from rtgain.estimation.runner import _new_rows
from rtgain.records.estimate import Estimate
from rtgain.records.loss_curves import LossCurves

HUNG_S = 5.0
"""A process that is this far behind the audio, and as long without an estimate, is taken for hung."""

FAILURES_IN_A_ROW = 3
"""A process that dies this often without an estimate in between is not started again."""

FINISH_S = 10.0
"""How long the process may take for what is left when the audio has ended."""

READY_S = 60.0
"""How long loading torch may take on a slow machine."""


class Supervisor:
    """Keeps an estimator's process running: one that dies is started again from its last estimate."""

    worker_type = Worker
    """What runs the estimator."""

    def __init__(self, memory: EngineMemory, settings: EstimatorSettings) -> None:
        self.restarts = 0
        self.dropped_frames = 0
        self._memory = memory
        self._settings = settings
        self._worker: Worker | None = None
        self._last: Estimate | None = None
        self._frozen = False
        self._watched = False
        self._taken = 0
        self._taken_of_rivals = 0
        self._dropped_before = 0
        self._failures = 0
        self._ready = False
        self._fault = ""
        self._notices: list[str] = []
        self._alive_at_s = 0.0

    def start(self) -> None:
        self._spawn()

    def wait_until_ready(self, cancelled: Callable[[], bool] = lambda: False) -> None:
        deadline = time.monotonic() + READY_S
        while not (self._ready or cancelled()) and self._worker is not None and time.monotonic() < deadline:
            self._hear(self._worker, timeout_s=0.1)
            if not self._worker.alive:
                self._revive()

    def poll(self) -> list[Estimate]:
        estimates = self._take()
        worker = self._worker
        if worker is not None:
            self._hear(worker)
            if not worker.alive:
                self._revive()
            elif self._ready and self._is_hung(bool(estimates)):
                self._fault = "did not answer"
                worker.stop()
                self._revive()
        return estimates

    def poll_rivals(self) -> list[tuple[str, Estimate]]:
        rows, self._taken_of_rivals = _new_rows(self._memory.rivals, self._taken_of_rivals)
        entries = {name_key(entry): entry for entry in self._settings.race}
        # What those said who have left the race since is nobody's any more.
        return [(entries[int(row[0])], Estimate.from_row(row[1:])) for row in rows if int(row[0]) in entries]

    def watch(self) -> None:
        if not self._watched and self._worker is not None:
            self._worker.send(Watch())
        self._watched = True

    def curves(self) -> LossCurves | None:
        ring = self._memory.curves
        if not ring.written:
            return None
        rows, _ = _new_rows(ring, ring.written - 1)
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
            self._worker.send(Reset(gain_db))

    def freeze(self, on: bool) -> None:
        self._frozen = on
        if self._worker is not None:
            self._worker.send(Freeze(on))

    def finish(self, limit_frame: int) -> list[Estimate]:
        if self._ready and self._worker is not None and not self._worker.finish(limit_frame, FINISH_S):
            self._notices.append("The estimator did not finish in time; the last estimates are missing.")
        estimates = self._take()
        if self._worker is not None:
            self._hear(self._worker)
        self.stop()
        return estimates

    def stop(self) -> None:
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    def _spawn(self) -> None:
        self._ready = False
        self._fault = ""
        self._alive_at_s = time.monotonic()
        self._worker = self.worker_type(self._memory.name, self._settings, self._last)
        if self._frozen:
            self._worker.send(Freeze(True))
        if self._watched:
            self._worker.send(Watch())

    def _revive(self) -> None:
        """Start the process again after it died, or give up when it dies every time."""
        assert self._worker is not None
        self._worker.stop()
        self._failures += 1
        self._dropped_before = self.dropped_frames
        reason = self._fault or "was ended from outside"
        if self._failures >= FAILURES_IN_A_ROW:
            self._worker = None
            self._notices.append(
                f"The estimator cannot run ({reason}). The sound goes on; stop and start to try again."
            )
            return
        self.restarts += 1
        self._notices.append(f"The estimator {reason} and was started again ({self.restarts}).")
        self._spawn()

    def _hear(self, worker: Worker, timeout_s: float = 0.0) -> None:
        for message in worker.messages(timeout_s):
            match message:
                case Ready():
                    self._ready = True
                    self._alive_at_s = time.monotonic()
                case Progress(dropped_frames):
                    self.dropped_frames = self._dropped_before + dropped_frames
                case Failed(reason):
                    self._fault = f"failed ({reason})"

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
        return bool(min(behind_s, now_s - self._alive_at_s) > HUNG_S)
