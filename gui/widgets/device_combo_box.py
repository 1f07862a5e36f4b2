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
"""Value of the source menu's last item; a path cannot contain NUL."""

MICROPHONE = "mic"

SYSTEM_DEFAULT = "System default"
"""Item for the device that the operating system selects."""

ITEM_WIDTH = 108
"""Width in pixels to which the names of files are elided. The list shows whole names of devices."""

POPUP_MARGIN = 24
"""Width in pixels of the list beyond its longest text."""

Source = tuple[str, str | None]
"""`input` of a `SessionConfig` and, for the microphone, its `input_device`."""


class RefreshingComboBox(ComboBox):
    """Combo box whose items may change while the program runs; it requests an update when it is opened."""

    opened = Signal()
    """The user opens the list: its items should be updated."""

    def showPopup(self) -> None:
        self.opened.emit()
        self.refill()
        self.view().setMinimumWidth(self.view().sizeHintForColumn(0) + POPUP_MARGIN)
        super().showPopup()

    def refill(self) -> None:
        """Set all items again; emits nothing."""
        raise NotImplementedError

    def add_item(self, text: str, value: object) -> None:
        """Add an item with a text that may be long; the whole text is its tool tip."""
        elided = QFontMetrics(self.font()).elidedText(text, Qt.TextElideMode.ElideMiddle, ITEM_WIDTH)
        self.addItem(elided, value)
        self.setItemData(self.count() - 1, text, Qt.ItemDataRole.ToolTipRole)


class SourceComboBox(RefreshingComboBox):
    """Combo box of built-in sources, input devices, recent files, and an item that opens another file."""

    chosen = Signal(object)
    """The user selected this `Source`."""

    open_requested = Signal()
    """The user selected “Open file…”."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Source")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setFixedWidth(150)
        self._current: Source = ("", None)
        self._devices: Sequence[Device] = ()
        self._recent: Sequence[str] = ()
        self.activated.connect(self._activated)

    def show_source(self, config: SessionConfig, recent: Sequence[str] = ()) -> None:
        """Select the source of `config`, and offer `recent` files; emits nothing."""
        self._current = (config.input, config.input_device if config.input == MICROPHONE else None)
        self._recent = recent
        self.refill()

    def show_devices(self, devices: Sequence[Device]) -> None:
        """Offer the inputs among `devices`."""
        self._devices = [device for device in devices if device.inputs]
        if not self.view().isVisible():
            self.refill()

    def refill(self) -> None:
        source, device = self._current
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
                self.addItem(spec, (MICROPHONE, spec))
            files = dict.fromkeys([*([source] if self._is_file() else []), *self._recent])
            if files:
                self.insertSeparator(self.count())
            for path in files:
                self.add_item(Path(path).name, (path, None))
                self.setItemData(self.count() - 1, path, Qt.ItemDataRole.ToolTipRole)
            self.insertSeparator(self.count())
            self.addItem("Open file…", (OPEN_FILE, None))
            self.setCurrentIndex(self._index_of(self._current))
        self.setToolTip(source if self._is_file() else device or "")

    def _is_file(self) -> bool:
        source = self._current[0]
        return bool(source) and source != MICROPHONE and source not in SOURCES

    def _index_of(self, source: Source) -> int:
        return next(index for index in range(self.count()) if self._source_at(index) == source)

    def _source_at(self, index: int) -> Source | None:
        value = self.itemData(index)  # Qt returns a tuple as a list, and None for a separator
        return (value[0], value[1]) if value else None

    def _activated(self, index: int) -> None:
        source = self._source_at(index)
        if source is None:
            return
        if source[0] == OPEN_FILE:
            self.setCurrentIndex(self._index_of(self._current))
            self.open_requested.emit()
        elif source != self._current:
            self.chosen.emit(source)


class DeviceComboBox(RefreshingComboBox):
    """Combo box of input or output devices, with the system default first."""

    chosen = Signal(object)
    """The user selected this device spec (see `Device.spec`), or None for the system default."""

    def __init__(self, name: str, kind: Literal["inputs", "outputs"]) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._kind = kind
        self._current: str | None = None
        self._devices: Sequence[Device] = ()
        self.activated.connect(self._activated)
        self.refill()

    def show_device(self, spec: str | None) -> None:
        """Select the device `spec`; emits nothing."""
        self._current = spec
        self.refill()

    def show_devices(self, devices: Sequence[Device]) -> None:
        """Offer the devices that have channels of this kind."""
        self._devices = [device for device in devices if getattr(device, self._kind)]
        if not self.view().isVisible():
            self.refill()

    def refill(self) -> None:
        with QSignalBlocker(self):
            self.clear()
            self.addItem(SYSTEM_DEFAULT, None)
            specs = dict.fromkeys([*([self._current] if self._current else []), *(d.spec for d in self._devices)])
            for spec in specs:
                self.addItem(spec, spec)
            self.setCurrentIndex(1 + list(specs).index(self._current) if self._current else 0)
        self.setToolTip(self._current or "Device that the operating system selects")

    def _activated(self, index: int) -> None:
        if self.itemData(index) != self._current:
            self.chosen.emit(self.itemData(index))
