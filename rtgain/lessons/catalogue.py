"""Lessons in real-time differentiable audio: data over the session and `rtgain.fit`. Only `exhibits` needs torch."""

from rtgain.errors import InputError
from rtgain.lessons.content import (
    filters,
    gradient_descent,
    optimizers,
    real_signals,
    real_time,
    spectral_loss,
    waveform_loss,
)
from rtgain.lessons.lesson import Lesson

LESSONS: tuple[Lesson, ...] = (
    gradient_descent.LESSON,
    waveform_loss.LESSON,
    spectral_loss.LESSON,
    optimizers.LESSON,
    real_signals.LESSON,
    real_time.LESSON,
    filters.LESSON,
)
"""All lessons, in their order."""


def get_lesson(name: str) -> Lesson:
    """The lesson of that name or number. Raises `InputError`."""
    for lesson in LESSONS:
        if name in (lesson.name, str(lesson.number)):
            return lesson
    raise InputError(f"lesson: {name!r} is none of 1 to {len(LESSONS)}, {', '.join(lesson.name for lesson in LESSONS)}")
