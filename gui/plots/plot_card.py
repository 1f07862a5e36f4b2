"""Plot on a card that the user can zoom, freeze and save."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QAction, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QGraphicsEllipseItem,
    QGraphicsPathItem,
    QHBoxLayout,
    QLabel,
    QMenu,
    QStyleOptionGraphicsItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.plots.legend import Legend, cosmetic_pen, curve_pen
from gui.plots.plot_area import BOTTOM_HEIGHT, PlotArea
from gui.theme import LIGHT, Theme, tabular
from rtgain.output.curve_styles import CurveStyle

DOT_RADIUS = 5.5
"""Radius of a dot in pixels."""

Trace = NDArray[np.float64] | NDArray[np.float32]


@dataclass(frozen=True)
class Axis:
    """Axis set by the plot: its ends, and (position, label) of its ticks."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]


class Line(QGraphicsPathItem):
    """One curve. It takes 0.15 ms per refresh; pyqtgraph's item, which finds bounds and downsamples, takes 0.45 ms."""

    def __init__(self, curve: CurveStyle) -> None:
        super().__init__()
        self.curve = curve
        self.smooth = True
        self._is_empty = True

    def show_points(self, x: Trace, y: Trace) -> None:
        """Draw points, shape (points,); NaN interrupts the line."""
        if x.size or not self._is_empty:
            self.setPath(pg.arrayToQPath(x, y, connect="finite"))
            self._is_empty = not x.size

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, self.smooth)
        painter.setPen(self.pen())
        painter.drawPath(self.path())


class Dot(QGraphicsEllipseItem):
    """Filled circle of constant size. It takes a tenth of the time per refresh of a scatter plot of pyqtgraph."""

    def __init__(self) -> None:
        super().__init__(-DOT_RADIUS, -DOT_RADIUS, 2 * DOT_RADIUS, 2 * DOT_RADIUS)
        self.setFlag(self.GraphicsItemFlag.ItemIgnoresTransformations)
        self.hide()

    def show_at(self, x: float, y: float) -> None:
        """Show the dot at a point of the plot."""
        self.setPos(x, y)
        self.show()

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        super().paint(painter, option, widget)


