"""Processes of rtgain's own beside the window: what must not be in its process, or must not hold it up."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment

import rtgain


class PythonModuleProcess(QProcess):
    """Runs modules of this rtgain, however it was started, with this Python."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        environment = QProcessEnvironment.systemEnvironment()
        places = [str(Path(rtgain.__file__).parents[1]), environment.value("PYTHONPATH")]
        environment.insert("PYTHONPATH", os.pathsep.join(place for place in places if place))
        environment.insert("PYTHONIOENCODING", "utf-8")
        self.setProcessEnvironment(environment)

    @property
    def runs(self) -> bool:
        """Whether it has been started, and has not ended."""
        return self.state() != QProcess.ProcessState.NotRunning

    def run_module(self, module: str, words: Sequence[str]) -> None:
        """``python -m module words…``"""
        self.start(sys.executable, ["-m", module, *words])

    def end(self) -> None:
        """Kill it, and wait for that."""
        self.kill()
        self.waitForFinished()
