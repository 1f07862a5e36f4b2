"""Overview of two recordings: both waveforms above each other, aligned, with the section and the position."""

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.theme import LIGHT, Theme
from rtgain.number_format import format_time_ms
from rtgain.output.curve_styles import DRY, TARGET, CurveStyle

if TYPE_CHECKING:
    from rtgain.session.overview import Overview

DRAG_PIXELS = 4
"""Distance in pixels from which a press and its release select a section instead of a position."""

MIN_SECTION_S = 0.5
"""Shortest section in seconds that a drag selects: an analysis window and a repetition that can be followed."""

HEIGHT = 84


class OverviewPanel(QWidget):
    """Both waveforms over the dry recording's own time. A click selects a position, a drag a section."""

    position_chosen = Signal(float)
    """The user selected this time in seconds."""

    section_chosen = Signal(float, float)
    """The user selected the section between these times in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Overview of both recordings")
        self.setToolTip("Click to go there, drag to select a section")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._theme = LIGHT
        self._overviews: tuple[Overview, Overview] | None = None
        self._delay_s = 0.0
        self._section: tuple[float, float | None] = (0.0, None)
        self._position_s = 0.0
        self._pressed: QPointF | None = None
        self._dragged: QPointF | None = None
        self._waveforms: QPixmap | None = None

    def sizeHint(self) -> QSize:
        return QSize(300, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, HEIGHT)

    def show_overviews(self, overviews: "tuple[Overview, Overview] | None", delay_s: float = 0.0) -> None:
        """Draw both recordings, the target `delay_s` earlier than its own time; None for an empty panel."""
        self._overviews, self._delay_s = overviews, delay_s
        self._redraw()

    def show_section(self, start_s: float | None, end_s: float | None) -> None:
        """Mark the section; None for the start and the end of the dry recording."""
        self._section = (start_s or 0.0, end_s)
        self.update()

    def show_position(self, time_s: float) -> None:
        """Mark the position in the dry recording."""
        if self.width() and abs(self._x(time_s) - self._x(self._position_s)) >= 1.0 / self.devicePixelRatioF():
            self._position_s = time_s
            self.setAccessibleDescription(f"Position {format_time_ms(max(time_s, 0.0))}")
            self.update()

    def show_theme(self, theme: Theme) -> None:
        """Set the colors of `theme`."""
        self._theme = theme
        self._redraw()

    @property
    def duration_s(self) -> float:
        """Length of the dry recording in seconds; 0 without one."""
        return self._overviews[0].duration_s if self._overviews is not None else 0.0

    def time_at(self, x: float) -> float:
        """Return the time in seconds at the horizontal position `x` in pixels, within the dry recording."""
        return min(max(x / max(self.width(), 1), 0.0), 1.0) * self.duration_s

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._overviews is not None:
            self._pressed = self._dragged = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed is not None:
            self._dragged = event.position()
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        pressed, self._pressed, self._dragged = self._pressed, None, None
        if pressed is None:
            return
        start_s, end_s = sorted(self.time_at(at.x()) for at in (pressed, event.position()))
        self.update()
        if abs(event.position().x() - pressed.x()) < DRAG_PIXELS:
            self.position_chosen.emit(start_s)
        elif end_s - start_s >= MIN_SECTION_S:
            self.section_chosen.emit(round(start_s, 3), round(end_s, 3))

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._redraw()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._waveforms is None or self._waveforms.devicePixelRatio() != self.devicePixelRatioF():
            self._waveforms = self._draw_waveforms()
        with QPainter(self) as painter:
            painter.drawPixmap(0, 0, self._waveforms)
            if self._overviews is None:
                return
            self._draw_section(painter)
            painter.setPen(QColor(self._theme.text))
            x = round(self._x(self._position_s))
            painter.drawLine(x, 0, x, self.height())

    def _draw_section(self, painter: QPainter) -> None:
        start_s, end_s = self._section
        if self._pressed is not None and self._dragged is not None:
            start_s, end_s = sorted(self.time_at(at.x()) for at in (self._pressed, self._dragged))
        left, right = self._x(start_s), self._x(self.duration_s if end_s is None else end_s)
        outside = QColor(self._theme.window)
        outside.setAlphaF(0.7)
        painter.fillRect(QRectF(0, 0, left, self.height()), outside)
        painter.fillRect(QRectF(right, 0, self.width() - right, self.height()), outside)
        if left > 0 or right < self.width():
            painter.setPen(QColor(self._theme.accent))
            for x in (round(left), round(right) - 1):
                painter.drawLine(x, 0, x, self.height())

    def _x(self, time_s: float) -> float:
        return time_s / self.duration_s * self.width() if self.duration_s else 0.0

    def _redraw(self) -> None:
        self._waveforms = None
        self.update()

    def _draw_waveforms(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        pixmap = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(QColor(self._theme.card))
        if self._overviews is None:
            return pixmap
        dry, target = self._overviews
        peak = max(max(float(part.high.max()), -float(part.low.min())) for part in (dry, target)) or 1.0
        half = self.height() / 2
        with QPainter(pixmap) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._draw_waveform(painter, dry, 0.0, DRY, QRectF(0, 1, self.width(), half - 2), peak)
            self._draw_waveform(painter, target, -self._delay_s, TARGET, QRectF(0, half + 1, 0, half - 2), peak)
        return pixmap

    def _draw_waveform(
        self, painter: QPainter, recording: "Overview", start_s: float, curve: CurveStyle, box: QRectF, peak: float
    ) -> None:
        """Fill the outline of `recording`, which begins at `start_s`, at a full height of `peak`."""
        x = self._x(1.0) * (start_s + recording.duration_s * (np.arange(len(recording.low)) + 0.5) / len(recording.low))
        scale, middle = box.height() / 2 / peak, box.center().y()
        path = QPainterPath()
        high, low = middle - scale * recording.high, middle - scale * recording.low + 1.0
        path.moveTo(float(x[0]), middle)
        for at, y in (*zip(x, high, strict=True), *zip(x[::-1], low[::-1], strict=True)):
            path.lineTo(float(at), float(y))
        path.closeSubpath()
        color = QColor(curve.color(dark=self._theme.dark))
        painter.fillPath(path, color)
