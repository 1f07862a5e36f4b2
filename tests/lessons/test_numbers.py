"""Numbers in lesson texts: each is a control of the step, or is computed or measured here."""

import itertools
import math
import re

import numpy as np
import pytest
from scipy.stats import binom

from rtgain.audio.sources.demo import DemoSource
from rtgain.config.labels import describe_controls
from rtgain.config.reference_equalizer import ReferenceEqualizer
from rtgain.config.session_config import SessionConfig
from rtgain.dsp import equalizer_fit
from rtgain.dsp.filters import ParametricEQ
from rtgain.dsp.loss_curve import loss_curve
from rtgain.estimation import equalizer_learner
from rtgain.lessons.catalogue import LESSONS
from rtgain.lessons.checks import InRange
from rtgain.lessons.content.filters import LOW_SHELF, ONE_PEAK, SILENT_DIFFERENCE, THREE_FILTERS, TWO_PEAKS
from rtgain.lessons.content.optimizers import RPROP
from rtgain.lessons.experiments import filters, gradient_descent, loudness, real_signals, sine
from rtgain.lessons.experiments import optimizers as runs
from rtgain.lessons.lesson import Lesson, Step
from rtgain.output import descent_plots as plots
from rtgain.records.reference_equalizer import to_filters
from rtgain.session.offline import run_offline
from tests.lessons.conftest import experiment

NUMBER = re.compile(r"(?<![\w@/.{])\d+(?:,\d{3})*(?:\.\d+)?(?![\w}])")


def measured(lesson: str, name: str) -> float:
    return experiment(lesson).numbers[name]


def waveform_loss_minimum(degrees: float) -> float:
    """Gain with the smallest waveform loss for a phase shift of `degrees`, on a grid of 0.01."""
    gains = np.linspace(-1.0, 1.0, 201)
    return float(gains[sine.losses_at(gains, sine.phase_shifted(degrees), sine.PLAIN_WAVEFORM).argmin()])


def filters_of(*equalizers: ReferenceEqualizer) -> dict[str, float]:
    """Frequencies and gains of the equalizers that steps play, by their texts."""
    found = [item for equalizer in equalizers for item in equalizer.filters if item.on]
    return {f"{abs(value):g}": abs(value) for item in found for value in (item.frequency_hz, item.gain_db)}


SHOWN = {"200": plots.SHOWN_FRAMES, "300": sine.STEPS, "0.15": sine.GAIN, "0.150": sine.GAIN}
COMMON = {"0": 0, "1": 1, "2": 2}
"""Ends of axes, the start at a gain of one, powers and polarities: visible in figures, not measured."""

[RPROP_SWING] = [
    check for check in LESSONS[3].steps[2].expectations if isinstance(check, InRange) and check.comparison == RPROP
]

