"""Lessons in real-time differentiable audio: data over the session and `rtgain.fit`. Only `exhibits` needs torch."""

from rtgain.errors import InputError
from rtgain.lessons import gain_that_learns, listen_to_the_spectrum, loss_that_cannot_hear, why_it_never_lands
from rtgain.lessons.lesson import Lesson

LESSONS: tuple[Lesson, ...] = tuple(
    module.LESSON for module in (gain_that_learns, loss_that_cannot_hear, listen_to_the_spectrum, why_it_never_lands)
)
"""All lessons, in their order."""


def lesson_named(name: str) -> Lesson:
    """The lesson of that name or number. Raises `InputError`."""
    for lesson in LESSONS:
        if name in (lesson.name, str(lesson.number)):
            return lesson
    raise InputError(f"lesson: {name!r} is none of {', '.join(lesson.name for lesson in LESSONS)}")
