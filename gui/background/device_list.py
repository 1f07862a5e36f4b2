"""List of the present audio devices, made in a child process: PortAudio scans devices only when it starts."""

import json
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from gui.background.python_process import PythonModuleProcess
from rtgain.records.device import own_jack_prefix


@dataclass(frozen=True)
class Device:
    """Audio device in the menus. Name and host API identify it; its index in PortAudio's list can change."""

    name: str
    host_api: str
    inputs: int
    outputs: int

    @property
    def spec(self) -> str:
        """Value of `SessionConfig.input_device` or `output_device` that selects it."""
        return f"{self.name} ({self.host_api})"


class DeviceList(QObject):
    """Runs ``rtgain devices --json`` and emits the result; the GUI thread never blocks."""

    listed = Signal(list)
    """All devices, as `Device`; empty if PortAudio is missing."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._process = PythonModuleProcess(self)
        self._process.finished.connect(self._read_devices)

    def refresh(self) -> None:
        """List the devices again, unless the command is already running."""
        if not self._process.is_running:
            self._process.run_module("rtgain", ["devices", "--json"])

    def close(self) -> None:
        """End the command; nothing is emitted after that."""
        self._process.finished.disconnect(self._read_devices)
        self._process.end()

    def _read_devices(self, exit_code: int) -> None:
        if exit_code != 0:  # PortAudio is missing: the session reports it when a device is needed
            self.listed.emit([])
            return
        rows = json.loads(bytes(self._process.readAllStandardOutput().data()))
        rows = [row for row in rows if not row["name"].startswith(own_jack_prefix())]  # what rtgain itself plays
        self.listed.emit(
            [Device(row["name"], row["host_api"], row["input_channels"], row["output_channels"]) for row in rows]
        )
