"""Lesson 6: what window and hop cost and bring, and what an xrun sounds like."""

from typing import TYPE_CHECKING

import numpy as np

from rtgain.audio.engine.engine import Engine
from rtgain.audio.sources.demo import DemoSource
from rtgain.lessons.experiments import plots
from rtgain.lessons.experiments.experiment import AudioClip, ExperimentResult
from rtgain.lessons.experiments.sine import GAIN_DB, Wave
from rtgain.output.animation import Animation
from rtgain.output.curve_styles import CLOSED_FORM, DRY, ESTIMATE, REFERENCE
from rtgain.output.figures import LEGEND, draw, paper
from rtgain.session.offline import run_offline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATE = 48_000
WINDOWS_MS = (10.7, 21.3, 42.7, 85.3, 170.7, 341.3)
ERRORS_DB = (0.05, 0.1, 0.2, 0.3)
NOISE_DBFS = -46.5
XRUN_S = 1.5


def measure(seed: int) -> ExperimentResult:
    """`seed` draws pink and white noise."""
    spread_db = np.array([_spread_db(window_ms, seed) for window_ms in WINDOWS_MS])
    clean, broken = (_heard(with_xrun=flag) for flag in (False, True))
    gap_ms = 1e3 * float(np.sum((broken == 0.0) & (clean != 0.0))) / RATE
    slope = float(np.polyfit(np.log(WINDOWS_MS), np.log(spread_db), 1)[0])

    def windows() -> "Figure":
        figure, (axes,) = plots.make_axes(1)
        draw(axes, CLOSED_FORM, WINDOWS_MS, spread_db, label="RMS error of single windows")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(WINDOWS_MS, [f"{window_ms:.0f}" for window_ms in WINDOWS_MS])
        axes.set_yticks(ERRORS_DB, [f"{error_db:g}" for error_db in ERRORS_DB])
        axes.minorticks_off()
        axes.set_xlabel("window (ms): the estimate speaks of its center, so half of it is latency")
        axes.set_ylabel("error (dB)")
        axes.legend(**LEGEND)
        return figure

    def xrun() -> "Figure":
        figure, (axes,) = plots.make_axes(1)
        shown = slice(round((XRUN_S - 0.03) * RATE), round((XRUN_S + 0.05) * RATE))
        time_ms = 1e3 * np.arange(len(clean))[shown] / RATE
        draw(axes, DRY, time_ms, clean[shown], label="the music")
        draw(axes, ESTIMATE, time_ms, broken[shown], label="heard")
        axes.set_xlabel("time (ms)")
        axes.legend(**LEGEND)
        return figure

    return ExperimentResult(
        numbers={
            "block_ms": 1e3 * 256 / RATE,
            "window_ms": WINDOWS_MS[3],
            "hop_ms": 1e3 * 1024 / RATE,
            "half_window_ms": WINDOWS_MS[3] / 2,
            "short_db": float(spread_db[1]),
            "long_db": float(spread_db[5]),
            "slope": slope,
            "gap_ms": gap_ms,
        },
        figures={"windows": windows, "xrun": xrun},
        sounds={"clean": AudioClip(clean, RATE), "xrun": AudioClip(broken, RATE)},
        film=_animation,
    )


def _spread_db(window_ms: float, seed: int) -> float:
    """RMS error of single windows (the closed form), without what is gained by averaging over time."""
    hop_ms = min(window_ms, 21.3)
    options = {"input": "pink", "noise_dbfs": NOISE_DBFS, "window_ms": window_ms, "hop_ms": hop_ms, "seed": seed}
    errors_db = run_offline(4.0, **options)[0].gain_opt_db - GAIN_DB
    return float(np.sqrt(np.nanmean(np.square(errors_db))))


def _heard(*, with_xrun: bool) -> Wave:
    """Three seconds of the demo as they are heard, block by block."""
    music, block = DemoSource(RATE).read(3 * RATE)[0], 480
    out = np.empty((len(music), 1), np.float32)
    with Engine(RATE, out_channels=1) as engine:
        engine.reference.set(gain_db=0.0)
        for start in range(0, len(music), block):
            if with_xrun and start == round(XRUN_S * RATE):
                engine.simulate_xrun()
            engine.process(music[start : start + block], None, out[start : start + block])
    return out[480:, 0].astype(np.float64)  # behind the fade with which every session begins


def _animation() -> Animation:
    """Blocks that come in, and a window over the newest of them that makes an estimate at every hop."""
    music = DemoSource(RATE).read(RATE)[0][::48]
    time_ms = np.arange(len(music))
    figure = paper(*plots.ANIMATION_SIZE)
    axes = figure.subplots()
    axes.set_xlim(0, 400)
    axes.set_ylim(-0.6, 0.8)
    axes.set_xlabel("time (ms)")
    draw(axes, DRY, time_ms, np.full(len(music), np.nan))
    sound = axes.lines[-1]
    draw(axes, ESTIMATE, [0, 0, 0, 0], [0, 0, 0, 0], label="the newest window")
    window = axes.lines[-1]
    draw(axes, REFERENCE, [0, 0], [-0.55, 0.55], label="the moment that its estimate speaks of")
    center = axes.lines[-1]
    axes.legend(**LEGEND, loc="upper right", ncols=3)
    hop_ms, window_ms = 1e3 * 1024 / RATE, 1e3 * 4096 / RATE

    def show(frame: int) -> None:
        now_ms = 100.0 + frame * 4 * 256 / RATE * 250.0
        heard = np.where(time_ms <= now_ms, music, np.nan)
        sound.set_ydata(heard)
        end = now_ms // hop_ms * hop_ms
        window.set_data([end - window_ms, end - window_ms, end, end], [-0.5, 0.5, 0.5, -0.5])
        center.set_xdata([end - window_ms / 2] * 2)

    return Animation(figure, (sound, window, center), show, 56)
