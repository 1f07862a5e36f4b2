"""Lesson texts agree with the results of their experiments, and name only figures and sounds that exist."""

import re
import string

import numpy as np
import pytest

import rtgain
from rtgain.lessons.catalogue import LESSONS
from rtgain.lessons.experiments.experiment import ExperimentResult
from rtgain.lessons.lesson import Lesson
from rtgain.lessons.stored_results import stored_numbers
from rtgain.lessons.text_templates import fill_template
from tests import documentation
from tests.lessons.conftest import experiment


@pytest.fixture(scope="module", params=LESSONS, ids=lambda lesson: lesson.name)
def measured(request: pytest.FixtureRequest) -> tuple[Lesson, ExperimentResult]:
    return request.param, experiment(request.param.name)


def texts(lesson: Lesson) -> list[str]:
    """Every text of a lesson, for the GUI and for the page."""
    found = [lesson.summary]
    for step in lesson.steps:
        found += [step.title, step.text, step.watch, step.listen, step.why, step.animation]
        found += [*step.figures.values(), *step.sounds.values(), *(check.text for check in step.checks)]
    return found


def test_stored_numbers_give_the_same_texts_as_a_new_run(measured: tuple[Lesson, ExperimentResult]) -> None:
    lesson, result = measured
    stored = stored_numbers(lesson.name)
    for text in texts(lesson):
        # Differences that are zero up to rounding vary in the sixteenth digit.
        if any(name in ("normalized_gap", "flat", "sign_gap") for _, name, *_ in string.Formatter().parse(text)):
            continue
        assert fill_template(text, stored) == fill_template(text, result.numbers)


def test_every_check_of_the_experiment_passes(measured: tuple[Lesson, ExperimentResult]) -> None:
    lesson, result = measured
    checks = [check for step in lesson.steps for check in step.checks]
    assert checks
    assert [check for check in checks if not check.holds(result.numbers)] == []


def test_steps_name_exactly_the_figures_and_sounds_of_the_experiment(
    measured: tuple[Lesson, ExperimentResult],
) -> None:
    lesson, result = measured
    assert {name for step in lesson.steps for name in step.figures} == set(result.figures)
    assert {name for step in lesson.steps for name in step.sounds} == set(result.sounds)
    assert sum(bool(step.animation) for step in lesson.steps) == 1


def test_every_measured_number_is_used(measured: tuple[Lesson, ExperimentResult]) -> None:
    lesson, result = measured
    placeholders = {name for text in texts(lesson) for _, name, *_ in string.Formatter().parse(text) if name}
    placeholders |= {check.number for step in lesson.steps for check in step.checks}
    tested = {name for name in result.numbers if name.startswith(("plain_", "auraloss_"))}  # shown in a figure
    assert set(result.numbers) - placeholders - tested == set()


def test_no_sound_exceeds_full_scale(measured: tuple[Lesson, ExperimentResult]) -> None:
    assert all(abs(clip.samples).max() <= 1.0 for clip in measured[1].sounds.values())


def test_every_check_is_a_sentence_and_no_minus_repeats_a_word(measured: tuple[Lesson, ExperimentResult]) -> None:
    lesson, result = measured
    checks = [fill_template(check.text, result.numbers) for step in lesson.steps for check in step.checks]
    assert [text for text in checks if not re.fullmatch(r"[A-Z0-9].*[^.…]\.", text)] == []
    filled = [fill_template(text, result.numbers) for text in texts(lesson)]
    assert [text for text in filled if re.search(r"−\d[\d.]* dB (below|lower|less|down|quieter)(?! \d)", text)] == []


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_sentences_are_short_and_a_summary_is_one_sentence(lesson: Lesson) -> None:
    assert re.fullmatch(r"[^.]+\.", lesson.summary)
    sentences = [sentence for text in texts(lesson) for sentence in re.split(r"[.?:;]\s", text)]
    assert [sentence for sentence in sentences if len(sentence.split()) > 25] == []


TEACHING = {
    "gradient-descent": ("a sine 2/π = {slope:.3f}", "each step is {step:.4f}", "takes {arrival_step:.0f} steps",
                         "ends at {gain:.3f} in lesson 1", "falls to {target_db:.2f} dB"),
    "waveform-loss": ("a loss that is {loss_ratio_90:.2f} times", "the gain is {live_error_45_db:.0f} dB too low"),
    "optimizers": ("swings between {cycle_low_db:.2f} and {cycle_high_db:+.2f} dB", "swings by {sgd_swing_db:.1f} dB",
                   "“spectral/Adam@0.3” by {adam_swing_db:.1f} dB",
                   "is {slope_1024:.0f} with 1,024 samples and {slope_65536:.0f} with 65,536"),
    "real-signals": ("a plain spectral loss is {plain_10_db:.1f} dB too high",),
    "filters": ("ends before you point at it: at {trapped_hz:.0f} Hz", "the learned gain is {fit_gain_db:.1f} dB"),
    "loudness": ("the probability is {guess_7_percent:.1f} %", "in only {half_7_percent:.0f} % of tests"),
}  # fmt: skip
"""Parts of sentences of docs/teaching.md with measured numbers, by lesson."""


def test_the_teaching_plan_states_the_numbers_of_the_lessons() -> None:
    plan = " ".join(documentation.read(documentation.ROOT / "docs" / "teaching.md").split())
    sentences = [fill_template(part, stored_numbers(lesson)) for lesson, parts in TEACHING.items() for part in parts]
    assert [sentence for sentence in sentences if sentence not in plan] == []


@pytest.mark.parametrize(("lr", "gain"), [(0.1, 0.15), (0.3, -0.15), (1.0, 0.0)])
def test_rprop_comes_to_rest_where_the_answer_to_exercise_d_says(lr: float, gain: float) -> None:
    phase = np.linspace(0, 600 * np.pi, 8000)
    history = rtgain.fit(
        rtgain.LinearGain(gain=1.0), np.sin(phase), 0.15 * np.cos(phase),
        loss=rtgain.SpectralLoss(window=False, normalize=False), optimizer="Rprop", lr=lr, steps=60,
    )  # fmt: skip
    np.testing.assert_allclose(history.parameters["gain"][-10:], gain, atol=1e-3)
    plan = documentation.read(documentation.ROOT / "docs" / "teaching.md")
    assert f"at {lr:g} in {gain:g}".replace("-", "\N{MINUS SIGN}") in plan
