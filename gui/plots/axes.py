"""Axes that several plots have, and the response of an equalizer over one of them."""

import math

import numpy as np
from numpy.typing import NDArray

from gui.plots.axis_range import AxisRange
from gui.plots.plot_card import Axis
from rtgain.errors import InputError
from rtgain.number_format import format_number
from rtgain.records.equalizer import EqualizerFilters

DECADES = ((20.0, "20 Hz"), (100.0, "100"), (1e3, "1k"), (1e4, "10k"))

LOWEST_HZ, HIGHEST_HZ = 20.0, 20_000.0

CURVE_POINTS = 160
"""Points of a curve: 16 per octave."""

COHERENT = 0.5
"""Coherence from which a band of a measured response is drawn: below, its ratio is that of unrelated sound.

Filters are learned from the same bands.
"""


def frequency_axis(highest_hz: float = HIGHEST_HZ) -> Axis:
    """Return a logarithmic frequency axis from 20 Hz, whose positions are the decimal logarithms of Hz."""
    ticks = [(math.log10(hz), name) for hz, name in DECADES if hz < 0.9 * highest_hz]
    return Axis(math.log10(LOWEST_HZ), math.log10(highest_hz), ticks)


def level_axis(span: AxisRange) -> Axis:
    """Return an axis of levels in dB over `span`."""
    return Axis(span.low, span.high, [(tick, format_number(tick, 0)) for tick in span.ticks()])


def equalizer_curve(equalizer: EqualizerFilters, sample_rate: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the response of an equalizer, ``(CURVE_POINTS,)`` each: frequencies in Hz, levels in dB.

    Levels are NaN if a filter lies above half the sample rate; the session refuses it, too.
    """
    frequency_hz = np.geomspace(LOWEST_HZ, min(HIGHEST_HZ, 0.49 * sample_rate), CURVE_POINTS)
    try:
        response = equalizer.response(frequency_hz, sample_rate)
    except InputError:
        return frequency_hz, np.full(CURVE_POINTS, math.nan)
    return frequency_hz, 20.0 * np.log10(np.abs(response))
