"""Figures on paper, in the colors and line styles of the window."""

import io
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtgain.number_format import format_result
from rtgain.output.curve_styles import CLOSED_FORM, ESTIMATE, LIGHT_BACKGROUND, REFERENCE, CurveStyle
from rtgain.records.history import History, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS_PER_INCH = 160

LEGEND: dict[str, Any] = {"frameon": False, "handlelength": 3.0}
"""How curves are named: without a frame, beside lines that are long enough for two of the reference's dashes."""


def paper(width: int, height: int) -> "Figure":
    """An empty figure of so many pixels."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # where it keeps its fonts is nobody's concern
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    class Paper(Figure):  # type: ignore[misc, unused-ignore]
        """A figure that a notebook shows by itself."""

        def _repr_png_(self) -> bytes:
            return png(self)

    size = (width / DOTS_PER_INCH, height / DOTS_PER_INCH)
    figure = Paper(figsize=size, dpi=DOTS_PER_INCH, facecolor=LIGHT_BACKGROUND, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def png(figure: "Figure") -> bytes:
    """The figure, its axes made plain, as a PNG."""
    apply_axes_style(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def svg(figure: "Figure") -> bytes:
    """The same as an SVG, which holds no date and no random names: one figure gives one file."""
    from matplotlib import rc_context

    apply_axes_style(figure)
    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "rtgain"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def apply_axes_style(figure: "Figure") -> None:
    """A fine grid, and no frame around the axes."""
    for axes in figure.axes:
        axes.grid(alpha=0.3, linewidth=0.5)
        axes.spines[["top", "right"]].set_visible(False)


def draw(axes: "Axes", curve: CurveStyle, x: Any, y: Any, *, label: str | None = None) -> None:
    """Draw ``y`` over ``x`` as `curve` is drawn everywhere; `label` where it is called something else."""
    dash = (0, curve.dash) if curve.dash else "-"
    axes.plot(x, y, color=curve.light, linestyle=dash, linewidth=1.2, label=label or curve.label)


def add_figure_legend(figure: "Figure", axes: "Axes") -> None:
    """Name the curves of `axes` above all of `figure`, where none can run behind a name."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(labels), **LEGEND)


def gain_figure(history: History, summary: Summary) -> "Figure":
    """Estimate and closed form over time, 1600 × 1000 pixels, and where it is known the reference, with the error.

    Where estimates were left out, the reference alone goes on.
    """
    figure = paper(1600, 1000)
    known = np.isfinite(history.gain_true_db).any()
    gain, error = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1)) if known else (figure.subplots(), None)
    reference = history
    history = history.with_gap_markers()
    time_s = history.time_s
    band = history.std_db.clip(max=20.0)
    gain.fill_between(
        time_s, history.gain_est_db - band, history.gain_est_db + band,
        color=ESTIMATE.light, alpha=0.2, linewidth=0, label="± one standard deviation",
    )  # fmt: skip
    draw(gain, ESTIMATE, time_s, history.gain_est_db)
    draw(gain, CLOSED_FORM, time_s, history.gain_opt_db)
    if error is not None:
        draw(gain, REFERENCE, reference.time_s, reference.gain_true_db)
        draw(error, ESTIMATE, time_s, history.gain_est_db - history.gain_true_db)
        error.set_ylabel("error (dB)")
    gain.set_ylabel("gain (dB)")
    gain.ticklabel_format(axis="y", useOffset=False)
    figure.axes[-1].set_xlabel("time (s)")
    add_figure_legend(figure, gain)
    result = format_result(summary.gain_db, summary.std_db, summary.state)
    gain.set_title(f"{summary.input}: {result}", loc="left")
    return figure


def descent_figure(loss: NDArray[np.float64], parameters: dict[str, NDArray[np.float64]]) -> "Figure":
    """The loss, and below it each parameter, over the steps of a descent; all ``(steps + 1,)``."""
    figure = paper(1200, 360 * (1 + len(parameters)))
    curves = {"loss": loss, **parameters}
    for axes, (name, values) in zip(figure.subplots(len(curves), 1, sharex=True), curves.items(), strict=True):
        draw(axes, ESTIMATE, np.arange(len(values)), values)
        axes.set_ylabel(name)
    axes.set_xlabel("step")
    apply_axes_style(figure)
    return figure
