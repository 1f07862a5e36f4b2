"""Loss of an equalizer: how far its levels are from the measured ones, also over a map of two parameters."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtgain.config.names import (
    LEARNED_FREQUENCY_RANGES_HZ,
    LEARNED_GAIN_RANGE_DB,
    LEARNED_Q_RANGES,
    FilterKind,
)
from rtgain.records.biquad import LOG_ROOT, cookbook_biquad
from rtgain.records.learned_equalizer import KINDS, LearnedEqualizer

Numbers = NDArray[np.float64]

GRID_POINTS = 32
"""Values of each parameter of a map."""

GAIN_SPAN_DB, GAIN_TICK_DB = 24.0, 6.0
"""Range of the gain on a map, and the multiple that its center is rounded to."""

HIGHEST_FREQUENCY_SHARE = 0.45
"""Highest frequency of a learned filter as a share of the sample rate."""


def weighted_error_db(differences_db: Numbers, std_db: Numbers) -> Any:
    """Mean magnitude of level differences in bands along the last axis, weighted by 1 / `std_db`, ``(bands,)``."""
    return np.abs(differences_db) @ (1.0 / std_db) / (1.0 / std_db).sum()


@dataclass(frozen=True)
class LossMap:
    """Loss over two parameters of an equalizer; all others have their learned values.

    Attributes:
        x, y: indices of the parameters (`rtgain.records.learned_equalizer.LearnedEqualizer.parameters`).
        x_values, y_values: their values in dB or Hz, ``(GRID_POINTS,)``; frequencies and Qs are spaced by ratio.
        loss_db: mean level error in dB, ``(GRID_POINTS, GRID_POINTS)``, y first.
    """

    x: int
    y: int
    x_values: Numbers
    y_values: Numbers
    loss_db: Numbers


def compute_loss_map(learned: LearnedEqualizer, sample_rate: int, x: int, y: int) -> LossMap | None:
    """Compute the loss for `GRID_POINTS` values of each of two different parameters; None without a measured band."""
    is_used = np.isfinite(learned.band_std_db)
    if not is_used.any():
        return None
    x_values, y_values = (parameter_grid(learned, index, sample_rate) for index in (x, y))
    parameters: list[Any] = [np.array(value) for value in learned.parameters]
    # One axis each for the values of y and x, and for the bands.
    parameters[x], parameters[y] = x_values[None, :, None], y_values[:, None, None]
    angle = 2.0 * math.pi / sample_rate * learned.measured.frequency_hz[is_used]
    differences_db = learned.measured.gain_db[is_used] - parameters[0]
    for number, kind in enumerate(KINDS):
        gain_db, frequency_hz, q = parameters[1 + 3 * number : 4 + 3 * number]
        differences_db = differences_db - filter_level_db(kind, gain_db, frequency_hz, q, angle, sample_rate)
    loss_db = weighted_error_db(differences_db, learned.band_std_db[is_used])
    return LossMap(x, y, x_values, y_values, np.broadcast_to(loss_db, (GRID_POINTS, GRID_POINTS)))


def filter_level_db(kind: FilterKind, gain_db: Any, frequency_hz: Any, q: Any, angle: Numbers, sample_rate: int) -> Any:
    """Compute levels in dB at angular frequencies `angle`, in radians per sample; the shapes are broadcast."""
    omega = 2.0 * math.pi / sample_rate * frequency_hz
    root_a = np.exp(LOG_ROOT * gain_db)
    b0, b1, b2, a0, a1, a2 = cookbook_biquad(kind, root_a, q, np.cos(omega), np.sin(omega))
    z1 = np.exp(-1j * angle)
    return 20.0 * np.log10(np.abs((b0 + (b1 + b2 * z1) * z1) / (a0 + (a1 + a2 * z1) * z1)))


def parameter_grid(learned: LearnedEqualizer, index: int, sample_rate: int) -> Numbers:
    """Return the values of a parameter on a map: over its whole range, the gain around its learned value."""
    if index == 0:
        center_db = GAIN_TICK_DB * round(learned.equalizer.gain_db / GAIN_TICK_DB)
        return np.linspace(center_db - 0.5 * GAIN_SPAN_DB, center_db + 0.5 * GAIN_SPAN_DB, GRID_POINTS)
    kind, part = KINDS[(index - 1) // 3], (index - 1) % 3
    if part == 0:
        return np.linspace(*LEARNED_GAIN_RANGE_DB, GRID_POINTS)
    if part == 1:
        lowest_hz, highest_hz = LEARNED_FREQUENCY_RANGES_HZ[kind]
        return np.geomspace(lowest_hz, min(highest_hz, HIGHEST_FREQUENCY_SHARE * sample_rate), GRID_POINTS)
    return np.geomspace(*LEARNED_Q_RANGES[kind], GRID_POINTS)
