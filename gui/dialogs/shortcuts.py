"""Every key that the window knows, and the sheet that lists them."""

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialog, QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from gui.control.feedback_guard import MONITOR_LABELS
from gui.theme import tabular


@dataclass(frozen=True)
class Key:
    """A key, the name of what it does in `gui.actions`, and a line about it for the sheet."""

    sequence: str
    does: str
    line: str


MONITOR_KEYS = tuple(
    Key(str(index + 1), monitor, "Silence" if monitor == "mute" else f"Hear {monitor}")
    for index, monitor in enumerate(MONITOR_LABELS)
)
KEYS = (
    Key("Space", "start_or_stop", "Start or stop"),
    *MONITOR_KEYS,
    Key("R", "reset", "Reset the estimate"),
    Key("F", "freeze", "Freeze the estimate, or let it go on"),
    Key("L", "learn", "Show the lessons, or hide them"),
    Key("Ctrl+O", "open_file", "Open a file"),
    Key("Ctrl+S", "save_preset", "Keep this session as a preset"),
    Key("Ctrl+E", "export", "Export CSV, JSON, figure and preset"),
    Key("F1", "show_keys", "Show these keys"),
    Key("Ctrl+Q", "quit", "Quit"),
)


class ShortcutSheet(QDialog):
    """The list of keys; it leaves the window usable."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        grid = QGridLayout()
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(8)
        for row, key in enumerate(KEYS):
            name = QLabel(QKeySequence(key.sequence).toString(QKeySequence.SequenceFormat.NativeText))
            name.setFont(tabular(name.font(), bold=True))
            grid.addWidget(name, row, 0, Qt.AlignmentFlag.AlignRight)
            grid.addWidget(QLabel(key.line), row, 1)
        hint = QLabel("Tab moves between controls; Space then works the one that has the focus.")
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
