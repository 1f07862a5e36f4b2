"""Gain over time in dB: reference, estimate with its spread, and closed form, over the last 20 seconds."""

from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QFrame,
    QGraphicsPathItem,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gui.axis_range import AxisRange, SteppedRange
from gui.theme import LIGHT, Theme, tabular
from gui.wording import number
from rtgain.style import CLOSED_FORM, ESTIMATE, REFERENCE, Curve

if TYPE_CHECKING:
    from rtgain.trace import History

SHOWN_S = 20
TICKS_S = range(-SHOWN_S, 1, 5)
FIRST_RANGE = AxisRange(-25.0, 5.0, 5.0)
BAND_OPACITY = 0.22
LABEL_OVERHANG = 30
"""Pixels by which the outermost tick labels may stand over the ends of their axis."""

CURVE_FIELDS = (("gain_est_db", ESTIMATE), ("gain_opt_db", CLOSED_FORM), ("gain_true_db", REFERENCE))
"""What is drawn, from the lowest up: dots and dashes over the solid line, so all show where they agree."""

Trace = NDArray[np.float64]


def band_outline(time_s: Trace, low: Trace, high: Trace) -> tuple[Trace, Trace]:
    """The outline of the area between two curves, as one closed shape for each stretch without a gap.

    Takes arrays of shape (points,), NaN where unknown. Returns x and y in which a NaN parts the shapes.
    """
    known = np.isfinite(low) & np.isfinite(high)
    edges = np.flatnonzero(np.diff(known, prepend=False, append=False))
    x: list[Trace] = []
    y: list[Trace] = []
    gap = np.full(1, np.nan)
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        x += [time_s[start:stop], time_s[start:stop][::-1], gap]
        y += [high[start:stop], low[start:stop][::-1], gap]
    return (np.concatenate(x), np.concatenate(y)) if x else (np.empty(0), np.empty(0))


def extent(*traces: Trace) -> tuple[float, float]:
    """The lowest and the highest finite value of all traces; NaN twice where there is none."""
    known = np.concatenate(traces)
    known = known[np.isfinite(known)]
    return (float(known.min()), float(known.max())) if known.size else (np.nan, np.nan)


def without_outliers(trace: Trace) -> Trace:
    """The middle nine tenths of the known values of `trace`: the closed form of near silence may be anything."""
    known = trace[np.isfinite(trace)]
    return np.quantile(known, (0.05, 0.95)) if known.size else known


def curve_pen(curve: Curve, theme: Theme, width: int = 1) -> QPen:
    """The pen of `curve`, `width` pixels of the screen wide."""
    pen = cosmetic_pen(curve.color(dark=theme.dark), width)
    if curve.dash:
        pen.setDashPattern(curve.dash)
    return pen


def cosmetic_pen(color: str, width: int = 1) -> QPen:
    """A solid pen `width` pixels of the screen wide, whatever the plot's ranges."""
    pen = QPen(QColor(color))
    pen.setWidth(width)
    pen.setCosmetic(True)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    return pen


def grid_path(current: AxisRange) -> QPainterPath:
    """The lines of the grid behind the curves: one a tick, and one every five seconds."""
    path = QPainterPath()
    for level in current.ticks():
        path.moveTo(-SHOWN_S, level)
        path.lineTo(0, level)
    for ago_s in TICKS_S:
        path.moveTo(ago_s, current.low)
        path.lineTo(ago_s, current.high)
    return path


