"""Plot of an equalizer: measured response, learned curve and reference curve, with a point per filter."""

import math
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, QRectF, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainterPath, QPen
from PySide6.QtWidgets import QGraphicsPathItem

from gui.plots.axes import COHERENT, HIGHEST_HZ, LOWEST_HZ, equalizer_curve, frequency_axis, level_axis
from gui.plots.axis_range import HIGHEST_DB, LOWEST_DB, AxisRange, SteppedRange
from gui.plots.filter_points import DraggablePoint, FilterPoint
from gui.plots.legend import Legend, band_color
from gui.plots.plot_card import Line, PlotCard
from gui.theme import LIGHT, Theme
from rtgain.config.reference_equalizer import ReferenceEqualizer
from rtgain.output.curve_styles import ESTIMATE, REFERENCE, TARGET, CurveStyle
from rtgain.records.equalizer import EqualizerFilters
from rtgain.records.learned_equalizer import KINDS
from rtgain.records.reference_equalizer import to_filters

if TYPE_CHECKING:
    from rtgain.records.learned_equalizer import LearnedEqualizer
    from rtgain.records.response import Response
    from rtgain.records.snapshot import Snapshot

Numbers = NDArray[np.float64]

NO_SOUND = CurveStyle("no sound", light="#5a6470", dark="#9ba5b1")

ROOM_DB = 4.0
"""Room above and below the curves, for points to be dragged to."""

SMALLEST_CHANGE_DB = 0.005
"""Change of the reference gain from which the curve is drawn again."""

_NUMBERS = range(1, len(KINDS) + 1)


