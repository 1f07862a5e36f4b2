"""Experiment of lesson 4: SGD, Adam and Rprop on the spectral loss, and the effect of level and window length."""

from typing import TYPE_CHECKING

import numpy as np

from rtgain.config.session_config import SessionConfig
from rtgain.dsp.loss_curve import closed_form_gain
from rtgain.dsp.losses import SpectralLoss
from rtgain.dsp.processors import DB_PER_NEPER
from rtgain.lessons.content.optimizers import ADAM, LESSON, SGD
from rtgain.lessons.experiments.experiment import ExperimentResult, arrival_s
from rtgain.lessons.experiments.sine import (  # fmt: skip
    DRY,
    GAIN,
    PLAIN_SPECTRAL,
    STEPS,
    Wave,
    animate,
    as_clip,
    descend,
    error_db,
    losses_at,
    phase_shifted,
)
from rtgain.output import descent_plots as plots
from rtgain.output.figures import LEGEND
from rtgain.session.offline import run_offline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rtgain.records.snapshot import Comparison

QUIET = 10.0 ** (-40.0 / 20.0)
"""Linear factor of the quiet signals: −40 dB."""

NORMALIZED = SpectralLoss(window=False)
NORMALIZED_LR = 0.001

COMPARISON_LR = 0.3
"""Learning rate of the comparisons: near the reference, their step in nepers (logarithm of the gain)."""

SESSION_S = 3.0
"""Length of the sessions: a second more than the slowest estimate of the lesson needs."""

LAST_STEPS = 100
"""Number of steps at the end over which errors are measured."""

RPROP_STEPS = 60
RUNS = (("SGD", 0.01), ("Adam", 0.02), ("Rprop", 0.1))


def measure(seed: int) -> ExperimentResult:
    """Run the experiment; `seed` is that of the white noise."""
    target = phase_shifted(90.0)
    paths = {name: descend(target, PLAIN_SPECTRAL, name, lr).parameters["gain"] for name, lr in RUNS}
    final_error_db = {name: error_db(path[-LAST_STEPS:]) for name, path in paths.items()}
    best = closed_form_gain(DRY, target, loss=PLAIN_SPECTRAL)
    quiet = descend(QUIET * target, PLAIN_SPECTRAL, dry=QUIET * DRY).parameters["gain"]
    normalized, normalized_quiet = (
        descend(level * target, NORMALIZED, lr=NORMALIZED_LR, dry=level * DRY).parameters["gain"]
        for level in (1.0, QUIET)
    )
    noise = np.random.default_rng(seed).standard_normal(65536)
    gains = np.linspace(0.1, 0.2, 101)
    sessions = [run_offline(SessionConfig(**step.all_controls, duration=SESSION_S)) for step in LESSON.steps]
    sgd_db = _last_second_db(sessions[0].comparisons[SGD])
    slow_history = sessions[0].history

    def optimizers() -> "Figure":
        figure, panels = plots.make_axes(2, 3, sharey="row")
        for above, below, name in zip(panels[:3], panels[3:], paths, strict=True):
            plots.plot_steps(above, paths[name], reference=GAIN)
            above.set_title(name, loc="left")
            plots.plot_steps(below, final_error_db[name], reference=0.0)
            below.set_xlabel(f"last {LAST_STEPS} steps")
        panels[0].set_ylabel("gain")
        panels[3].set_ylabel("error (dB)")
        panels[0].legend(**LEGEND)
        return figure

    def levels() -> "Figure":
        figure, panels = plots.make_axes(2, 2, height=400, sharex=True, sharey=True)
        plain = paths["SGD"]
        titles = ("plain loss", "plain loss, 40 dB quieter", "normalized loss", "normalized loss, 40 dB quieter")
        panels_paths = (plain, quiet, normalized, normalized_quiet)
        for axes, title, path in zip(panels, titles, panels_paths, strict=True):
            plots.plot_steps(axes, path, reference=GAIN)
            axes.set_title(title, loc="left")
            axes.set_ylabel("gain")
            axes.label_outer()
        panels[0].legend(**LEGEND)
        return figure

    return ExperimentResult(
        numbers={
            "steps": STEPS,
            "cycle_low_db": float(final_error_db["SGD"].min()),
            "cycle_high_db": float(final_error_db["SGD"].max()),
            "arrive_s": arrival_s(slow_history),
            "sgd_low_db": float(sgd_db.min()),
            "sgd_high_db": float(sgd_db.max()),
            "sgd_swing_db": float(np.ptp(sgd_db)),
            "adam_swing_db": float(np.ptp(_last_second_db(sessions[1].comparisons[ADAM]))),
            "diverged_db": sessions[3].comparisons[SGD].gain_db,
            "step_db": COMPARISON_LR * DB_PER_NEPER,
            "adam_db": float(np.abs(final_error_db["Adam"]).max()),
            "rprop_db": float(np.abs(20.0 * np.log10(paths["Rprop"][RPROP_STEPS] / best))),
            "closed_db": float(error_db(np.array(best))),
            "quiet_gain": quiet[-1],
            "slope_1024": _mean_magnitude(noise[:1024]),
            "slope_65536": _mean_magnitude(noise),
            "normalized_gap": float(np.abs(normalized - normalized_quiet).max()),
        },
        figures={"optimizers": optimizers, "levels": levels},
        sounds={"target": as_clip(target), "cycle_low": as_clip(paths["SGD"][-LAST_STEPS:].min() * DRY)},
        animation=lambda: animate(
            gains,
            losses_at(gains, target, PLAIN_SPECTRAL),
            paths["SGD"][-plots.ANIMATION_FRAMES :],
            target,
            first_step=STEPS + 1 - plots.ANIMATION_FRAMES,
        ),
    )


def _last_second_db(comparison: "Comparison") -> Wave:
    history = comparison.history
    last_second_db: Wave = history.gain_est_db[history.time_s > history.time_s[-1] - 1.0]
    return last_second_db


def _mean_magnitude(noise: Wave) -> float:
    return float(np.abs(np.fft.rfft(noise)).mean())
