"""Checks of a lesson: expectations on a sequence of observations, and ranges of measured numbers."""

import math
from dataclasses import replace

import numpy as np
import pytest

from rtgain.config.session_config import make_session_config, with_changes
from rtgain.lessons.catalogue import LESSONS
from rtgain.lessons.check_state import ExpectationTracker
from rtgain.lessons.checks import (
    BlindTestEnds,
    ComparisonObservation,
    InRange,
    ListeningResult,
    NoXruns,
    NumericCheck,
    Observation,
    SoundObservation,
)
from rtgain.lessons.text_templates import fill_template
from rtgain.records.equalizer import EqualizerFilter, EqualizerFilters
from rtgain.records.history import History
from rtgain.records.learned_equalizer import LearnedEqualizer
from rtgain.records.level_match import LevelMatch
from rtgain.records.levels import Level, residual_db
from rtgain.records.response import Response
from rtgain.records.snapshot import Comparison

NAME = "spectral/SGD@0.3"


def make_observation(time_s: float, *, xruns: int = 0, comparison: ComparisonObservation | None = None) -> Observation:
    comparisons = {NAME: comparison} if comparison else {}
    return Observation(time_s, "tracking", -16.48, 0.01, 0.0, 1, xruns, comparisons)


def make_comparison(time_s: list[float], gain_db: list[float]) -> Comparison:
    times, gains, unknown = np.array(time_s), np.array(gain_db), np.full(len(time_s), math.nan)
    history = History(times, unknown, gains, *[unknown] * 5, gains[None], unknown[None])
    return Comparison(NAME, "spectral", "SGD", history, gain_db[-1] if gain_db else math.nan, "converging")


def test_no_xruns_passes_after_a_second_without_xruns() -> None:
    tracker = ExpectationTracker(NoXruns(hold_s=1.0, deadline_s=6.0))
    for time_s, xruns in ((0.0, 0), (0.5, 2), (1.0, 2), (1.6, 3), (2.0, 3), (2.5, 3)):
        tracker.observe(make_observation(time_s, xruns=xruns))
        assert tracker.outcome != "passed"
    tracker.observe(make_observation(3.1, xruns=3))
    assert (tracker.outcome, tracker.observed) == ("passed", "xruns in this step 3")


def test_no_xruns_fails_if_xruns_continue_beyond_the_deadline() -> None:
    tracker = ExpectationTracker(NoXruns(hold_s=1.0, deadline_s=6.0))
    for tenth in range(70):
        tracker.observe(make_observation(0.1 * tenth, xruns=tenth))
    assert tracker.outcome == "failed"


def test_a_range_that_is_reached_after_the_deadline_fails_with_the_time() -> None:
    tracker = ExpectationTracker(InRange("gain_db", -17.0, -16.0))
    tracker.observe(replace(make_observation(5.0), gain_db=-3.0))
    tracker.observe(make_observation(6.54))
    assert (tracker.outcome, tracker.observed) == ("failed", "estimate −16.48 dB only after 6.5 s, not 6")


def test_the_swing_of_a_comparison_covers_its_last_second() -> None:
    comparison = make_comparison([0.0, 1.0, 1.5, 2.0, 2.4], [0.0, -18.0, -14.0, -17.0, -15.0])
    assert ComparisonObservation.from_comparison(comparison) == ComparisonObservation(-15.0, 3.0)
    assert ComparisonObservation.from_comparison(comparison, time_s=1.6) == ComparisonObservation(-14.0, 4.0)
    empty = ComparisonObservation.from_comparison(comparison, time_s=-1.0)
    assert math.isnan(empty.gain_db)
    assert math.isnan(empty.swing_db)


@pytest.mark.parametrize(
    ("observed", "outcome"),
    [(None, "pending"), (ComparisonObservation(-18.0, 4.5), "passed"), (ComparisonObservation(-18.0, 0.1), "pending")],
)
def test_an_expectation_of_a_comparison_does_not_read_the_estimate(
    observed: ComparisonObservation | None, outcome: str
) -> None:
    tracker = ExpectationTracker(InRange("swing_db", 1.0, 5.2, comparison=NAME))
    for time_s in (0.0, 0.6):
        tracker.observe(make_observation(time_s, comparison=observed))
    assert tracker.outcome == outcome
    assert str(tracker.expectation) == "spectral/SGD@0.3 swing 1 to 5.2 dB"
    assert str(InRange("gain_db", -18.0, -14.0, comparison=NAME)) == "spectral/SGD@0.3 gain −18 to −14 dB"


