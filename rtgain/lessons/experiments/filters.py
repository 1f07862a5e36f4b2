"""Experiment of lesson 7: a gain and six bands, learned by the same descent, and the shape of their loss."""

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from rtgain.audio.sources.synthetic import pink_noise
from rtgain.dsp.filters import ParametricEQ
from rtgain.dsp.fit import FitHistory, fit
from rtgain.dsp.loss_curve import loss_curve
from rtgain.dsp.losses import SpectralLoss
from rtgain.lessons.experiments.experiment import AudioClip, ExperimentResult
from rtgain.lessons.experiments.sine import Wave
from rtgain.output import descent_plots as plots
from rtgain.output.animation import Animation
from rtgain.output.curve_styles import COMPARISON_1, ESTIMATE, TARGET
from rtgain.output.figures import LEGEND, add_figure_legend, new_figure, plot_curve
from rtgain.session.offline import estimate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATE = 48_000
SOUND_S = 2
WINDOW = slice(0, 4096)
"""Frames for the descents: as many as in a window of the live estimator."""

GAIN_DB = -6.0
LOSS = SpectralLoss()


def _octaves(hertz: float) -> float:
    return math.log2(hertz / 1000.0)


THREE_FILTERS = {
    "low_shelf_gain_db": 8.0, "low_shelf_octaves": _octaves(150.0),
    "peak_2_gain_db": -9.0, "peak_2_octaves": _octaves(800.0),
    "high_shelf_gain_db": 6.0, "high_shelf_octaves": _octaves(5000.0),
}  # fmt: skip
ONE_PEAK = {"peak_2_gain_db": -9.0, "peak_2_octaves": _octaves(800.0)}
TWO_PEAKS = {
    "peak_1_gain_db": 8.0, "peak_1_octaves": _octaves(300.0), "peak_1_q": 2.0,
    "peak_4_gain_db": 12.0, "peak_4_octaves": _octaves(4000.0), "peak_4_q": 2.0,
}  # fmt: skip
"""Equalizers of the targets."""

STEPS, LR = 120, 0.2
PEAK_LR = 0.1
PEAK = ("peak_2_gain_db", "peak_2_octaves")
PEAK_STEPS, PEAK_START = 60, {"peak_2_gain_db": -3.0, "peak_2_octaves": _octaves(3000.0)}
NARROW_START_DB, TRAPPED_START_HZ = 1.0, 400.0

BANDS = ("peak_2_gain_db", "peak_3_gain_db")
NEIGHBORS = {
    "peak_2_octaves": _octaves(800.0), "peak_2_q": 0.7, "peak_3_octaves": _octaves(800.0) + 0.25, "peak_3_q": 0.7,
}  # fmt: skip
"""Two peaks at a distance of a quarter of an octave, the least that the live estimator allows."""

BAND_DB, BAND_STEPS, BAND_LR = 9.0, 100, 10.0
PRIOR_PER_DB = 0.01

HERTZ = np.geomspace(30.0, 15_000.0, 200)
MAP_OCTAVES = np.linspace(_octaves(125.0), _octaves(8000.0), 25)
MAP_BANDS_DB = np.linspace(-12.0, 12.0, 17)


