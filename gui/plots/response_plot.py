"""Plot of the response of the target over the dry signal, measured over the whole section and over the last seconds."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gui.plots.axis_range import smallest_range
from gui.plots.legend import Legend
from gui.plots.plot_card import Axis, Line, PlotCard
from gui.plots.scope_plots import DECADES
from gui.theme import LIGHT
from rtgain.number_format import format_number
from rtgain.output.curve_styles import ESTIMATE, TARGET, CurveStyle
from rtgain.records.response import Response

if TYPE_CHECKING:
    from rtgain.records.snapshot import Snapshot

LIVE = CurveStyle("last 2 s", TARGET.light, TARGET.dark, TARGET.dash)

COHERENT = 0.5
"""Coherence below which a band is not drawn: its ratio is that of unrelated sound."""

SMALLEST_HALF_RANGE_DB = 3.0


class ResponsePlot(PlotCard):
    """Gain of each band in dB; bands in which the target is unrelated to the dry recording are left out."""

    def __init__(self) -> None:
        super().__init__(
            "Response, dB",
            "Response of the target over the dry recording in dB",
            Legend([(ESTIMATE, "measured"), (LIVE, LIVE.label)]),
            x=_frequency_axis(),
            y=_gain_axis(-6.0, 6.0),
        )
        self.live = self.add_line(LIVE)
        self.curve = self.add_line(ESTIMATE)
        self._known_db: dict[Line, Any] = {}
        self.show_theme(LIGHT)

    def show_response(self, response: dict[str, Any] | None) -> None:
        """Draw the response of ``rtgain match --json``: lists of frequencies, gains and coherences; None for none."""
        if response is None:
            self._draw(self.curve, None)
        else:
            names = ("frequency_hz", "gain_db", "coherence")
            self._draw(self.curve, Response(*(_numbers(response[name]) for name in names)))

    def show_snapshot(self, snapshot: "Snapshot") -> None:
        """Draw the response over the last two seconds of a session."""
        if not self.frozen:
            self.update_pen_widths()
            self._draw(self.live, snapshot.response)

    def _draw(self, line: Line, response: Response | None) -> None:
        """Draw the coherent bands, on axes that show both lines."""
        if response is None:
            line.show_points(np.empty(0), np.empty(0))
            self._known_db.pop(line, None)
            return
        gain_db = np.where(response.coherence >= COHERENT, response.gain_db, np.nan)
        line.show_points(np.log10(response.frequency_hz), gain_db)
        self._known_db[line] = gain_db[np.isfinite(gain_db)]
        known = np.concatenate(list(self._known_db.values()))
        if known.size:
            ends = min(float(known.min()), -SMALLEST_HALF_RANGE_DB), max(float(known.max()), SMALLEST_HALF_RANGE_DB)
            self.set_axes(self._axes[0], _gain_axis(*ends))


def _numbers(values: Sequence[float | None]) -> Any:
    return np.array([math.nan if value is None else value for value in values])


def _frequency_axis() -> Axis:
    return Axis(np.log10(20.0), np.log10(20_000.0), [(np.log10(hz), name) for hz, name in DECADES])


def _gain_axis(low: float, high: float) -> Axis:
    found = smallest_range(low, high)
    return Axis(found.low, found.high, [(tick, format_number(tick, 0)) for tick in found.ticks()])
