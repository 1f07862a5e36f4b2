"""Gain over time in dB: reference, estimate with its spread, closed forms and rivals, over the last 20 seconds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QBrush, QPen
from PySide6.QtWidgets import QGraphicsPathItem

from gui.plots.axis_range import AxisRange, SteppedRange, smallest_range
from gui.plots.legend import Legend, band_color
from gui.plots.plot_card import Axis, Line, PlotCard
from gui.theme import LIGHT, Theme
from rtgain.number_format import format_number
from rtgain.output.curve_styles import CLOSED_FORM, COMPARISON_1, COMPARISON_2, ESTIMATE, LEAST_SQUARES, REFERENCE

if TYPE_CHECKING:
    from rtgain.records.history import History
    from rtgain.records.snapshot import Comparison

SHOWN_S = 20
FIRST_RANGE = AxisRange(-25.0, 5.0, 5.0)

ESTIMATED = {"gain_est_db": ESTIMATE, "least_squares_db": LEAST_SQUARES, "gain_opt_db": CLOSED_FORM}
"""What is drawn under the reference, from the lowest up: dots and dashes over the solid line, so all show where
they agree."""

COMPARISONS = (COMPARISON_1, COMPARISON_2)

Trace = NDArray[np.float64]


def time_axis() -> Axis:
    """From 20 seconds ago until now."""
    ticks = [(float(ago_s), f"{format_number(ago_s, 0)} s" if ago_s else "now") for ago_s in range(-SHOWN_S, 1, 5)]
    return Axis(-SHOWN_S, 0, ticks)


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


def central_90_percent(trace: Trace) -> Trace:
    """The middle nine tenths of the known values of `trace`: the closed form of near silence may be anything."""
    known = trace[np.isfinite(trace)]
    return np.quantile(known, (0.05, 0.95)) if known.size else known


class GainPlot(PlotCard):
    """The plot that the window is about."""

    def __init__(self) -> None:
        self.range = SteppedRange(FIRST_RANGE)
        self.focus: AxisRange | None = None
        lines = [(curve, curve.label) for curve in (REFERENCE, ESTIMATE, CLOSED_FORM, LEAST_SQUARES, *COMPARISONS)]
        bands = [(ESTIMATE, "± one std"), (CLOSED_FORM, "± bound")]
        super().__init__(
            "Gain over time, dB",
            "Gain over time in dB: reference, estimate, closed forms, and what races against it",
            Legend(lines, bands),
            x=time_axis(),
            y=_level_axis(FIRST_RANGE),
        )
        self.bands = {"std_db": self._add_band(), "bound_db": self._add_band()}
        self.comparisons = [self.add_line(curve) for curve in COMPARISONS]
        self.estimated = {field: self.add_line(curve) for field, curve in ESTIMATED.items()}
        self.reference = self.add_line(REFERENCE)
        self._name_rivals(())
        self.show_theme(LIGHT)

    def focus_on(self, gains_db: tuple[float, float] | None) -> None:
        """Show gains from one to the other (dB), wherever the curves are; None follows the curves again."""
        self.focus = None if gains_db is None else smallest_range(*gains_db)
        self._show_level_axis()

    def show_history(
        self,
        history: "History",
        now_s: float,
        comparisons: Sequence["Comparison"] = (),
        *,
        reference_gain_db: float = np.nan,
    ) -> None:
        """Draw `history`, and those of `comparisons`, as they look at `now_s` (seconds of the session's time).

        The reference curve extends to `reference_gain_db`, the gain now: a change shows before its first window.
        Where estimates were left out, it alone goes on.
        """
        if self.frozen:
            return
        self.update_pen_widths()
        reference_db = np.append(history.gain_true_db, reference_gain_db)
        self._draw(self.reference, np.append(history.time_s, now_s), now_s, reference_db)
        history = history.with_gap_markers()
        for field, line in self.estimated.items():
            self._draw(line, history.time_s, now_s, getattr(history, field))
        self._name_rivals([comparison.name for comparison in comparisons])
        for index, line in enumerate(self.comparisons):
            trace = comparisons[index].history.with_gap_markers() if index < len(comparisons) else None
            self._draw(line, *((trace.time_s, now_s, trace.gain_est_db) if trace else (_NONE, now_s, _NONE)))
        ago_s = history.time_s - now_s
        for name, band in self.bands.items():
            spread_db = getattr(history, name)
            outline = band_outline(ago_s, history.gain_est_db - spread_db, history.gain_est_db + spread_db)
            band.setPath(pg.arrayToQPath(*outline, connect="finite", finiteCheck=False))
        shown = ago_s >= -SHOWN_S
        closed_form = central_90_percent(history.gain_opt_db[shown])
        raced = [central_90_percent(comparison.history.gain_est_db) for comparison in comparisons]
        known_db = history.gain_est_db[shown], history.gain_true_db[shown], np.array([reference_gain_db])
        ends = extent(*known_db, closed_form, *raced)
        if self.range.follow(*ends, now_s):
            self._show_level_axis()

    def show_theme(self, theme: Theme) -> None:
        super().show_theme(theme)
        self.bands["std_db"].setBrush(QBrush(band_color(ESTIMATE, theme)))
        self.bands["bound_db"].setBrush(QBrush(band_color(CLOSED_FORM, theme)))

    def _show_level_axis(self) -> None:
        self.set_axes(time_axis(), _level_axis(self.focus or self.range.current))

    def _draw(self, line: Line, time_s: Trace, now_s: float, level_db: Trace) -> None:
        line.setPen(self._anchored(self.pen(line.curve), time_s))
        line.show_points(time_s - now_s, level_db)

    def _anchored(self, pen: QPen, time_s: Trace) -> QPen:
        """`pen` with its dashes tied to the session's time, so that they move with the curve."""
        if pen.style() == Qt.PenStyle.SolidLine or not time_s.size:
            return pen
        pixels_per_second = self._item.getViewBox().width() / SHOWN_S
        pen.setDashOffset(float(time_s[0]) * pixels_per_second % sum(pen.dashPattern()))
        return pen

    def _name_rivals(self, names: Sequence[str]) -> None:
        for index in range(len(COMPARISONS)):
            self.legend.show_entry(4 + index, index < len(names))
            if index < len(names):
                self.legend.rename(4 + index, names[index])

    def _add_band(self) -> QGraphicsPathItem:
        band = QGraphicsPathItem()
        band.setPen(QPen(Qt.PenStyle.NoPen))
        self._item.getViewBox().addItem(band, ignoreBounds=True)
        return band


_NONE = np.empty(0)


def _level_axis(current: AxisRange) -> Axis:
    return Axis(current.low, current.high, [(tick, format_number(tick, 0)) for tick in current.ticks()])
