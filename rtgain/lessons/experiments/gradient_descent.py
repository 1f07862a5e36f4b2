"""Experiment of lesson 1: SGD on the waveform loss of a sine."""

from typing import TYPE_CHECKING

import numpy as np

from rtgain.lessons.experiments.experiment import AudioClip, ExperimentResult
from rtgain.lessons.experiments.sine import (  # fmt: skip
    DRY,
    GAIN,
    GAIN_DB,
    LR,
    PLAIN_WAVEFORM,
    RATE,
    STEPS,
    Wave,
    animate,
    as_clip,
    descend,
    losses_at,
    phase_shifted,
)
from rtgain.output import descent_plots as plots
from rtgain.output.figures import LEGEND

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS_PER_SECOND = 100
"""Speed of the clip that makes the descent audible."""


def measure(seed: int) -> ExperimentResult:
    """Run the experiment. It has no random numbers; `seed` has no effect."""
    target = phase_shifted(0.0)
    history = descend(target, PLAIN_WAVEFORM)
    gain = history.parameters["gain"]
    slope = float(np.mean(np.abs(DRY)))
    gains = np.linspace(0.0, 2.0, 100)
    losses = losses_at(gains, target, PLAIN_WAVEFORM)

    def waveforms() -> "Figure":
        figure, (axes,) = plots.make_axes(1)
        plots.plot_waveforms(axes, DRY, target, gain[-1] * DRY)
        return figure

    def loss() -> "Figure":
        figure, (axes,) = plots.make_axes(1)
        plots.plot_loss(axes, gains, losses, reference=GAIN)
        plots.plot_point(axes, gain[-1], history.loss[-1], "after the last step")
        axes.legend(**LEGEND)
        return figure

    def steps() -> "Figure":
        figure, (axes,) = plots.make_axes(1)
        plots.plot_steps(axes, gain, reference=GAIN)
        axes.set_ylabel("gain")
        axes.legend(**LEGEND)
        return figure

    return ExperimentResult(
        numbers={
            "target_db": GAIN_DB,
            "gain": gain[-1],
            "steps": STEPS,
            "arrival_step": float(np.argmax(np.abs(gain - GAIN) <= LR * slope)),
            "loss_start": history.loss[0],
            "slope": slope,
            "step": LR * slope,
            "half": 10 ** (-6 / 20),
        },
        figures={"waveforms": waveforms, "loss": loss, "gain": steps},
        sounds={"dry": as_clip(DRY), "target": as_clip(target), "descent": _sonified_descent(gain)},
        animation=lambda: animate(gains, losses, gain, target),
    )


def _sonified_descent(gain: Wave) -> AudioClip:
    """Make a clip of the dry sine at the gain of each step."""
    frames = np.arange(len(gain) * RATE // STEPS_PER_SECOND)
    gain_curve = np.interp(frames * STEPS_PER_SECOND / RATE, np.arange(len(gain)), gain)
    return as_clip(gain_curve * np.sin(2.0 * np.pi * 600.0 * frames / RATE))
