"""Learned equalizer: what the estimator has learned of the filters between dry and target, with its measurement."""

import math
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from rtgain.config.names import FilterKind
from rtgain.records.equalizer import EqualizerFilter, EqualizerFilters
from rtgain.records.response import Response

KINDS: tuple[FilterKind, ...] = ("low_shelf", "peak", "peak", "peak", "peak", "high_shelf")
"""Kinds of the filters that are learned, in order."""

MAX_BANDS = 160
"""Most bands of the measured response; at 48 kHz and the default window it has 112."""

PARAMETERS = 1 + 3 * len(KINDS)
"""Number of parameters: the gain, then gain, frequency and Q of each filter."""

MAX_PATH = 41
"""Most points of the path of a fit: its start, and each step of the first fit."""


@dataclass(frozen=True)
class LearnedEqualizer:
    """Gain and filters that the estimator has learned up to one moment.

    Attributes:
        center_frame: center of the newest window, in frames of the dry signal.
        available_frame: frame counter from which it can be known.
        equalizer: gain and filters; the gain of a filter that is not known is 0.
        deviations_db: standard deviation of each filter's gain; infinite if there is no sound in its range.
        error_db: mean level difference between the measured response and the learned one.
        measured: response of the target over the dry signal, from which the filters were learned.
        band_std_db: standard deviation of each level of `measured`; infinite for a band that is not used.
        path: parameters from the start of the descent to its end, ``(points, PARAMETERS)``, in dB and Hz.
    """

    center_frame: float
    available_frame: float
    equalizer: EqualizerFilters
    deviations_db: tuple[float, ...]
    error_db: float
    measured: Response
    band_std_db: NDArray[np.float64]
    path: NDArray[np.float64]

    @property
    def parameters(self) -> NDArray[np.float64]:
        """The gain, then gain, frequency and Q of each filter, ``(PARAMETERS,)``, in dB and Hz."""
        filters = ((item.gain_db, item.frequency_hz, item.q) for item in self.equalizer.filters)
        return np.array([self.equalizer.gain_db, *chain.from_iterable(filters)])

    @property
    def known(self) -> tuple[bool, ...]:
        """True for each filter in whose range there is enough sound."""
        return tuple(math.isfinite(deviation_db) for deviation_db in self.deviations_db)

    def to_row(self) -> NDArray[np.float64]:
        """Convert to one column of a ring buffer, ``(LEARNED_EQUALIZER_ROWS,)``."""
        bands, points = len(self.measured.frequency_hz), len(self.path)
        head = (self.center_frame, self.available_frame, self.error_db, bands, points)
        measured = np.full((4, MAX_BANDS), math.nan)
        response = self.measured
        measured[:, :bands] = response.frequency_hz, response.gain_db, response.coherence, self.band_std_db
        path = np.full((MAX_PATH, PARAMETERS), math.nan)
        path[:points] = self.path
        return np.concatenate([head, self.parameters, self.deviations_db, measured.ravel(), path.ravel()])

    @classmethod
    def from_row(cls, row: NDArray[np.float64]) -> "LearnedEqualizer":
        """Convert back from `to_row`."""
        head, parameters, deviations_db, bands, points = np.split(row, np.cumsum(_PARTS[:-1]))
        center_frame, available_frame, error_db, band_count, point_count = head.tolist()
        gain_db, *settings = parameters.tolist()
        values = zip(settings[0::3], settings[1::3], settings[2::3], strict=True)
        filters = tuple(
            EqualizerFilter(kind, frequency_hz, filter_gain_db, q)
            for kind, (filter_gain_db, frequency_hz, q) in zip(KINDS, values, strict=True)
        )
        *measured, band_std_db = bands.reshape(4, MAX_BANDS)[:, : int(band_count)]
        return cls(
            center_frame,
            available_frame,
            EqualizerFilters(gain_db, filters),
            tuple(deviations_db.tolist()),
            error_db,
            Response(*measured),
            band_std_db,
            points.reshape(MAX_PATH, PARAMETERS)[: int(point_count)],
        )


_PARTS = (5, PARAMETERS, len(KINDS), 4 * MAX_BANDS, MAX_PATH * PARAMETERS)
"""Lengths of the parts of a row: head, parameters, deviations, bands, path."""

LEARNED_EQUALIZER_ROWS = sum(_PARTS)
"""Length of a row; also the number of rows of the ring of learned equalizers."""
