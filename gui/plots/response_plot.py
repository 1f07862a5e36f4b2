"""Plot of the response of the target over the dry signal, measured over the whole section and over the last seconds."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gui.plots.axes import COHERENT, equalizer_curve, frequency_axis, level_axis
from gui.plots.axis_range import AxisRange, SteppedRange
from gui.plots.legend import Legend
from gui.plots.plot_card import Line, PlotCard
from gui.theme import LIGHT
from rtgain.output.curve_styles import ESTIMATE, MATCHED, TARGET, CurveStyle
from rtgain.records.response import Response

if TYPE_CHECKING:
    from rtgain.records.learned_equalizer import LearnedEqualizer
    from rtgain.records.snapshot import Snapshot

LIVE = CurveStyle("last 2 s", TARGET.light, TARGET.dark, TARGET.dash)
LEARNED = CurveStyle("learned", MATCHED.light, MATCHED.dark, MATCHED.dash)

LEARNED_ENTRY = 2
"""Index of the legend's entry of the learned equalizer."""

FIRST_RANGE = AxisRange(-6.0, 6.0, 2.0)
SMALLEST_HALF_RANGE_DB = 3.0


class ResponsePlot(PlotCard):
    """Gain of each band in dB; bands in which the target is unrelated to the dry recording are left out.

    If an equalizer is learned, its response is a third line.
    """

    def __init__(self) -> None:
        self._range = SteppedRange(FIRST_RANGE)
        super().__init__(
            "Response, dB",
            "Response of the target over the dry recording in dB: measured, over the last seconds, and learned",
            Legend([(ESTIMATE, "measured"), (LIVE, LIVE.label), (LEARNED, LEARNED.label)]),
            x=frequency_axis(),
            y=level_axis(self._range.current),
        )
        self.live = self.add_line(LIVE)
        self.learned = self.add_line(LEARNED)
        self.curve = self.add_line(ESTIMATE)
        self._known_db: dict[Line, NDArray[np.float64]] = {}
        self._now_s = 0.0
        self._live: Response | None = None
        self._learned: LearnedEqualizer | None = None
        self.legend.show_entry(LEARNED_ENTRY, False)
        self.show_theme(LIGHT)

    def show_response(self, response: dict[str, Any] | None) -> None:
        """Draw the response of ``rtgain match --json``: lists of frequencies, gains and coherences; None for none."""
        if response is None:
            self._draw(self.curve, _EMPTY, _EMPTY)
        else:
            names = ("frequency_hz", "gain_db", "coherence")
            self._draw_response(self.curve, Response(*(_numbers(response[name]) for name in names)))
        self._follow_curves()

    def show_snapshot(self, snapshot: "Snapshot") -> None:
        """Draw the response over the last two seconds of a session, and that of its learned equalizer."""
        if self.frozen:
            return
        self.update_pen_widths()
        if snapshot.response is not self._live:
            self._live = snapshot.response
            self._draw_response(self.live, self._live)
        if snapshot.equalizer is not self._learned:
            self._learned = snapshot.equalizer
            self._draw_learned(snapshot.sample_rate)
        self._now_s = snapshot.time_s
        self._follow_curves()

    def _draw_learned(self, sample_rate: int) -> None:
        learned = self._learned
        self.legend.show_entry(LEARNED_ENTRY, learned is not None)
        if learned is None:
            self._draw(self.learned, _EMPTY, _EMPTY)
            return
        self._draw(self.learned, *equalizer_curve(learned.equalizer, sample_rate))

    def _draw_response(self, line: Line, response: Response | None) -> None:
        """Draw the coherent bands."""
        if response is None:
            self._draw(line, _EMPTY, _EMPTY)
            return
        self._draw(line, response.frequency_hz, np.where(response.coherence >= COHERENT, response.gain_db, np.nan))

    def _draw(self, line: Line, frequency_hz: NDArray[np.float64], gain_db: NDArray[np.float64]) -> None:
        line.show_points(np.log10(frequency_hz), gain_db)
        self._known_db[line] = gain_db[np.isfinite(gain_db)]

    def _follow_curves(self) -> None:
        known_db = np.concatenate(
            [np.array([-SMALLEST_HALF_RANGE_DB, SMALLEST_HALF_RANGE_DB]), *self._known_db.values()]
        )
        if self._range.follow(float(known_db.min()), float(known_db.max()), self._now_s):
            self.set_axes(self._axes[0], level_axis(self._range.current))


_EMPTY = np.empty(0)


def _numbers(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([math.nan if value is None else value for value in values])
