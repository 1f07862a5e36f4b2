"""Trials of the learned equalizer: other filters, or fewer, are kept only if they are better."""

import math
from collections.abc import Iterable
from dataclasses import fields, replace

import numpy as np
import pytest

from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.dsp.equalizer_fit import GAINS, EqualizerFit, ResponseFitter, initial_fit
from rtgain.dsp.response import BandResponse
from rtgain.estimation.delay_tracker import Alignment
from rtgain.estimation.equalizer_learner import GOOD_SIGMAS, TRIAL_GAIN, EqualizerLearner
from rtgain.estimation.window_features import Windows
from rtgain.records.equalizer import EqualizerFilters
from rtgain.records.estimate import Estimate, State

ERROR_SIGMAS = 4.0


class SimulatedFitter:
    """Fitter of a response that is 3 dB too low around 1 kHz; every fit has the error `error_sigmas` and `cost`."""

    frequency_hz = 1000.0 * 2.0 ** (np.arange(-48, 49) / 12)

    def __init__(self, error_sigmas: float, cost: float = 0.0) -> None:
        self._error_sigmas = error_sigmas
        self._cost = cost

    def level_differences_db(self, fit: EqualizerFit) -> np.ndarray:
        return np.where(np.abs(np.log2(self.frequency_hz / 1000.0)) < 0.5, 3.0, 0.0)

    def fit(self, start: EqualizerFit, evaluations: int) -> EqualizerFit:
        return replace(start, error_sigmas=self._error_sigmas, cost=self._cost)


@pytest.mark.parametrize(("ratio", "is_used"), [(0.99 * TRIAL_GAIN, True), (1.01 * TRIAL_GAIN, False), (2.0, False)])
def test_trial_is_used_only_if_it_is_clearly_better(ratio: float, is_used: bool) -> None:
    learner = EqualizerLearner(EstimatorSettings(48_000, 4096, 1024))
    fit = replace(initial_fit(0.0, 0.0), error_sigmas=ERROR_SIGMAS)
    after = learner._try_another(SimulatedFitter(ratio * ERROR_SIGMAS), fit)  # type: ignore[arg-type]
    assert (after is not fit) == is_used
    if is_used:  # the first trial moves the first peak to the difference
        moved = after.equalizer.filters[1:-1]
        assert any(
            abs(np.log2(item.frequency_hz / 1000.0)) < 0.5 and item.gain_db == pytest.approx(3.0) for item in moved
        )


@pytest.mark.parametrize(
    ("error_sigmas", "cost", "is_used"),
    [(0.9 * GOOD_SIGMAS, 9.0, True), (1.1 * GOOD_SIGMAS, 9.0, False), (0.9 * GOOD_SIGMAS, 11.0, False)],
)
def test_fewer_filters_are_used_only_if_their_fit_is_good(error_sigmas: float, cost: float, is_used: bool) -> None:
    """A bad fit can have a low cost, because its residuals are counted in a larger unit."""
    learner = EqualizerLearner(EstimatorSettings(48_000, 4096, 1024))
    fit = replace(initial_fit(0.0, 0.0), error_sigmas=0.8 * GOOD_SIGMAS, cost=10.0)
    fit.parameters[GAINS] = 0.0, 2.0, 2.0, 0.0, 0.0, 0.0
    after = learner._try_fewer(SimulatedFitter(error_sigmas, cost), fit)  # type: ignore[arg-type]
    assert (after is not fit) == is_used


BANDS_HZ = 40.0 * 2.0 ** (np.arange(110) / 12)


