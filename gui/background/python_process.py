"""Child process that runs a module of rtgain."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment

import rtgain


class PythonModuleProcess(QProcess):
    """Process that runs modules of the same rtgain, however it was started, with the same Python."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        environment = QProcessEnvironment.systemEnvironment()
        paths = [str(Path(rtgain.__file__).parents[1]), environment.value("PYTHONPATH")]
        environment.insert("PYTHONPATH", os.pathsep.join(path for path in paths if path))
        environment.insert("PYTHONIOENCODING", "utf-8")
        self.setProcessEnvironment(environment)

    @property
    def is_running(self) -> bool:
        """True if it has been started and has not exited."""
        return self.state() != QProcess.ProcessState.NotRunning

    def run_module(self, module: str, arguments: Sequence[str]) -> None:
        """Start ``python -m module arguments…``."""
        self.start(sys.executable, ["-m", module, *arguments])

    def end(self) -> None:
        """Kill the process and wait until it has exited."""
        self.kill()
        self.waitForFinished()
