"""Lessons in real-time differentiable audio: data over the session and `rtgain.fit`. Only `exhibits` needs torch."""

from rtgain.errors import InputError
from rtgain.lessons import (
    beyond_one_gain,
    gain_that_learns,
    listen_to_the_spectrum,
    live,
    loss_that_cannot_hear,
    sound_is_not_a_sine,
    why_it_never_lands,
)
from rtgain.lessons.lesson import Lesson

LESSONS: tuple[Lesson, ...] = (
    gain_that_learns.LESSON,
    loss_that_cannot_hear.LESSON,
    listen_to_the_spectrum.LESSON,
    why_it_never_lands.LESSON,
    sound_is_not_a_sine.LESSON,
    live.LESSON,
    beyond_one_gain.LESSON,
)
"""All lessons, in their order."""


def lesson_named(name: str) -> Lesson:
    """The lesson of that name or number. Raises `InputError`."""
    for lesson in LESSONS:
        if name in (lesson.name, str(lesson.number)):
            return lesson
    raise InputError(f"lesson: {name!r} is none of 1 to {len(LESSONS)}, {', '.join(lesson.name for lesson in LESSONS)}")
