"""What lesson 5 says about noise on the plain spectral loss, against the distribution of a magnitude in noise."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import ncx2

from rtgain.audio.sources.demo import DemoSource
from rtgain.lessons.catalogue import LESSONS
from rtgain.lessons.experiments.experiment import run_experiment
from rtgain.lessons.experiments.real_signals import EXCERPTS, RATE, TURN_S
from tests.lessons.conftest import experiment

GAIN = 0.15


LESSON = LESSONS[4]


def least_by_rice(magnitude: NDArray[np.float64], power: float) -> tuple[float, float]:
    """Where Σ |s X − Y| is least on the average, dB off the gain, and the standard deviation of that with one noise.

    It is where Σ X · (P(Y > s X) − ½) is 0; Y, a magnitude in white noise, is Rice's. `power` is that of the noise's
    real part in a bin. One draw has a variance of Σ X² / 4 over the square of the sum's slope.
    """

    def pull(scale: float) -> float:
        above = ncx2.sf((scale * magnitude) ** 2 / power, 2, (GAIN * magnitude) ** 2 / power)
        return float(np.sum(magnitude * (above - 0.5)))

    least = brentq(pull, 0.5 * GAIN, 4 * GAIN)
    slope = (pull(least * 1.001) - pull(least * 0.999)) / (0.002 * least)
    # Neighboring bins of a Hann window are not independent: their noise is 1.5 bins wide.
    deviation = np.sqrt(1.5 * np.sum(magnitude**2) / 4) / abs(slope)
    return float(20 * np.log10(least / GAIN)), float(20 / np.log(10) * deviation / least)


@pytest.mark.parametrize("below_db", [30, 20, 10])
def test_noise_draws_the_plain_loss_up_as_far_as_rice_has_it(below_db: int) -> None:
    music = DemoSource(RATE).read(TURN_S * RATE)[0].astype(np.float64)
    hann = np.hanning(RATE // 2 + 1)[:-1]
    power = np.mean(music**2) * GAIN**2 * 10 ** (-below_db / 10) * np.sum(hann**2) / 2
    least = [least_by_rice(np.abs(np.fft.rfft(music[excerpt] * hann)), power) for excerpt in EXCERPTS]
    means_db, deviations_db = np.array(least).T
    expected_db, deviation_db = means_db.mean(), np.sqrt(np.sum(deviations_db**2)) / len(least)
    found_db = experiment(LESSON.name).numbers[f"plain_{below_db}_db"]
    assert found_db == pytest.approx(expected_db, abs=3 * deviation_db)
    for check in (c for step in LESSON.steps for c in step.checks if c.number == f"plain_{below_db}_db"):
        assert check.low == pytest.approx(expected_db - 3 * deviation_db, abs=0.005)
        assert check.high == pytest.approx(expected_db + 3 * deviation_db, abs=0.005)
        assert check.low > 0, "it is the bias that is seen, and not the draw of the noise"


def test_the_seed_draws_the_noise_that_is_heard_and_that_all_losses_hear() -> None:
    drawn, another = experiment(LESSON.name), run_experiment(LESSON.name, 1)
    assert not np.array_equal(drawn.sounds["noisy"].samples, another.sounds["noisy"].samples)
    np.testing.assert_array_equal(drawn.sounds["target"].samples, another.sounds["target"].samples)
    for number in ("rtgain_10_db", "plain_10_db", "speech_20_db"):
        assert drawn.numbers[number] != another.numbers[number]
    assert [c for step in LESSON.steps for c in step.checks if not c.holds(another.numbers)] == []
