"""The bar on top: start and stop, what comes in, where it goes, what is heard."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QPushButton, QWidget

from gui.controls import Menu
from gui.device_list import Device
from gui.monitor import HEAR
from gui.session_host import HostState
from rtgain.config import Hear, SessionConfig
from rtgain.lessons.controls import SOURCES

OPEN_FILE = "\0open"
"""What the source menu's last entry stands for; no path holds a NUL."""

MICROPHONE = "mic"
NAME_WIDTH = 108

START_LABELS: dict[HostState, str] = {
    "stopped": "\N{BLACK RIGHT-POINTING TRIANGLE}\N{VARIATION SELECTOR-15}  Start",
    "starting": "Starting…",
    "running": "\N{BLACK SQUARE}  Stop",
    "waiting": "Waiting…",
}

Source = tuple[str, str | None]
"""An `input` of a `SessionConfig` and, for the microphone, its `input_device`."""


class DeviceMenu(Menu):
    """A menu that may grow while the program runs; it asks for what is new when it is opened."""

    opened = Signal()
    """The user opens it: now it should be brought up to date."""

    def showPopup(self) -> None:
        self.opened.emit()
        self.fill()
        super().showPopup()

    def fill(self) -> None:
        """Write all entries anew; nothing is emitted."""
        raise NotImplementedError

    def add(self, label: str, value: object) -> None:
        """Add an entry whose name may be long; the whole name is its tool tip."""
        shown = QFontMetrics(self.font()).elidedText(label, Qt.TextElideMode.ElideMiddle, NAME_WIDTH)
        self.addItem(shown, value)
        self.setItemData(self.count() - 1, label, Qt.ItemDataRole.ToolTipRole)


class SourceMenu(DeviceMenu):
    """Which source plays: the built-in ones, the inputs there are, files, and a way to open another."""

    chosen = Signal(object)
    """The user chose this `Source`."""

    open_wanted = Signal()
    """The user wants to open a file."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Source")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setFixedWidth(150)
        self._shown: Source = ("", None)
        self._devices: Sequence[Device] = ()
        self._recent: Sequence[str] = ()
        self.activated.connect(self._activated)

    def show_source(self, config: SessionConfig, recent: Sequence[str] = ()) -> None:
        """Show the source of `config` as the one that plays, and `recent` files; nothing is emitted."""
        self._shown = (config.input, config.input_device if config.input == MICROPHONE else None)
        self._recent = recent
        self.fill()

    def show_devices(self, devices: Sequence[Device]) -> None:
        """Offer the inputs among `devices`."""
        self._devices = [device for device in devices if device.inputs]
        if not self.view().isVisible():
            self.fill()

    def fill(self) -> None:
        source, device = self._shown
        with QSignalBlocker(self):
            self.clear()
            for name, label in SOURCES.items():
                self.addItem(label, (name, None))
            self.insertSeparator(self.count())
            self.addItem("Microphone", (MICROPHONE, None))
            specs = dict.fromkeys(device.spec for device in self._devices)
            if source == MICROPHONE and device is not None:
                specs[device] = None
            for spec in specs:
                self.add(spec, (MICROPHONE, spec))
            files = dict.fromkeys([*([source] if self._plays_file() else []), *self._recent])
            if files:
                self.insertSeparator(self.count())
            for path in files:
                self.add(Path(path).name, (path, None))
                self.setItemData(self.count() - 1, path, Qt.ItemDataRole.ToolTipRole)
            self.insertSeparator(self.count())
            self.addItem("Open file…", (OPEN_FILE, None))
            self.setCurrentIndex(self._index_of(self._shown))
        self.setToolTip(source if self._plays_file() else device or "")

    def _plays_file(self) -> bool:
        source = self._shown[0]
        return bool(source) and source != MICROPHONE and source not in SOURCES

    def _index_of(self, source: Source) -> int:
        return next(index for index in range(self.count()) if self._source_at(index) == source)

    def _source_at(self, index: int) -> Source | None:
        data = self.itemData(index)  # Qt gives a tuple back as a list, and None for a separator
        return (data[0], data[1]) if data else None

    def _activated(self, index: int) -> None:
        source = self._source_at(index)
        if source is None:
            return
        if source[0] == OPEN_FILE:
            self.setCurrentIndex(self._index_of(self._shown))
            self.open_wanted.emit()
        elif source != self._shown:
            self.chosen.emit(source)


class EndMenu(DeviceMenu):
    """Which device is one end of the session: where its sound goes, or what hears it come back."""

    chosen = Signal(object)
    """The user chose this `output_device` or `input_device` of a `SessionConfig`, or None for the system's."""

    def __init__(self, name: str, kind: Literal["inputs", "outputs"]) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._kind = kind
        self._shown: str | None = None
        self._devices: Sequence[Device] = ()
        self.activated.connect(self._activated)
        self.fill()

    def show_device(self, spec: str | None) -> None:
        """Show the device `spec` as the one in use; nothing is emitted."""
        self._shown = spec
        self.fill()

    def show_devices(self, devices: Sequence[Device]) -> None:
        """Offer those among `devices` that can be it."""
        self._devices = [device for device in devices if getattr(device, self._kind)]
        if not self.view().isVisible():
            self.fill()

    def fill(self) -> None:
        with QSignalBlocker(self):
            self.clear()
            self.addItem("System", None)
            specs = dict.fromkeys([*([self._shown] if self._shown else []), *(d.spec for d in self._devices)])
            for spec in specs:
                self.add(spec, spec)
            self.setCurrentIndex(1 + list(specs).index(self._shown) if self._shown else 0)
        self.setToolTip(self._shown or "The system's own choice")

    def _activated(self, index: int) -> None:
        if self.itemData(index) != self._shown:
            self.chosen.emit(self.itemData(index))