WRITTEN: dict[str, dict[str, float]] = {
    "gradient-descent": {
        **SHOWN, "0.01": sine.LR, "100": gradient_descent.STEPS_PER_SECOND,
        "600": sine.RATE * 300 / (sine.RATE // 2), "3": LESSONS[2].number, "4": LESSONS[3].number,
    },
    "waveform-loss": {**SHOWN, "45": 45, "90": 90, "180": 180},
    "spectral-loss": {
        **SHOWN, "90": 90, "100": 100, "600": 600, "0.01": sine.LR, "0.1": 0.1, "5": 5, "4": LESSONS[3].number,
    },
    "optimizers": {
        **SHOWN, "75": plots.ANIMATION_FRAMES, "100": runs.LAST_STEPS, "60": runs.RPROP_STEPS,
        "0.02": dict(runs.RUNS)["Adam"], "0.05": RPROP_SWING.high,
        "0.01": dict(runs.RUNS)["SGD"], "0.001": runs.NORMALIZED_LR, "0.3": runs.COMPARISON_LR,
        "40": -20 * math.log10(runs.QUIET), "1,024": 1024, "65,536": 65536, "7": LESSONS[6].number,
    },
    "real-signals": {
        "10": min(real_signals.NOISE_DB), "20": 20, "30": max(real_signals.NOISE_DB), "0.002": 0.002,
        "2020": 2020, "85": 85, "341": 1e3 * 16384 / 48_000, "21": 1e3 * 1024 / real_signals.RATE,
    },
    "real-time": {
        "256": 256, "48": 48, "21": 21.3, "341": 1e3 * 16384 / 48_000, "171": 1e3 * 8192 / 48_000, "0.5": 0.5,
    },
    "filters": {
        "3": -filters.PEAK_START["peak_2_gain_db"], "3000": 1e3 * 2 ** filters.PEAK_START["peak_2_octaves"],
        "60": filters.PEAK_STEPS, "120": filters.STEPS, "0.2": filters.LR, "19": len(ParametricEQ.info),
        "48000": filters.RATE, "400": filters.TRAPPED_START_HZ, "9": filters.BAND_DB, "0.01": filters.PRIOR_PER_DB,
        "100": filters.BAND_STEPS, "6": -filters.GAIN_DB, "30": -SILENT_DIFFERENCE.high,
        **filters_of(THREE_FILTERS, ONE_PEAK, TWO_PEAKS),
    },
    "loudness": {
        "4": loudness.TRIALS / 2, "6": 6, "7": 7, "8": loudness.TRIALS, "12": loudness.LONG_TEST[1],
        "16": loudness.LONG_TEST[0], "5": 5, "75": 100 * loudness.SHARE_RIGHT, "0.5": loudness.LEVELS_DB["louder_05"],
        "0.1": loudness.LIMIT_DB, "0.15": 0.15, "30": 30, "3": 3, "1982": 1982, "1770": 1770, **filters_of(LOW_SHELF),
    },
}  # fmt: skip


def written(text: str) -> set[str]:
    """Numbers in a text, without placeholders, keys, names of comparisons and references to lessons."""
    for pattern in (r"\{[^}]*\}", r"\((?:key )?[1-4]\)", r"“[^”]*”", r"\(lesson \d\)"):
        text = re.sub(pattern, " ", text)
    return set(NUMBER.findall(text))


def texts(step: Step) -> list[str]:
    captions = [*step.figures.values(), *step.sounds.values(), *(check.text for check in step.checks)]
    return [step.title, step.text, step.watch, step.listen, step.why, step.animation, *captions]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_every_number_in_a_text_is_a_control_or_is_measured(lesson: Lesson) -> None:
    sources = WRITTEN[lesson.name] | COMMON
    used = set()
    for step in lesson.steps:
        for number in set().union(*map(written, texts(step))):
            if re.search(rf"(?<![\d.]){re.escape(number)}(?![\d.])", describe_controls(step.all_controls)):
                continue
            used.add(number)
            assert number in sources, (step.title, number)
            digits = len(number.partition(".")[2])
            assert float(number.replace(",", "")) == pytest.approx(sources[number], abs=0.51 * 10**-digits), step.title
    used |= written(lesson.summary)
    assert used <= set(sources)


def test_lesson_1_slope_is_two_over_pi() -> None:
    assert measured("gradient-descent", "slope") == pytest.approx(2 / math.pi, rel=1e-3)
    first, larger = LESSONS[0].steps[0].all_controls, LESSONS[0].steps[2].all_controls
    assert (larger["lr"] / first["lr"], first["steps"], larger["steps"]) == (pytest.approx(10), 1, 24)


def test_lesson_2_waveform_loss_minimum_is_the_gain_times_the_cosine() -> None:
    assert measured("waveform-loss", "gain_45") == pytest.approx(0.15 * math.cos(math.pi / 4), rel=1e-3)
    assert measured("waveform-loss", "cos_45") == pytest.approx(0.15 * math.cos(math.pi / 4))
    assert measured("waveform-loss", "loss_ratio_90") == pytest.approx(math.sqrt(2), rel=1e-3)
    for degrees in (0, 45, 90, 180):
        assert waveform_loss_minimum(degrees) == pytest.approx(0.15 * math.cos(math.radians(degrees)), abs=0.006)


@pytest.mark.parametrize("sample_rate", [44_100, 48_000])
def test_lesson_2_states_the_live_gain_at_45_degrees_at_any_sample_rate(sample_rate: int) -> None:
    """At 48 kHz the sine repeats after 48 samples, and the minimum of the waveform loss is at one of them."""
    config = SessionConfig(**LESSONS[1].steps[0].all_controls, duration=2.0, sample_rate=sample_rate)
    history = run_offline(config).history
    shown_db = history.gain_est_db[history.time_s > 1.0]
    for form, name, shown in (
        (".2f", "live_45", 10 ** (shown_db / 20)),
        (".0f", "live_error_45_db", sine.GAIN_DB - shown_db),
    ):
        stated = format(measured("waveform-loss", name), form)
        assert {format(value, form) for value in shown} == {stated}
        assert f"{{{name}:{form}}}" in LESSONS[1].steps[0].text


def test_lesson_3_states_the_live_error_of_a_delayed_target_in_every_loop_of_the_music() -> None:
    step = next(step for step in LESSONS[2].steps if "delayed_db" in step.text)
    history = run_offline(SessionConfig(**step.all_controls, duration=21.0)).history
    off_db, single_db = (np.abs(gain - history.gain_true_db) for gain in (history.gain_est_db, history.gain_opt_db))
    for begin_s in (1.0, 11.0):
        loop = (history.time_s >= begin_s) & (history.time_s < begin_s + 10.0)
        assert f"{np.sqrt(np.mean(off_db[loop] ** 2)):.1f}" == f"{measured('spectral-loss', 'delayed_db'):.1f}"
        assert 0.01 < np.mean(single_db[loop] > 1.0) < 0.2, "at times"


def test_lesson_3_slopes_follow_the_formula_and_the_loss_has_two_minima() -> None:
    numbers = experiment("spectral-loss").numbers
    assert (numbers["slope_1"], numbers["slope_2"]) == pytest.approx((1 / 0.15, 2 / 0.15**2), rel=1e-4)
    assert numbers["diverged_db"] == pytest.approx(-0.1 * 2 / 0.15**2 * 20 / math.log(10), abs=0.05)
    gains = np.linspace(-1.0, 1.0, 201)
    losses = sine.losses_at(gains, sine.phase_shifted(90.0), sine.PLAIN_SPECTRAL)
    lower = (losses[1:-1] < losses[:-2]) & (losses[1:-1] < losses[2:])
    np.testing.assert_allclose(gains[1:-1][lower], [-0.15, 0.15], atol=0.006)


def test_lesson_4_level_and_steps_agree_with_the_text() -> None:
    assert pytest.approx(100) == 1 / runs.QUIET
    quiet = next(step for step in LESSONS[3].steps if step.all_controls["gain_db"] < -50)
    assert quiet.all_controls["gain_db"] == pytest.approx(20 * math.log10(0.15) - 40, abs=1e-5)
    assert measured("optimizers", "step_db") == pytest.approx(0.3 * 8.686, abs=1e-3)
    assert measured("optimizers", "sgd_swing_db") < 2 * measured("optimizers", "step_db")


def test_lesson_5_noise_level_and_silent_beat_agree_with_the_text() -> None:
    music = DemoSource(48_000).read(480_000)[0].astype(np.float64)
    target_dbfs = 10 * np.log10(np.mean(music**2)) + sine.GAIN_DB
    noisy = next(step for step in LESSONS[4].steps if step.title == "Noise")
    assert noisy.all_controls["noise_dbfs"] == pytest.approx(target_dbfs - 10, abs=0.5)
    silent = np.abs(music).reshape(-1, 4800).max(axis=1) < 1e-3
    assert np.count_nonzero(np.diff(silent.astype(int)) == 1) == 1
    assert next(check for check in LESSONS[4].steps[0].checks if check.number == "clean_db").high == 0.002


@pytest.mark.parametrize(
    ("played", "values"),
    [
        (THREE_FILTERS, filters.THREE_FILTERS), (ONE_PEAK, filters.ONE_PEAK), (TWO_PEAKS, filters.TWO_PEAKS),
        (LOW_SHELF, loudness.SHELF),
    ],
    ids=["three filters", "one peak", "two peaks", "low shelf"],
)  # fmt: skip
def test_lessons_7_and_8_play_the_equalizers_of_their_experiments(
    played: ReferenceEqualizer, values: dict[str, float]
) -> None:
    equalizers = to_filters(played), ParametricEQ(filters.RATE, gain_db=0.0, **values).filters
    np.testing.assert_allclose(*(equalizer.response(filters.HERTZ, filters.RATE) for equalizer in equalizers))


def test_lesson_8_probabilities_are_those_of_the_binomial_distribution() -> None:
    assert measured("loudness", "guess_8_percent") == pytest.approx(100 / 2**8)
    for name, trials, right, share in (
        ("guess_7_percent", 8, 7, 0.5), ("guess_6_percent", 8, 6, 0.5),
        ("half_7_percent", 8, 7, 0.75), ("half_12_percent", 16, 12, 0.75),
    ):  # fmt: skip
        assert measured("loudness", name) == pytest.approx(100 * binom.sf(right - 1, trials, share))
    low_scores = binom.cdf(6, 8, 0.5)
    assert measured("loudness", "below_7") == pytest.approx(low_scores)
    assert measured("loudness", "three_7_percent") == pytest.approx(100 * binom.sf(0, 3, 1 - low_scores))
    assert binom.sf(12 - 1, 16, 0.5) < 0.05 < binom.sf(11 - 1, 16, 0.5), "12 right are needed"
    assert binom.sf(7 - 1, 8, 0.5) < 0.05 < binom.sf(6 - 1, 8, 0.5), "7 right are needed"


def test_lesson_8_every_step_asks_for_a_blind_test_at_its_level() -> None:
    steps = LESSONS[7].steps
    assert {step.blind_trials for step in steps} == {8}
    assert [step.all_controls["gain_db"] for step in steps[:6]] == [2.0, 1.0, 0.5] * 2
    assert [step.all_controls["level_match"] for step in steps] == [*["off"] * 3, *["estimate"] * 4, "loudness"]


def test_lesson_7_intervals_of_the_live_fit_and_its_distance_of_peaks_agree_with_the_text() -> None:
    assert (equalizer_learner.MEMORY_S, 1 / equalizer_learner.UPDATE_S) == (2.0, 10.0)
    assert filters.NEIGHBORS["peak_3_octaves"] - filters.NEIGHBORS["peak_2_octaves"] == pytest.approx(0.25)
    assert equalizer_fit.MIN_PEAK_DISTANCE_OCTAVES == 0.25


def test_lesson_7_minima_are_local() -> None:
    """Around the trapped peak every small step makes the loss larger; the escaped peak has a smaller one."""
    dry = experiment("filters").sounds["dry"].samples[filters.WINDOW]
    target = experiment("filters").sounds["peaks"].samples[filters.WINDOW]
    loss_at: dict[tuple[float, float], float] = {}
    for gain_db, octaves in itertools.product((-0.5, 0.0, 0.5), (-0.1, 0.0, 0.1)):
        peak = ParametricEQ(
            filters.RATE,
            gain_db=filters.GAIN_DB,
            peak_2_q=2.0,
            peak_2_gain_db=measured("filters", "trapped_db") + gain_db,
        )
        (loss_at[gain_db, octaves],) = loss_curve(
            peak, "peak_2_octaves", [math.log2(measured("filters", "trapped_hz") / 1000) + octaves], dry, target
        )
    assert min(loss_at, key=loss_at.__getitem__) == (0.0, 0.0)
    assert measured("filters", "escaped_loss") < 0.3 * loss_at[0.0, 0.0]
