"""Application icon: level bars, and a gain curve between two levels."""

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap

from rtgain.output.curve_styles import CLOSED_FORM, DARK_BACKGROUND, ESTIMATE

SIZES = (16, 24, 32, 48, 64, 128, 256)
"""Sizes in pixels that desktops use."""


def icon() -> QIcon:
    """Draw the icon in all `SIZES`."""
    result = QIcon()
    for size in SIZES:
        result.addPixmap(_picture(size))
    return result


def _picture(size: int) -> QPixmap:
    picture = QPixmap(size, size)
    picture.fill(Qt.GlobalColor.transparent)
    with QPainter(picture) as painter:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.scale(size / 32, size / 32)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(DARK_BACKGROUND))
        painter.drawRoundedRect(QRectF(1, 1, 30, 30), 7, 7)
        painter.setBrush(QColor(ESTIMATE.dark))
        for x, height in ((6, 8), (11, 16), (16, 5)):
            painter.drawRoundedRect(QRectF(x, 25 - height, 3.5, height), 1, 1)
        pen = QPen(QColor(CLOSED_FORM.dark), 2.2)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        painter.drawPolyline([QPointF(6, 22), QPointF(14, 21), QPointF(18, 10), QPointF(26, 9)])
    return picture
