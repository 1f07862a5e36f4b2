"""Numbered points of filters on a plot; some of them can be dragged."""

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import (
    QGraphicsObject,
    QGraphicsSceneMouseEvent,
    QGraphicsSceneWheelEvent,
    QStyleOptionGraphicsItem,
    QWidget,
)

from gui.theme import LIGHT, Theme, tabular
from rtgain.output.curve_styles import CurveStyle

FINE = 0.1
"""Share of a movement with Shift."""


class FilterPoint(QGraphicsObject):
    """Circle of constant size with a number, at a position of the plot."""

    def __init__(self, number: int, curve: CurveStyle, *, radius: float, filled: bool) -> None:
        super().__init__()
        self.number = number
        self._curve = curve
        self._radius = radius
        self._filled = filled
        self._theme = LIGHT
        self.setZValue(2.0 if filled else 1.0)
        self.setFlag(self.GraphicsItemFlag.ItemIgnoresTransformations)
        self.setAcceptedMouseButtons(Qt.MouseButton.NoButton)

    def show_theme(self, theme: Theme) -> None:
        """Set the colors of `theme`."""
        self._theme = theme
        self.update()

    def boundingRect(self) -> QRectF:
        reach = self._radius + 2
        return QRectF(-reach, -reach, 2 * reach, 2 * reach)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        color, card = QColor(self._curve.color(dark=self._theme.dark)), QColor(self._theme.card)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(card if self._filled else color)
        painter.setBrush(color if self._filled else card)
        painter.drawEllipse(QPointF(0, 0), self._radius, self._radius)
        painter.setFont(tabular(painter.font(), points=7, bold=True))
        painter.setPen(card if self._filled else color)
        painter.drawText(self.boundingRect(), Qt.AlignmentFlag.AlignCenter, str(self.number))


class DraggablePoint(FilterPoint):
    """Point of a filter that follows the mouse; the wheel changes its Q, a double-click resets its gain."""

    moved = Signal(QPointF)
    """The mouse has moved the point by this distance, in the plot's units; a tenth of it with Shift."""

    wheel_moved = Signal(float)
    """The wheel has moved by these notches; a tenth of them with Shift."""

    double_clicked = Signal()

    def __init__(self, number: int, curve: CurveStyle) -> None:
        super().__init__(number, curve, radius=10.0, filled=False)
        self.setAcceptedMouseButtons(Qt.MouseButton.LeftButton)
        self.setCursor(Qt.CursorShape.SizeAllCursor)
        self.is_dragged = False

    def mousePressEvent(self, event: QGraphicsSceneMouseEvent) -> None:
        self.is_dragged = True
        event.accept()  # otherwise the plot moves instead

    def mouseMoveEvent(self, event: QGraphicsSceneMouseEvent) -> None:
        parent = self.parentItem()
        distance = parent.mapFromScene(event.scenePos()) - parent.mapFromScene(event.lastScenePos())
        self.moved.emit(distance * _share(event.modifiers()))

    def mouseReleaseEvent(self, event: QGraphicsSceneMouseEvent) -> None:
        self.is_dragged = False

    def mouseDoubleClickEvent(self, event: QGraphicsSceneMouseEvent) -> None:
        self.double_clicked.emit()
        event.accept()

    def wheelEvent(self, event: QGraphicsSceneWheelEvent) -> None:
        self.wheel_moved.emit(event.delta() / 120.0 * _share(event.modifiers()))
        event.accept()


def _share(modifiers: Qt.KeyboardModifier) -> float:
    return FINE if modifiers & Qt.KeyboardModifier.ShiftModifier else 1.0
