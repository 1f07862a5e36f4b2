"""Experiment of lesson 5: music and synthetic speech, in noise and in silence."""

import math
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from rtgain.audio.sources.demo import demo_music
from rtgain.audio.sources.synthetic_speech import synthetic_speech
from rtgain.dsp.loss_registry import get_loss
from rtgain.dsp.losses import FeatureLoss, SpectralLoss
from rtgain.lessons.experiments.experiment import AudioClip, ExperimentResult
from rtgain.lessons.experiments.sine import GAIN, GAIN_DB, Wave
from rtgain.output import descent_plots as plots
from rtgain.output.animation import Animation
from rtgain.output.curve_styles import CLOSED_FORM, COMPARISON_1, ESTIMATE, MATCHED, REFERENCE
from rtgain.output.figures import LEGEND, new_figure, plot_curve
from rtgain.session.offline import estimate_samples, render_reference

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rtgain.records.estimate import Estimate

RATE = 48_000
SPEECH_RATE = 16_000
MUSIC_S = 10
"""Length of the demo loop in seconds."""

NOISE_DB = (30.0, 20.0, 10.0)
"""Target-to-noise ratios in dB (RMS)."""

EXCERPTS = [slice(start, start + RATE // 2) for start in range(RATE, 9 * RATE, RATE // 2)]
"""Half seconds of music for the losses without weights; the silence before and after them is left out."""

SEARCH_DB = np.arange(-3.0, 9.0, 0.05)
SEARCH_GAINS = GAIN * 10.0 ** (SEARCH_DB / 20.0)
"""Search grid for losses without a closed form: error in dB relative to the reference gain, and linear gain."""

COARSE_STEPS = 16
"""Step of the first search on the grid; the losses of the lesson have one minimum."""

PLAIN = SpectralLoss()


def measure(seed: int) -> ExperimentResult:
    """Run the experiment; `seed` is that of the noise."""
    music = demo_music(RATE, MUSIC_S * RATE)
    speech = synthetic_speech(SPEECH_RATE, 6 * SPEECH_RATE)
    loop = estimate_samples(music, RATE, gain_db=GAIN_DB)
    noise_options = {db: _noise_options(music, db, seed) for db in NOISE_DB}
    rtgain_db = {db: _rms_db(estimate_samples(music, RATE, **options)) for db, options in noise_options.items()}
    targets = {db: render_reference(music, RATE, **options)[1] for db, options in noise_options.items()}
    plain_db = {db: [_minimum_db(PLAIN, music, targets[db], excerpt) for excerpt in EXCERPTS] for db in NOISE_DB}
    plain_mean_db = {db: float(np.mean(errors)) for db, errors in plain_db.items()}
    largest_bias = EXCERPTS[int(np.argmax(plain_db[10.0]))]
    auraloss_db = {}
    if find_spec("auraloss") is not None:
        loss = get_loss("auraloss-multi-resolution")
        auraloss_db = {db: _minimum_db(loss, music, targets[db], EXCERPTS[0]) for db in NOISE_DB}
    speech_error_db = _rms_db(estimate_samples(speech, SPEECH_RATE, **_noise_options(speech, 20.0, seed)))
    silent = [e for e in loop if e.state.label == "silent"]

    def noise() -> "Figure":
        figure, (axes,) = plots.make_axes(1)
        for curve, values, label in (
            (ESTIMATE, rtgain_db, "rtgain: masked, weighted, averaged over time"),
            (CLOSED_FORM, plain_mean_db, "plain spectral loss, mean over half seconds"),
            (COMPARISON_1, auraloss_db, "auraloss, multi-resolution, one half second"),
        ):
            if values:
                plot_curve(axes, curve, list(values), np.abs(list(values.values())), label=label)
        axes.set_yscale("log")
        axes.invert_xaxis()
        axes.set_xlabel("target-to-noise ratio (dB)")
        axes.set_ylabel("error (dB)")
        axes.set_ylim(3e-4, 50.0)  # leaves room for the legend above the curves
        axes.legend(**LEGEND, loc="upper left")
        return figure

    def silence() -> "Figure":
        figure, (gain, sound) = plots.make_axes(2, height=360, sharex=True)
        time_s = [e.center_frame / RATE for e in loop]
        plot_curve(gain, ESTIMATE, time_s, [e.gain_est_db for e in loop])
        plot_curve(gain, REFERENCE, time_s, [e.gain_true_db for e in loop])
        gain.set_ylim(GAIN_DB - 1, GAIN_DB + 1)
        gain.set_ylabel("gain (dB)")
        gain.legend(**LEGEND)
        peaks = np.abs(music[: len(music) // 480 * 480]).reshape(-1, 480).max(axis=1)
        plot_curve(sound, MATCHED, np.arange(len(peaks)) / 100, GAIN * peaks)
        sound.axvspan(time_s[loop.index(silent[0])], time_s[loop.index(silent[-1])], color="#d8dde3", label="silent")
        sound.set_xlabel("time (s)")
        sound.set_ylabel("peak")
        sound.set_ylim(0.0, 1.4 * GAIN * float(peaks.max()))
        sound.legend(**LEGEND, ncols=2, loc="upper left")
        return figure

    def windows() -> "Figure":
        figure, panels = plots.make_axes(2, sharex=True, height=380)
        for axes, frames in zip(panels, (1024, 16384), strict=True):
            excerpt = music[RATE - frames // 2 : RATE + frames // 2] * np.hanning(frames)
            level_db = 20 * np.log10(np.maximum(np.abs(np.fft.rfft(excerpt)) / frames, 1e-9))
            plot_curve(axes, MATCHED, np.fft.rfftfreq(frames, 1 / RATE), GAIN_DB + level_db)
            axes.set_title(f"window of {1000 * frames / RATE:.0f} ms", loc="left")
            axes.set_xlim(0, 2000)
            axes.set_ylim(-130, -20)
            axes.set_ylabel("level (dB)")
        panels[1].set_xlabel("frequency (Hz)")
        return figure

    return ExperimentResult(
        numbers={
            "clean_db": _rms_db(loop),
            "silent_s": len(silent) * 1024 / RATE,
            "held_db": float(np.ptp([e.gain_est_db for e in silent])),
            **{f"rtgain_{db:.0f}_db": error for db, error in rtgain_db.items()},
            **{f"plain_{db:.0f}_db": error for db, error in plain_mean_db.items()},
            **{f"auraloss_{db:.0f}_db": error for db, error in auraloss_db.items()},
            "speech_20_db": speech_error_db,
        },
        figures={"noise": noise, "silence": silence, "windows": windows},
        sounds={
            "dry": AudioClip(music[: 4 * RATE], RATE),
            "target": AudioClip(GAIN * music[: 4 * RATE], RATE),
            "noisy": AudioClip(targets[10.0][: 4 * RATE], RATE),
            "speech": AudioClip(speech[: 4 * SPEECH_RATE], SPEECH_RATE),
        },
        animation=lambda: _animation(music, targets[10.0], largest_bias),
    )


def _noise_options(samples: NDArray[np.float32], below_db: float, seed: int) -> dict[str, Any]:
    """Options of a session whose noise is `below_db` below the target (RMS)."""
    level_dbfs = 10.0 * np.log10(np.mean(np.square(samples, dtype=np.float64))) + GAIN_DB
    return {"gain_db": GAIN_DB, "noise_dbfs": float(level_dbfs - below_db), "seed": seed}


def _rms_db(estimates: "list[Estimate]") -> float:
    """RMS error of all estimates in the state tracking."""
    errors = [e.gain_est_db - e.gain_true_db for e in estimates if e.state.label == "tracking"]
    return float(np.sqrt(np.mean(np.square(errors))))


def _pair(dry: NDArray[np.floating], target: NDArray[np.floating], excerpt: slice) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = (torch.from_numpy(signal[excerpt].astype(np.float64)).unsqueeze(0) for signal in (dry, target))
    return x, y


def _minimum_db(loss: FeatureLoss, dry: NDArray[np.floating], target: NDArray[np.floating], excerpt: slice) -> float:
    """Error in dB of the gain with the smallest loss on the excerpt: the closed form, else the best of `SEARCH_DB`."""
    x, y = _pair(dry, target, excerpt)
    target_features = loss.features(y)
    best = float(loss.optimum(loss.features(x), target_features))
    if not np.isnan(best):
        return 20.0 * math.log10(best / GAIN)

    def lowest(positions: range) -> int:
        losses = [float(loss.distance(loss.features(SEARCH_GAINS[at] * x), target_features)) for at in positions]
        return positions[int(np.argmin(losses))]

    near = lowest(range(0, len(SEARCH_GAINS), COARSE_STEPS))
    around = range(max(0, near - COARSE_STEPS + 1), min(len(SEARCH_GAINS), near + COARSE_STEPS))
    return float(SEARCH_DB[lowest(around)])


def _plain_losses(dry: NDArray[np.floating], target: NDArray[np.floating], excerpt: slice) -> Wave:
    """Plain loss on the excerpt at each of `SEARCH_GAINS`. Its features are proportional to the gain."""
    x, target_features = (PLAIN.features(signal) for signal in _pair(dry, target, excerpt))
    losses: Wave = PLAIN.distance(torch.from_numpy(SEARCH_GAINS[:, np.newaxis]) * x, target_features).numpy()
    return losses


def _animation(music: NDArray[np.float32], noisy: NDArray[np.float32], excerpt: slice) -> Animation:
    """Animate the plain loss while the noise level rises: its minimum moves away from the reference gain."""
    clean = GAIN * music
    shares = np.concatenate([np.linspace(0.0, 1.0, 40), np.ones(5)])
    targets = [clean + share * (noisy - clean) for share in shares]
    curves = [_plain_losses(music, target, excerpt) for target in targets]
    minimum_db = [_minimum_db(PLAIN, music, target, excerpt) for target in targets]
    figure = new_figure(*plots.ANIMATION_SIZE)
    axes = figure.subplots()
    plots.plot_loss(axes, SEARCH_DB, curves[0], reference=0.0)
    line = axes.lines[-1]
    plots.plot_optimum(axes, 0.0, 0.0)
    point = axes.lines[-1]
    axes.set_xlabel("gain relative to the reference (dB)")
    axes.set_ylim(0.0, 1.1 * max(float(curve.max()) for curve in curves))
    axes.legend(**LEGEND, loc="upper center")

    def show(frame: int) -> None:
        line.set_ydata(curves[frame])
        point.set_data([minimum_db[frame]], [np.interp(minimum_db[frame], SEARCH_DB, curves[frame])])

    return Animation(figure, (line, point), show, len(curves))