class EqualizerPlot(PlotCard):
    """Response of the target over the dry signal in dB.

    A point is at the gain of its filter plus that of its equalizer. The reference points can be dragged: frequency and
    gain. The wheel changes the Q, a double-click resets the gain, and Shift makes both fine.
    """

    moved = Signal(int, float, float)
    """A drag changes the reference filter with this index: factor of the frequency, change of the gain in dB."""

    wheel_moved = Signal(int, float)
    """The wheel has moved by these notches on the reference filter with this index."""

    gain_reset = Signal(int)
    """The reference filter with this index is to have 0 dB."""

    def __init__(self) -> None:
        self._range = SteppedRange(AxisRange(-15.0, 15.0, 5.0))
        super().__init__(
            "Response, dB",
            "Response of the target over the dry signal in dB: measured, learned, and that of the reference path",
            Legend([(TARGET, "measured"), (ESTIMATE, "learned"), (REFERENCE, "reference")], [(NO_SOUND, "no sound")]),
            x=frequency_axis(),
            y=level_axis(self._range.current),
        )
        self._view = self.plot.view
        self.no_sound = QGraphicsPathItem()
        self.no_sound.setPen(QPen(Qt.PenStyle.NoPen))
        self._view.addItem(self.no_sound, ignoreBounds=True)
        self.reference = self.add_line(REFERENCE)
        self.measured = self.add_line(TARGET)
        self.learned = self.add_line(ESTIMATE)
        self.reference_points: list[DraggablePoint] = []
        self.learned_points = [FilterPoint(number, ESTIMATE, radius=7.0, filled=True) for number in _NUMBERS]
        for point in self.learned_points:
            self._view.addItem(point, ignoreBounds=True)
        self._equalizer: ReferenceEqualizer | None = None
        self._reference_gain_db = 0.0
        self._sample_rate = 48_000
        self._now_s = 0.0
        self._newest: LearnedEqualizer | None = None
        self._extremes: dict[Line, tuple[float, float]] = {}
        self.plot.setToolTip(
            "Drag a point to change frequency and gain; wheel: Q; double-click: 0 dB; with Shift: finely. "
            "The rows below hold the same filters as numbers."
        )
        self.show_theme(LIGHT)

    def show_equalizer(self, equalizer: ReferenceEqualizer | None, gain_db: float) -> None:
        """Draw the equalizer of the reference path, whose gain is `gain_db`; None without a reference path."""
        if equalizer != self._equalizer:
            self._equalizer = equalizer
            self._reference_gain_db = gain_db
            self._draw_reference()

    def show_snapshot(self, snapshot: "Snapshot") -> None:
        """Draw measured response and learned equalizer."""
        if self.frozen:
            return
        self.update_pen_widths()
        self._now_s = snapshot.time_s
        gain_db = snapshot.reference_gain_db
        is_moved = math.isfinite(gain_db) and abs(gain_db - self._reference_gain_db) > SMALLEST_CHANGE_DB
        if is_moved or snapshot.sample_rate != self._sample_rate:
            self._reference_gain_db = gain_db if is_moved else self._reference_gain_db
            self._sample_rate = snapshot.sample_rate
            self._draw_reference()
        newest = snapshot.equalizer
        if newest is None:
            self._draw_measured(snapshot.response)
        elif newest is not self._newest:
            self._draw_measured(newest.measured)
        if newest is not self._newest:
            self._newest = newest
            self._draw_learned(newest)
        self._follow_curves()

    def show_theme(self, theme: Theme) -> None:
        super().show_theme(theme)
        self.no_sound.setBrush(band_color(NO_SOUND, theme))
        for point in (*self.learned_points, *self.reference_points):
            point.show_theme(theme)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Leave double-clicks on a reference point to the point."""
        if event.type() == QEvent.Type.MouseButtonDblClick:
            assert isinstance(event, QMouseEvent)
            items = self.plot.items(event.position().toPoint())
            if any(isinstance(item, DraggablePoint) for item in items):
                return False
        return super().eventFilter(watched, event)

    def _draw_reference(self) -> None:
        equalizer = self._equalizer
        filters = () if equalizer is None else equalizer.filters
        while len(self.reference_points) < len(filters):
            self._add_reference_point()
        for point in self.reference_points[len(filters) :]:
            point.hide()
        for point, item in zip(self.reference_points, filters, strict=False):
            point.setVisible(item.on)
            gain_db = item.gain_db + self._reference_gain_db
            point.setPos(math.log10(item.frequency_hz), gain_db)
        self._draw_curve(self.reference, None if equalizer is None else to_filters(equalizer), self._reference_gain_db)
        self._follow_curves()

    def _add_reference_point(self) -> None:
        index = len(self.reference_points)
        point = DraggablePoint(index + 1, REFERENCE)
        point.show_theme(self._theme)
        point.moved.connect(lambda distance: self.moved.emit(index, 10.0 ** distance.x(), distance.y()))
        point.wheel_moved.connect(lambda notches: self.wheel_moved.emit(index, notches))
        point.double_clicked.connect(lambda: self.gain_reset.emit(index))
        self._view.addItem(point, ignoreBounds=True)
        self.reference_points.append(point)

    def _draw_learned(self, learned: "LearnedEqualizer | None") -> None:
        if learned is None:
            self._draw_curve(self.learned, None, 0.0)
            for point in self.learned_points:
                point.hide()
            return
        equalizer = learned.equalizer
        self._draw_curve(self.learned, equalizer, equalizer.gain_db)
        for point, item, is_known in zip(self.learned_points, equalizer.filters, learned.known, strict=True):
            point.setVisible(is_known)
            point.setPos(math.log10(item.frequency_hz), equalizer.gain_db + item.gain_db)

    def _draw_curve(self, line: Line, equalizer: EqualizerFilters | None, gain_db: float) -> None:
        """Draw the filters of an equalizer at another gain than its own."""
        if equalizer is None:
            self._draw(line, np.empty(0), np.empty(0))
            return
        self._draw(line, *equalizer_curve(replace(equalizer, gain_db=gain_db), self._sample_rate))

    def _draw_measured(self, response: "Response | None") -> None:
        if response is None:
            self._draw(self.measured, np.empty(0), np.empty(0))
            self.no_sound.setPath(QPainterPath())
            return
        is_known = response.coherence >= COHERENT
        self._draw(self.measured, response.frequency_hz, np.where(is_known, response.gain_db, math.nan))
        path = QPainterPath()
        for low_hz, high_hz in unknown_ranges(response.frequency_hz, is_known):
            left, right = math.log10(low_hz), math.log10(high_hz)
            path.addRect(QRectF(left, LOWEST_DB, right - left, HIGHEST_DB - LOWEST_DB))
        self.no_sound.setPath(path)

    def _draw(self, line: Line, frequency_hz: Numbers, level_db: Numbers) -> None:
        line.show_points(np.log10(frequency_hz), level_db)
        known_db = level_db[np.isfinite(level_db)]
        self._extremes.pop(line, None)
        if known_db.size:
            self._extremes[line] = float(known_db.min()), float(known_db.max())

    def _follow_curves(self) -> None:
        """Adapt the axis to curves and points, unless a point is dragged: it would move under the mouse."""
        if any(point.is_dragged for point in self.reference_points):
            return
        points = [point.pos().y() for point in (*self.reference_points, *self.learned_points) if point.isVisible()]
        levels_db = [*points, *chain.from_iterable(self._extremes.values())]
        if levels_db and self._range.follow(min(levels_db) - ROOM_DB, max(levels_db) + ROOM_DB, self._now_s):
            self.set_axes(self._axes[0], level_axis(self._range.current))


def unknown_ranges(frequency_hz: Numbers, is_known: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Return the ranges between 20 Hz and 20 kHz without known bands, lowest first.

    A band reaches to the middle between its neighbors on a logarithmic axis. Outermost bands are symmetric.
    """
    if len(frequency_hz) < 2:
        return [(LOWEST_HZ, HIGHEST_HZ)]
    middles = np.sqrt(frequency_hz[1:] * frequency_hz[:-1])
    first, last = frequency_hz[0] ** 2 / middles[0], frequency_hz[-1] ** 2 / middles[-1]
    edges = np.clip(np.array([first, *middles, last]), LOWEST_HZ, HIGHEST_HZ)
    ranges: list[tuple[float, float]] = []
    known = zip(edges[:-1][is_known].tolist(), edges[1:][is_known].tolist(), strict=True)
    end_hz = LOWEST_HZ
    for low_hz, high_hz in (*known, (HIGHEST_HZ, HIGHEST_HZ)):
        if low_hz > end_hz:
            ranges.append((end_hz, low_hz))
        end_hz = high_hz
    return ranges
