"""A lesson as files: figures, animation, sounds and a page. Each is there whole or not at all."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from rtgain.errors import InputError
from rtgain.lessons.catalogue import LESSONS
from rtgain.lessons.experiments.experiment import AudioClip, ExperimentResult
from rtgain.lessons.html_page import index_page, lesson_page
from rtgain.lessons.lesson import Lesson
from rtgain.lessons.lesson_check import Result
from rtgain.output.animation import gif, mp4, pictures
from rtgain.output.figures import png, svg
from rtgain.system.atomic_write import check_directory_writable, write_atomic, write_error


def make_folder(folder: Path) -> None:
    """Make the folder for the files. Raises `InputError` where that, or a file in it, cannot be made."""
    if folder.is_file():
        raise InputError(f"{folder}: is a file; choose a folder to export to")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        check_directory_writable(folder / "index.html")
    except OSError as error:
        raise write_error(str(folder), error) from None


def media_of(exhibits: ExperimentResult) -> dict[str, bytes]:
    """Every figure (PNG and SVG), sound (WAV) and the animation (GIF and MP4), by file name."""
    media: dict[str, bytes] = {}
    for name, draw in exhibits.figures.items():
        figure = draw()
        media[f"{name}.png"] = png(figure)
        media[f"{name}.svg"] = svg(figure)
    for name, sound in exhibits.sounds.items():
        media[f"{name}.wav"] = wav(sound)
    shown = list(pictures(exhibits.film()))
    media["animation.gif"] = gif(shown)
    media["animation.mp4"] = mp4(shown)
    return media


def wav(sound: AudioClip) -> bytes:
    """16 bits, mono. Raises `ValueError` for a sound beyond full scale, which would be cut off."""
    peak = float(np.abs(sound.samples).max())
    if peak > 1.0:
        raise ValueError(f"a peak of {peak:.3f} is beyond full scale")
    buffer = io.BytesIO()
    soundfile.write(buffer, sound.samples, sound.sample_rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def flac(sounds: Sequence[AudioClip]) -> bytes:
    """Sounds of one length and rate, side by side as channels of 16 bits."""
    buffer = io.BytesIO()
    channels = np.stack([sound.samples for sound in sounds], axis=1)
    soundfile.write(buffer, channels, sounds[0].sample_rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def write_lesson(
    folder: Path, lesson: Lesson, exhibits: ExperimentResult, results: Sequence[Result], *, alone: bool
) -> None:
    """Write ``NAME.html``, and what it shows into ``NAME/``. Not `alone`, the page leads to its neighbors.

    Raises `InputError`.
    """
    media = media_of(exhibits)
    place = LESSONS.index(lesson)
    page = lesson_page(
        lesson,
        exhibits.numbers,
        results,
        media,
        previous=LESSONS[place - 1] if place > 0 and not alone else None,
        following=LESSONS[place + 1] if place + 1 < len(LESSONS) and not alone else None,
    )
    make_folder(folder / lesson.name)
    for name, content in media.items():
        write_atomic(folder / lesson.name / name, content)
    write_atomic(folder / f"{lesson.name}.html", page)


def write_index(folder: Path) -> None:
    """Write ``index.html``, which leads to all pages. Raises `InputError`."""
    write_atomic(folder / "index.html", index_page(LESSONS))
