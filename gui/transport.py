"""The bar on top: start and stop, what comes in, what is heard."""

from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QPushButton, QWidget

from gui.controls import Menu
from gui.monitor import HEAR
from gui.session_host import HostState
from rtgain.config import Hear

OPEN_FILE = "\0open"
"""What the source menu's last entry stands for; no path holds a NUL."""

SOURCES = (("mic", "Microphone"), ("demo", "Demo"), ("sine", "Sine"), ("pink", "Pink noise"))

START_LABELS: dict[HostState, str] = {
    "stopped": "\N{BLACK RIGHT-POINTING TRIANGLE}\N{VARIATION SELECTOR-15}  Start",
    "starting": "Starting…",
    "running": "\N{BLACK SQUARE}  Stop",
}


class SourceMenu(Menu):
    """Which source plays: the built-in ones, the file at hand, and a way to open another."""

    chosen = Signal(str)
    """The user chose this `input` of a `SessionConfig`."""

    open_wanted = Signal()
    """The user wants to open a file."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Source")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setFixedWidth(150)
        self._shown = ""
        self.activated.connect(self._activated)

    def show_source(self, source: str) -> None:
        """Show `source`, an `input` of a `SessionConfig`, as the one that plays; nothing is emitted."""
        self._shown = source
        with QSignalBlocker(self):
            self.clear()
            for name, label in SOURCES:
                self.addItem(label, name)
            if source not in dict(SOURCES):
                metrics = QFontMetrics(self.font())
                name = metrics.elidedText(Path(source).name, Qt.TextElideMode.ElideMiddle, 110)
                self.addItem(name, source)
                self.setItemData(self.count() - 1, source, Qt.ItemDataRole.ToolTipRole)
            self.insertSeparator(self.count())
            self.addItem("Open file…", OPEN_FILE)
            self.setCurrentIndex(self.findData(source))
        self.setToolTip(source if source not in dict(SOURCES) else "")

    def _activated(self, index: int) -> None:
        source = self.itemData(index)
        if source == OPEN_FILE:
            self.setCurrentIndex(self.findData(self._shown))
            self.open_wanted.emit()
        elif source != self._shown:
            self.chosen.emit(source)


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
    """Start and stop, the source menu and the hear switch, on one line."""

    def __init__(self) -> None:
        super().__init__()
        self.start_button = QPushButton()
        self.start_button.setProperty("look", "primary")
        self.start_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.start_button.setToolTip("Space")
        self.start_button.setFixedWidth(116)
        self.source = SourceMenu()
        self.hear = HearSwitch()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.start_button)
        row.addSpacing(12)
        row.addWidget(_caption("Source", self.source))
        row.addWidget(self.source)
        row.addSpacing(12)
        row.addWidget(_caption("Hear", None))
        row.addWidget(self.hear)
        row.addStretch(1)
        self.show_state("stopped")

    def show_state(self, state: HostState) -> None:
        """Let the start button say what it will do in `state`."""
        self.start_button.setText(START_LABELS[state])
        self.start_button.setAccessibleName("Start" if state == "stopped" else "Stop")


def _caption(text: str, buddy: QWidget | None) -> QLabel:
    label = QLabel(text)
    label.setProperty("look", "muted")
    if buddy is not None:
        label.setBuddy(buddy)
    return label