def measure(seed: int) -> ExperimentResult:
    """Run the experiment; `seed` is that of the pink noise."""
    dry = pink_noise(RATE, SOUND_S * RATE, seed=seed).astype(np.float64)
    window = dry[WINDOW]
    filtered, peaked, peaks = (
        _equalizer(gain_db=gain_db, **filters).process(dry)
        for gain_db, filters in ((GAIN_DB, THREE_FILTERS), (0.0, ONE_PEAK), (GAIN_DB, TWO_PEAKS))
    )
    one_gain_db = float(estimate(dry, filtered, RATE).history.gain_est_db[-1])

    learned = _equalizer()
    descent = fit(learned, window, filtered[WINDOW], loss=LOSS, optimizer="Adam", lr=LR, steps=STEPS)
    matched = learned.process(dry)
    true_db, learned_db = (_response_db(processor) for processor in (_equalizer(GAIN_DB, **THREE_FILTERS), learned))

    peak_path = _descend_peak(PEAK_START, window, peaked[WINDOW])
    no_peak = _equalizer(peak_2_gain_db=0.0)
    flat_losses = loss_curve(no_peak, "peak_2_octaves", (-2.0, 0.0, 2.0), window, peaked[WINDOW], loss=LOSS)

    trapped_start = {"peak_2_gain_db": NARROW_START_DB, "peak_2_octaves": _octaves(TRAPPED_START_HZ)}
    trapped_path, trapped = _descend_narrow_peak(trapped_start, window, peaks[WINDOW])
    largest_hz = _largest_difference_hz(trapped.process(dry), peaks)
    escape_start = {"peak_2_gain_db": NARROW_START_DB, "peak_2_octaves": _octaves(largest_hz)}
    escaped_path, escaped = _descend_narrow_peak(escape_start, window, peaks[WINDOW])

    plain_path, prior_path = (_descend_bands(window, prior) for prior in (0.0, PRIOR_PER_DB))
    canceled = _bands(BAND_DB, -BAND_DB).process(dry)
    cancel_loss, same_loss = (
        float(loss_curve(_bands(BAND_DB, 0.0), BANDS[1], (other_db,), window, window, loss=LOSS)[0])
        for other_db in (-BAND_DB, BAND_DB)
    )

    def one_gain_figure() -> "Figure":
        figure, (axes,) = plots.make_axes(1)
        plot_curve(axes, TARGET, HERTZ, true_db, label="target")
        plot_curve(axes, ESTIMATE, HERTZ, np.full(len(HERTZ), one_gain_db), label="one gain")
        _label_response(figure)
        return figure

    def peak_map() -> "Figure":
        gains_db = np.linspace(-15.0, 3.0, 19)
        losses = _peak_losses(_equalizer(), gains_db, window, peaked[WINDOW])
        return _peak_figure(gains_db, losses, {"descent": peak_path})

    def minima() -> "Figure":
        gains_db = np.linspace(-3.0, 15.0, 19)
        losses = _peak_losses(_narrow_equalizer(), gains_db, window, peaks[WINDOW])
        paths = {"from 400 Hz": trapped_path, "escaped": escaped_path}
        return _peak_figure(gains_db, losses, paths)

    def valley() -> "Figure":
        losses = np.array(
            [
                loss_curve(_bands(band_db, 0.0), BANDS[1], MAP_BANDS_DB, window, window, loss=LOSS)
                for band_db in MAP_BANDS_DB
            ]
        )
        paths = {"without a prior": plain_path, "with a prior": prior_path}
        figure = _map_figure(MAP_BANDS_DB, MAP_BANDS_DB, losses.T, paths, BANDS)
        (axes, _) = figure.axes
        axes.set_xlabel("first gain (dB)")
        axes.set_ylabel("second gain (dB)")
        return figure

    return ExperimentResult(
        numbers={
            "one_gain_db": one_gain_db,
            "one_residual_db": _residual_db(10.0 ** (one_gain_db / 20.0) * dry, filtered),
            "loss_start": float(descent.loss[0]),
            "loss_end": float(descent.loss[-1]),
            "fit_residual_db": _residual_db(matched, filtered),
            "fit_error_db": float(np.sqrt(np.mean((learned_db - true_db) ** 2))),
            "fit_gain_db": descent.final["gain_db"],
            "peak_db": peak_path.final["peak_2_gain_db"],
            "peak_hz": _hertz(peak_path),
            "flat": float(np.ptp(flat_losses)),
            "trapped_db": trapped_path.final["peak_2_gain_db"],
            "trapped_hz": _hertz(trapped_path),
            "trapped_loss": float(trapped_path.loss[-1]),
            "trapped_residual_db": _residual_db(trapped.process(dry), peaks),
            "largest_hz": largest_hz,
            "escaped_db": escaped_path.final["peak_2_gain_db"],
            "escaped_hz": _hertz(escaped_path),
            "escaped_loss": float(escaped_path.loss[-1]),
            "escaped_residual_db": _residual_db(escaped.process(dry), peaks),
            "cancel_residual_db": _residual_db(canceled, dry),
            "cancel_loss": cancel_loss,
            "prior_cost": 2.0 * BAND_DB * PRIOR_PER_DB,
            "same_loss": same_loss,
            "plain_first_db": plain_path.final[BANDS[0]],
            "plain_second_db": plain_path.final[BANDS[1]],
            "prior_first_db": prior_path.final[BANDS[0]],
            "prior_second_db": prior_path.final[BANDS[1]],
        },
        figures={"one_gain": one_gain_figure, "map": peak_map, "minima": minima, "valley": valley},
        sounds={
            "dry": AudioClip(dry, RATE),
            "filtered": AudioClip(filtered, RATE),
            "matched": AudioClip(matched, RATE),
            "peaks": AudioClip(peaks, RATE),
            "trapped": AudioClip(trapped.process(dry), RATE),
            "escaped": AudioClip(escaped.process(dry), RATE),
            "canceled": AudioClip(canceled, RATE),
        },
        animation=lambda: _animation(descent, true_db),
    )


