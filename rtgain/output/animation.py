"""Animations of a figure, and their GIF with the same bytes for the same figure."""

import base64
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtgain.config.api_arguments import checked_count
from rtgain.output.figures import apply_axes_style
from rtgain.output.mp4_writer import mp4

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

FRAMES_PER_SECOND = 20

HOLD_FRAMES = 20
"""Number of times that the last picture is repeated before the animation restarts."""

VIDEO_OPTIONS = 'autoplay loop muted playsinline controls style="width: 100%; max-width: 960px"'
"""Attributes of the video element in a notebook."""

Picture = NDArray[np.uint8]
"""One picture of an animation: red, green and blue, ``(height, width, 3)``."""


@dataclass(frozen=True)
class Animation:
    """Figure whose `moving` artists `show` updates for each of `frames` pictures.

    Raises `InputError` without a picture.
    """

    figure: "Figure"
    moving: "Sequence[Artist]"
    show: Callable[[int], None]
    frames: int

    def __post_init__(self) -> None:
        checked_count("Animation: frames", self.frames, minimum=1)

    def _repr_html_(self) -> str:
        """The animation as a video with controls, for notebooks."""
        content = base64.b64encode(video(list(render_frames(self)))).decode()
        return f'<video src="data:video/mp4;base64,{content}" {VIDEO_OPTIONS}></video>'


def render_frames(animation: Animation) -> Iterator[Picture]:
    """Render the pictures of an animation one by one. Artists that do not move are drawn once."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(animation.figure)  # pyplot takes the canvas of a closed figure away
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


def video(frames: list[Picture]) -> bytes:
    """Encode pictures as an MP4 that holds the last one before it ends.

    H.264 in this format has an even width and height: an odd last column or row is left out.
    """
    height, width = (size - size % 2 for size in frames[0].shape[:2])
    even = [picture[:height, :width] for picture in frames]
    return mp4(even + [even[-1]] * HOLD_FRAMES, FRAMES_PER_SECOND)


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
