"""Keyboard shortcuts of the main window, and the dialog that lists them."""

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialog, QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from gui.theme import tabular
from rtgain.config.names import MAX_TARGETS, MONITORS


@dataclass(frozen=True)
class Key:
    """Shortcut: key sequence, name of its handler (see `MainWindow.handlers`), and description for the dialog."""

    sequence: str
    action: str
    description: str


MONITOR_KEYS = tuple(
    Key(str(index + 1), monitor, "Mute" if monitor == "mute" else f"Monitor {monitor}")
    for index, monitor in enumerate(MONITORS)
)
TARGET_ACTIONS = tuple(f"target_{number}" for number in range(1, MAX_TARGETS + 1))
TARGET_KEYS = tuple(
    Key(f"Shift+{number}", action, f"Compare with target {number}")
    for number, action in enumerate(TARGET_ACTIONS, start=1)
)
KEYS = (
    Key("Space", "start_or_stop", "Start or stop"),
    *MONITOR_KEYS,
    *TARGET_KEYS,
    Key("Ctrl+1", "compare", "Workspace Compare"),
    Key("Ctrl+2", "laboratory", "Workspace Laboratory"),
    Key("I", "section_start", "Begin the section here"),
    Key("O", "section_end", "End the section here"),
    Key("Ctrl+L", "loop", "Repeat the recording or its section"),
    Key("B", "abx", "ABX test"),
    Key("Ctrl+Z", "undo", "Undo"),
    Key("Ctrl+Shift+Z", "redo", "Redo"),
    Key("R", "reset", "Reset the estimate"),
    Key("F", "freeze", "Freeze the estimate or release it"),
    Key("E", "equalizer", "Show or hide the equalizers"),
    Key("L", "lessons", "Show or hide the lessons"),
    Key("Ctrl+O", "open_file", "Open file…"),
    Key("Ctrl+S", "save_preset", "Save preset…"),
    Key("Ctrl+E", "export", "Export CSV, JSON, figure and preset"),
    Key("F1", "show_shortcuts", "Keyboard shortcuts"),
    Key("Ctrl+Q", "quit", "Quit"),
)


BLIND_KEYS = frozenset({"start_or_stop", "loop", "show_shortcuts", "quit"})
"""Actions whose shortcuts remain active during a blind test: the others would show what is played."""


class ShortcutSheet(QDialog):
    """List of the keyboard shortcuts; the main window stays usable."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keyboard shortcuts")
        grid = QGridLayout()
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(8)
        for row, key in enumerate(KEYS):
            name = QLabel(QKeySequence(key.sequence).toString(QKeySequence.SequenceFormat.NativeText))
            name.setFont(tabular(name.font(), bold=True))
            grid.addWidget(name, row, 0, Qt.AlignmentFlag.AlignRight)
            grid.addWidget(QLabel(key.description), row, 1)
        hint = QLabel("Tab moves between controls; Space then activates the focused control.")
        hint.setProperty("look", "muted")
        hint.setWordWrap(True)
        close = QPushButton("Close")
        close.clicked.connect(self.close)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 16)
        column.setSpacing(16)
        column.addLayout(grid)
        column.addWidget(hint)
        column.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)
