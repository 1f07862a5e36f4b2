"""Export of a lesson: figures, animation, sounds, notebook and page. Each file is written completely or not at all."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from rtgain.errors import InputError
from rtgain.lessons.catalogue import LESSONS
from rtgain.lessons.experiments.experiment import AudioClip, ExperimentResult
from rtgain.lessons.html_page import index_page, lesson_page
from rtgain.lessons.lesson import CheckResult, Lesson
from rtgain.lessons.notebook import lesson_notebook
from rtgain.output.animation import gif, render_frames, video
from rtgain.output.figures import png, svg
from rtgain.system.atomic_write import check_directory_writable, write_atomic, write_error


def make_folder(folder: Path) -> None:
    """Create the folder for the files. Raises `InputError` if it, or a file in it, cannot be created."""
    try:
        if folder.is_file():
            raise InputError(f"{folder}: is a file; choose a folder to export to")
        folder.mkdir(parents=True, exist_ok=True)
        check_directory_writable(folder / "index.html")
    except OSError as error:
        raise write_error(str(folder), error) from None


def render_media(result: ExperimentResult) -> dict[str, bytes]:
    """Render every figure (PNG and SVG), sound (WAV) and the animation (GIF and MP4), by file name."""
    media: dict[str, bytes] = {}
    for name, draw in result.figures.items():
        figure = draw()
        media[f"{name}.png"] = png(figure)
        media[f"{name}.svg"] = svg(figure)
    for name, clip in result.sounds.items():
        media[f"{name}.wav"] = wav(clip)
    frames = list(render_frames(result.animation()))
    media["animation.gif"] = gif(frames)
    media["animation.mp4"] = video(frames)
    return media


def wav(clip: AudioClip) -> bytes:
    """Encode a clip as WAV, 16 bits, mono. Raises `ValueError` for a peak beyond full scale, which would clip."""
    peak = float(np.abs(clip.samples).max())
    if peak > 1.0:
        raise ValueError(f"a peak of {peak:.3f} is beyond full scale")
    buffer = io.BytesIO()
    soundfile.write(buffer, clip.samples, clip.sample_rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def write_lesson(
    folder: Path, lesson: Lesson, result: ExperimentResult, results: Sequence[CheckResult], *, seed: int, linked: bool
) -> None:
    """Write ``NAME.html``, ``NAME.ipynb``, and the media of the page into ``NAME/``.

    `seed` is that of the experiment. A `linked` page links to the index and its neighbors. Raises `InputError`.
    """
    media = render_media(result)
    index = LESSONS.index(lesson)
    page = lesson_page(
        lesson,
        result.numbers,
        results,
        media,
        previous=LESSONS[index - 1] if linked and index > 0 else None,
        following=LESSONS[index + 1] if linked and index + 1 < len(LESSONS) else None,
    )
    make_folder(folder / lesson.name)
    for name, content in media.items():
        write_atomic(folder / lesson.name / name, content)
    write_atomic(folder / f"{lesson.name}.ipynb", lesson_notebook(lesson, result.numbers, seed))
    write_atomic(folder / f"{lesson.name}.html", page)


def write_index(folder: Path) -> None:
    """Write ``index.html`` with links to all pages. Raises `InputError`."""
    write_atomic(folder / "index.html", index_page(LESSONS))
