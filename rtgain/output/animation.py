"""Animations: a figure whose curves move, as a GIF and as an MP4, the same bytes every time."""

import io
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtgain.output.figures import apply_axes_style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

FRAMES_PER_SECOND = 20

HOLD_FRAMES = 20
"""How long the last picture stands before it begins anew."""

Picture = NDArray[np.uint8]
"""Red, green and blue, ``(height, width, 3)``."""


@dataclass(frozen=True)
class Animation:
    """`figure` with its `moving` artists as `show` leaves them for each of `frames` pictures.

    The figure's width and height in pixels are multiples of 16, as H.264 codes them.
    """

    figure: "Figure"
    moving: "Sequence[Artist]"
    show: Callable[[int], None]
    frames: int


def pictures(film: Animation) -> Iterator[Picture]:
    """The film's pictures, one by one. What does not move is drawn once."""
    canvas: Any = film.figure.canvas
    apply_axes_style(film.figure)
    film.show(film.frames - 1)
    for artist in film.moving:
        artist.set_animated(True)
    canvas.draw()
    still = canvas.copy_from_bbox(film.figure.bbox)
    for frame in range(film.frames):
        film.show(frame)
        canvas.restore_region(still)
        for artist in film.moving:
            film.figure.draw_artist(artist)
        yield np.asarray(canvas.buffer_rgba())[..., :3].copy()


def gif(shown: list[Picture]) -> bytes:
    """An endless GIF of half the width and height, in the colors of its last picture."""
    from PIL import Image

    small = [Image.fromarray(picture).reduce(2) for picture in shown]
    palette = small[-1].quantize(colors=64, dither=Image.Dither.NONE)
    images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in small]
    frame_ms = 1000 // FRAMES_PER_SECOND
    durations = [frame_ms] * (len(images) - 1) + [HOLD_FRAMES * frame_ms]
    buffer = io.BytesIO()
    images[0].save(buffer, "GIF", save_all=True, append_images=images[1:], duration=durations, loop=0, optimize=False)
    return buffer.getvalue()


def mp4(shown: list[Picture]) -> bytes:
    """H.264 as every browser plays it, by the ffmpeg that imageio-ffmpeg brings.

    Raises `RuntimeError` where that fails.
    """
    from imageio_ffmpeg import get_ffmpeg_exe

    height, width = shown[0].shape[:2]
    raw = f"-f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {FRAMES_PER_SECOND} -i -"
    coded = "-c:v libx264 -crf 20 -pix_fmt yuv420p -threads 1 -movflags +faststart"
    exact = "-fflags +bitexact -flags:v +bitexact -map_metadata -1"
    with tempfile.TemporaryDirectory() as folder:  # MP4 is not written front to back, so not into a pipe
        path = Path(folder) / "film.mp4"
        words = [get_ffmpeg_exe(), "-v", "error", *raw.split(), *coded.split(), *exact.split(), str(path)]
        # In a session of its own: Ctrl-C is for rtgain, which says nothing about it.
        with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as ffmpeg:
            assert ffmpeg.stdin is not None
            with suppress(BrokenPipeError):  # what it says about that is told below
                for picture in shown + [shown[-1]] * HOLD_FRAMES:
                    ffmpeg.stdin.write(picture.tobytes())
            said = ffmpeg.communicate()[1].decode(errors="replace").strip()
        if ffmpeg.returncode != 0:
            raise RuntimeError(f"ffmpeg: {said}")
        return path.read_bytes()