class LegendKey(QWidget):
    """A short sample of a curve's line."""

    def __init__(self, curve: Curve, band: bool = False) -> None:
        super().__init__()
        self._curve = curve
        self._band = band
        self._theme = LIGHT
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(26, 14)

    def show_theme(self, theme: Theme) -> None:
        """Take the colors of `theme`."""
        self._theme = theme
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            if self._band:
                painter.fillRect(self.rect().adjusted(0, 2, 0, -2), band_color(self._theme))
                return
            pen = QPen(QColor(self._curve.color(dark=self._theme.dark)), 2)
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
            if self._curve.dash:
                pen.setDashPattern([length / 2 for length in self._curve.dash])
            painter.setPen(pen)
            painter.drawLine(0, self.height() // 2, self.width(), self.height() // 2)


def band_color(theme: Theme) -> QColor:
    """The fill of the band of one standard deviation."""
    color = QColor(ESTIMATE.color(dark=theme.dark))
    color.setAlphaF(BAND_OPACITY)
    return color


class GainPlot(QFrame):
    """The card with the plot, its title and its legend."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("look", "card")
        self.setAccessibleName("Gain over time in dB: reference, estimate and closed form")
        self.range = SteppedRange(FIRST_RANGE)
        self.plot = pg.PlotWidget(useOpenGL=False)
        self._item = self.plot.getPlotItem()
        self._grid = QGraphicsPathItem()
        self._set_up_plot()
        self.band = QGraphicsPathItem()
        self.band.setPen(QPen(Qt.PenStyle.NoPen))
        for underneath in (self._grid, self.band):
            self._item.getViewBox().addItem(underneath, ignoreBounds=True)
        self.curves = {field: self._add_curve() for field, _ in CURVE_FIELDS}
        self._keys = [LegendKey(curve) for curve in (REFERENCE, ESTIMATE, CLOSED_FORM)]
        self._keys.append(LegendKey(ESTIMATE, band=True))

        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 8)
        column.setSpacing(8)
        column.addLayout(self._header())
        column.addWidget(self.plot, 1)
        self.show_theme(LIGHT)

    def show_history(self, history: "History", now_s: float) -> None:
        """Draw `history` as it looks at `now_s` (seconds of the session's time)."""
        if self._ratio != self.devicePixelRatioF():
            self._choose_pens()
        ago_s = history.time_s - now_s
        for field, curve in self.curves.items():
            pen = self._anchored(self._pens[field], history.time_s)
            curve.setData(ago_s, getattr(history, field), pen=pen)
        low, high = history.gain_est_db - history.std_db, history.gain_est_db + history.std_db
        outline = band_outline(ago_s, low, high)
        self.band.setPath(pg.arrayToQPath(*outline, connect="finite", finiteCheck=False))
        shown = ago_s >= -SHOWN_S
        closed_form = without_outliers(history.gain_opt_db[shown])
        ends = extent(history.gain_est_db[shown], history.gain_true_db[shown], closed_form)
        if self.range.follow(*ends, now_s):
            self._show_range()

    def show_theme(self, theme: Theme) -> None:
        """Take the colors of `theme`."""
        self._theme = theme
        self._choose_pens()
        self.plot.setBackground(QColor(theme.card))
        self.band.setBrush(QBrush(band_color(theme)))
        for name in ("left", "bottom"):
            self._item.getAxis(name).setTextPen(QColor(theme.muted))
        self._grid.setPen(cosmetic_pen(theme.line))
        for key in self._keys:
            key.show_theme(theme)

    def _set_up_plot(self) -> None:
        self.plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.plot.setMinimumHeight(120)
        self._item.hideButtons()
        self._item.setMenuEnabled(False)
        view = self._item.getViewBox()
        view.setMouseEnabled(False, False)
        view.disableAutoRange()
        view.setDefaultPadding(0)
        self._item.layout.setContentsMargins(0, 8, 24, 0)
        font = tabular(self.font(), points=self.font().pointSizeF() - 1)
        for name in ("left", "bottom"):
            axis = self._item.getAxis(name)
            axis.setStyle(tickFont=font, tickLength=0, tickTextOffset=8, hideOverlappingLabels=LABEL_OVERHANG)
            axis.setStyle(tickAlpha=0)
            axis.setPen(None)
        self._item.getAxis("left").setWidth(44)
        self._item.getAxis("bottom").setHeight(26)
        seconds = [(ago_s, f"{number(ago_s, 0)} s" if ago_s else "now") for ago_s in TICKS_S]
        self._item.getAxis("bottom").setTicks([seconds, []])
        view.setXRange(-SHOWN_S, 0, padding=0)
        self._show_range()

    def _show_range(self) -> None:
        current = self.range.current
        self._item.getAxis("left").setTicks([[(tick, number(tick, 0)) for tick in current.ticks()], []])
        self._grid.setPath(grid_path(current))
        self._item.getViewBox().setYRange(current.low, current.high, padding=0)

    def _choose_pens(self) -> None:
        """Lines as wide as one pixel of an ordinary screen, on any screen.

        Qt draws lines of one pixel fast. Of wider ones, three smooth ones took 28 ms a frame at twice the
        scale and 13 ms without smoothing, which dashes on so fine a screen do not need.
        """
        self._ratio = self.devicePixelRatioF()
        width = max(1, round(self._ratio))
        self._pens = {field: curve_pen(curve, self._theme, width) for field, curve in CURVE_FIELDS}
        for field, curve in CURVE_FIELDS:
            self.curves[field].setPen(self._pens[field])
            self.curves[field].opts["antialias"] = width == 1 or not curve.dash

    def _anchored(self, pen: QPen, time_s: Trace) -> QPen:
        """`pen` with its dashes tied to the session's time, so that they move with the curve."""
        if pen.style() == Qt.PenStyle.SolidLine or not time_s.size:
            return pen
        result = QPen(pen)
        pixels_per_second = self._item.getViewBox().width() / SHOWN_S
        result.setDashOffset(float(time_s[0]) * pixels_per_second % sum(pen.dashPattern()))
        return result

    def _add_curve(self) -> "pg.PlotDataItem":
        curve = pg.PlotDataItem(connect="finite", skipFiniteCheck=True, antialias=True)
        curve.setDownsampling(auto=True, method="peak")
        curve.setClipToView(True)
        self._item.addItem(curve, ignoreBounds=True)
        return curve

    def _header(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(6)
        title = QLabel("Gain over time, dB")
        title.setFont(tabular(title.font(), bold=True))
        row.addWidget(title)
        row.addStretch(1)
        names = (REFERENCE.label, ESTIMATE.label, CLOSED_FORM.label, "± one std")
        for key, name in zip(self._keys, names, strict=True):
            label = QLabel(name)
            label.setProperty("look", "muted")
            row.addSpacing(10)
            row.addWidget(key)
            row.addWidget(label)
        return row
