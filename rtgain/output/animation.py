"""Animations of a figure as GIF and MP4, with the same bytes for the same figure."""

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
"""Number of times that the last picture is repeated before the animation restarts."""

Picture = NDArray[np.uint8]
"""One picture of an animation: red, green and blue, ``(height, width, 3)``."""


@dataclass(frozen=True)
class Animation:
    """Figure whose `moving` artists `show` updates for each of `frames` pictures.

    H.264 requires that the figure's width and height in pixels are multiples of 16.
    """

    figure: "Figure"
    moving: "Sequence[Artist]"
    show: Callable[[int], None]
    frames: int


def render_frames(animation: Animation) -> Iterator[Picture]:
    """Render the pictures of an animation one by one. Artists that do not move are drawn once."""
    canvas: Any = animation.figure.canvas
    apply_axes_style(animation.figure)
    animation.show(animation.frames - 1)
    for artist in animation.moving:
        artist.set_animated(True)
    canvas.draw()
    background = canvas.copy_from_bbox(animation.figure.bbox)
    for frame in range(animation.frames):
        animation.show(frame)
        canvas.restore_region(background)
        for artist in animation.moving:
            animation.figure.draw_artist(artist)
        yield np.asarray(canvas.buffer_rgba())[..., :3].copy()


def gif(frames: list[Picture]) -> bytes:
    """Encode pictures as an endless GIF of half the width and height, with the palette of the last picture."""
    from PIL import Image

    small = [Image.fromarray(picture).reduce(2) for picture in frames]
    palette = small[-1].quantize(colors=64, dither=Image.Dither.NONE)
    images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in small]
    frame_ms = 1000 // FRAMES_PER_SECOND
    durations = [frame_ms] * (len(images) - 1) + [HOLD_FRAMES * frame_ms]
    buffer = io.BytesIO()
    images[0].save(buffer, "GIF", save_all=True, append_images=images[1:], duration=durations, loop=0, optimize=False)
    return buffer.getvalue()


def mp4(frames: list[Picture]) -> bytes:
    """Encode pictures as an H.264 MP4 that every browser plays, with the ffmpeg of imageio-ffmpeg.

    Raises `RuntimeError` if ffmpeg fails.
    """
    from imageio_ffmpeg import get_ffmpeg_exe

    height, width = frames[0].shape[:2]
    raw = f"-f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {FRAMES_PER_SECOND} -i -"
    coded = "-c:v libx264 -crf 20 -pix_fmt yuv420p -threads 1 -movflags +faststart"
    exact = "-fflags +bitexact -flags:v +bitexact -map_metadata -1"
    with tempfile.TemporaryDirectory() as folder:  # the MP4 format needs a seekable file, not a pipe
        path = Path(folder) / "animation.mp4"
        command = [get_ffmpeg_exe(), "-v", "error", *raw.split(), *coded.split(), *exact.split(), str(path)]
        # In its own process session: Ctrl-C must reach rtgain only, without messages of ffmpeg.
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as ffmpeg:
            assert ffmpeg.stdin is not None
            with suppress(BrokenPipeError):  # ffmpeg's message is raised below
                for picture in frames + [frames[-1]] * HOLD_FRAMES:
                    ffmpeg.stdin.write(picture.tobytes())
            message = ffmpeg.communicate()[1].decode(errors="replace").strip()
        if ffmpeg.returncode != 0:
            raise RuntimeError(f"ffmpeg: {message}")
        return path.read_bytes()
