"""Catalogue of the lessons in real-time differentiable audio. Lessons are data; only `experiments` needs torch."""

from rtgain.errors import InputError
from rtgain.lessons.content import (
    filters,
    gradient_descent,
    loudness,
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
    loudness.LESSON,
)
"""All lessons in order."""


def get_lesson(name: str) -> Lesson:
    """Return the lesson with that name or number. Raises `InputError`."""
    for lesson in LESSONS:
        if name in (lesson.name, str(lesson.number)):
            return lesson
    names = ", ".join(lesson.name for lesson in LESSONS)
    raise InputError(f"lesson: {name!r} is not one of 1 to {len(LESSONS)}, {names}")
