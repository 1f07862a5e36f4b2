"""What lessons say is what their experiments measure, and everything that they name is made."""

import re
import string

import pytest

from rtgain.lessons.catalogue import LESSONS
from rtgain.lessons.experiments.experiment import ExperimentResult
from rtgain.lessons.lesson import Lesson
from rtgain.lessons.stored_results import stored_numbers
from rtgain.lessons.text_templates import fill_template
from tests.lessons.conftest import experiment


@pytest.fixture(scope="module", params=LESSONS, ids=lambda lesson: lesson.name)
def measured(request: pytest.FixtureRequest) -> tuple[Lesson, ExperimentResult]:
    return request.param, experiment(request.param.name)


def texts(lesson: Lesson) -> list[str]:
    """Every text of a lesson, for the window and for the page."""
    found = [lesson.summary]
    for step in lesson.steps:
        found += [step.title, step.text, step.watch, step.listen, step.why, step.animation]
        found += [*step.figures.values(), *step.sounds.values(), *(check.text for check in step.checks)]
    return found


def test_the_windows_numbers_are_those_of_a_fresh_run(measured: tuple[Lesson, ExperimentResult]) -> None:
    lesson, exhibits = measured
    kept = stored_numbers(lesson.name)
    for text in texts(lesson):
        # What differs in the sixteenth digit only, a difference that is nothing, is no number that is read.
        if any(name in ("normalized_gap", "flat", "sign_gap") for _, name, *_ in string.Formatter().parse(text)):
            continue
        assert fill_template(text, kept) == fill_template(text, exhibits.numbers)


def test_every_finding_holds(measured: tuple[Lesson, ExperimentResult]) -> None:
    lesson, exhibits = measured
    checks = [check for step in lesson.steps for check in step.checks]
    assert checks
    assert [check for check in checks if not check.holds(exhibits.numbers)] == []


def test_what_the_steps_show_is_what_is_made(measured: tuple[Lesson, ExperimentResult]) -> None:
    lesson, exhibits = measured
    assert {name for step in lesson.steps for name in step.figures} == set(exhibits.figures)
    assert {name for step in lesson.steps for name in step.sounds} == set(exhibits.sounds)
    assert sum(bool(step.animation) for step in lesson.steps) == 1


def test_no_sound_is_beyond_full_scale(measured: tuple[Lesson, ExperimentResult]) -> None:
    assert all(abs(sound.samples).max() <= 1.0 for sound in measured[1].sounds.values())


def test_every_finding_is_a_sentence_of_its_own_and_no_minus_says_what_a_word_says_too(
    measured: tuple[Lesson, ExperimentResult],
) -> None:
    lesson, exhibits = measured
    checks = [fill_template(check.text, exhibits.numbers) for step in lesson.steps for check in step.checks]
    assert [text for text in checks if not re.fullmatch(r"[A-Z0-9].*[^.…]\.", text)] == []
    said = [fill_template(text, exhibits.numbers) for text in texts(lesson)]
    assert [text for text in said if re.search(r"−\d[\d.]* dB (below|lower|less|down)(?! \d)", text)] == []
