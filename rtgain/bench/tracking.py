"""Tracking benchmark: response to a gain step of 20 dB and to a sine of ±6 dB, with a figure."""

from collections.abc import Iterable, Iterator

import numpy as np

from rtgain.bench.case_signal import GAIN_DB, sweep_csv
from rtgain.bench.signals import BenchSignal
from rtgain.bench.tables import Row
from rtgain.config.session_config import SessionConfig
from rtgain.output.curve_styles import CLOSED_FORM, ESTIMATE, REFERENCE
from rtgain.output.figures import add_figure_legend, new_figure, plot_curve, png
from rtgain.records.estimate import Estimate, State
from rtgain.session.offline import estimate_samples

STEP_DB = 20.0
STEP_S = 5.37
SETTLED_DB = 0.1
SWEEP_GOAL_DB = 0.1

Runs = dict[str, list[Estimate]]
"""Estimates of the runs ``step`` and ``sweep``."""


def rows(signals: Iterable[BenchSignal]) -> Iterator[Row]:
    """Measure one row per signal: settling time after the step, and error on the sweep."""
    for signal in signals:
        yield row(signal, runs(signal))


def runs(signal: BenchSignal) -> Runs:
    """Run the step and the sweep on one signal."""
    low_db, high_db = GAIN_DB - STEP_DB / 2, GAIN_DB + STEP_DB / 2
    automations = {
        "step": f"time_s,gain_db\n{STEP_S},{low_db}\n{STEP_S},{high_db}\n",
        "sweep": sweep_csv(len(signal.samples) / signal.sample_rate),
    }
    return {
        name: estimate_samples(signal.samples, signal.sample_rate, automation=automation, gain_db=GAIN_DB)
        for name, automation in automations.items()
    }


def row(signal: BenchSignal, estimates: Runs) -> Row:
    """Evaluate one signal. Times count from the step until an estimate is available, at the end of its window."""
    rate, config = signal.sample_rate, SessionConfig()
    step_goal_s = (config.window_frames(rate) + 2 * config.hop_frames(rate)) / rate
    step_ms = 1e3 * settling_time_s(estimates["step"], rate)
    tracking = [e for e in estimates["sweep"] if e.state is State.TRACKING]
    errors_db = np.array([e.gain_est_db - e.gain_true_db for e in tracking])
    closed_form_db = np.array([e.gain_opt_db - e.gain_true_db for e in tracking])
    sweep_db = float(np.sqrt(np.mean(errors_db**2)))
    return {
        "signal": signal.name,
        "step_ms": step_ms,
        "step_limit_ms": 1e3 * step_goal_s,
        "step_reached": step_ms <= 1e3 * step_goal_s,
        "sweep_db": sweep_db,
        "sweep_limit_db": SWEEP_GOAL_DB,
        "sweep_reached": sweep_db <= SWEEP_GOAL_DB,
        "sweep_closed_form_db": float(np.sqrt(np.nanmean(closed_form_db**2))),
    }


def settling_time_s(estimates: list[Estimate], sample_rate: int) -> float:
    """Time in seconds from the step to the last estimate with an error above 0.1 dB."""
    high_db = GAIN_DB + STEP_DB / 2
    unsettled_s = [
        e.available_frame / sample_rate - STEP_S
        for e in estimates
        if e.available_frame >= STEP_S * sample_rate and abs(e.gain_est_db - high_db) > SETTLED_DB
    ]
    return max(unsettled_s, default=0.0)


def figure(signal: BenchSignal, estimates: Runs) -> bytes:
    """Draw step and sweep of one signal with reference gain, closed form and estimate, as a PNG."""
    drawing = new_figure(1600, 1120)
    views = {"step": (STEP_S - 0.3, STEP_S + 0.5), "sweep": (1.0, 7.0)}
    for axes, (name, view) in zip(drawing.subplots(2, 1), views.items(), strict=True):
        visible = [e for e in estimates[name] if view[0] <= e.center_frame / signal.sample_rate <= view[1]]
        time_s = np.array([e.center_frame / signal.sample_rate for e in visible])
        for curve, values in (
            (ESTIMATE, [e.gain_est_db for e in visible]),
            (CLOSED_FORM, [e.gain_opt_db for e in visible]),
            (REFERENCE, [e.gain_true_db for e in visible]),
        ):
            plot_curve(axes, curve, time_s, np.array(values))
        axes.set_title(f"{signal.name}: {name}", loc="left")
        axes.set_ylabel("gain (dB)")
    add_figure_legend(drawing, drawing.axes[0])
    drawing.axes[-1].set_xlabel("time at the center of the window (s)")
    return png(drawing)
