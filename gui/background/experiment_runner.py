"""Runs lessons' experiments in a child process, because the GUI never imports torch, and keeps their results."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from PySide6.QtCore import QObject, Signal

from gui.background.python_process import PythonModuleProcess
from rtgain.lessons.experiment_process import NUMBERS

MODULE = "rtgain.lessons.experiment_process"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExperimentStatus:
    """Status of a lesson's experiment.

    Attributes:
        progress: present activity; empty if it is not running.
        error: reason of the failure, in one line; empty if it has not failed.
        numbers: measured numbers; empty until it has finished.
        folder: folder of its figures and sounds; None until it has finished.
    """

    progress: str = ""
    error: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    folder: Path | None = None


NOT_RUN = ExperimentStatus()


class ExperimentRunner(QObject):
    """Runs one experiment at a time, by the name of its lesson, and keeps all results until the window closes."""

    changed = Signal(str)
    """The status of this lesson's experiment has changed."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._status: dict[str, ExperimentStatus] = {}
        self._running = ""
        self._results = TemporaryDirectory(prefix="rtgain-lessons-", ignore_cleanup_errors=True)
        self._process = PythonModuleProcess(self)
        self._process.readyReadStandardOutput.connect(self._read_progress)
        self._process.finished.connect(self._read_result)
        self._process.errorOccurred.connect(lambda _: None if self._process.is_running else self._read_result(-1))

    def status(self, lesson: str) -> ExperimentStatus:
        """Return the status of the lesson's experiment."""
        return self._status.get(lesson, NOT_RUN)

    def run(self, lesson: str) -> None:
        """Run the lesson's experiment instead of one that is running; ignored if it is running or has finished."""
        if self.status(lesson).folder is not None or self._running == lesson:
            return
        self.cancel()
        folder = self._folder(lesson)
        folder.mkdir(exist_ok=True)
        self._running = lesson
        self._set_status(ExperimentStatus(progress="Starting the experiment…"))
        self._process.run_module(MODULE, [lesson, str(folder)])

    def cancel(self) -> None:
        """End the running experiment."""
        lesson, self._running = self._running, ""
        if lesson:
            self._process.end()
            del self._status[lesson]
            self.changed.emit(lesson)

    def close(self) -> None:
        """End the running experiment, and remove all results."""
        self.blockSignals(True)
        self.cancel()
        self._results.cleanup()

    def _folder(self, lesson: str) -> Path:
        return Path(self._results.name) / lesson

    def _set_status(self, status: ExperimentStatus) -> None:
        self._status[self._running] = status
        self.changed.emit(self._running)

    def _read_progress(self) -> None:
        """Read whole lines only: with unbuffered output, a line and its end arrive separately."""
        while self._process.canReadLine():
            line = bytes(self._process.readLine().data()).decode().strip()
            if self._running:
                self._set_status(ExperimentStatus(progress=line))

    def _read_result(self, exit_code: int) -> None:
        if not self._running:  # it was cancelled
            return
        folder = self._folder(self._running)
        if exit_code == 0:
            numbers = json.loads((folder / NUMBERS).read_text(encoding="utf-8"))
            self._set_status(ExperimentStatus(numbers=numbers, folder=folder))
        else:
            output = bytes(self._process.readAllStandardError().data()).decode(errors="replace").strip()
            log.error("The experiment of %s failed: %s", self._running, output)
            reason = output.splitlines()[-1] if output else self._process.errorString()
            self._set_status(ExperimentStatus(error=f"The experiment failed: {reason}"))
        self._running = ""
