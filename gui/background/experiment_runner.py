"""Runs a lesson's experiment beside the window, which never imports torch, and keeps what it came to."""

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
    """How far a lesson's experiment is.

    Attributes:
        doing: what it does now; empty where it does not run.
        problem: why it failed, in one line; empty where it did not.
        numbers: what it measured; empty before.
        folder: where its figures and sounds are; None before.
    """

    doing: str = ""
    problem: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    folder: Path | None = None


NOT_RUN = ExperimentStatus()


class ExperimentRunner(QObject):
    """One experiment at a time, by the names of lessons. What it leaves is kept until the window is closed."""

    changed = Signal(str)
    """The experiment of the lesson of that name has come further."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._stages: dict[str, ExperimentStatus] = {}
        self._running = ""
        self._place = TemporaryDirectory(prefix="rtgain-lessons-", ignore_cleanup_errors=True)
        self._process = PythonModuleProcess(self)
        self._process.readyReadStandardOutput.connect(self._tell)
        self._process.finished.connect(self._take)
        self._process.errorOccurred.connect(lambda _: None if self._process.runs else self._take(-1))

    def stage(self, lesson: str) -> ExperimentStatus:
        """How far it is."""
        return self._stages.get(lesson, NOT_RUN)

    def run(self, lesson: str) -> None:
        """Run it, in place of one that runs; nothing happens where it was run, or runs, already."""
        if self.stage(lesson).folder is not None or self._running == lesson:
            return
        self.cancel()
        folder = self._folder(lesson)
        folder.mkdir(exist_ok=True)
        self._running = lesson
        self._enter(ExperimentStatus(doing="Starting the experiment…"))
        self._process.run_module(MODULE, [lesson, str(folder)])

    def cancel(self) -> None:
        """End what runs."""
        lesson, self._running = self._running, ""
        if lesson:
            self._process.end()
            del self._stages[lesson]
            self.changed.emit(lesson)

    def close(self) -> None:
        """End what runs, and remove what all have left."""
        self.blockSignals(True)
        self.cancel()
        self._place.cleanup()

    def _folder(self, lesson: str) -> Path:
        return Path(self._place.name) / lesson

    def _enter(self, stage: ExperimentStatus) -> None:
        self._stages[self._running] = stage
        self.changed.emit(self._running)

    def _tell(self) -> None:
        """Take whole lines only: where Python does not buffer, a line and its end come apart."""
        while self._process.canReadLine():
            line = bytes(self._process.readLine().data()).decode().strip()
            if self._running:
                self._enter(ExperimentStatus(doing=line))

    def _take(self, code: int) -> None:
        if not self._running:  # it was cancelled
            return
        folder = self._folder(self._running)
        if code == 0:
            numbers = json.loads((folder / NUMBERS).read_text(encoding="utf-8"))
            self._enter(ExperimentStatus(numbers=numbers, folder=folder))
        else:
            said = bytes(self._process.readAllStandardError().data()).decode(errors="replace").strip()
            log.error("The experiment of %s failed: %s", self._running, said)
            reason = said.splitlines()[-1] if said else self._process.errorString()
            self._enter(ExperimentStatus(problem=f"The experiment failed: {reason}"))
        self._running = ""
