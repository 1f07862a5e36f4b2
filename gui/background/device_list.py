"""The devices there are now, asked of a process of its own: PortAudio looks for new ones only when it starts."""

import json
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from gui.background.python_process import PythonModuleProcess


@dataclass(frozen=True)
class Device:
    """A device as the menus name it: what finds it again is its name with its host API, not its place in a list."""

    name: str
    host_api: str
    inputs: int
    outputs: int

    @property
    def spec(self) -> str:
        """What `SessionConfig.input_device` and `output_device` take."""
        return f"{self.name} ({self.host_api})"


class DeviceList(QObject):
    """Asks ``rtgain devices --json`` and tells what it said; the window's thread never waits."""

    listed = Signal(list)
    """All devices, as `Device`."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._process = PythonModuleProcess(self)
        self._process.finished.connect(self._take)

    def refresh(self) -> None:
        """Ask, unless an answer is on its way."""
        if not self._process.runs:
            self._process.run_module("rtgain", ["devices", "--json"])

    def close(self) -> None:
        """Wait for no answer any more."""
        self._process.finished.disconnect(self._take)
        self._process.end()

    def _take(self, code: int) -> None:
        if code != 0:  # PortAudio is not there: the session says so where it matters
            self.listed.emit([])
            return
        rows = json.loads(bytes(self._process.readAllStandardOutput().data()))
        self.listed.emit(
            [Device(row["name"], row["host_api"], row["input_channels"], row["output_channels"]) for row in rows]
        )
