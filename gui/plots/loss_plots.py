"""Plots of the loss: against gain, with the estimate as a point on the curve, and over time."""

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtGui import QBrush, QColor

from gui.plots.axis_range import SteppedPeak
from gui.plots.gain_plot import time_axis
from gui.plots.legend import Legend, cosmetic_pen
from gui.plots.plot_card import Axis, Dot, PlotCard
from gui.theme import LIGHT, Theme
from rtgain.number_format import format_number
from rtgain.output.curve_styles import COMPARISON_1, ESTIMATE, CurveStyle

if TYPE_CHECKING:
    from rtgain.records.history import History
    from rtgain.records.loss_curves import LossCurves
    from rtgain.records.snapshot import Snapshot

WAVEFORM = CurveStyle("waveform L1", COMPARISON_1.light, COMPARISON_1.dark, COMPARISON_1.dash)
"""Drawn like a comparison; the estimate's color is used for the selected loss."""

LOWEST_LOSS = 1e-7
"""Smallest loss shown: the rounding error of single precision."""

_EMPTY = np.empty(0)

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class LossCurvePlot(PlotCard):
    """Loss against gain on the newest window, for the selected loss and for waveform L1; each is 1 at a gain of 0."""

    def __init__(self) -> None:
        self._top = SteppedPeak(2.0, lowest=2.0)
        super().__init__(
            "Loss against gain",
            "Loss against gain: the selected loss and waveform L1, with the estimate as a point on each",
            Legend([(ESTIMATE, "selected loss"), (WAVEFORM, WAVEFORM.label)]),
            x=_gain_axis(0.5),
            y=_loss_axis(2.0),
        )
        self.waveform = self.add_line(WAVEFORM)
        self.loss = self.add_line(ESTIMATE)
        self.dots = {WAVEFORM: Dot(), ESTIMATE: Dot()}
        for dot in self.dots.values():
            self.plot.view.addItem(dot, ignoreBounds=True)
        self._drawn: LossCurves | None = None
        self.show_theme(LIGHT)

    def show_snapshot(self, snapshot: "Snapshot", loss: str) -> None:
        """Draw the newest curves of the estimator, if they belong to `loss`, the selected one."""
        curves = snapshot.curves
        if self.frozen:
            return
        self.legend.rename(0, loss)
        if curves is not None and not curves.is_of(loss):  # the curves are those of another loss or session
            curves = None
        if curves is self._drawn:
            return
        self._drawn = curves
        if curves is None:
            for line in (self.loss, self.waveform):
                line.show_points(_EMPTY, _EMPTY)
            for dot in self.dots.values():
                dot.hide()
            return
        self.update_pen_widths()
        self.loss.show_points(curves.gain, curves.loss)
        self.waveform.show_points(curves.gain, curves.waveform)
        self.dots[ESTIMATE].show_at(curves.gain_est, curves.loss_est)
        self.dots[WAVEFORM].show_at(curves.gain_est, curves.waveform_est)
        top = self._top.follow(float(np.quantile(curves.loss, 0.9)), snapshot.time_s)
        self.set_axes(_gain_axis(float(curves.gain[-1])), _loss_axis(top))

    def show_theme(self, theme: Theme) -> None:
        super().show_theme(theme)
        for dot in self.dots.values():
            dot.setBrush(QBrush(QColor(ESTIMATE.color(dark=theme.dark))))
            dot.setPen(cosmetic_pen(theme.card, 2))


class LossOverTimePlot(PlotCard):
    """Loss after the descent, per window, on a fixed logarithmic axis."""

    def __init__(self) -> None:
        ticks = [
            (float(power), f"10{str(power).translate(SUPERSCRIPTS)}" if power else "1") for power in (-6, -4, -2, 0)
        ]
        super().__init__(
            "Loss over time",
            "Loss over time, logarithmic, relative to the target",
            Legend([(ESTIMATE, "selected loss")]),
            x=time_axis(),
            y=Axis(np.log10(LOWEST_LOSS), 0.5, ticks),
        )
        self.loss = self.add_line(ESTIMATE)
        self.show_theme(LIGHT)

    def show_history(self, history: "History", now_s: float, loss: str) -> None:
        """Draw the loss of `history`, relative to `now_s`."""
        if self.frozen:
            return
        self.update_pen_widths()
        self.legend.rename(0, loss)
        history = history.with_gap_markers()
        self.loss.show_points(history.time_s - now_s, np.log10(np.maximum(history.loss, LOWEST_LOSS)))


def _gain_axis(end: float) -> Axis:
    digits = max(0, 2 - int(np.floor(np.log10(end))) - 1)
    return Axis(-end, end, [(share * end, format_number(share * end, digits)) for share in (-1.0, -0.5, 0.0, 0.5, 1.0)])


def _loss_axis(top: float) -> Axis:
    return Axis(0.0, top, [(share * top, f"{share * top:g}") for share in (0.0, 0.5, 1.0)])