class PlotCard(QFrame):
    """Title, legend, plot with axes that change only on request, and menu.

    The wheel and a drag zoom. A zoomed or frozen plot returns to its own axes on a double-click.
    """

    save_failed = Signal(str)
    """A picture could not be written: the reason, in one line."""

    def __init__(self, title: str, description: str, legend: Legend, *, x: Axis, y: Axis) -> None:
        super().__init__()
        self.setProperty("look", "card")
        self.setAccessibleName(description)
        self.title = title
        self.legend = legend
        self.zoomed = False
        self.frozen = False
        self._axes = (x, y)
        self._theme = LIGHT
        self._ratio = self.devicePixelRatioF()
        self._lines: list[Line] = []
        self._tick_step = 1
        self.plot = PlotArea(tabular(self.font(), points=self.font().pointSizeF() - 1))
        self._grid = QGraphicsPathItem()
        self.menu = self._make_menu()
        self._set_up_plot()
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 8, 6, 6)
        column.setSpacing(4)
        column.addLayout(self._header())
        column.addWidget(self.plot, 1)
        self._show_axes()

    def add_line(self, curve: CurveStyle) -> Line:
        """Add a line in the style of `curve`, above the present ones."""
        line = Line(curve)
        self.plot.view.addItem(line, ignoreBounds=True)
        self._lines.append(line)
        self._choose_pen(line)
        return line

    def set_axes(self, x: Axis, y: Axis) -> None:
        """Show other axes; if the user has zoomed, after the view is reset."""
        if (x, y) != self._axes:
            self._axes = (x, y)
            if not self.zoomed:
                self._show_axes()

    def reset_view(self) -> None:
        """End zoom and freeze: show new data on the plot's own axes."""
        self.zoomed = False
        self.freeze.setChecked(False)
        self.plot.show_grid(False)
        self._grid.show()
        self._show_axes()
        self._show_mode()

    def save(self, path: str) -> None:
        """Write a picture of the card in the format of the ending of `path`; emits `save_failed` if that fails."""
        if not self.grab().save(path):
            self.save_failed.emit(f"{path}: cannot be written; choose another place, and a name that ends in .png")

    def show_theme(self, theme: Theme) -> None:
        """Set the colors of `theme`."""
        self._theme = theme
        self.plot.show_theme(theme)
        self._grid.setPen(cosmetic_pen(theme.line))
        self.legend.show_theme(theme)
        self._choose_pens()

    def update_pen_widths(self) -> None:
        """Set the pens again after the window has moved to a screen with another resolution."""
        if self._ratio != self.devicePixelRatioF():
            self._choose_pens()

    def pen(self, curve: CurveStyle) -> QPen:
        """Return the pen for `curve`, as wide as one pixel of a screen without scaling."""
        return curve_pen(curve, self._theme, max(1, round(self._ratio)))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.MouseButtonDblClick:
            self.reset_view()
            return True
        if event.type() == QEvent.Type.Resize and not self.zoomed and self._level_tick_step() != self._tick_step:
            self._show_ticks()
        return super().eventFilter(watched, event)

    def _choose_pens(self) -> None:
        self._ratio = self.devicePixelRatioF()
        for line in self._lines:
            self._choose_pen(line)

    def _choose_pen(self, line: Line) -> None:
        """Set the pen of `line`, smoothed unless it is a wide dashed one.

        Qt draws lines of one pixel fast. At twice the scale, three smoothed lines took 28 ms per refresh, and 13 ms
        without smoothing, which dashes on such a screen do not need.
        """
        line.setPen(self.pen(line.curve))
        line.smooth = round(self._ratio) <= 1 or not line.curve.dash

    def _show_axes(self) -> None:
        x, y = self._axes
        self.plot.view.setRange(xRange=(x.low, x.high), yRange=(y.low, y.high), padding=0)
        self._show_ticks()
        path = QPainterPath()
        for level, _ in y.ticks:
            path.moveTo(x.low, level)
            path.lineTo(x.high, level)
        for position, _ in x.ticks:
            path.moveTo(position, y.low)
            path.lineTo(position, y.high)
        self._grid.setPath(path)

    def _show_ticks(self) -> None:
        x, y = self._axes
        self._tick_step = self._level_tick_step()
        self.plot.axes["bottom"].setTicks([x.ticks, []])
        self.plot.axes["left"].setTicks([y.ticks[:: self._tick_step], []])

    def _level_tick_step(self) -> int:
        """Return 1 if all labels of the left axis fit above each other, 2 if every second one fits, and so on."""
        height = max(self.plot.viewport().height() - BOTTOM_HEIGHT, 1)
        return math.ceil(len(self._axes[1].ticks) * self.plot.tick_height / height)

    def _zoom(self) -> None:
        self.zoomed = True
        self._grid.hide()
        for axis in self.plot.axes.values():
            axis.setTicks(None)
        self.plot.show_grid(True)
        self._show_mode()

    def _set_frozen(self, frozen: bool) -> None:
        self.frozen = frozen
        self._show_mode()

    def _show_mode(self) -> None:
        modes = [name for name, on in (("zoomed", self.zoomed), ("frozen", self.frozen)) if on]
        self._mode.setText(f"{' and '.join(modes)}: double-click to reset" if modes else "")

    def _ask_for_path(self) -> None:
        dialog = QFileDialog(self, f"Save “{self.title}”", "", "Pictures (*.png)")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("png")
        dialog.selectFile(f"{self.title.lower().replace(' ', '-')}.png")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.save)
        dialog.open()

    def _make_menu(self) -> QMenu:
        menu = QMenu(self)
        self.freeze = QAction("Freeze", menu, checkable=True)
        self.freeze.toggled.connect(self._set_frozen)
        reset = QAction("Reset view", menu)
        reset.triggered.connect(self.reset_view)
        save = QAction("Save picture…", menu)
        save.triggered.connect(self._ask_for_path)
        menu.addActions([self.freeze, reset, save])
        return menu

    def _set_up_plot(self) -> None:
        self.plot.viewport().installEventFilter(self)
        self.plot.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.plot.customContextMenuRequested.connect(lambda at: self.menu.popup(self.plot.mapToGlobal(at)))
        self.plot.view.sigRangeChangedManually.connect(self._zoom)
        self.plot.view.addItem(self._grid, ignoreBounds=True)

    def _header(self) -> QHBoxLayout:
        title = QLabel(self.title)
        title.setFont(tabular(title.font(), bold=True))
        self._mode = QLabel()
        self._mode.setProperty("look", "muted")
        button = QToolButton()
        button.setText("⋯")
        button.setAccessibleName(f"Plot menu: {self.title}")
        button.setToolTip("Freeze, reset view, save picture; the wheel and a drag zoom")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(lambda: self.menu.popup(button.mapToGlobal(QPointF(0, button.height()).toPoint())))
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 4, 0)
        row.setSpacing(10)
        row.addWidget(title, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self._mode, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.legend, 1)
        row.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        return row