def _equalizer(gain_db: float = 0.0, **values: float) -> ParametricEQ:
    return ParametricEQ(RATE, gain_db=gain_db, **values)


def _narrow_equalizer(**values: float) -> ParametricEQ:
    return _equalizer(GAIN_DB, **({"peak_2_q": 2.0} | values))


def _bands(first_db: float, second_db: float) -> ParametricEQ:
    return _equalizer(**NEIGHBORS, **dict(zip(BANDS, (first_db, second_db), strict=True)))


def _free(processor: ParametricEQ, names: tuple[str, ...]) -> ParametricEQ:
    """Fix all parameters except `names`."""
    for name, parameter in processor.named_parameters():
        parameter.requires_grad_(name in names)
    return processor


def _descend_peak(start: dict[str, float], dry: Wave, target: Wave) -> FitHistory:
    processor = _free(_equalizer(**start), PEAK)
    return fit(processor, dry, target, loss=LOSS, optimizer="Rprop", lr=PEAK_LR, steps=PEAK_STEPS)


def _descend_narrow_peak(start: dict[str, float], dry: Wave, target: Wave) -> tuple[FitHistory, ParametricEQ]:
    processor = _free(_narrow_equalizer(**start), PEAK)
    return fit(processor, dry, target, loss=LOSS, optimizer="Rprop", lr=PEAK_LR, steps=PEAK_STEPS), processor


def _descend_bands(dry: Wave, prior_per_db: float) -> FitHistory:
    """Descend from two bands that cancel, toward the dry signal itself; the prior is a cost per dB of each gain."""
    processor = _free(_bands(BAND_DB, -BAND_DB), BANDS)
    gains = [getattr(processor, name) for name in BANDS]

    def loss(x: Tensor, y: Tensor) -> Tensor:
        value: Tensor = LOSS(x, y) + prior_per_db * torch.cat(gains).abs().sum()
        return value

    return fit(processor, dry, dry, loss=loss, optimizer="SGD", lr=BAND_LR, steps=BAND_STEPS)


def _peak_losses(processor: ParametricEQ, gains_db: Wave, dry: Wave, target: Wave) -> Wave:
    """Compute the loss at each gain and frequency of the second peak, ``(gains, MAP_OCTAVES)``."""
    rows = []
    for gain_db in gains_db:
        getattr(processor, PEAK[0]).data.fill_(float(gain_db))
        rows.append(loss_curve(processor, "peak_2_octaves", MAP_OCTAVES, dry, target, loss=LOSS))
    return np.array(rows)


