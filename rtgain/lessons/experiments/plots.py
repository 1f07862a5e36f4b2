"""Pictures that several lessons draw: waveforms, a loss against the gain, a gain over steps, and their animation."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtgain.number_format import real_minus
from rtgain.output.animation import Animation
from rtgain.output.curve_styles import CLOSED_FORM, DRY, ESTIMATE, REFERENCE, TARGET
from rtgain.output.figures import LEGEND, add_figure_legend, draw, paper

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Wave = NDArray[np.float64]

SHOWN_FRAMES = 200
WIDTH = 1200
ANIMATION_SIZE = (1280, 560)
ANIMATION_FRAMES = 75


def make_axes(rows: int, columns: int = 1, *, height: int = 480, **options: Any) -> tuple["Figure", list["Axes"]]:
    """A figure of `rows` × `columns` axes, each row `height` pixels, and its axes in reading order."""
    figure = paper(WIDTH, rows * height)
    return figure, list(np.ravel(figure.subplots(rows, columns, **options)))


def draw_waveforms(axes: "Axes", dry: Wave, target: Wave, estimate: Wave) -> None:
    """The first 200 samples of the three, the dashed target last: on top of the estimate that it coincides with."""
    for curve, samples in ((DRY, dry), (ESTIMATE, estimate), (TARGET, target)):
        draw(axes, curve, np.arange(SHOWN_FRAMES), samples[:SHOWN_FRAMES])
    peak = float(np.abs(dry).max())
    axes.set_ylim(-1.1 * peak, 1.45 * peak)
    axes.set_xlabel("sample")
    axes.legend(**LEGEND, ncols=3, columnspacing=1.0, loc="upper right")


def draw_loss(axes: "Axes", gains: Wave, losses: Wave, *, reference: float) -> None:
    """A loss against the gain, with a line at the true one."""
    axes.axvline(reference, **_line(REFERENCE), label="true gain")
    draw(axes, ESTIMATE, gains, losses, label="loss")
    axes.set_xlabel("gain")
    axes.set_ylabel("loss")


def mark(axes: "Axes", gain: float, loss: float, label: str) -> None:
    """A point on a loss: where a descent is."""
    axes.plot([gain], [loss], "o", color=ESTIMATE.light, markersize=7, label=label)


def plot_optimum(axes: "Axes", gain: float, loss: float) -> None:
    """The closed form's point on a loss."""
    axes.plot([gain], [loss], "D", color=CLOSED_FORM.light, markersize=6, label="closed form")


def draw_steps(axes: "Axes", values: Wave, *, reference: float, label: str = "estimate") -> None:
    """A parameter over the steps of a descent, with the true one."""
    axes.axhline(reference, **_line(REFERENCE), label=REFERENCE.label)
    draw(axes, ESTIMATE, np.arange(len(values)), values, label=label)
    axes.set_xlabel("step")


def descent_animation(
    gains: Wave, losses: Wave, path: Wave, dry: Wave, target: Wave, *, reference: float, first_step: int = 0
) -> Animation:
    """A point that walks along a loss, and beside it the estimate's waveform; `path` begins at `first_step`."""
    figure = paper(*ANIMATION_SIZE)
    left, right = figure.subplots(1, 2)
    draw_loss(left, gains, losses, reference=reference)
    mark(left, path[0], float(np.interp(path[0], gains, losses)), "estimate")
    point = left.lines[-1]
    add_figure_legend(figure, left)
    draw_waveforms(right, dry, target, path[0] * dry)
    _, estimate, wanted = right.lines
    titles = [axes.set_title("step", loc="left") for axes in (left, right)]
    steps = animation_steps(len(path))

    def show(frame: int) -> None:
        gain = path[steps[frame]]
        point.set_data([gain], [np.interp(gain, gains, losses)])
        estimate.set_ydata(gain * dry[:SHOWN_FRAMES])
        titles[0].set_text(f"step {first_step + steps[frame]}")
        titles[1].set_text(real_minus(f"gain {gain:.3f}"))

    return Animation(figure, (point, estimate, wanted, *titles), show, len(steps))


def animation_steps(length: int) -> NDArray[np.int64]:
    """Which of `length` values a film shows: no two alike, the first and the last among them."""
    return np.unique(np.linspace(0, length - 1, min(length, ANIMATION_FRAMES)).astype(np.int64))


def _line(curve: Any) -> dict[str, Any]:
    """Dashes over the solid lines, as in the window: all show where they agree."""
    return {"zorder": 3, "color": curve.light, "linestyle": (0, curve.dash) if curve.dash else "-", "linewidth": 1.0}
