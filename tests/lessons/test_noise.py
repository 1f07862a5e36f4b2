"""Error of the plain spectral loss in noise (lesson 5), compared with the distribution of a magnitude in noise."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import ncx2

from rtgain.audio.sources.demo import DemoSource
from rtgain.lessons.catalogue import LESSONS
from rtgain.lessons.experiments.experiment import run_experiment
from rtgain.lessons.experiments.real_signals import EXCERPTS, MUSIC_S, RATE
from tests.lessons.conftest import experiment

GAIN = 0.15


LESSON = LESSONS[4]


def rice_minimum(magnitude: NDArray[np.float64], power: float) -> tuple[float, float]:
    """Expected minimum of Σ |s X − Y| in dB relative to the gain, and its standard deviation for one noise signal.

    At the minimum, Σ X · (P(Y > s X) − ½) is 0. Y, a magnitude in white noise, has a Rice distribution. `power` is that
    of the real part of the noise in a bin. The variance for one noise signal is Σ X² / 4 divided by the squared slope
    of the sum.
    """

    def weighted_excess(scale: float) -> float:
        above = ncx2.sf((scale * magnitude) ** 2 / power, 2, (GAIN * magnitude) ** 2 / power)
        return float(np.sum(magnitude * (above - 0.5)))

    minimum = brentq(weighted_excess, 0.5 * GAIN, 4 * GAIN)
    slope = (weighted_excess(minimum * 1.001) - weighted_excess(minimum * 0.999)) / (0.002 * minimum)
    # Neighboring bins of a Hann window are not independent: its noise bandwidth is 1.5 bins.
    deviation = np.sqrt(1.5 * np.sum(magnitude**2) / 4) / abs(slope)
    return float(20 * np.log10(minimum / GAIN)), float(20 / np.log(10) * deviation / minimum)


@pytest.mark.parametrize("below_db", [30, 20, 10])
def test_bias_of_the_plain_loss_in_noise_follows_the_rice_distribution(below_db: int) -> None:
    music = DemoSource(RATE).read(MUSIC_S * RATE)[0].astype(np.float64)
    hann = np.hanning(RATE // 2 + 1)[:-1]
    power = np.mean(music**2) * GAIN**2 * 10 ** (-below_db / 10) * np.sum(hann**2) / 2
    minima = [rice_minimum(np.abs(np.fft.rfft(music[excerpt] * hann)), power) for excerpt in EXCERPTS]
    means_db, deviations_db = np.array(minima).T
    expected_db, deviation_db = means_db.mean(), np.sqrt(np.sum(deviations_db**2)) / len(minima)
    found_db = experiment(LESSON.name).numbers[f"plain_{below_db}_db"]
    assert found_db == pytest.approx(expected_db, abs=3 * deviation_db)
    for check in (c for step in LESSON.steps for c in step.checks if c.number == f"plain_{below_db}_db"):
        assert check.low == pytest.approx(expected_db - 3 * deviation_db, abs=0.005)
        assert check.high == pytest.approx(expected_db + 3 * deviation_db, abs=0.005)
        assert check.low > 0, "the range is that of the bias, not of the random noise"


def test_the_seed_selects_the_noise_of_the_sounds_and_of_all_losses() -> None:
    first, second = experiment(LESSON.name), run_experiment(LESSON.name, 1)
    assert not np.array_equal(first.sounds["noisy"].samples, second.sounds["noisy"].samples)
    np.testing.assert_array_equal(first.sounds["target"].samples, second.sounds["target"].samples)
    for number in ("rtgain_10_db", "plain_10_db", "speech_20_db"):
        assert first.numbers[number] != second.numbers[number]
    assert [c for step in LESSON.steps for c in step.checks if not c.holds(second.numbers)] == []


@pytest.mark.parametrize("name", ["filters", "loudness"])
def test_the_seed_selects_the_pink_noise_of_the_last_lessons(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The seed reaches the source; the experiment, which takes ten seconds, ends there."""

    class SeedReachedSourceError(Exception):
        pass

    def source(sample_rate: int, frames: int, *, seed: int) -> None:
        raise SeedReachedSourceError(seed)

    monkeypatch.setattr(f"rtgain.lessons.experiments.{name}.pink_noise", source)
    with pytest.raises(SeedReachedSourceError) as reached:
        run_experiment(name, 7)
    assert reached.value.args == (7,)