def reduced(filters: dict[int, tuple[float, float]], start: dict[int, tuple[float, float]]) -> EqualizerFilters:
    """Measure `filters`, frequency in Hz and gain in dB by number; return what trials make of a fit with `start`."""

    def fit_of(settings: dict[int, tuple[float, float]]) -> EqualizerFit:
        items = list(initial_fit(-16.5, 0.0).equalizer.filters)
        for number, (frequency_hz, gain_db) in settings.items():
            items[number] = replace(items[number], frequency_hz=frequency_hz, gain_db=gain_db)
        return EqualizerFit.from_equalizer(EqualizerFilters(-16.5, tuple(items)))

    response = fit_of(filters).equalizer.response(BANDS_HZ, 48_000)
    measured = BandResponse(BANDS_HZ, response, np.full(110, 0.999), np.full(110, 4), np.ones(110))
    fitter = ResponseFitter(measured, 48_000, 40.0)
    learner = EqualizerLearner(EstimatorSettings(48_000, 4096, 1024))
    fit = fitter.fit(fit_of(start), 20)
    for _ in range(4):
        fit = learner._try_fewer(fitter, fit)
    return fit.equalizer


def test_two_peaks_that_describe_one_become_one() -> None:
    peaks = reduced({4: (4000.0, -4.0)}, {3: (3600.0, -1.2), 4: (4300.0, -2.8)}).filters[1:-1]
    (peak,) = (peak for peak in peaks if abs(peak.gain_db) > 0.1)
    assert peak.gain_db == pytest.approx(-4.0, abs=0.1)
    assert peak.frequency_hz == pytest.approx(4000.0, rel=0.01)


def test_filters_that_do_little_are_removed() -> None:
    start = {0: (300.0, 0.9), 1: (400.0, -0.8), 2: (1000.0, 5.0), 5: (5000.0, 0.8)}
    filters = reduced({2: (1000.0, 5.0)}, start).filters
    assert [item.gain_db for item in filters] == pytest.approx([0.0, 0.0, 5.0, 0.0, 0.0, 0.0], abs=0.1)


def test_two_peaks_that_are_there_stay_two() -> None:
    there = {3: (2500.0, 4.0), 4: (6000.0, 5.0)}
    filters = reduced(there, there).filters
    for number, (frequency_hz, gain_db) in there.items():
        assert filters[number].gain_db == pytest.approx(gain_db, abs=0.1)
        assert filters[number].frequency_hz == pytest.approx(frequency_hz, rel=0.01)


@pytest.mark.parametrize("change_frames", [2, 100])
def test_changed_alignment_before_the_next_coherent_window_makes_no_fit_of_nothing(change_frames: int) -> None:
    """Windows before the change have another sound in the target, and are discarded. The fit waits for new ones."""
    settings = EstimatorSettings(48_000, 4096, 1024, processor="eq")
    learner = EqualizerLearner(settings)
    dry = np.random.default_rng(0).standard_normal((1, 40 * 1024)).astype(np.float32)
    for hops, offset_frames in ((range(5), 0), (range(5, 9), change_frames), (range(9, 30), change_frames)):
        windows, estimates = windows_and_estimates(dry, 0.5 * dry, hops, settings)
        estimates, _ = learner.process(windows, Alignment(0.0, offset_frames), estimates, frozen=False)
    assert estimates[-1].gain_est_db == pytest.approx(-6.02, abs=0.01)


def windows_and_estimates(
    dry: np.ndarray, target: np.ndarray, hops: Iterable[int], settings: EstimatorSettings
) -> tuple[Windows, list[Estimate]]:
    """Cut signals of one channel into windows, with tracking estimates."""
    starts = settings.hop_frames * np.array(hops)
    cut = [
        np.stack([signal[:, start : start + settings.window_frames] for start in starts]) for signal in (dry, target)
    ]
    centers = starts + settings.window_frames / 2.0
    values = {field.name: 0.0 for field in fields(Estimate)} | {
        "state": State.TRACKING, "polarity": 1, "steps": 0,
        "channel_gains_db": (0.0,), "channel_polarities": (1,), "channel_delays_frames": (0.0,),
    }  # fmt: skip
    estimates = [Estimate(**values | {"center_frame": center}) for center in centers.tolist()]  # type: ignore[arg-type]
    return Windows(*cut, centers, centers, np.full(len(starts), math.nan)), estimates
