"""Handlers of the Help menu."""

from pathlib import Path

from PySide6.QtCore import QObject, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QWidget

from gui.dialogs.about import AboutBox
from gui.dialogs.shortcuts import ShortcutSheet
from gui.dialogs.single_dialog import show_single
from gui.panels.notices import NoticeStack


class HelpActions(QObject):
    """Commands of the user that show help: keyboard shortcuts, the log, versions."""

    def __init__(self, parent: QWidget, notices: NoticeStack, log_file: Path | None) -> None:
        super().__init__(parent)
        self._parent = parent
        self._notices = notices
        self.log_file = log_file
        self.shortcut_sheet = ShortcutSheet(parent)
        self.shortcut_sheet.finished.connect(parent.activateWindow)

    def show_shortcuts(self) -> None:
        """Show the list of keyboard shortcuts."""
        self.shortcut_sheet.show()
        self.shortcut_sheet.raise_()
        self.shortcut_sheet.activateWindow()

    def show_about(self) -> None:
        """Show versions, to be copied into a bug report."""
        show_single(self._parent, "About rtgain", AboutBox(self._parent, self.log_file), modal=False)

    def open_log_folder(self) -> None:
        """Open the folder of the log file."""
        if self.log_file is None:
            self._notices.show_error("No log file: the log folder is not writable")
        else:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.log_file.parent)))
