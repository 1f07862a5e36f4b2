"""Learned equalizer: what the estimator has learned of the filters between dry and target, with its measurement."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtgain.records.biquad import FilterKind
from rtgain.records.equalizer import EqualizerFilter, EqualizerFilters
from rtgain.records.response import Response

KINDS: tuple[FilterKind, ...] = ("low_shelf", "peak", "peak", "peak", "peak", "high_shelf")
"""Kinds of the filters that are learned, in order."""

MAX_BANDS = 160
"""Most bands of the measured response; at 48 kHz and the default window it has 112."""


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
    """

    center_frame: float
    available_frame: float
    equalizer: EqualizerFilters
    deviations_db: tuple[float, ...]
    error_db: float
    measured: Response

    @property
    def known(self) -> tuple[bool, ...]:
        """True for each filter in whose range there is enough sound."""
        return tuple(math.isfinite(deviation_db) for deviation_db in self.deviations_db)

    def to_row(self) -> NDArray[np.float64]:
        """Convert to one column of a ring buffer, ``(LEARNED_EQUALIZER_ROWS,)``."""
        filters = self.equalizer.filters
        settings = [value for item in filters for value in (item.frequency_hz, item.gain_db, item.q)]
        bands = len(self.measured.frequency_hz)
        head = (self.center_frame, self.available_frame, self.equalizer.gain_db, self.error_db, bands)
        measured = np.full((3, MAX_BANDS), math.nan)
        measured[:, :bands] = self.measured.frequency_hz, self.measured.gain_db, self.measured.coherence
        return np.concatenate([head, settings, self.deviations_db, measured.ravel()])

    @classmethod
    def from_row(cls, row: NDArray[np.float64]) -> "LearnedEqualizer":
        """Convert back from `to_row`."""
        center_frame, available_frame, gain_db, error_db, bands = row[:HEAD_ROWS].tolist()
        settings = row[HEAD_ROWS : HEAD_ROWS + 3 * len(KINDS)].reshape(-1, 3).tolist()
        deviations_db = row[HEAD_ROWS + 3 * len(KINDS) : HEAD_ROWS + 4 * len(KINDS)].tolist()
        measured = row[HEAD_ROWS + 4 * len(KINDS) :].reshape(3, MAX_BANDS)[:, : int(bands)]
        filters = tuple(EqualizerFilter(kind, *values) for kind, values in zip(KINDS, settings, strict=True))
        equalizer = EqualizerFilters(gain_db, filters)
        return cls(center_frame, available_frame, equalizer, tuple(deviations_db), error_db, Response(*measured))


HEAD_ROWS = 5
LEARNED_EQUALIZER_ROWS = HEAD_ROWS + 4 * len(KINDS) + 3 * MAX_BANDS
"""Length of a row; also the number of rows of the ring of learned equalizers."""
