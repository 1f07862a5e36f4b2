"""Map of the loss over two parameters of the learned equalizer, with the path of the descent."""

from collections import deque
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QElapsedTimer, QRectF
from PySide6.QtGui import QBrush, QColor
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout

from gui.background.loss_map_worker import LossMapWorker
from gui.plots.axes import DECADES
from gui.plots.legend import Legend, cosmetic_pen
from gui.plots.plot_card import Axis, Dot, Line, PlotCard
from gui.theme import LIGHT, Theme, tabular
from gui.widgets.combo_box import ComboBox, labelled_combo_box, select_data
from rtgain.number_format import format_number
from rtgain.output.curve_styles import ESTIMATE, CurveStyle
from rtgain.records.learned_equalizer import KINDS

if TYPE_CHECKING:
    from rtgain.records.equalizer_loss import LossMap
    from rtgain.records.learned_equalizer import LearnedEqualizer
    from rtgain.records.snapshot import Snapshot

Numbers = NDArray[np.float64]

PATH = CurveStyle("descent", light="#ffffff", dark="#ffffff")
PATH_EDGE = CurveStyle("edge of the descent", light="#000000", dark="#000000")
"""The path has a dark edge, because the map below it is dark and light."""

PERIOD_MS = 300
"""Least interval between two maps."""

PATH_POINTS = 400
"""Most points of the path."""

SAME_SHARE, SAME_DB = 2e-3, 0.02
"""Relative change, and change near zero, up to which a point of the path is the one before: it has settled there."""

PARTS = ("gain", "frequency", "Q")
Q_TICKS = (0.4, 0.5, 0.7, 1.0, 2.0, 4.0)
LOWEST_LOSS_DB = 0.01


