"""Lesson 2: the waveform loss of a sine that was turned in phase."""

from typing import TYPE_CHECKING

import numpy as np

from rtgain.lessons.content.waveform_loss import LESSON
from rtgain.lessons.experiments import plots
from rtgain.lessons.experiments.experiment import ExperimentResult
from rtgain.lessons.experiments.sine import (
    DRY,
    GAIN,
    GAIN_DB,
    PLAIN_WAVEFORM,
    descend,
    losses_at,
    off_db,
    phase_shifted,
    played,
)
from rtgain.output.figures import add_figure_legend
from rtgain.session.offline import run_offline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TURNS = (0, 45, 90, 180)


def measure(seed: int) -> ExperimentResult:
    """Nothing in it is random."""
    traces = {degrees: descend(phase_shifted(degrees), PLAIN_WAVEFORM) for degrees in TURNS}
    gains = np.linspace(-1.0, 2.0, 151)
    losses = {degrees: losses_at(gains, phase_shifted(degrees), PLAIN_WAVEFORM) for degrees in TURNS}
    end = {degrees: trace.final["gain"] for degrees, trace in traces.items()}
    live_45_db = float(run_offline(1.0, **LESSON.steps[0].controls)[0].gain_est_db[-1])
    at_gain, at_zero = losses_at(np.array([GAIN, 0.0]), phase_shifted(90), PLAIN_WAVEFORM)

    def every_loss() -> "Figure":
        figure, panels = plots.make_axes(2, 2, height=400, sharex=True, sharey=True)
        for axes, degrees in zip(panels, TURNS, strict=True):
            plots.draw_loss(axes, gains, losses[degrees], reference=GAIN)
            plots.mark(axes, end[degrees], traces[degrees].loss[-1], "after 300 steps")
            axes.set_title(f"{degrees}°", loc="left")
            axes.label_outer()
        add_figure_legend(figure, panels[0])
        return figure

    def waveforms() -> "Figure":
        figure, panels = plots.make_axes(2, sharex=True)
        for axes, degrees in zip(panels, (90, 180), strict=True):
            plots.draw_waveforms(axes, DRY, phase_shifted(degrees), end[degrees] * DRY)
            axes.set_title(f"{degrees}°", loc="left")
            axes.label_outer()
        return figure

    return ExperimentResult(
        numbers={
            "gain_45": end[45],
            "live_45": 10 ** (live_45_db / 20),
            "live_error_45_db": GAIN_DB - live_45_db,
            "cos_45": GAIN * np.cos(np.pi / 4),
            "gain_90": end[90],
            "gain_180": end[180],
            "loss_ratio_90": at_gain / at_zero,
            "matched_90_db": float(off_db(np.array(end[90]))),
        },
        figures={"losses": every_loss, "waveforms": waveforms},
        sounds={
            **{f"target_{degrees}": played(phase_shifted(degrees)) for degrees in (0, 90, 180)},
            "matched_90": played(end[90] * DRY),
        },
        film=lambda: plots.descent_animation(
            gains, losses[90], traces[90].parameters["gain"], DRY, phase_shifted(90), reference=GAIN
        ),
    )
