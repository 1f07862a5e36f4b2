"""Experiment of lesson 3: the spectral loss of the phase-shifted sine."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from rtgain.config.session_config import SessionConfig
from rtgain.dsp.fit import fit
from rtgain.dsp.loss_curve import closed_form_gain
from rtgain.dsp.losses import SpectralLoss
from rtgain.dsp.processors import LogGain
from rtgain.lessons.content.spectral_loss import LESSON, POWER_2
from rtgain.lessons.experiments.experiment import ExperimentResult, arrival_s
from rtgain.lessons.experiments.sine import (  # fmt: skip
    DRY,
    GAIN,
    GAIN_DB,
    PLAIN_SPECTRAL,
    PLAIN_WAVEFORM,
    RATE,
    Wave,
    animate,
    as_clip,
    descend,
    error_db,
    losses_at,
    phase_shifted,
)
from rtgain.output import descent_plots as plots
from rtgain.output.curve_styles import DRY as DRY_STYLE
from rtgain.output.curve_styles import MATCHED, TARGET
from rtgain.output.figures import LEGEND, add_figure_legend, plot_curve
from rtgain.session.offline import run_offline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SQUARED = SpectralLoss(2.0, window=False, normalize=False)

SHOWN_HZ = (560.0, 640.0)
"""Frequency range of the figure of the spectra."""


def measure(seed: int) -> ExperimentResult:
    """Run the experiment. It has no random numbers; `seed` has no effect."""
    target = phase_shifted(90.0)
    history = descend(target, PLAIN_SPECTRAL)
    gain = history.parameters["gain"]
    gains = np.linspace(0.0, 2.0, 100)
    losses = losses_at(gains, target, PLAIN_SPECTRAL)
    plus, minus = losses_at(np.array([GAIN, -GAIN]), target, PLAIN_SPECTRAL)
    squared = descend(target, SQUARED, steps=1).parameters["gain"]
    diverged = run_offline(SessionConfig(**LESSON.steps[2].all_controls, duration=1.0)).comparisons[POWER_2]
    delayed, aligned = (
        run_offline(SessionConfig(**step.all_controls, duration=6.0)).history for step in LESSON.steps[3:]
    )
    slopes = [_slope_at_one(power) for power in (1.0, 2.0)]

    def both_losses() -> "Figure":
        figure, panels = plots.make_axes(1, 2, sharey=True)
        for axes, (title, loss) in zip(
            panels, (("waveform", PLAIN_WAVEFORM), ("spectral", PLAIN_SPECTRAL)), strict=True
        ):
            values = losses_at(gains, target, loss)
            plots.plot_loss(axes, gains, values / values.max(), reference=GAIN)
            best = closed_form_gain(DRY, target, loss=loss)
            plots.plot_optimum(axes, best, float(np.interp(best, gains, values / values.max())))
            axes.set_title(title, loc="left")
            axes.label_outer()
        panels[0].legend(**LEGEND)
        return figure

    def steps() -> "Figure":
        figure, (axes,) = plots.make_axes(1)
        plots.plot_steps(axes, gain, reference=GAIN)
        axes.set_ylabel("gain")
        axes.legend(**LEGEND)
        return figure

    def spectra() -> "Figure":
        figure, (axes,) = plots.make_axes(1)
        for style, samples in ((DRY_STYLE, DRY), (MATCHED, gain[-1] * DRY), (TARGET, target)):
            hertz, magnitude = _magnitudes(samples)
            plot_curve(axes, style, hertz, magnitude)
        axes.set_yscale("log")
        axes.set_xlabel("frequency (Hz)")
        axes.set_ylabel("magnitude")
        axes.legend(**LEGEND)
        return figure

    def powers() -> "Figure":
        figure, panels = plots.make_axes(1, 2, sharey=True)
        both = np.linspace(-1.0, 2.0, 151)
        for axes, (power, loss) in zip(panels, ((1, PLAIN_SPECTRAL), (2, SQUARED)), strict=True):
            values = losses_at(both, target, loss)
            plots.plot_loss(axes, both, values / values.max(), reference=GAIN)
            axes.set_title(f"power {power}", loc="left")
            axes.label_outer()
        add_figure_legend(figure, panels[0])
        return figure

    return ExperimentResult(
        numbers={
            "gain_90": gain[-1],
            "minimum": closed_form_gain(DRY, target, loss=PLAIN_SPECTRAL),
            "matched_90_db": float(error_db(gain[-1])),
            "sign_gap": plus - minus,
            "power_2_minimum": closed_form_gain(DRY, target, loss=SQUARED),
            "power_2_first": squared[1],
            "power_2_slope": (1.0 - squared[1]) / 0.01,
            "slope_1": slopes[0],
            "slope_2": slopes[1],
            "slope_ratio": slopes[1] / slopes[0],
            "delayed_db": float(np.sqrt(np.mean(np.square(delayed.gain_est_db - GAIN_DB)))),
            "arrival_s": arrival_s(aligned),
            "diverged_db": diverged.gain_db,
        },
        figures={"loss": both_losses, "gain": steps, "spectra": spectra, "powers": powers},
        sounds={"target_90": as_clip(target), "matched_90": as_clip(gain[-1] * DRY)},
        animation=lambda: animate(gains, losses, gain, target),
    )


def _slope_at_one(power: float) -> float:
    """Slope of the normalized loss over the logarithm of the gain, at a gain of one."""
    start, lr = LogGain(log_gain=torch.zeros(1, dtype=torch.float64)), 1e-6
    path = fit(start, DRY, GAIN * DRY, loss=SpectralLoss(power), lr=lr, steps=1).parameters["log_gain"]
    return float(path[0] - path[1]) / lr


def _magnitudes(samples: Wave) -> tuple[Wave, Wave]:
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE).astype(np.float64)
    magnitude: Wave = np.abs(np.fft.rfft(samples))
    shown = (hertz >= SHOWN_HZ[0]) & (hertz <= SHOWN_HZ[1])
    return hertz[shown], magnitude[shown]
