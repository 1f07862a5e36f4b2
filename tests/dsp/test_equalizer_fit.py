"""Fit of an equalizer to a response that is known exactly: its derivatives, its result, and what it must not do."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from rtgain.dsp import equalizer_fit
from rtgain.dsp.equalizer_fit import (
    DELAY,
    GAINS,
    LOG_QS,
    OCTAVES,
    PARAMETERS,
    EqualizerFit,
    ResponseFitter,
    initial_fit,
)
from rtgain.dsp.filters import ParametricEQ
from rtgain.dsp.processors import DB_PER_NEPER
from rtgain.dsp.response import BandResponse
from rtgain.records.equalizer import EqualizerFilter, EqualizerFilters

RATE = 48_000
BANDS_HZ = np.geomspace(25.0, 20_000.0, 110)

EQUALIZER = EqualizerFilters(
    -9.0,
    (
        EqualizerFilter("low_shelf", 120.0, 6.0, 0.7),
        EqualizerFilter("peak", 300.0, -4.0, 1.0),
        EqualizerFilter("peak", 900.0, 3.0, 2.0),
        EqualizerFilter("peak", 3000.0, 5.0, 1.5),
        EqualizerFilter("high_shelf", 9000.0, -6.0, 0.7),
    ),
)


def measured(equalizer: EqualizerFilters, *, coherence: Any = 0.999, turn: complex = 1.0) -> BandResponse:
    response = turn * equalizer.response(BANDS_HZ, RATE)
    coherences = np.broadcast_to(coherence, BANDS_HZ.shape)
    return BandResponse(BANDS_HZ, response, coherences, np.full(110, 4), np.ones(110))


def fitted(response: BandResponse, updates: int = 6) -> EqualizerFit:
    fitter = ResponseFitter(response, RATE, 40.0)
    fit = fitter.fit(initial_fit(fitter.gain_db, 0.0), 16)
    for _ in range(updates):
        fit = fitter.fit(fit, 4)
    return fit


def level_error_db(equalizer: EqualizerFilters, expected: EqualizerFilters = EQUALIZER) -> float:
    ratio = equalizer.response(BANDS_HZ, RATE) / expected.response(BANDS_HZ, RATE)
    return float(np.sqrt(np.mean((20 * np.log10(np.abs(ratio))) ** 2)))


def test_derivatives_equal_finite_differences() -> None:
    fitter = ResponseFitter(measured(EQUALIZER), RATE, 40.0)
    parameters = initial_fit(-3.0, 0.2).parameters
    parameters[GAINS] = 3.0, -2.0, 5.0, 1.0, -4.0, 6.0
    jacobian = fitter._at(parameters).jacobian
    for index in range(PARAMETERS):
        step = 1e-5 * (np.arange(PARAMETERS) == index)
        difference = (fitter._at(parameters + step).residuals - fitter._at(parameters - step).residuals) / 2e-5
        np.testing.assert_allclose(jacobian[index], difference, atol=1e-5)


def test_derivatives_equal_those_of_torch() -> None:
    random = np.random.default_rng(3)
    fit = initial_fit(-3.0, 0.0)
    fit.parameters[GAINS] = random.uniform(-9.0, 9.0, 6)
    jacobian = ResponseFitter(measured(EQUALIZER), RATE, 40.0)._at(fit.parameters).jacobian
    equalizer = ParametricEQ(RATE).double()
    names = [f"{name}_{parameter}" for parameter in ("gain_db", "octaves", "q") for name in equalizer.NAMES]
    values = np.concatenate([fit.parameters[GAINS], fit.parameters[OCTAVES], np.exp(fit.parameters[LOG_QS])])
    for name, value in zip(names, values, strict=True):
        getattr(equalizer, name).data[:] = value
    omega = torch.from_numpy(2.0 * np.pi / RATE * BANDS_HZ)
    for band, level_db in enumerate(DB_PER_NEPER * equalizer.response(omega)[0].abs().log()):
        slopes = torch.autograd.grad(level_db, [getattr(equalizer, name) for name in names[:12]], retain_graph=True)
        np.testing.assert_allclose(-jacobian[GAINS.start : GAINS.start + 12, band], torch.cat(slopes), atol=1e-9)


def test_a_leveled_fit_has_the_measured_levels() -> None:
    """The middle of the response is flat, so that its median is the gain; the shelves are full in the outer bands."""
    shelves = EqualizerFilters(
        -9.0, (EqualizerFilter("low_shelf", 120.0, 6.0, 0.7), EqualizerFilter("high_shelf", 9000.0, -6.0, 0.7))
    )
    start = ResponseFitter(measured(shelves), RATE, 40.0).leveled_fit(0.25)
    low, *peaks, high = (item.gain_db for item in start.equalizer.filters)
    assert (start.equalizer.gain_db, low, high) == pytest.approx((-9.0, 6.0, -6.0), abs=0.6)
    assert peaks[1:3] == pytest.approx([0.0, 0.0], abs=0.1)
    assert start.delay_frames == 0.25


def test_gain_and_filters_are_found() -> None:
    """Also each on its own: the unused peak stays at 0 dB, instead of a pair of filters that cancel."""
    learned = fitted(measured(EQUALIZER)).equalizer
    assert level_error_db(learned) < 0.05
    assert learned.gain_db == pytest.approx(-9.0, abs=0.1)
    found = sorted((f for f in learned.filters if abs(f.gain_db) > 0.5), key=lambda f: f.frequency_hz)
    assert [f.kind for f in found] == [f.kind for f in EQUALIZER.filters]
    for one, other in zip(found, EQUALIZER.filters, strict=True):
        assert one.gain_db == pytest.approx(other.gain_db, abs=0.3)
        assert one.frequency_hz == pytest.approx(other.frequency_hz, rel=0.05)


def test_a_flat_response_has_no_filters() -> None:
    fit = fitted(measured(EqualizerFilters(-7.0)))
    assert fit.equalizer.gain_db == pytest.approx(-7.0, abs=1e-6)
    assert max(abs(f.gain_db) for f in fit.equalizer.filters) < 1e-6
    assert max(fit.deviations_db) < 3.0


def test_a_delay_is_found_besides_the_filters() -> None:
    delayed = measured(EQUALIZER)
    phase = np.exp(-2j * math.pi * 0.3 * BANDS_HZ / RATE)
    fit = fitted(replace(delayed, response=phase * delayed.response), updates=12)
    assert fit.delay_frames == pytest.approx(0.3, abs=0.002)
    assert level_error_db(fit.equalizer) < 0.05


def test_a_rotated_phase_does_not_bend_the_levels() -> None:
    fit = fitted(measured(EQUALIZER, turn=np.exp(0.7j)))
    assert level_error_db(fit.equalizer) < 0.3


def test_filters_without_sound_are_held_at_0_db_and_not_known() -> None:
    """Nothing above 2 kHz: the filters there stay flat, and those below are found."""
    equalizer = EqualizerFilters(-9.0, EQUALIZER.filters[:2])
    fit = fitted(measured(equalizer, coherence=np.where(BANDS_HZ < 2000.0, 0.999, 0.0)))
    assert [f.gain_db for f in fit.equalizer.filters[-2:]] == [0.0, 0.0]
    assert np.isinf(fit.deviations_db).tolist()[-2:] == [True, True]
    below = BANDS_HZ < 1500.0
    ratio = fit.equalizer.response(BANDS_HZ[below], RATE) / equalizer.response(BANDS_HZ[below], RATE)
    assert np.abs(20 * np.log10(np.abs(ratio))).max() < 0.2


def test_a_response_without_sound_cannot_be_fitted() -> None:
    assert not ResponseFitter(measured(EQUALIZER, coherence=0.0), RATE, 40.0).is_possible


def test_a_fit_is_better_than_its_start() -> None:
    random = np.random.default_rng(0)
    fitter = ResponseFitter(measured(EQUALIZER), RATE, 40.0)
    best = fitted(measured(EQUALIZER))
    for _ in range(5):
        start = EqualizerFit(best.parameters + 0.1 * random.standard_normal(PARAMETERS))
        start_error = np.abs(fitter.level_differences_db(start)).mean()
        assert np.abs(fitter.level_differences_db(fitter.fit(start, 4))).mean() < start_error


def test_fits_stay_within_the_ranges_and_peaks_apart() -> None:
    steep = EqualizerFilters(0.0, (EqualizerFilter("peak", 1000.0, 40.0, 9.0),))
    parameters = fitted(measured(steep)).parameters
    octaves = parameters[equalizer_fit.OCTAVES]
    assert np.all(np.abs(parameters[GAINS]) <= 18.0)
    assert np.all(np.diff(octaves[1:-1]) >= equalizer_fit.MIN_PEAK_DISTANCE_OCTAVES - 1e-12)


def test_an_equalizer_is_a_start_of_its_own_fit() -> None:
    six = EqualizerFilters(
        -9.0, (*EQUALIZER.filters[:4], EqualizerFilter("peak", 6000.0, 1.0, 1.0), EQUALIZER.filters[4])
    )
    fit = EqualizerFit.from_equalizer(six)
    assert fit.parameters[DELAY] == 0.0
    assert level_error_db(fit.equalizer, six) < 1e-9
    assert fit.delayed_by(2.5).delay_frames == 2.5