class HearSwitch(QWidget):
    """What is heard: five buttons in a row, one of them down."""

    chosen = Signal(str)
    """The user wants to hear this."""

    def __init__(self) -> None:
        super().__init__()
        self._group = QButtonGroup(self)
        self.buttons: dict[Hear, QPushButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        for index, hear in enumerate(HEAR):
            button = QPushButton(hear.capitalize())
            button.setCheckable(True)
            button.setProperty("look", "segment")
            button.setProperty("place", {0: "first", len(HEAR) - 1: "last"}.get(index, "middle"))
            button.setAccessibleName(f"Hear {hear}" if hear != "mute" else "Mute")
            button.setToolTip(f"Key {index + 1}")
            button.clicked.connect(lambda _=False, hear=hear: self.chosen.emit(hear))
            self._group.addButton(button)
            self.buttons[hear] = button
            row.addWidget(button)

    def show_heard(self, hear: Hear) -> None:
        """Show what is played; nothing is emitted. Tab leads to it, and the arrow keys on from there."""
        for name, button in self.buttons.items():
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus if name == hear else Qt.FocusPolicy.NoFocus)
        self.buttons[hear].setChecked(True)


class Transport(QWidget):
    """Start and stop, the source, the output and the hear switch, on one line."""

    def __init__(self) -> None:
        super().__init__()
        self.start_button = QPushButton()
        self.start_button.setProperty("look", "primary")
        self.start_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.start_button.setToolTip("Space")
        self.start_button.setFixedWidth(112)
        self.source = SourceMenu()
        self.output = EndMenu("Output", "outputs")
        self.output.setFixedWidth(140)
        self.hear = HearSwitch()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.start_button)
        for name, widget in (("Source", self.source), ("Output", self.output), ("Hear", self.hear)):
            row.addSpacing(8)
            row.addWidget(_caption(name, widget))
            row.addWidget(widget)
        row.addStretch(1)
        self.show_state("stopped")

    def show_state(self, state: HostState) -> None:
        """Let the start button say what it will do in `state`."""
        self.start_button.setText(START_LABELS[state])
        self.start_button.setAccessibleName("Start" if state == "stopped" else "Stop")

    def show_devices(self, devices: Sequence[Device]) -> None:
        """Offer these devices."""
        self.source.show_devices(devices)
        self.output.show_devices(devices)


def _caption(text: str, buddy: QWidget) -> QLabel:
    label = QLabel(text)
    label.setProperty("look", "muted")
    label.setBuddy(buddy)
    return label
