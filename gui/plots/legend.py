"""Pens of curves, and legends with samples of them."""

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from gui.theme import LIGHT, Theme
from gui.widgets.flow_layout import FlowLayout
from rtgain.output.curve_styles import CurveStyle

Entry = tuple[CurveStyle, str]
"""Curve style, and its name in the legend."""

BAND_OPACITY = 0.22


def curve_pen(curve: CurveStyle, theme: Theme, width: int = 1) -> QPen:
    """Make the pen of `curve`, `width` screen pixels wide."""
    pen = cosmetic_pen(curve.color(dark=theme.dark), width)
    if curve.dash:
        pen.setDashPattern(curve.dash)
    return pen


def cosmetic_pen(color: str, width: int = 1) -> QPen:
    """Make a solid pen, `width` screen pixels wide for all ranges of the plot."""
    pen = QPen(QColor(color))
    pen.setWidth(width)
    pen.setCosmetic(True)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    return pen


def band_color(curve: CurveStyle, theme: Theme) -> QColor:
    """Return the fill color of a band around `curve`."""
    color = QColor(curve.color(dark=theme.dark))
    color.setAlphaF(BAND_OPACITY)
    return color


class Legend(QWidget):
    """Samples of lines and bands with their names; wraps if one line is too short."""

    def __init__(self, lines: Sequence[Entry], bands: Sequence[Entry] = ()) -> None:
        super().__init__()
        self._entries: list[QWidget] = []
        self._keys: list[LegendKey] = []
        self._labels: list[QLabel] = []
        flow = FlowLayout(self, gap=14)
        for (curve, name), is_band in [*((entry, False) for entry in lines), *((entry, True) for entry in bands)]:
            entry, key, label = QWidget(), LegendKey(curve, band=is_band), QLabel(name)
            label.setProperty("look", "muted")
            row = QHBoxLayout(entry)
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(5)
            row.addWidget(key)
            row.addWidget(label)
            flow.addWidget(entry)
            self._entries.append(entry)
            self._keys.append(key)
            self._labels.append(label)

    def rename(self, index: int, name: str) -> None:
        """Change the name of the entry at `index`."""
        if self._labels[index].text() != name:
            self._labels[index].setText(name)

    def show_entry(self, index: int, visible: bool) -> None:
        """Show or hide the entry at `index`."""
        self._entries[index].setVisible(visible)

    def show_theme(self, theme: Theme) -> None:
        """Set the colors of `theme`."""
        for key in self._keys:
            key.show_theme(theme)


class LegendKey(QWidget):
    """Short sample of a curve's line, or of a band around it."""

    def __init__(self, curve: CurveStyle, *, band: bool = False) -> None:
        super().__init__()
        self._curve = curve
        self._band = band
        self._theme = LIGHT
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(26, 14)

    def show_theme(self, theme: Theme) -> None:
        """Set the colors of `theme`."""
        self._theme = theme
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            if self._band:
                painter.fillRect(self.rect().adjusted(0, 2, 0, -2), band_color(self._curve, self._theme))
                return
            pen = QPen(QColor(self._curve.color(dark=self._theme.dark)), 2)
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
            if self._curve.dash:
                pen.setDashPattern([length / 2 for length in self._curve.dash])
            painter.setPen(pen)
            painter.drawLine(0, self.height() // 2, self.width(), self.height() // 2)
