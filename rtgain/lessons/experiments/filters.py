"""Experiment of lesson 7: three band gains and a low shelf, fitted by the same descent."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view

from rtgain.audio.sources.synthetic import pink_noise
from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.config.session_config import SessionConfig
from rtgain.dsp.filters import Filter, LowShelf, ThreeBandGain
from rtgain.dsp.fit import FitHistory, fit
from rtgain.dsp.loss_curve import loss_curve
from rtgain.dsp.losses import SpectralLoss
from rtgain.estimation.estimator import Estimator
from rtgain.estimation.window_features import Windows
from rtgain.lessons.content.filters import LOW_SHELF, THREE_BANDS
from rtgain.lessons.experiments.experiment import AudioClip, ExperimentResult
from rtgain.lessons.experiments.sine import Wave
from rtgain.output import descent_plots as plots
from rtgain.output.animation import Animation
from rtgain.output.curve_styles import ESTIMATE, TARGET
from rtgain.output.figures import LEGEND, new_figure, plot_curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATE = 16_000
SECONDS = 4
FADE_S = 0.01
"""Length of the fades at both ends, so that the loop does not click."""

BANDS_DB = {"low_db": -9.0, "mid_db": 4.0, "high_db": -15.0}
SHELF = {"gain_db": -12.0, "corner_octaves": -1.0}
SHELF_START = {"gain_db": -3.0, "corner_octaves": 1.0}
STEPS = 80
FITTED_WITH: dict[str, Any] = {"optimizer": "Rprop", "lr": 0.5}
LOSS = SpectralLoss()
OCTAVES = np.linspace(-5.0, 2.0, 71)
HERTZ = np.geomspace(30.0, 7900.0, 200)


def measure(seed: int) -> ExperimentResult:
    """Run the experiment; `seed` is that of the pink noise."""
    fade = np.clip(np.arange(SECONDS * RATE) / (FADE_S * RATE), 0.0, 1.0)
    dry = fade * fade[::-1] * pink_noise(RATE, SECONDS * RATE, seed=seed)
    banded, shelved = ThreeBandGain(RATE, **BANDS_DB).process(dry), LowShelf(RATE, **SHELF).process(dry)
    bands = _descend(ThreeBandGain, dict.fromkeys(BANDS_DB, 0.0), dry, banded)
    shelf = _descend(LowShelf, SHELF_START, dry, shelved)
    bands_matched = ThreeBandGain(RATE, **bands.final).process(dry)
    shelf_matched = LowShelf(RATE, **shelf.final).process(dry)
    one_bands_db, one_shelf_db = _one_gain_db(dry, banded), _one_gain_db(dry, shelved)
    losses = loss_curve(LowShelf(RATE, **SHELF), "corner_octaves", OCTAVES, dry, shelved, loss=LOSS)
    slopes = np.abs(np.gradient(losses, OCTAVES))
    excess = np.interp(-3.0, OCTAVES, losses) - 0.5 * (losses[0] + np.interp(-1.0, OCTAVES, losses))
    no_shelf = LowShelf(RATE, gain_db=0.0)
    flat_losses = loss_curve(no_shelf, "corner_octaves", (-4.0, -1.0, 2.0), dry, shelved, loss=LOSS)

    def three_bands() -> "Figure":
        figure, panels = plots.make_axes(1, 3, sharey=True)
        for axes, (name, value) in zip(panels, BANDS_DB.items(), strict=True):
            plots.plot_steps(axes, bands.parameters[name], reference=value)
            axes.set_title(name.removesuffix("_db"), loc="left")
        panels[0].set_ylabel("gain (dB)")
        panels[0].legend(**LEGEND)
        return figure

    def low_shelf() -> "Figure":
        figure, panels = plots.make_axes(1, 2)
        for axes, (name, label) in zip(
            panels, (("gain_db", "gain (dB)"), ("corner_octaves", "corner (octaves re 1 kHz)")), strict=True
        ):
            plots.plot_steps(axes, shelf.parameters[name], reference=SHELF[name])
            axes.set_ylabel(label)
        panels[0].legend(**LEGEND)
        return figure

    def valley() -> "Figure":
        figure, (axes,) = plots.make_axes(1)
        plots.plot_loss(axes, OCTAVES, losses, reference=SHELF["corner_octaves"])
        axes.set_xlabel("corner (octaves re 1 kHz), at the reference gain")
        axes.lines[0].set_label("reference corner")
        axes.legend(**LEGEND)
        return figure

    return ExperimentResult(
        numbers={
            **{f"true_{name}": value for name, value in BANDS_DB.items()},
            **bands.final,
            "one_bands_db": one_bands_db,
            "bands_reduction_db": -_residual_db(dry, banded, one_bands_db),
            "one_shelf_db": one_shelf_db,
            "shelf_residual_db": _residual_db(dry, shelved, one_shelf_db),
            "steps": STEPS,
            "true_shelf_db": SHELF["gain_db"],
            "shelf_db": shelf.final["gain_db"],
            "shelf_hz": 1000.0 * 2.0 ** shelf.final["corner_octaves"],
            "true_shelf_hz": 1000.0 * 2.0 ** SHELF["corner_octaves"],
            "convexity_excess_percent": 100.0 * float(excess / losses.max()),
            "flat": float(np.ptp(flat_losses)),
            "slope_ratio": float(slopes[OCTAVES < -1.0].max() / slopes[0]),
        },
        figures={"bands": three_bands, "shelf": low_shelf, "valley": valley},
        sounds={
            "dry": AudioClip(dry, RATE),
            "bands": AudioClip(banded, RATE),
            "bands_matched": AudioClip(bands_matched, RATE),
            "shelf": AudioClip(shelved, RATE),
            "shelf_matched": AudioClip(shelf_matched, RATE),
        },
        recordings={
            THREE_BANDS: ("dry", "bands", "bands_matched"),
            LOW_SHELF: ("dry", "shelf", "shelf_matched"),
        },
        animation=lambda: _animation(bands),
    )


def _descend(kind: type[Filter], start: dict[str, float], dry: Wave, target: Wave) -> FitHistory:
    return fit(kind(RATE, **start), dry, target, loss=LOSS, steps=STEPS, **FITTED_WITH)


def _one_gain_db(dry: Wave, target: Wave) -> float:
    """Estimate one gain with rtgain's own estimator."""
    settings = EstimatorSettings.from_config(SessionConfig(), RATE)
    dry_windows, target_windows = (
        sliding_window_view(signal.astype(np.float32), settings.window_frames)[:: settings.hop_frames, None].copy()
        for signal in (dry, target)
    )
    unknown = np.full(len(dry_windows), np.nan)
    windows = Windows(dry_windows, target_windows, unknown, unknown, unknown)
    return Estimator(settings).estimate(windows)[-1].gain_est_db


