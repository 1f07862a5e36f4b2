"""The two controls that Qt leaves half drawn once a style sheet touches them, and menus that stand for values."""

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QPointF, QSignalBlocker, Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox

from gui.widgets.check_box import _draw_stroke


class ComboBox(QComboBox):
    """A combo box with an arrow; a text that is too long for it is cut in its middle."""

    def initStyleOption(self, option: QStyleOptionComboBox) -> None:
        super().initStyleOption(option)
        field = QStyle.SubControl.SC_ComboBoxEditField
        room = self.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, field, self).width()
        middle = Qt.TextElideMode.ElideMiddle
        shown = self.fontMetrics().elidedText(self.currentText(), middle, room)
        option.currentText = shown  # type: ignore[attr-defined]  # its stubs do not know it

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        x, y = self.width() - 15.0, self.height() / 2
        color = self.palette().text().color()
        _draw_stroke(self, color, [QPointF(x - 4, y - 2), QPointF(x, y + 2), QPointF(x + 4, y - 2)])


def labelled_combo_box(name: str, entries: Sequence[tuple[str, Any]] = ()) -> ComboBox:
    """A menu of texts and the values that they stand for, which Tab reaches and a click does not keep."""
    menu = ComboBox()
    menu.setAccessibleName(name)
    menu.setToolTip(name)
    menu.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    fill(menu, entries)
    return menu


def fill(menu: ComboBox, entries: Sequence[tuple[str, Any]]) -> None:
    """Offer `entries` alone; `menu` stands at the first, and nothing is emitted."""
    with QSignalBlocker(menu):
        menu.clear()
        for label, value in entries:
            menu.addItem(label, value)


def select_data(menu: ComboBox, value: Any, label: str) -> None:
    """Let `menu` stand at `value`, which is added where it is not offered yet; nothing is emitted."""
    with QSignalBlocker(menu):
        if menu.findData(value) < 0:
            menu.addItem(label, value)
        menu.setCurrentIndex(menu.findData(value))
