"""Check box with a tick that style sheets leave intact."""

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRect, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QCheckBox, QStyle, QStyleOptionButton, QWidget

TICK = ((0.25, 0.52), (0.43, 0.7), (0.77, 0.32))
"""Corners of the tick as shares of the box."""


class CheckBox(QCheckBox):
    """Check box that paints its own tick: Qt omits it as soon as a style sheet sets the indicator."""

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.isChecked():
            box = self._box()
            x, y, side = box.left(), box.top(), box.width()
            tick = [QPointF(x + share_x * side, y + share_y * side) for share_x, share_y in TICK]
            draw_stroke(self, self.palette().highlightedText().color(), tick)

    def _box(self) -> QRect:
        option = QStyleOptionButton()
        self.initStyleOption(option)
        return self.style().subElementRect(QStyle.SubElement.SE_CheckBoxIndicator, option, self)


def draw_stroke(widget: QWidget, color: QColor, points: Sequence[QPointF]) -> None:
    """Draw a line of 1.5 pixels through `points` on `widget`."""
    pen = QPen(color, 1.5)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    with QPainter(widget) as painter:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(pen)
        painter.drawPolyline(points)
