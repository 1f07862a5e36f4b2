"""Every number that a lesson writes out is a control that it sets, or is what it is computed or measured to be here."""

import math
import re

import numpy as np
import pytest

from rtgain.audio.sources.demo import DemoSource
from rtgain.config.labels import describe_controls
from rtgain.config.session_config import SessionConfig
from rtgain.dsp.filters import ThreeBandGain
from rtgain.lessons.catalogue import LESSONS
from rtgain.lessons.checks import InRange
from rtgain.lessons.content.optimizers import RPROP
from rtgain.lessons.experiments import filters, gradient_descent, plots, real_signals, sine
from rtgain.lessons.experiments import optimizers as cycle
from rtgain.lessons.lesson import Lesson, Step
from rtgain.session.offline import run_offline
from tests.lessons.conftest import experiment

NUMBER = re.compile(r"(?<![\w@/.{])\d+(?:,\d{3})*(?:\.\d+)?(?![\w}])")


def exact(lesson: str, name: str) -> float:
    return experiment(lesson).numbers[name]


def least_at(degrees: float) -> float:
    """Where the waveform loss of a sine turned by so much is least, among gains a hundredth apart."""
    gains = np.linspace(-1.0, 1.0, 201)
    return float(gains[sine.losses_at(gains, sine.inverted(degrees), sine.PLAIN_WAVEFORM).argmin()])


SHOWN = {"200": plots.SHOWN_FRAMES, "300": sine.STEPS, "0.15": sine.GAIN, "0.150": sine.GAIN}
COMMON = {"0": 0, "1": 1, "2": 2}
"""Ends of axes, the start at a gain of one, powers and polarities: shown by what is drawn, not measured."""

[RPROP_SWING] = [
    expected for expected in LESSONS[3].steps[2].expectations if isinstance(expected, InRange) and expected.of == RPROP
]

