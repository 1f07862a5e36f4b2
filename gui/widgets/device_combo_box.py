"""Combo boxes for sources and devices."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QFontMetrics

from gui.background.device_list import Device
from gui.widgets.combo_box import ComboBox
from rtgain.config.labels import SOURCES
from rtgain.config.session_config import SessionConfig

OPEN_FILE = "\0open"
"""What the source menu's last entry stands for; no path holds a NUL."""

MICROPHONE = "mic"
NAME_WIDTH = 108

Source = tuple[str, str | None]
"""An `input` of a `SessionConfig` and, for the microphone, its `input_device`."""


class RefreshingComboBox(ComboBox):
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


class SourceComboBox(RefreshingComboBox):
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


class DeviceComboBox(RefreshingComboBox):
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
