"""Experiment of lesson 8: scores of guesses, gain and loudness of music and of noise behind a low shelf."""

import math
from typing import TYPE_CHECKING

import numpy as np

from rtgain.audio.sources.demo import demo_music
from rtgain.audio.sources.synthetic import pink_noise
from rtgain.dsp.filters import SHELF_Q, ParametricEQ
from rtgain.lessons.content.loudness import TRIALS
from rtgain.lessons.experiments.experiment import AudioClip, ExperimentResult
from rtgain.lessons.experiments.sine import Wave
from rtgain.listening.statistics import abx_p_value
from rtgain.metering.loudness import LoudnessMeter
from rtgain.output import descent_plots as plots
from rtgain.output.animation import Animation
from rtgain.output.curve_styles import COMPARISON_1, ESTIMATE, TARGET
from rtgain.output.figures import LEGEND, new_figure, plot_curve
from rtgain.session.offline import estimate, render_reference

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RATE = 48_000
SOUND_S = 4
LEVELS_DB = {"louder_2": 2.0, "louder_1": 1.0, "louder_05": 0.5}
LIMIT_DB = 0.1
SHELF = {"low_shelf_gain_db": 6.0, "low_shelf_octaves": 0.0, "low_shelf_q": SHELF_Q}
"""Low shelf of the target."""

SHARE_RIGHT = 0.75
"""Share of right answers of a listener who hears the difference in every second trial."""

LONG_TEST = 16, 12
"""Trials of a longer test, and the score for a probability below 5 %."""

GUESS, LISTENER = "guesses", "heard in every second trial"


def measure(seed: int) -> ExperimentResult:
    """Run the experiment; `seed` is that of the pink noise."""
    music = demo_music(RATE, SOUND_S * RATE).astype(np.float64)
    noise = pink_noise(RATE, SOUND_S * RATE, seed=seed).astype(np.float64)
    shelved = ParametricEQ(RATE, gain_db=0.0, **SHELF).process(noise)
    dry, louder = (
        samples.astype(np.float64) for samples in render_reference(music, RATE, gain_db=LEVELS_DB["louder_2"])
    )
    shelf_lu = _lufs(shelved) - _lufs(noise)
    matched = _factor(-shelf_lu) * shelved

    def scores() -> "Figure":
        figure, (axes,) = plots.make_axes(1)
        _plot_scores(axes, TRIALS)
        axes.set_ylim(0.0, 0.45)
        axes.legend(**LEGEND, loc="upper left")
        return figure

    def shelf() -> "Figure":
        hertz = np.geomspace(30.0, 15_000.0, 200)
        response = ParametricEQ(RATE, gain_db=0.0, **SHELF).filters.response(hertz, RATE)
        figure, (axes,) = plots.make_axes(1)
        plot_curve(axes, TARGET, hertz, 20.0 * np.log10(np.abs(response)))
        plot_curve(axes, ESTIMATE, hertz, np.zeros(len(hertz)))
        axes.set_xscale("log")
        axes.set_ylim(-2.0, 8.0)
        axes.set_xlabel("frequency (Hz)")
        axes.set_ylabel("gain (dB)")
        axes.legend(**LEGEND, loc="upper right")
        return figure

    return ExperimentResult(
        numbers={
            **{f"guess_{right}_percent": 100.0 * abx_p_value(right, TRIALS) for right in (6, 7, 8)},
            "half_7_percent": 100.0 * float(_probabilities(TRIALS, SHARE_RIGHT)[7:].sum()),
            "half_12_percent": 100.0 * float(_probabilities(LONG_TEST[0], SHARE_RIGHT)[LONG_TEST[1] :].sum()),
            "factor_1": _factor(1.0),
            "factor_05": _factor(0.5),
            "percent_01": 100.0 * (_factor(LIMIT_DB) - 1.0),
            "below_7": 1.0 - abx_p_value(7, TRIALS),
            "three_7_percent": 100.0 * (1.0 - (1.0 - abx_p_value(7, TRIALS)) ** 3),
            **{
                name.replace("louder", "remaining") + "_db": _remaining_db(music, level_db)
                for name, level_db in LEVELS_DB.items()
            },
            "music_lu": _lufs(louder) - _lufs(dry),
            "shelf_db": float(estimate(noise, shelved, RATE).history.gain_est_db[-1]),
            "shelf_lu": shelf_lu,
            "matched_lu": abs(_lufs(matched) - _lufs(noise)),
        },
        figures={"scores": scores, "shelf": shelf},
        sounds={
            "dry": AudioClip(music, RATE),
            **{name: AudioClip(_factor(level_db) * music, RATE) for name, level_db in LEVELS_DB.items()},
            "noise": AudioClip(noise, RATE),
            "shelved": AudioClip(shelved, RATE),
            "shelved_matched": AudioClip(matched, RATE),
        },
        animation=_animation,
    )


def _factor(gain_db: float) -> float:
    return float(10.0 ** (gain_db / 20.0))


def _remaining_db(music: Wave, level_db: float) -> float:
    """Largest difference in level that a match by gain leaves of `level_db`, after the estimate has settled."""
    dry, louder = render_reference(music, RATE, gain_db=level_db)
    estimates_db = estimate(dry, louder, RATE).history.gain_est_db
    return float(np.abs(estimates_db[len(estimates_db) // 2 :] - level_db).max())


def _lufs(samples: Wave) -> float:
    """Measure the integrated loudness of a mono signal."""
    meter = LoudnessMeter(RATE, 1)
    meter.push(samples[None].astype(np.float32))
    return meter.integrated_lufs


def _probabilities(trials: int, share_right: float) -> Wave:
    """Compute the probability of each score from 0 to `trials` (binomial distribution), ``(trials + 1,)``."""
    right = np.arange(trials + 1)
    ways = np.array([math.comb(trials, count) for count in right], dtype=np.float64)
    probabilities: Wave = ways * share_right**right * (1.0 - share_right) ** (trials - right)
    return probabilities


def _plot_scores(axes: "Axes", trials: int) -> None:
    for style, label, share_right in ((COMPARISON_1, GUESS, 0.5), (ESTIMATE, LISTENER, SHARE_RIGHT)):
        plot_curve(axes, style, np.arange(trials + 1), _probabilities(trials, share_right), label=label)
        axes.lines[-1].set_marker("o")
    axes.set_xlabel("right answers")
    axes.set_ylabel("probability")


def _animation() -> Animation:
    """Animate the distribution of the scores, with one trial more per picture."""
    most = LONG_TEST[0]
    figure = new_figure(*plots.ANIMATION_SIZE)
    axes = figure.subplots()
    _plot_scores(axes, 1)
    axes.set_xlim(-0.5, most + 0.5)
    axes.set_ylim(0.0, 1.0)
    axes.legend(**LEGEND, loc="upper right")
    guess, listener = axes.lines
    title = axes.set_title("1 trial", loc="left")

    def show(frame: int) -> None:
        trials = frame + 1
        for line, share_right in ((guess, 0.5), (listener, SHARE_RIGHT)):
            line.set_data(np.arange(trials + 1), _probabilities(trials, share_right))
        title.set_text(f"{trials} trial{'s' if trials > 1 else ''}")

    return Animation(figure, (guess, listener, title), show, most)
