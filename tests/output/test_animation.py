"""Animation of a figure in a notebook."""

import base64
import io

import av
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

import rtgain
from rtgain.errors import InputError


@pytest.mark.parametrize("size", [(320, 160), (331, 171)])
def test_a_notebook_plays_the_animation_of_a_closed_figure_of_any_size(size: tuple[int, int]) -> None:
    """A closed figure is not displayed as a picture in addition; pyplot takes its canvas away."""
    with mpl.rc_context({"backend": "agg"}):
        figure, axes = plt.subplots(figsize=(size[0] / 100, size[1] / 100), dpi=100)
        (line,) = axes.plot([0, 1], [0, 0], linewidth=5)
        plt.close(figure)
    shown = rtgain.Animation(figure, (line,), lambda frame: line.set_ydata([frame, frame]), 3)._repr_html_()
    content = base64.b64decode(shown.partition("base64,")[2].partition('"')[0])
    with av.open(io.BytesIO(content)) as file:
        frames = [frame.to_ndarray(format="gray") for frame in file.decode(video=0)]
    assert frames[0].shape == (size[1] // 2 * 2, size[0] // 2 * 2)
    assert np.abs(frames[0].astype(int) - frames[2]).max() > 100


@pytest.mark.parametrize("frames", [0, -1, 1.5])
def test_an_animation_has_a_whole_number_of_pictures(frames: float) -> None:
    with pytest.raises(InputError, match=f"Animation: frames must be a whole number, 1 or more, not {frames}"):
        rtgain.Animation(plt.figure(), (), print, frames)  # type: ignore[arg-type]
    plt.close("all")