class LossMapPlot(PlotCard):
    """Mean level error in dB as an image over two parameters; all others have their learned values."""

    def __init__(self) -> None:
        super().__init__(
            "Loss, dB",
            "Loss over two parameters of the learned equalizer, with the path of the descent",
            Legend([(ESTIMATE, "descent")]),
            x=_axis(2, 20.0, 2000.0),
            y=_axis(1, -18.0, 18.0),
        )
        self._worker = LossMapWorker(self)
        self._worker.done.connect(self.show_map)
        self._since_request = QElapsedTimer()
        self._newest: LearnedEqualizer | None = None
        self._path: deque[Numbers] = deque(maxlen=PATH_POINTS)
        items = [(_name(index), index) for index in range(1 + len(PARTS) * len(KINDS))]
        self.x_parameter = labelled_combo_box("Parameter of the horizontal axis", items)
        self.y_parameter = labelled_combo_box("Parameter of the vertical axis", items)
        self.range = QLabel()
        self._lay_out()
        select_data(self.x_parameter, 2, "")
        select_data(self.y_parameter, 1, "")
        self._shown = 2, 1
        self.image = pg.ImageItem(axisOrder="row-major")
        view = self.plot.view
        view.addItem(self.image, ignoreBounds=True)
        self.edge = self.add_line(PATH_EDGE)
        self.path = self.add_line(PATH)
        self.dot = Dot()
        view.addItem(self.dot, ignoreBounds=True)
        self.x_parameter.activated.connect(lambda _: self._choose(self.x_parameter, self.y_parameter))
        self.y_parameter.activated.connect(lambda _: self._choose(self.y_parameter, self.x_parameter))
        self.show_theme(LIGHT)

    def close_worker(self) -> None:
        """End the thread that computes the maps."""
        self._worker.close()

    def show_snapshot(self, snapshot: "Snapshot") -> None:
        """Extend the path by the newest descent, and request a map a few times per second."""
        newest = snapshot.equalizer
        if self.frozen or newest is self._newest:
            return
        self.update_pen_widths()
        self._newest = newest
        if newest is None:
            self._clear()
            return
        self._extend_path(newest.path)
        self._draw_path()
        if not self._since_request.isValid() or self._since_request.elapsed() >= PERIOD_MS:
            self._since_request.start()
            self._worker.request(newest, snapshot.sample_rate, *self._shown)

    def show_map(self, loss_map: "LossMap | None") -> None:
        """Draw a map, unless other parameters have been selected meanwhile."""
        if loss_map is None or self._newest is None or (loss_map.x, loss_map.y) != self._shown:
            return
        if self.image.lut is None:  # reading the colors takes longer than any other part of the plot
            self.image.setLookupTable(pg.colormap.get("viridis").getLookupTable(nPts=256))
        loss_db = np.log10(np.maximum(loss_map.loss_db, LOWEST_LOSS_DB))
        self.image.setImage(loss_db, autoLevels=False, levels=(float(loss_db.min()), float(loss_db.max())))
        (left, right), (low, high) = (
            _positions(index, values[[0, -1]]).tolist()
            for index, values in ((loss_map.x, loss_map.x_values), (loss_map.y, loss_map.y_values))
        )
        # The outermost values are in the middle of their pixels.
        rows, columns = loss_db.shape
        half_x, half_y = 0.5 * (right - left) / (columns - 1), 0.5 * (high - low) / (rows - 1)
        self.image.setRect(QRectF(left - half_x, low - half_y, right - left + 2 * half_x, high - low + 2 * half_y))
        self.image.show()
        self.range.setText(
            f"{format_number(float(loss_map.loss_db.min()), 2)} (dark) to "
            f"{format_number(float(loss_map.loss_db.max()), 1)} dB (light)"
        )
        x_axis = _axis(loss_map.x, float(loss_map.x_values[0]), float(loss_map.x_values[-1]))
        self.set_axes(x_axis, _axis(loss_map.y, float(loss_map.y_values[0]), float(loss_map.y_values[-1])))

    def show_theme(self, theme: Theme) -> None:
        super().show_theme(theme)
        self.dot.setBrush(QBrush(QColor(ESTIMATE.color(dark=theme.dark))))
        self.dot.setPen(cosmetic_pen("#ffffff", 2))

    def _choose_pen(self, line: Line) -> None:
        super()._choose_pen(line)
        width = 2 * max(1, round(self._ratio))
        line.setPen(cosmetic_pen(line.curve.light, 2 * width if line.curve is PATH_EDGE else width))

    def _choose(self, changed: ComboBox, other: ComboBox) -> None:
        """Show other parameters; two axes with the same one exchange theirs."""
        if changed.currentData() == other.currentData():
            before = self._shown[0 if changed is self.x_parameter else 1]
            select_data(other, before, "")
        self._shown = self.x_parameter.currentData(), self.y_parameter.currentData()
        self.image.hide()
        self.range.clear()
        self._since_request.invalidate()
        self._draw_path()

    def _clear(self) -> None:
        self._path.clear()
        self._draw_path()
        self.image.hide()
        self.range.clear()

    def _extend_path(self, path: Numbers) -> None:
        if not len(path):
            return
        if self._path and not _is_same(self._path[-1], path[0]):
            self._path.append(np.full(path.shape[1], np.nan))
        for point in path:
            if not self._path or not _is_same(self._path[-1], point):
                self._path.append(point)

    def _draw_path(self) -> None:
        x, y = self._shown
        path = np.array(self._path) if self._path else np.empty((0, 1 + len(PARTS) * len(KINDS)))
        at_x, at_y = _positions(x, path[:, x]), _positions(y, path[:, y])
        for line in (self.edge, self.path):
            line.show_points(at_x, at_y)
        if self._path:
            self.dot.show_at(float(at_x[-1]), float(at_y[-1]))
        else:
            self.dot.hide()

    def _lay_out(self) -> None:
        self.range.setProperty("look", "muted")
        self.range.setFont(tabular(self.range.font(), points=self.range.font().pointSizeF() - 1))
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 4, 0)
        row.setSpacing(3)
        for name, box in (("x", self.x_parameter), ("y", self.y_parameter)):
            box.setProperty("look", "compact")
            box.setSizeAdjustPolicy(ComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(6)
            label = QLabel(name)
            label.setProperty("look", "muted")
            label.setBuddy(box)
            row.addWidget(label)
            row.addWidget(box, 1)
        layout = self.layout()
        assert isinstance(layout, QVBoxLayout)
        layout.insertLayout(1, row)
        layout.addWidget(self.range)


def _is_same(one: Numbers, other: Numbers) -> bool:
    return bool(np.allclose(one, other, rtol=SAME_SHARE, atol=SAME_DB))


def _part(index: int) -> int:
    """Return the kind of a parameter: 0 gain, 1 frequency, 2 Q."""
    return (index - 1) % len(PARTS) if index else 0


def _name(index: int) -> str:
    return f"{1 + (index - 1) // len(PARTS)} {PARTS[_part(index)]}" if index else "Gain"


def _positions(index: int, values: Numbers) -> Numbers:
    """Return positions on the axis of a parameter: frequencies and Qs are logarithmic."""
    return values if _part(index) == 0 else np.log10(values)


def _axis(index: int, low: float, high: float) -> Axis:
    ticks = {
        0: [(db, format_number(db, 0)) for db in np.linspace(low, high, 5).tolist()],
        1: [(hz, name) for hz, name in DECADES if low <= hz <= high],
        2: [(q, f"{q:g}") for q in Q_TICKS if low <= q <= high],
    }[_part(index)]
    positions = _positions(index, np.array([low, high, *(value for value, _ in ticks)])).tolist()
    return Axis(positions[0], positions[1], list(zip(positions[2:], (name for _, name in ticks), strict=True)))
