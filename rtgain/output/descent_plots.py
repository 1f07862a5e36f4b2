"""Plots of a descent: waveforms, loss against a parameter, parameters over steps, and the animation."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtgain.number_format import format_as
from rtgain.output.animation import Animation
from rtgain.output.curve_styles import CLOSED_FORM, DRY, ESTIMATE, MATCHED, REFERENCE, TARGET, CurveStyle
from rtgain.output.figures import LEGEND, add_figure_legend, new_figure, plot_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Wave = NDArray[np.float64]

SHOWN_FRAMES = 200
WIDTH = 1200
ANIMATION_SIZE = (1280, 560)
TITLE_PARAMETERS = 2
"""Largest number of parameters whose values fit in the title of an animation."""

ANIMATION_FRAMES = 75


def make_axes(rows: int, columns: int = 1, *, height: int = 480, **options: Any) -> tuple["Figure", list["Axes"]]:
    """Make a figure of `rows` × `columns` axes, `height` pixels per row; return it and its axes in reading order."""
    figure = new_figure(WIDTH, rows * height)
    return figure, list(np.ravel(figure.subplots(rows, columns, **options)))


def plot_waveforms(axes: "Axes", dry: Wave, target: Wave, matched: Wave) -> None:
    """Plot the first 200 samples of the three signals, the dashed target on top of the matched signal."""
    for style, samples in ((DRY, dry), (MATCHED, matched), (TARGET, target)):
        plot_curve(axes, style, np.arange(len(samples[:SHOWN_FRAMES])), samples[:SHOWN_FRAMES])
    peak = float(np.abs(dry).max())
    axes.set_ylim(-1.1 * peak, 1.45 * peak)
    axes.set_xlabel("sample")
    axes.legend(**LEGEND, ncols=3, columnspacing=1.0, loc="upper right")


def plot_loss(axes: "Axes", gains: Wave, losses: Wave, *, reference: float | None) -> None:
    """Plot a loss against the gain, with a line at the reference gain if it is known."""
    if reference is not None:
        axes.axvline(reference, **_line(REFERENCE), label="reference gain")
    plot_curve(axes, ESTIMATE, gains, losses, label="loss")
    axes.set_xlabel("gain")
    axes.set_ylabel("loss")


def plot_point(axes: "Axes", gain: float, loss: float, label: str) -> None:
    """Plot the present gain of a descent as a point on its loss."""
    axes.plot([gain], [loss], "o", color=ESTIMATE.light, markersize=7, label=label)


def plot_optimum(axes: "Axes", gain: float, loss: float) -> None:
    """Plot the closed form as a point on a loss."""
    axes.plot([gain], [loss], "D", color=CLOSED_FORM.light, markersize=6, label="closed form")


def plot_steps(axes: "Axes", values: Wave, *, reference: float, label: str = "estimate") -> None:
    """Plot a parameter over the steps of a descent, with its reference value."""
    axes.axhline(reference, **_line(REFERENCE), label=REFERENCE.label)
    plot_curve(axes, ESTIMATE, np.arange(len(values)), values, label=label)
    axes.set_xlabel("step")


def descent_animation(
    x: Wave,
    losses: Wave,
    parameters: Mapping[str, Wave],
    dry: Wave,
    target: Wave,
    process: Callable[[int], Wave],
    *,
    label: str = "gain",
    reference: float | None = None,
    first_step: int = 0,
) -> Animation:
    """Animate a descent as a point on its loss, next to it the waveforms.

    `losses` are those at the values `x` of the only parameter, or those after the steps `x` if `label` is ``step``.
    `parameters` by name have the shape ``(steps + 1,)`` and start at step `first_step`. `process` returns the dry
    signal with the parameters at an index.
    """
    path = x if label == "step" else parameters[label]
    figure = new_figure(*ANIMATION_SIZE)
    left, right = figure.subplots(1, 2)
    plot_loss(left, x, losses, reference=reference)
    left.set_xlabel(label)
    plot_point(left, path[0], float(np.interp(path[0], x, losses)), "estimate")
    point = left.lines[-1]
    add_figure_legend(figure, left)
    plot_waveforms(right, dry, target, process(0))
    _, matched, target_line = right.lines
    titles = [axes.set_title("step", loc="left") for axes in (left, right)]
    steps = animation_steps(len(path))

    def show(frame: int) -> None:
        index = int(steps[frame])
        point.set_data([path[index]], [np.interp(path[index], x, losses)])
        matched.set_ydata(process(index)[:SHOWN_FRAMES])
        titles[0].set_text(f"step {first_step + index}")
        values = ", ".join(f"{name} {format_as(path[index], '.3f')}" for name, path in parameters.items())
        titles[1].set_text(values if len(parameters) <= TITLE_PARAMETERS else f"{len(parameters)} parameters")

    return Animation(figure, (point, matched, target_line, *titles), show, len(steps))


def animation_steps(length: int) -> NDArray[np.int64]:
    """Select at most `ANIMATION_FRAMES` of `length` indices, without repetition; includes the first and the last."""
    return np.unique(np.linspace(0, length - 1, min(length, ANIMATION_FRAMES)).astype(np.int64))


def _line(style: CurveStyle) -> dict[str, Any]:
    """Options of a reference line: dashes above the solid curves, so that both are visible where they coincide."""
    return {"zorder": 3, "color": style.light, "linestyle": (0, style.dash) if style.dash else "-", "linewidth": 1.0}
