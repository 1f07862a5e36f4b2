"""Combo box with an arrow that style sheets leave intact, and functions to set its items by value."""

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QPointF, QSignalBlocker, Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox

from gui.widgets.check_box import draw_stroke


class ComboBox(QComboBox):
    """Combo box with an arrow; a text that is too long is elided in the middle."""

    def initStyleOption(self, option: QStyleOptionComboBox) -> None:
        super().initStyleOption(option)
        if not self.isVisible():  # its size is computed, without this text, hundreds of times before the first paint
            return
        field = QStyle.SubControl.SC_ComboBoxEditField
        width = self.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, field, self).width()
        text = self.fontMetrics().elidedText(self.currentText(), Qt.TextElideMode.ElideMiddle, width)
        option.currentText = text  # type: ignore[attr-defined]  # missing in PySide6's stubs

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        x, y = self.width() - 15.0, self.height() / 2
        color = self.palette().text().color()
        draw_stroke(self, color, [QPointF(x - 4, y - 2), QPointF(x, y + 2), QPointF(x + 4, y - 2)])


def labelled_combo_box(name: str, items: Sequence[tuple[str, Any]] = ()) -> ComboBox:
    """Make a combo box with the accessible name `name`; Tab focuses it, a click does not.

    `items` are pairs of text and value.
    """
    box = ComboBox()
    box.setAccessibleName(name)
    box.setToolTip(name)
    box.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    set_items(box, items)
    return box


def set_items(box: QComboBox, items: Sequence[tuple[str, Any]]) -> None:
    """Replace all items of `box` by `items`, pairs of text and value, and select the first; emits nothing."""
    with QSignalBlocker(box):
        box.clear()
        for text, value in items:
            box.addItem(text, value)


def select_data(box: QComboBox, value: Any, text: str) -> None:
    """Select the item with `value` in `box`, added as `text` if it is missing; emits nothing."""
    with QSignalBlocker(box):
        if box.findData(value) < 0:
            box.addItem(text, value)
        box.setCurrentIndex(box.findData(value))