WRITTEN: dict[str, dict[str, float]] = {
    "gradient-descent": {
        **SHOWN, "0.01": sine.LR, "100": gradient_descent.STEPS_PER_SECOND,
        "600": sine.RATE * 300 / (sine.RATE // 2), "4": LESSONS[3].number,
    },
    "waveform-loss": {**SHOWN, "45": 45, "90": 90, "180": 180},
    "spectral-loss": {
        **SHOWN, "90": 90, "100": 100, "600": 600, "0.01": sine.LR, "0.1": 0.1, "5": 5, "4": LESSONS[3].number,
    },
    "optimizers": {
        **SHOWN, "75": plots.ANIMATION_FRAMES, "100": cycle.LAST, "60": cycle.RPROP_STEPS,
        "0.02": dict(cycle.RUNS)["Adam"], "0.05": RPROP_SWING.high,
        "0.01": dict(cycle.RUNS)["SGD"], "0.001": cycle.NORMALIZED_LR, "0.3": cycle.NEPERS,
        "40": -20 * math.log10(cycle.QUIET), "1,024": 1024, "65,536": 65536, "7": LESSONS[6].number,
    },
    "real-signals": {
        "10": min(real_signals.NOISE_DB), "20": 20, "30": max(real_signals.NOISE_DB), "0.002": 0.002,
        "2020": 2020, "85": 85, "341": 1e3 * 16384 / 48_000, "21": 1e3 * 1024 / real_signals.RATE,
    },
    "real-time": {"256": 256, "48": 48, "21": 21.3, "341": 1e3 * 16384 / 48_000, "171": 1e3 * 8192 / 48_000},
    "filters": {
        "40": 40, "16000": filters.RATE, "0.5": 0.5, "3": -filters.SHELF_START["gain_db"],
        "250": ThreeBandGain.CROSSOVERS_HZ[0], "2500": ThreeBandGain.CROSSOVERS_HZ[1],
        "31": 1e3 * 2 ** filters.OCTAVES[0], "4": 2 ** filters.OCTAVES[-1], "500": 500,
    },
}  # fmt: skip


def written(text: str) -> set[str]:
    """The numbers in a text that are no placeholders, no keys and no names of those that race."""
    for pattern in (r"\{[^}]*\}", r"\((?:key )?[1-4]\)", r"“[^”]*”", r"\(lesson \d\)"):
        text = re.sub(pattern, " ", text)
    return set(NUMBER.findall(text))


def texts(step: Step) -> list[str]:
    captions = [*step.figures.values(), *step.sounds.values(), *(check.text for check in step.checks)]
    return [step.title, step.text, step.watch, step.listen, step.why, step.animation, *captions]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_every_number_that_is_written_out_is_set_or_shown(lesson: Lesson) -> None:
    known = WRITTEN[lesson.name] | COMMON
    used = set()
    for step in lesson.steps:
        for number in set().union(*map(written, texts(step))):
            if re.search(rf"(?<![\d.]){re.escape(number)}(?![\d.])", describe_controls(step.all_controls)):
                continue
            used.add(number)
            assert number in known, (step.title, number)
            digits = len(number.partition(".")[2])
            assert float(number.replace(",", "")) == pytest.approx(known[number], abs=0.51 * 10**-digits), step.title
    used |= written(lesson.summary)
    assert used <= set(known)


def test_lesson_1_the_slope_is_two_over_pi() -> None:
    assert exact("gradient-descent", "slope") == pytest.approx(2 / math.pi, rel=1e-3)
    first, larger = LESSONS[0].steps[0].all_controls, LESSONS[0].steps[2].all_controls
    assert (larger["lr"] / first["lr"], first["steps"], larger["steps"]) == (pytest.approx(10), 1, 24)


def test_lesson_2_the_least_of_the_waveform_loss_is_the_gain_times_the_cosine() -> None:
    assert exact("waveform-loss", "gain_45") == pytest.approx(0.15 * math.cos(math.pi / 4), rel=1e-3)
    assert exact("waveform-loss", "cos_45") == pytest.approx(0.15 * math.cos(math.pi / 4))
    assert exact("waveform-loss", "loss_ratio_90") == pytest.approx(math.sqrt(2), rel=1e-3)
    for degrees in (0, 45, 90, 180):
        assert least_at(degrees) == pytest.approx(0.15 * math.cos(math.radians(degrees)), abs=0.006)


@pytest.mark.parametrize("sample_rate", [44_100, 48_000])
def test_lesson_2_says_of_45_degrees_what_the_window_shows_at_any_rate(sample_rate: int) -> None:
    """At 48 kHz the sine repeats after 48 samples, and the waveform loss is least at one of them."""
    config = SessionConfig(**LESSONS[1].steps[0].controls, duration=2.0, sample_rate=sample_rate)
    history = run_offline(config).history
    shown_db = history.gain_est_db[history.time_s > 1.0]
    for form, name, shown in (
        (".2f", "live_45", 10 ** (shown_db / 20)),
        (".0f", "live_error_45_db", sine.GAIN_DB - shown_db),
    ):
        said = format(exact("waveform-loss", name), form)
        assert {format(value, form) for value in shown} == {said}
        assert f"{{{name}:{form}}}" in LESSONS[1].steps[0].text


def test_lesson_3_says_of_a_late_target_what_the_window_shows_in_every_turn_of_the_music() -> None:
    step = next(step for step in LESSONS[2].steps if "late_db" in step.text)
    history = run_offline(SessionConfig(**step.controls, duration=21.0)).history
    off_db, single_db = (np.abs(gain - history.gain_true_db) for gain in (history.gain_est_db, history.gain_opt_db))
    for begin_s in (1.0, 11.0):
        turn = (history.time_s >= begin_s) & (history.time_s < begin_s + 10.0)
        assert f"{np.sqrt(np.mean(off_db[turn] ** 2)):.1f}" == f"{exact('spectral-loss', 'late_db'):.1f}"
        assert 0.01 < np.mean(single_db[turn] > 1.0) < 0.2, "at times"


def test_lesson_3_slopes_are_those_of_the_formula_and_the_loss_is_a_w() -> None:
    numbers = experiment("spectral-loss").numbers
    assert (numbers["slope_1"], numbers["slope_2"]) == pytest.approx((1 / 0.15, 2 / 0.15**2), rel=1e-4)
    assert numbers["fallen_db"] == pytest.approx(-0.1 * 2 / 0.15**2 * 20 / math.log(10), abs=0.05)
    gains = np.linspace(-1.0, 1.0, 201)
    losses = sine.losses_at(gains, sine.inverted(90.0), sine.PLAIN_SPECTRAL)
    lower = (losses[1:-1] < losses[:-2]) & (losses[1:-1] < losses[2:])
    np.testing.assert_allclose(gains[1:-1][lower], [-0.15, 0.15], atol=0.006)


def test_lesson_4_a_level_40_db_lower_is_a_hundred_times_less() -> None:
    assert pytest.approx(100) == 1 / cycle.QUIET
    quiet = next(step for step in LESSONS[3].steps if step.all_controls["gain_db"] < -50)
    assert quiet.all_controls["gain_db"] == pytest.approx(20 * math.log10(0.15) - 40, abs=1e-5)
    assert exact("optimizers", "step_db") == pytest.approx(0.3 * 8.686, abs=1e-3)
    assert exact("optimizers", "sgd_swing_db") < 2 * exact("optimizers", "step_db")


def test_lesson_5_noise_is_as_far_below_as_it_says_and_one_beat_in_ten_seconds_is_silent() -> None:
    music = DemoSource(48_000).read(480_000)[0].astype(np.float64)
    target_dbfs = 10 * np.log10(np.mean(music**2)) + sine.GAIN_DB
    noisy = next(step for step in LESSONS[4].steps if step.title == "Noise")
    assert noisy.all_controls["noise_dbfs"] == pytest.approx(target_dbfs - 10, abs=0.5)
    silent = np.abs(music).reshape(-1, 4800).max(axis=1) < 1e-3
    assert np.count_nonzero(np.diff(silent.astype(int)) == 1) == 1
    assert next(check for check in LESSONS[4].steps[0].checks if check.number == "clean_db").high == 0.002


def test_lesson_7_starts_where_it_says_and_fits_as_it_says() -> None:
    start = filters.SHELF_START
    assert (start["gain_db"], 1000 * 2 ** start["corner_octaves"]) == (-3.0, 2000.0)
    assert filters.FITTED_WITH == {"optimizer": "Rprop", "lr": 0.5}
    assert experiment("filters").film().frames == 41