def _residual_db(dry: Wave, target: Wave, gain_db: float) -> float:
    """Level of the difference between target and dry signal × gain, relative to the target, in dB (RMS)."""
    difference = target - 10.0 ** (gain_db / 20.0) * dry
    return float(10.0 * np.log10(np.mean(difference**2) / np.mean(target**2)))


def _response_db(values: dict[str, float]) -> Wave:
    omega = torch.from_numpy(2.0 * np.pi * HERTZ / RATE)
    with torch.no_grad():
        magnitude = ThreeBandGain(RATE, **values).response(omega).abs()[0]
    level_db: Wave = 20.0 * np.log10(magnitude.numpy())
    return level_db


def _animation(bands: FitHistory) -> Animation:
    """Animate the frequency response of the estimate on its way to that of the target."""
    figure = new_figure(*plots.ANIMATION_SIZE)
    axes = figure.subplots()
    plot_curve(axes, ESTIMATE, HERTZ, np.zeros(len(HERTZ)))
    plot_curve(axes, TARGET, HERTZ, _response_db(BANDS_DB))
    estimate, target = axes.lines
    axes.set_xscale("log")
    axes.set_ylim(-24, 12)
    axes.set_xlabel("frequency (Hz)")
    axes.set_ylabel("gain (dB)")
    axes.legend(**LEGEND, loc="lower left")
    title = axes.set_title("step", loc="left")
    frames = min(STEPS, 40) + 1

    def show(frame: int) -> None:
        estimate.set_ydata(_response_db({name: float(path[frame]) for name, path in bands.parameters.items()}))
        title.set_text(f"step {frame}")

    return Animation(figure, (estimate, target, title), show, frames)