def test_values_of_the_sound_are_read_from_levels_equalizer_and_level_match() -> None:
    levels = {"target": Level((0.0,), (-20.0,)), "difference": Level((0.0,), (-55.0,))}
    filters = tuple(EqualizerFilter("peak", 1000.0, gain_db, 1.0) for gain_db in (2.0, -3.0, 1.0))
    measured = Response(*np.zeros((3, 1)))
    learned = LearnedEqualizer(
        0.0, 0.0, EqualizerFilters(-6.0, filters), (0.1,) * 3, 0.2, measured, np.zeros(1), np.empty((0, 19))
    )
    sound = SoundObservation.of(levels, learned, LevelMatch("estimate", 2.0, 3.5))
    assert sound == SoundObservation(pytest.approx(-35.0), 0.2, -3.0, 0.0, 1.5)
    tracker = ExpectationTracker(InRange("residual_db", -math.inf, -30.0, hold_s=0.0))
    tracker.observe(replace(make_observation(0.0), sound=sound))
    assert (tracker.outcome, tracker.observed) == ("passed", "residual −35 dB")
    assert str(tracker.expectation) == "residual at most −30 dB"


@pytest.mark.parametrize(
    ("target_dbfs", "difference_dbfs", "expected_db"),
    [((-math.inf,), (-10.0,), math.nan), ((-10.0,), (-math.inf,), -200.0), ((-13.0, -13.0), (-20.0, -math.inf), -10.0)],
)
def test_residual_is_unknown_in_silence_and_adds_the_power_of_channels(
    target_dbfs: tuple[float, ...], difference_dbfs: tuple[float, ...], expected_db: float
) -> None:
    levels = {"target": Level((), target_dbfs), "difference": Level((), difference_dbfs)}
    assert residual_db(levels) == pytest.approx(expected_db, abs=0.02, nan_ok=True)


def test_without_an_equalizer_the_values_of_the_bands_are_unknown() -> None:
    levels = dict.fromkeys(("target", "difference"), Level((-3.0,), (-10.0,)))
    sound = SoundObservation.of(levels, None, LevelMatch())
    assert math.isnan(sound.response_error_db)
    assert math.isnan(sound.largest_band_db)


def test_a_blind_test_passes_with_any_score_once_all_trials_are_answered() -> None:
    expectation = BlindTestEnds(8)
    tracker = ExpectationTracker(expectation)
    for listening, outcome in (
        (None, "pending"),
        (ListeningResult(5, "stopped"), "pending"),
        (ListeningResult(8, "3 of 8 right"), "passed"),
    ):
        tracker.observe(replace(make_observation(600.0), listening=listening))
        assert tracker.outcome == outcome
    assert (str(expectation), tracker.observed) == ("ABX test of 8 trials", "3 of 8 right")


def test_an_unknown_number_is_written_as_a_dash() -> None:
    tracker = ExpectationTracker(InRange("gain_db", -16.58, -16.38))
    tracker.observe(replace(make_observation(0.0), gain_db=math.nan))
    assert (tracker.outcome, tracker.observed) == ("pending", "estimate – dB")


def test_a_polarity_is_written_in_words() -> None:
    tracker = ExpectationTracker(InRange("polarity", -1, -1))
    tracker.observe(replace(make_observation(0.0), polarity=-1))
    assert (str(tracker.expectation), tracker.observed) == ("polarity inverted", "polarity inverted")


def test_expected_and_measured_numbers_are_written_in_the_same_sentence() -> None:
    check = NumericCheck("low_db", -0.73, -0.71, "In {steps:.0f} steps the error goes down to {low_db:+.3f} dB.")
    numbers = {"steps": 300.0, "low_db": -0.717}
    assert check.expected(numbers) == "In 300 steps the error goes down to −0.73 to −0.71 dB."
    assert fill_template(check.text, numbers) == "In 300 steps the error goes down to −0.717 dB."


def test_bounds_are_not_rounded_to_zero_and_zero_has_no_sign() -> None:
    assert str(NumericCheck("gap", -1e-6, 0.0, "{gap}.")) == "\N{MINUS SIGN}1e\N{MINUS SIGN}06 to 0"
    tracker = ExpectationTracker(InRange("gain_db", -0.01, 0.01))
    tracker.observe(replace(make_observation(0.0), gain_db=-7e-6))
    assert tracker.observed == "estimate 0 dB"


def test_controls_of_a_lesson_replace_the_section_of_a_file() -> None:
    for step in (step for lesson in LESSONS for step in lesson.steps):
        config = with_changes(make_session_config(input="a.wav", start=1.0, end=2.0), **step.all_controls)
        assert (config.start, config.end) == (None, None)
