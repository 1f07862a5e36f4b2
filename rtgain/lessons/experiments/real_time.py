"""Experiment of lesson 6: the effect of window and hop on error and latency, and the sound of an xrun."""

from typing import TYPE_CHECKING

import numpy as np

from rtgain.audio.engine.engine import Engine
from rtgain.audio.sources.demo import demo_music
from rtgain.config.session_config import SessionConfig
from rtgain.lessons.experiments.experiment import AudioClip, ExperimentResult
from rtgain.lessons.experiments.sine import GAIN_DB, Wave
from rtgain.output import descent_plots as plots
from rtgain.output.animation import Animation
from rtgain.output.curve_styles import CLOSED_FORM, DRY, ESTIMATE, REFERENCE
from rtgain.output.figures import LEGEND, new_figure, plot_curve
from rtgain.session.offline import run_offline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATE = 48_000
WINDOWS_MS = (10.7, 21.3, 42.7, 85.3, 170.7, 341.3)
ERROR_TICKS_DB = (0.05, 0.1, 0.2, 0.3)
NOISE_DBFS = -46.5
XRUN_S = 1.5
"""Time of the xrun in the clip, in seconds."""


def measure(seed: int) -> ExperimentResult:
    """Run the experiment; `seed` is that of the pink and white noise."""
    error_db = np.array([_window_error_db(window_ms, seed) for window_ms in WINDOWS_MS])
    clean, broken = (_render_music(with_xrun=flag) for flag in (False, True))
    gap_ms = 1e3 * float(np.sum((broken == 0.0) & (clean != 0.0))) / RATE
    slope = float(np.polyfit(np.log(WINDOWS_MS), np.log(error_db), 1)[0])

    def windows() -> "Figure":
        figure, (axes,) = plots.make_axes(1)
        plot_curve(axes, CLOSED_FORM, WINDOWS_MS, error_db, label="RMS error of single windows")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(WINDOWS_MS, [f"{window_ms:.0f}" for window_ms in WINDOWS_MS])
        axes.set_yticks(ERROR_TICKS_DB, [f"{error_db:g}" for error_db in ERROR_TICKS_DB])
        axes.minorticks_off()
        axes.set_xlabel("window length (ms); the estimate belongs to its center, so half of it is latency")
        axes.set_ylabel("error (dB)")
        axes.legend(**LEGEND)
        return figure

    def xrun() -> "Figure":
        figure, (axes,) = plots.make_axes(1)
        shown = slice(round((XRUN_S - 0.03) * RATE), round((XRUN_S + 0.05) * RATE))
        time_ms = 1e3 * np.arange(len(clean))[shown] / RATE
        plot_curve(axes, DRY, time_ms, clean[shown], label="music")
        plot_curve(axes, ESTIMATE, time_ms, broken[shown], label="monitor output")
        axes.set_xlabel("time (ms)")
        axes.legend(**LEGEND)
        return figure

    return ExperimentResult(
        numbers={
            "block_ms": 1e3 * 256 / RATE,
            "window_ms": WINDOWS_MS[3],
            "hop_ms": 1e3 * 1024 / RATE,
            "short_db": float(error_db[1]),
            "long_db": float(error_db[5]),
            "slope": slope,
            "gap_ms": gap_ms,
        },
        figures={"windows": windows, "xrun": xrun},
        sounds={"clean": AudioClip(clean, RATE), "xrun": AudioClip(broken, RATE)},
        animation=_animation,
    )


def _window_error_db(window_ms: float, seed: int) -> float:
    """RMS error of single windows in dB (closed form), without the averaging over time."""
    hop_ms = min(window_ms, 21.3)
    config = SessionConfig(
        input="pink", channels=1, noise_dbfs=NOISE_DBFS, window_ms=window_ms, hop_ms=hop_ms, seed=seed, duration=4.0
    )
    errors_db = run_offline(config).history.gain_opt_db - GAIN_DB
    return float(np.sqrt(np.nanmean(np.square(errors_db))))


def _render_music(*, with_xrun: bool) -> Wave:
    """Render three seconds of the demo block by block, as sent to the outputs."""
    music, block = demo_music(RATE, 3 * RATE), 480
    out = np.empty((len(music), 1), np.float32)
    with Engine(RATE, out_channels=1) as engine:
        engine.reference.set(gain_db=0.0)
        for start in range(0, len(music), block):
            if with_xrun and start == round(XRUN_S * RATE):
                engine.simulate_xrun()
            engine.process(music[None, start : start + block], None, out[start : start + block])
    return out[480:, 0].astype(np.float64)  # without the fade at the start of every session


def _animation() -> Animation:
    """Animate incoming blocks, and the analysis window over the newest of them, which moves on at every hop."""
    music = demo_music(RATE, RATE)[::48]
    time_ms = np.arange(len(music))
    figure = new_figure(*plots.ANIMATION_SIZE)
    axes = figure.subplots()
    axes.set_xlim(0, 400)
    axes.set_ylim(-0.6, 0.8)
    axes.set_xlabel("time (ms)")
    plot_curve(axes, DRY, time_ms, np.full(len(music), np.nan))
    sound = axes.lines[-1]
    plot_curve(axes, ESTIMATE, [0, 0, 0, 0], [0, 0, 0, 0], label="newest window")
    window = axes.lines[-1]
    plot_curve(axes, REFERENCE, [0, 0], [-0.55, 0.55], label="time of its estimate")
    center = axes.lines[-1]
    axes.legend(**LEGEND, loc="upper right", ncols=3)
    hop_ms, window_ms = 1e3 * 1024 / RATE, 1e3 * 4096 / RATE

    def show(frame: int) -> None:
        now_ms = 100.0 + frame * 4 * 256 / RATE * 250.0
        received = np.where(time_ms <= now_ms, music, np.nan)
        sound.set_ydata(received)
        end = now_ms // hop_ms * hop_ms
        window.set_data([end - window_ms, end - window_ms, end, end], [-0.5, 0.5, 0.5, -0.5])
        center.set_xdata([end - window_ms / 2] * 2)

    return Animation(figure, (sound, window, center), show, 56)
