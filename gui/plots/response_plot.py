"""Plot of the response of the target over the dry recording, measured over the whole section."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gui.plots.axis_range import smallest_range
from gui.plots.legend import Legend
from gui.plots.plot_card import Axis, PlotCard
from gui.plots.scope_plots import DECADES
from gui.theme import LIGHT
from rtgain.number_format import format_number
from rtgain.output.curve_styles import ESTIMATE

COHERENT = 0.5
"""Coherence below which a band is not drawn: its ratio is that of unrelated sound."""

SMALLEST_HALF_RANGE_DB = 3.0


class ResponsePlot(PlotCard):
    """Gain of each band in dB; bands in which the target is unrelated to the dry recording are left out."""

    def __init__(self) -> None:
        super().__init__(
            "Response, dB",
            "Response of the target over the dry recording in dB",
            Legend([(ESTIMATE, "measured")]),
            x=_frequency_axis(),
            y=_gain_axis(-6.0, 6.0),
        )
        self.curve = self.add_line(ESTIMATE)
        self.show_theme(LIGHT)

    def show_response(self, response: dict[str, Any] | None) -> None:
        """Draw the response of ``rtgain match --json``: lists of frequencies, gains and coherences; None for none."""
        if response is None:
            self.curve.show_points(np.empty(0), np.empty(0))
            return
        frequency_hz, gain_db, coherence = (
            _numbers(response[name]) for name in ("frequency_hz", "gain_db", "coherence")
        )
        gain_db = np.where(coherence >= COHERENT, gain_db, np.nan)
        self.curve.show_points(np.log10(frequency_hz), gain_db)
        known = gain_db[np.isfinite(gain_db)]
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
