"""Dialogs that are open at most once."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QWidget


def show_single(parent: QWidget, title: str, dialog: QDialog, *, modal: bool = True) -> None:
    """Show `dialog`, a child of `parent`, or instead of it the visible dialog with this title.

    The keyboard focus returns to `parent` at the end, also without a window manager, which would move it.
    """
    others = [other for other in parent.findChildren(QDialog) if other is not dialog]
    present = next((other for other in others if other.isVisible() and other.windowTitle() == title), None)
    if present is not None:
        dialog.deleteLater()
        dialog = present
    else:
        dialog.finished.connect(parent.activateWindow)
    dialog.setWindowTitle(title)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    if modal:
        dialog.open()
    else:
        dialog.show()
    dialog.raise_()
    dialog.activateWindow()