def _largest_difference_hz(signal: Wave, target: Wave) -> float:
    """Center of the third of an octave in which the levels of both signals differ most, in Hz."""
    hertz = np.fft.rfftfreq(len(signal), 1 / RATE)
    centers_hz = 1000.0 * 2.0 ** np.arange(-3.0, 3.1, 1 / 3)
    powers = (np.abs(np.fft.rfft(samples)) ** 2 for samples in (signal, target))
    levels_db = [
        10.0 * np.log10([power[np.abs(np.log2(hertz[1:] / hz)) < 1 / 6].sum() for hz in centers_hz])
        for power in (power[1:] for power in powers)
    ]
    return float(centers_hz[np.abs(levels_db[1] - levels_db[0]).argmax()])


def _hertz(path: FitHistory) -> float:
    return float(1000.0 * 2.0 ** path.final["peak_2_octaves"])


def _residual_db(matched: Wave, target: Wave) -> float:
    """Level of the difference between target and matched signal, relative to the target, in dB (RMS)."""
    return float(10.0 * np.log10(np.mean((target - matched) ** 2) / np.mean(target**2)))


def _response_db(processor: ParametricEQ) -> Wave:
    level_db: Wave = 20.0 * np.log10(np.abs(processor.filters.response(HERTZ, RATE)))
    return level_db


def _label_response(figure: "Figure") -> None:
    (axes,) = figure.axes
    axes.set_xscale("log")
    axes.set_ylim(-18.0, 9.0)
    axes.set_xlabel("frequency (Hz)")
    axes.set_ylabel("gain (dB)")
    axes.legend(**LEGEND, loc="lower left")


def _peak_figure(gains_db: Wave, losses: Wave, paths: dict[str, FitHistory]) -> "Figure":
    """Draw the loss over frequency and gain of a peak; the frequencies are octaves apart and labeled in Hz."""
    figure = _map_figure(MAP_OCTAVES, gains_db, losses, paths, PEAK[::-1])
    (axes, _) = figure.axes
    octaves = np.arange(-3, 4)
    axes.set_xticks(octaves, [f"{hertz:g}" for hertz in 1000.0 * 2.0**octaves])
    axes.set_xlabel("frequency (Hz)")
    axes.set_ylabel("gain (dB)")
    return figure


def _map_figure(x: Wave, y: Wave, losses: Wave, paths: dict[str, FitHistory], names: tuple[str, ...]) -> "Figure":
    """Draw the loss over two parameters, dark where it is small, with the paths of descents from ring to point."""
    figure, (axes,) = plots.make_axes(1, height=640)
    filled = axes.contourf(x, y, losses, levels=16, cmap="Greys_r", alpha=0.7)
    figure.colorbar(filled, ax=axes, label="loss")
    for (label, path), style in zip(paths.items(), (COMPARISON_1, ESTIMATE)[-len(paths) :], strict=True):
        across, up = (path.parameters[name] for name in names)
        plot_curve(axes, style, across, up, label=label)
        axes.plot(across[:1], up[:1], "o", color=style.light, markerfacecolor="white", markersize=7)
        axes.plot(across[-1:], up[-1:], "o", color=style.light, markersize=7)
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])
    add_figure_legend(figure, axes)
    return figure


def _animation(descent: FitHistory, target_db: Wave) -> Animation:
    """Animate the frequency response of the equalizer on its way to that of the target."""
    figure = new_figure(*plots.ANIMATION_SIZE)
    axes = figure.subplots()
    plot_curve(axes, ESTIMATE, HERTZ, np.zeros(len(HERTZ)))
    plot_curve(axes, TARGET, HERTZ, target_db)
    estimate, target = axes.lines
    _label_response(figure)
    title = axes.set_title("step", loc="left")
    steps = plots.animation_steps(len(descent.loss))

    def show(frame: int) -> None:
        step = int(steps[frame])
        values = {name: float(path[step]) for name, path in descent.parameters.items()}
        estimate.set_ydata(_response_db(ParametricEQ(RATE, **values)))
        title.set_text(f"step {step}")

    return Animation(figure, (estimate, target, title), show, len(steps))
