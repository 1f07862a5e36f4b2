"""Drawing area of a plot, with its axes."""

from typing import Literal

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics
from PySide6.QtWidgets import QGraphicsGridLayout, QGraphicsItem, QSizePolicy

from gui.theme import Theme

LABEL_OVERHANG = 30
"""Overhang in pixels of the outermost tick labels beyond the ends of their axis."""

LEFT_WIDTH, BOTTOM_HEIGHT = 40, 22
"""Space for the tick labels in pixels."""

GRID_OPACITY = 38
"""Opacity of the grid of a zoomed plot, 0 to 255."""

Edge = Literal["left", "bottom"]


class PlotArea(pg.GraphicsView):  # type: ignore[misc]
    """Box for curves, `view`, with a left and a bottom axis, `axes`; labels are `tick_height` pixels high.

    pyqtgraph's `PlotWidget` also makes two more axes, a form and menus. It takes three times as long, and ten plots
    are made before the window is painted.
    """

    def __init__(self, tick_font: QFont) -> None:
        super().__init__(useOpenGL=False)
        self.tick_height = QFontMetrics(tick_font).height()
        self.view = pg.ViewBox(enableMenu=False)
        self.axes: dict[Edge, pg.AxisItem] = {
            "left": self._make_axis("left", tick_font),
            "bottom": self._make_axis("bottom", tick_font),
        }
        self.axes["left"].setWidth(LEFT_WIDTH)
        self.axes["bottom"].setHeight(BOTTOM_HEIGHT)
        self._lay_out()
        self.view.disableAutoRange()
        self.view.setDefaultPadding(0)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMinimumSize(160, 56)
        # Its preferred size must not push other widgets out of the window.
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        # It fills its background: otherwise Qt draws card and window behind it, a third of the time per refresh.
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    def show_grid(self, shown: bool) -> None:
        """Show or hide lines at the ticks that pyqtgraph selects."""
        for axis in self.axes.values():
            axis.setGrid(GRID_OPACITY if shown else False)

    def show_theme(self, theme: Theme) -> None:
        """Set the colors of `theme`."""
        self.setBackground(QColor(theme.card))
        for axis in self.axes.values():
            axis.setTextPen(QColor(theme.muted))

    def _make_axis(self, edge: Edge, tick_font: QFont) -> pg.AxisItem:
        axis = pg.AxisItem(edge)
        axis.enableAutoSIPrefix(False)  # otherwise each change of the range lays out a label that is not shown
        axis.linkToView(self.view)
        axis.setZValue(0.5)  # above images
        axis.setFlag(QGraphicsItem.GraphicsItemFlag.ItemNegativeZStacksBehindParent)
        axis.setStyle(tickFont=tick_font, tickLength=0, tickTextOffset=6, hideOverlappingLabels=LABEL_OVERHANG)
        axis.setStyle(tickAlpha=0)
        axis.setPen(None)
        return axis

    def _lay_out(self) -> None:
        box = pg.GraphicsWidget()
        grid = QGraphicsGridLayout(box)
        grid.setContentsMargins(0, 4, 18, 0)
        grid.setSpacing(0)
        grid.addItem(self.axes["left"], 0, 0)
        grid.addItem(self.view, 0, 1)
        grid.addItem(self.axes["bottom"], 1, 1)
        grid.setRowStretchFactor(0, 100)
        grid.setColumnStretchFactor(1, 100)
        self.setCentralItem(box)
