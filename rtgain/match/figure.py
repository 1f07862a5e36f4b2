"""A figure of a match: the gain over time, the spectra of all three signals, and what is left between them."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtgain.match.pair import MatchDetails
from rtgain.match.render import file_length_at, read_first_seconds, render_matched_chunks
from rtgain.number_format import format_number, format_result
from rtgain.output.curve_styles import CLOSED_FORM, DRY, ESTIMATE, TARGET
from rtgain.output.figures import LEGEND, new_figure, plot_curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPECTRUM_FRAMES = 8192
FLOOR_DB = -140.0

SHOWN_S = 600
"""Sound that is drawn, at most."""


def match_figure(matching: MatchDetails, dry: Path, target: Path) -> "Figure":
    """The figure, 1600 × 1440 pixels. Raises `InputError`."""
    rate, match = matching.sample_rate, matching.match
    figure = new_figure(1600, 1440)
    gain, spectra, difference = figure.subplots(3, 1)

    time_s = np.array([(e.center_frame + matching.start_frame) / rate for e in matching.estimates])
    told = np.array([math.isfinite(e.opt_std_db) for e in matching.estimates], dtype=bool)
    for curve, values in (
        (ESTIMATE, [e.gain_est_db for e in matching.estimates]),
        (CLOSED_FORM, [e.gain_opt_db for e in matching.estimates]),
    ):
        plot_curve(gain, curve, time_s, np.where(told, values, np.nan))
    if match.gain_db is not None:
        gain.axhline(match.gain_db, color=ESTIMATE.light, alpha=0.4, linewidth=4)
        gain.set_ylim(match.gain_db - 3, match.gain_db + 3)
    gain.set_ylabel("gain (dB)")
    gain.set_xlabel("time in the dry recording (s)")

    linear = 0.0 if match.gain_linear is None else math.copysign(match.gain_linear, match.polarity or 1)
    wanted, matched = _wanted_and_matched(dry, target, rate, linear, match.delay_samples or 0.0)
    hertz = np.fft.rfftfreq(SPECTRUM_FRAMES, 1 / rate)[1:]
    for curve, samples in ((DRY, read_first_seconds(dry, rate, SHOWN_S)), (ESTIMATE, matched), (TARGET, wanted)):
        plot_curve(spectra, curve, hertz, _spectrum_db(samples)[1:], label="matched" if curve is ESTIMATE else None)
    spectra.set_xscale("log")
    spectra.set_xlim(20, rate / 2)
    spectra.set_xlabel("frequency (Hz)")
    spectra.set_ylabel("level (dB)")

    left = wanted - matched
    seconds = np.arange(len(wanted)) / rate
    step = max(1, len(wanted) // 200_000)
    difference.plot(seconds[::step], wanted[::step], color=TARGET.light, linewidth=0.5, label="target")
    difference.plot(seconds[::step], left[::step], color="black", linewidth=0.5, label="target − matched")
    difference.set_xlabel("time in the target (s)")
    difference.set_ylabel("amplitude")
    for axes in figure.axes:  # above each, where no curve can run behind a name
        axes.legend(**LEGEND, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3)
    figure.suptitle(_title(matching), x=0.01, ha="left", fontsize=11)
    return figure


def _wanted_and_matched(
    dry: Path, target: Path, rate: int, gain: float, delay_frames: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    frames = min(file_length_at(target, rate), SHOWN_S * rate)
    matched = np.concatenate([piece[0] for piece in render_matched_chunks(dry, rate, frames, gain, delay_frames)])
    return read_first_seconds(target, rate, SHOWN_S).astype(np.float64), matched


def _spectrum_db(samples: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean power over Hann windows, in dB."""
    padded = np.zeros(max(SPECTRUM_FRAMES, len(samples)))
    padded[: len(samples)] = samples
    windows = np.lib.stride_tricks.sliding_window_view(padded, SPECTRUM_FRAMES)[:: SPECTRUM_FRAMES // 2]
    hann = np.hanning(SPECTRUM_FRAMES + 1)[:-1]
    power = np.mean([np.abs(np.fft.rfft(window * hann)) ** 2 for window in windows], axis=0) / np.sum(hann) ** 2
    level_db: NDArray[np.float64] = 10.0 * np.log10(np.maximum(power, 10.0 ** (FLOOR_DB / 10.0)))
    return level_db


def _title(matching: MatchDetails) -> str:
    match = matching.match
    result = format_result(match.gain_db, match.std_db, match.state)
    if match.delay_ms is None:
        return result
    return f"{result}, delay {format_number(match.delay_ms, 3)} ms{', inverted' if match.polarity < 0 else ''}"
