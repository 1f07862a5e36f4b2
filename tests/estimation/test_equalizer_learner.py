"""Trials of the learned equalizer: one filter is moved, and the result is kept only if it is better."""

from dataclasses import replace

import numpy as np
import pytest

from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.dsp.equalizer_fit import EqualizerFit, initial_fit
from rtgain.estimation.equalizer_learner import TRIAL_GAIN, EqualizerLearner

ERROR_SIGMAS = 4.0


class SimulatedFitter:
    """Fitter of a response that is 3 dB too low around 1 kHz; every fit has the error `error_sigmas`."""

    frequency_hz = 1000.0 * 2.0 ** (np.arange(-48, 49) / 12)

    def __init__(self, error_sigmas: float) -> None:
        self._error_sigmas = error_sigmas

    def level_differences_db(self, fit: EqualizerFit) -> np.ndarray:
        return np.where(np.abs(np.log2(self.frequency_hz / 1000.0)) < 0.5, 3.0, 0.0)

    def fit(self, start: EqualizerFit, evaluations: int) -> EqualizerFit:
        return replace(start, error_sigmas=self._error_sigmas)


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
