"""Figures with matplotlib, in the same colors and line styles as the GUI."""

import io
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtgain.number_format import format_result
from rtgain.output.curve_styles import CLOSED_FORM, ESTIMATE, LEFT, LIGHT_BACKGROUND, REFERENCE, RIGHT, CurveStyle
from rtgain.records.history import History, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS_PER_INCH = 160

LEGEND: dict[str, Any] = {"frameon": False, "handlelength": 3.0}
"""Options of every legend: no frame, and lines that are long enough for two dashes of the reference."""


def new_figure(width: int, height: int) -> "Figure":
    """Make an empty figure of `width` × `height` pixels."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # its messages about the font cache are of no use
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    class NotebookFigure(Figure):  # type: ignore[misc, unused-ignore]
        """Figure that a notebook displays automatically."""

        def _repr_png_(self) -> bytes:
            return png(self)

    size = (width / DOTS_PER_INCH, height / DOTS_PER_INCH)
    figure = NotebookFigure(figsize=size, dpi=DOTS_PER_INCH, facecolor=LIGHT_BACKGROUND, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def png(figure: "Figure") -> bytes:
    """Style the axes of a figure and render it as PNG."""
    apply_axes_style(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def svg(figure: "Figure") -> bytes:
    """Style the axes of a figure and render it as SVG, without date and random names, so that the bytes repeat."""
    from matplotlib import rc_context

    apply_axes_style(figure)
    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "rtgain"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def apply_axes_style(figure: "Figure") -> None:
    """Add a fine grid and remove the frame at the top and on the right."""
    for axes in figure.axes:
        axes.grid(alpha=0.3, linewidth=0.5)
        axes.spines[["top", "right"]].set_visible(False)


def plot_curve(axes: "Axes", style: CurveStyle, x: Any, y: Any, *, label: str | None = None) -> None:
    """Plot ``y`` over ``x`` in `style`; `label` replaces the style's label."""
    dash = (0, style.dash) if style.dash else "-"
    axes.plot(x, y, color=style.light, linestyle=dash, linewidth=1.2, label=label or style.label)


def add_figure_legend(figure: "Figure", axes: "Axes") -> None:
    """Add a legend for the curves of `axes` above the whole `figure`, so that no curve is behind it."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(labels), **LEGEND)


def gain_figure(history: History, summary: Summary) -> "Figure":
    """Plot estimate and closed form over time, 1600 × 1000 pixels. A known reference gain is added, with the error.

    The gains of left and right are added if they differ.

    At gaps between estimates, all curves except the reference are interrupted.
    """
    figure = new_figure(1600, 1000)
    has_reference = np.isfinite(history.gain_true_db).any()
    if has_reference:
        gain, error = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    else:
        gain, error = figure.subplots(), None
    reference = history
    history = history.with_gap_markers()
    time_s = history.time_s
    band = history.std_db.clip(max=20.0)
    gain.fill_between(
        time_s, history.gain_est_db - band, history.gain_est_db + band,
        color=ESTIMATE.light, alpha=0.2, linewidth=0, label="± one standard deviation",
    )  # fmt: skip
    plot_curve(gain, ESTIMATE, time_s, history.gain_est_db)
    plot_curve(gain, CLOSED_FORM, time_s, history.gain_opt_db)
    if history.is_unbalanced:
        for style, gains_db in zip((LEFT, RIGHT), history.channel_gains_db, strict=True):
            plot_curve(gain, style, time_s, gains_db)
    if error is not None:
        plot_curve(gain, REFERENCE, reference.time_s, reference.gain_true_db)
        plot_curve(error, ESTIMATE, time_s, history.gain_est_db - history.gain_true_db)
        error.set_ylabel("error (dB)")
    gain.set_ylabel("gain (dB)")
    gain.ticklabel_format(axis="y", useOffset=False)
    figure.axes[-1].set_xlabel("time (s)")
    add_figure_legend(figure, gain)
    result = format_result(summary.gain_db, summary.std_db, summary.state)
    gain.set_title(f"{Path(summary.input).name}: {result}", loc="left")
    return figure


def descent_figure(loss: NDArray[np.float64], parameters: dict[str, NDArray[np.float64]]) -> "Figure":
    """Plot the loss, and below it each parameter, over the steps of a descent; all ``(steps + 1,)``."""
    figure = new_figure(1200, 360 * (1 + len(parameters)))
    curves = {"loss": loss, **parameters}
    for axes, (name, values) in zip(figure.subplots(len(curves), 1, sharex=True), curves.items(), strict=True):
        plot_curve(axes, ESTIMATE, np.arange(len(values)), values)
        axes.set_ylabel(name)
    axes.set_xlabel("step")
    apply_axes_style(figure)
    return figure
