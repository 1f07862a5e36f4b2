"""How fast the estimate follows: a step of 20 dB, and a sine of ±6 dB, with a figure."""

from collections.abc import Iterable, Iterator

import numpy as np

from rtgain.bench.accuracy import GAIN_DB, Take, sweep, trace
from rtgain.bench.signals import Signal
from rtgain.bench.tables import Row
from rtgain.config.session_config import SessionConfig
from rtgain.output.curve_styles import CLOSED_FORM, ESTIMATE, REFERENCE
from rtgain.output.figures import add_figure_legend, new_figure, plot_curve, png
from rtgain.records.estimate import Estimate

STEP_DB = 20.0
STEP_S = 5.37
NEAR_DB = 0.1
SWEEP_LIMIT_DB = 0.1

Traces = dict[str, list[Estimate]]


def traces(signal: Signal) -> Traces:
    """The step and the sweep on one signal."""
    taken = Take(signal.samples, signal.sample_rate, {"gain_db": GAIN_DB})
    low, high = GAIN_DB - STEP_DB / 2, GAIN_DB + STEP_DB / 2
    step = f"time_s,gain_db\n{STEP_S},{low}\n{STEP_S},{high}\n"
    return {
        "step": trace(taken, step),
        "sweep": trace(taken, sweep(len(signal.samples) / signal.sample_rate)),
    }


def rows(signals: Iterable[Signal]) -> Iterator[Row]:
    """One row a signal: when the step was settled for good, and the sweep's error."""
    for signal in signals:
        yield row(signal, traces(signal))


def row(signal: Signal, found: Traces) -> Row:
    """The figures of one signal. Times count from the step to when an estimate is known: the end of its window."""
    rate, config = signal.sample_rate, SessionConfig()
    limit_s = (config.window_frames(rate) + 2 * config.hop_frames(rate)) / rate
    step_ms = 1e3 * settled_s(found["step"], rate)
    moving = [e for e in found["sweep"] if e.state.label == "tracking"]
    errors_db = np.array([e.gain_est_db - e.gain_true_db for e in moving])
    closed_db = np.array([e.gain_opt_db - e.gain_true_db for e in moving])
    sweep_db = float(np.sqrt(np.mean(errors_db**2)))
    return {
        "signal": signal.name,
        "step_ms": step_ms,
        "step_limit_ms": 1e3 * limit_s,
        "step_reached": step_ms <= 1e3 * limit_s,
        "sweep_db": sweep_db,
        "sweep_limit_db": SWEEP_LIMIT_DB,
        "sweep_reached": sweep_db <= SWEEP_LIMIT_DB,
        "sweep_closed_form_db": float(np.sqrt(np.nanmean(closed_db**2))),
    }


def settled_s(estimates: list[Estimate], sample_rate: int) -> float:
    """How long after the step the last estimate came that was off by more than 0.1 dB."""
    high = GAIN_DB + STEP_DB / 2
    off = [
        e.available_frame / sample_rate - STEP_S
        for e in estimates
        if e.available_frame >= STEP_S * sample_rate and abs(e.gain_est_db - high) > NEAR_DB
    ]
    return max(off, default=0.0)


def figure(signal: Signal, found: Traces) -> bytes:
    """Step and sweep of one signal with reference, closed form and estimate, as a PNG."""
    drawn = new_figure(1600, 1120)
    views = {"step": (STEP_S - 0.3, STEP_S + 0.5), "sweep": (1.0, 7.0)}
    for axes, (name, view) in zip(drawn.subplots(2, 1), views.items(), strict=True):
        shown = [e for e in found[name] if view[0] <= e.center_frame / signal.sample_rate <= view[1]]
        time_s = np.array([e.center_frame / signal.sample_rate for e in shown])
        for curve, values in (
            (ESTIMATE, [e.gain_est_db for e in shown]),
            (CLOSED_FORM, [e.gain_opt_db for e in shown]),
            (REFERENCE, [e.gain_true_db for e in shown]),
        ):
            plot_curve(axes, curve, time_s, np.array(values))
        axes.set_title(f"{signal.name}: {name}", loc="left")
        axes.set_ylabel("gain (dB)")
    add_figure_legend(drawn, drawn.axes[0])
    drawn.axes[-1].set_xlabel("time at the window's centre (s)")
    return png(drawn)
