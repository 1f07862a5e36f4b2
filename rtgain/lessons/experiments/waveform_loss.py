"""Experiment of lesson 2: the waveform loss of phase-shifted sines."""

from typing import TYPE_CHECKING

import numpy as np

from rtgain.config.session_config import SessionConfig
from rtgain.lessons.content.waveform_loss import LESSON
from rtgain.lessons.experiments.experiment import ExperimentResult
from rtgain.lessons.experiments.sine import (
    DRY,
    GAIN,
    GAIN_DB,
    PLAIN_WAVEFORM,
    animate,
    as_clip,
    descend,
    error_db,
    losses_at,
    phase_shifted,
)
from rtgain.output import descent_plots as plots
from rtgain.output.figures import add_figure_legend
from rtgain.session.offline import run_offline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PHASES_DEG = (0, 45, 90, 180)


def measure(seed: int) -> ExperimentResult:
    """Run the experiment. It has no random numbers; `seed` has no effect."""
    histories = {degrees: descend(phase_shifted(degrees), PLAIN_WAVEFORM) for degrees in PHASES_DEG}
    gains = np.linspace(-1.0, 2.0, 151)
    losses = {degrees: losses_at(gains, phase_shifted(degrees), PLAIN_WAVEFORM) for degrees in PHASES_DEG}
    end = {degrees: history.final["gain"] for degrees, history in histories.items()}
    live_45_db = float(run_offline(SessionConfig(**LESSON.steps[0].all_controls, duration=1.0)).history.gain_est_db[-1])
    at_gain, at_zero = losses_at(np.array([GAIN, 0.0]), phase_shifted(90), PLAIN_WAVEFORM)

    def every_loss() -> "Figure":
        figure, panels = plots.make_axes(2, 2, height=400, sharex=True, sharey=True)
        for axes, degrees in zip(panels, PHASES_DEG, strict=True):
            plots.plot_loss(axes, gains, losses[degrees], reference=GAIN)
            plots.plot_point(axes, end[degrees], histories[degrees].loss[-1], "after 300 steps")
            axes.set_title(f"{degrees}°", loc="left")
            axes.label_outer()
        add_figure_legend(figure, panels[0])
        return figure

    def waveforms() -> "Figure":
        figure, panels = plots.make_axes(2, sharex=True)
        for axes, degrees in zip(panels, (90, 180), strict=True):
            plots.plot_waveforms(axes, DRY, phase_shifted(degrees), end[degrees] * DRY)
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
            "matched_90_db": float(error_db(np.array(end[90]))),
        },
        figures={"losses": every_loss, "waveforms": waveforms},
        sounds={
            **{f"target_{degrees}": as_clip(phase_shifted(degrees)) for degrees in (0, 90, 180)},
            "matched_90": as_clip(end[90] * DRY),
        },
        animation=lambda: animate(gains, losses[90], histories[90].parameters["gain"], phase_shifted(90)),
    )
