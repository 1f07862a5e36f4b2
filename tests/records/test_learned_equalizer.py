"""Learned equalizer: its row in the ring between the processes."""

import math

import numpy as np

from rtgain.records.equalizer import EqualizerFilter, EqualizerFilters
from rtgain.records.learned_equalizer import (
    KINDS,
    LEARNED_EQUALIZER_ROWS,
    MAX_BANDS,
    MAX_PATH,
    PARAMETERS,
    LearnedEqualizer,
)
from rtgain.records.response import Response


def learned(bands: int) -> LearnedEqualizer:
    filters = tuple(EqualizerFilter(kind, 100.0 + i, 0.5 * i, 0.7 + 0.1 * i) for i, kind in enumerate(KINDS))
    deviations_db = (0.1, 0.2, math.inf, 0.3, 0.4, math.inf)
    *measured, band_std_db = np.random.default_rng(1).standard_normal((4, bands))
    path = np.random.default_rng(2).standard_normal((min(bands, MAX_PATH), PARAMETERS))
    equalizer = EqualizerFilters(-3.0, filters)
    return LearnedEqualizer(2048.0, 4096.0, equalizer, deviations_db, 0.05, Response(*measured), band_std_db, path)


def test_a_row_holds_everything() -> None:
    for bands in (0, 7, MAX_BANDS):
        before = learned(bands)
        row = before.to_row()
        after = LearnedEqualizer.from_row(row)
        assert row.shape == (LEARNED_EQUALIZER_ROWS,)
        for name in ("center_frame", "available_frame", "equalizer", "deviations_db", "error_db"):
            assert getattr(after, name) == getattr(before, name)
        for name in ("frequency_hz", "gain_db", "coherence"):
            np.testing.assert_array_equal(getattr(after.measured, name), getattr(before.measured, name))
        for name in ("band_std_db", "path"):
            np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


def test_filters_without_a_deviation_are_not_known() -> None:
    assert learned(3).known == (True, True, False, True, True, False)
