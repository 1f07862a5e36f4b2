"""About dialog: versions for a bug report, and the path of the log."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from gui.icon import icon
from gui.theme import tabular
from rtgain import __version__

PACKAGES = (
    "torch",
    "numpy",
    "numba",
    "PySide6-Essentials",
    "pyqtgraph",
    "sounddevice",
    "soundfile",
    "av",
    "soxr",
    "auraloss",
)


def versions(log_file: Path | None) -> str:
    """Return the versions for a bug report, one per line, without importing the packages."""
    lines = [f"rtgain {__version__}", f"Python {platform.python_version()}", platform.platform()]
    for package in PACKAGES:
        try:
            lines.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            lines.append(f"{package} is not installed")
    lines.append(f"screen: {QGuiApplication.platformName()}")
    lines.append(f"log: {log_file or 'none'}")
    return "\n".join(lines)


class AboutBox(QDialog):
    """Dialog with the program's purpose and its versions, which can be copied."""

    def __init__(self, parent: QWidget, log_file: Path | None) -> None:
        super().__init__(parent)
        title = QLabel(f"rtgain {__version__}")
        title.setFont(tabular(title.font(), points=16, bold=True))
        picture = QLabel()
        picture.setPixmap(icon().pixmap(48, 48))
        head = QHBoxLayout()
        head.setSpacing(14)
        head.addWidget(picture)
        head.addWidget(title, 1)
        purpose = QLabel("Estimates the gain between two signals by gradient descent, in real time.")
        self.text = QPlainTextEdit(versions(log_file))
        self.text.setReadOnly(True)
        self.text.setAccessibleName("Versions for a bug report")
        self.text.setMinimumSize(460, 210)
        copy = QPushButton("Copy versions")
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.text.toPlainText()))
        close = QPushButton("Close")
        close.clicked.connect(self.close)
        buttons = QHBoxLayout()
        buttons.addWidget(copy)
        buttons.addStretch(1)
        buttons.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 16)
        column.setSpacing(12)
        column.addLayout(head)
        column.addWidget(purpose, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.text, 1)
        column.addLayout(buttons)
