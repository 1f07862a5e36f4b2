"""Plot of the gain in dB over the last 20 seconds: reference, estimate, closed forms, comparisons and channels."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QBrush, QPen
from PySide6.QtWidgets import QGraphicsPathItem

from gui.plots.axes import level_axis
from gui.plots.axis_range import AxisRange, SteppedRange, smallest_range
from gui.plots.legend import Legend, band_color
from gui.plots.plot_card import Axis, Line, PlotCard
from gui.theme import LIGHT, Theme
from rtgain.number_format import format_number
from rtgain.output.curve_styles import (
    CLOSED_FORM,
    COMPARISON_1,
    COMPARISON_2,
    ESTIMATE,
    LEAST_SQUARES,
    LEFT,
    REFERENCE,
    RIGHT,
)

if TYPE_CHECKING:
    from rtgain.records.history import History
    from rtgain.records.snapshot import Comparison

SHOWN_S = 20
"""Length of the time axis in seconds."""

FIRST_RANGE = AxisRange(-25.0, 5.0, 5.0)

ESTIMATED = {"gain_est_db": ESTIMATE, "least_squares_db": LEAST_SQUARES, "gain_opt_db": CLOSED_FORM}
"""Curves below the reference, lowest first: dots and dashes lie over the solid line, so that all stay visible."""

COMPARISON_STYLES = (COMPARISON_1, COMPARISON_2)
CHANNEL_STYLES = (LEFT, RIGHT)

Trace = NDArray[np.float64]


def time_axis() -> Axis:
    """Return the time axis, from 20 seconds ago until now."""
    ticks = [(float(ago_s), f"{format_number(ago_s, 0)} s" if ago_s else "now") for ago_s in range(-SHOWN_S, 1, 5)]
    return Axis(-SHOWN_S, 0, ticks)


def band_outline(time_s: Trace, low: Trace, high: Trace) -> tuple[Trace, Trace]:
    """Return the outline of the area between two curves, as one closed shape per section without a gap.

    Takes arrays of shape (points,), NaN where unknown. Returns x and y in which NaN separates the shapes.
    """
    finite = np.isfinite(low) & np.isfinite(high)
    edges = np.flatnonzero(np.diff(finite, prepend=False, append=False))
    x: list[Trace] = []
    y: list[Trace] = []
    gap = np.full(1, np.nan)
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        x += [time_s[start:stop], time_s[start:stop][::-1], gap]
        y += [high[start:stop], low[start:stop][::-1], gap]
    return (np.concatenate(x), np.concatenate(y)) if x else (np.empty(0), np.empty(0))


def extent(*traces: Trace) -> tuple[float, float]:
    """Return the lowest and the highest finite value of all traces; NaN twice if there is none."""
    values = np.concatenate(traces)
    values = values[np.isfinite(values)]
    return (float(values.min()), float(values.max())) if values.size else (np.nan, np.nan)


def central_90_percent(trace: Trace) -> Trace:
    """Return the ends of the central 90 % of `trace`, or an empty array: closed forms of near silence are arbitrary.

    Both ends are values of `trace`: interpolated quantiles take ten times as long.
    """
    values = np.sort(trace[np.isfinite(trace)])
    last = len(values) - 1
    return values[[round(0.05 * last), round(0.95 * last)]] if values.size else values


class GainPlot(PlotCard):
    """Largest plot of the main window.

    With `for_recordings` it shows the estimate, its standard deviation and unequal channels: two recordings have no
    reference, and closed forms are for the Laboratory.
    """

    def __init__(self, *, for_recordings: bool = False) -> None:
        self._for_recordings = for_recordings
        self.range = SteppedRange(FIRST_RANGE)
        self.focus: AxisRange | None = None
        lines = [(curve, curve.label) for curve in _LEGEND]
        bands = [(ESTIMATE, "± 1 std"), (CLOSED_FORM, "± bound")]
        super().__init__(
            "Gain over time, dB",
            "Gain over time in dB: estimate and, if the channels differ, that of each"
            if for_recordings
            else "Gain over time in dB: reference, estimate, closed forms, comparisons, and unequal channels",
            Legend(lines, bands),
            x=time_axis(),
            y=level_axis(FIRST_RANGE),
        )
        self.bands = {"std_db": self._add_band(), "bound_db": self._add_band()}
        self.channels = [self.add_line(curve) for curve in CHANNEL_STYLES]
        self.comparisons = [self.add_line(curve) for curve in COMPARISON_STYLES]
        self.estimated = {field: self.add_line(curve) for field, curve in ESTIMATED.items()}
        self.reference = self.add_line(REFERENCE)
        self._show_comparison_names(())
        self._show_channel_names(visible=False)
        if for_recordings:
            self._hide_reference_and_closed_forms()
        self.show_theme(LIGHT)

    def focus_on(self, gains_db: tuple[float, float] | None) -> None:
        """Set the gain axis to (lowest, highest) in dB; None lets it follow the curves."""
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
        """Draw `history`, and those of `comparisons`, relative to `now_s` (session time in seconds).

        The reference curve extends to `reference_gain_db`, the present gain, so that a change is visible before its
        first window. In gaps between estimates only the reference is drawn.
        """
        if self.frozen:
            return
        self.update_pen_widths()
        reference_db = np.append(history.gain_true_db, reference_gain_db)
        self._draw(self.reference, np.append(history.time_s, now_s), now_s, reference_db)
        history = history.with_gap_markers()
        for field, line in self.estimated.items():
            self._draw(line, history.time_s, now_s, getattr(history, field))
        unbalanced = history.is_unbalanced
        self._show_channel_names(visible=unbalanced)
        for index, line in enumerate(self.channels):
            gains = (history.time_s, now_s, history.channel_gains_db[index]) if unbalanced else (_EMPTY, now_s, _EMPTY)
            self._draw(line, *gains)
        self._show_comparison_names([comparison.name for comparison in comparisons])
        for index, line in enumerate(self.comparisons):
            trace = comparisons[index].history.with_gap_markers() if index < len(comparisons) else None
            self._draw(line, *((trace.time_s, now_s, trace.gain_est_db) if trace else (_EMPTY, now_s, _EMPTY)))
        ago_s = history.time_s - now_s
        for name, band in self.bands.items():
            half_width_db = getattr(history, name)
            outline = band_outline(ago_s, history.gain_est_db - half_width_db, history.gain_est_db + half_width_db)
            band.setPath(pg.arrayToQPath(*outline, connect="finite", finiteCheck=False))
        visible = ago_s >= -SHOWN_S
        closed_form = _EMPTY if self._for_recordings else central_90_percent(history.gain_opt_db[visible])
        channels_db = [central_90_percent(gains_db) for gains_db in history.channel_gains_db[:, visible]]
        compared = [central_90_percent(comparison.history.gain_est_db) for comparison in comparisons]
        gains_db = history.gain_est_db[visible], history.gain_true_db[visible], np.array([reference_gain_db])
        ends = extent(*gains_db, closed_form, *channels_db, *compared)
        if self.range.follow(*ends, now_s):
            self._show_level_axis()

    def show_theme(self, theme: Theme) -> None:
        super().show_theme(theme)
        self.bands["std_db"].setBrush(QBrush(band_color(ESTIMATE, theme)))
        self.bands["bound_db"].setBrush(QBrush(band_color(CLOSED_FORM, theme)))

    def _show_level_axis(self) -> None:
        self.set_axes(time_axis(), level_axis(self.focus or self.range.current))

    def _draw(self, line: Line, time_s: Trace, now_s: float, level_db: Trace) -> None:
        if line.curve.dash and time_s.size:
            self._anchor_dashes(line, float(time_s[0]))
        line.show_points(time_s - now_s, level_db)

    def _anchor_dashes(self, line: Line, first_s: float) -> None:
        """Tie the dashes of `line`, which begins at `first_s`, to the session time: they move with the curve."""
        pen = QPen(line.pen())
        pen.setDashOffset(first_s * self.plot.view.width() / SHOWN_S % sum(pen.dashPattern()))
        line.setPen(pen)

    def _hide_reference_and_closed_forms(self) -> None:
        for item in (self.reference, self.estimated["least_squares_db"], self.estimated["gain_opt_db"]):
            item.hide()
        self.bands["bound_db"].hide()
        for index in _REFERENCE_ENTRIES:
            self.legend.show_entry(index, False)

    def _show_comparison_names(self, names: Sequence[str]) -> None:
        for index in range(len(COMPARISON_STYLES)):
            self.legend.show_entry(4 + index, index < len(names))
            if index < len(names):
                self.legend.rename(4 + index, names[index])

    def _show_channel_names(self, *, visible: bool) -> None:
        for index in range(len(CHANNEL_STYLES)):
            self.legend.show_entry(4 + len(COMPARISON_STYLES) + index, visible)

    def _add_band(self) -> QGraphicsPathItem:
        band = QGraphicsPathItem()
        band.setPen(QPen(Qt.PenStyle.NoPen))
        self.plot.view.addItem(band, ignoreBounds=True)
        return band


_EMPTY = np.empty(0)

_LEGEND = (REFERENCE, ESTIMATE, CLOSED_FORM, LEAST_SQUARES, *COMPARISON_STYLES, *CHANNEL_STYLES)
_REFERENCE_ENTRIES = (*(_LEGEND.index(curve) for curve in (REFERENCE, CLOSED_FORM, LEAST_SQUARES)), len(_LEGEND) + 1)
"""Entries of the legend that are not shown for two recordings; the last one is the bound of the closed form."""
