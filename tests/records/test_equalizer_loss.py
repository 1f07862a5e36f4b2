"""Loss of an equalizer over two of its parameters, against one equalizer per point of the map."""

import math
from dataclasses import replace

import numpy as np
import pytest

from rtgain.records.equalizer import EqualizerFilter, EqualizerFilters
from rtgain.records.equalizer_loss import GRID_POINTS, compute_loss_map, weighted_error_db
from rtgain.records.learned_equalizer import KINDS, PARAMETERS, LearnedEqualizer
from rtgain.records.response import Response

RATE = 48_000
BANDS_HZ = np.geomspace(40.0, 16_000.0, 60)
STD_DB = np.where(np.arange(60) % 7 == 3, math.inf, np.linspace(0.05, 0.5, 60))
"""Standard deviations of the bands; every seventh is not used."""

FILTERS = tuple(
    EqualizerFilter(kind, hz, gain_db, 0.8)
    for kind, hz, gain_db in zip(KINDS, (90, 260, 700, 2500, 5000, 9000), (6, -2, 3, -5, 1, 4), strict=True)
)
EQUALIZER = EqualizerFilters(-7.0, FILTERS)


def levels_db(equalizer: EqualizerFilters) -> np.ndarray:
    return 20 * np.log10(np.abs(equalizer.response(BANDS_HZ, RATE)))


MEASURED_DB = levels_db(EQUALIZER) + np.random.default_rng(1).normal(0.0, 0.3, 60)
LEARNED = LearnedEqualizer(
    0.0,
    0.0,
    EQUALIZER,
    (0.1,) * 6,
    0.0,
    Response(BANDS_HZ, MEASURED_DB, np.ones(60)),
    STD_DB,
    np.empty((0, PARAMETERS)),
)


def with_parameter(equalizer: EqualizerFilters, index: int, value: float) -> EqualizerFilters:
    if index == 0:
        return replace(equalizer, gain_db=value)
    field = ("gain_db", "frequency_hz", "q")[(index - 1) % 3]
    filters = list(equalizer.filters)
    filters[(index - 1) // 3] = replace(filters[(index - 1) // 3], **{field: value})
    return replace(equalizer, filters=tuple(filters))


@pytest.mark.parametrize(("x", "y"), [(5, 4), (1, 10), (0, 16), (12, 3)])
def test_each_point_has_the_loss_of_its_equalizer(x: int, y: int) -> None:
    found = compute_loss_map(LEARNED, RATE, x, y)
    assert found is not None
    used = np.isfinite(STD_DB)
    for column, row in ((0, 0), (5, 30), (GRID_POINTS - 1, 11), (17, GRID_POINTS - 1)):
        equalizer = with_parameter(EQUALIZER, x, float(found.x_values[column]))
        equalizer = with_parameter(equalizer, y, float(found.y_values[row]))
        errors_db = np.abs(MEASURED_DB - levels_db(equalizer))[used]
        expected = np.average(errors_db, weights=1.0 / STD_DB[used])
        assert found.loss_db[row, column] == pytest.approx(expected, rel=1e-9)


def test_axes_cover_the_ranges_of_the_learned_filters() -> None:
    found = compute_loss_map(LEARNED, RATE, 5, 4)
    assert found is not None
    assert found.x_values[[0, -1]] == pytest.approx([20.0, 20_000.0])
    assert found.y_values[[0, -1]] == pytest.approx([-18.0, 18.0])
    low_rate = compute_loss_map(LEARNED, 16_000, 0, 17)
    assert low_rate is not None
    assert low_rate.x_values[[0, -1]] == pytest.approx([-18.0, 6.0]), "around −7 dB, in steps of 6 dB"
    assert low_rate.y_values[-1] == pytest.approx(7200.0)


def test_without_a_measured_band_there_is_no_map() -> None:
    silent = replace(LEARNED, band_std_db=np.full(60, math.inf))
    assert compute_loss_map(silent, RATE, 0, 1) is None


def test_a_certain_band_counts_more() -> None:
    assert weighted_error_db(np.array([1.0, -3.0]), np.array([0.1, 0.2])) == pytest.approx((10 + 15) / 15)
