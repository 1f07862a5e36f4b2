"""Figure of a match: gain over time, spectra of dry, matched and target, and the difference."""

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.sources.file_pair import select_channels
from rtgain.audio.sources.file_source import FileSource
from rtgain.match.pair import MatchDetails
from rtgain.match.render import file_length_at, render_matched_chunks
from rtgain.number_format import format_number, format_result
from rtgain.output.curve_styles import CLOSED_FORM, DRY, ESTIMATE, MATCHED, TARGET
from rtgain.output.figures import LEGEND, new_figure, plot_curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPECTRUM_FRAMES = 8192
FLOOR_DB = -140.0

MAX_DRAWN_S = 600
"""Longest sound that is drawn, in seconds."""


def match_figure(details: MatchDetails, dry: Path, target: Path) -> "Figure":
    """Draw the figure, 1600 × 1440 pixels. Raises `InputError`."""
    rate, result = details.sample_rate, details.result
    figure = new_figure(1600, 1440)
    gain, spectra, difference = figure.subplots(3, 1)

    time_s = np.array([e.center_frame / rate for e in details.estimates])
    is_usable = np.array([math.isfinite(e.opt_std_db) for e in details.estimates], dtype=bool)
    for curve, values in (
        (ESTIMATE, [e.gain_est_db for e in details.estimates]),
        (CLOSED_FORM, [e.gain_opt_db for e in details.estimates]),
    ):
        plot_curve(gain, curve, time_s, np.where(is_usable, values, np.nan))
    if result.gain_db is not None:
        gain.axhline(result.gain_db, color=ESTIMATE.light, alpha=0.4, linewidth=4)
        gain.set_ylim(result.gain_db - 3, result.gain_db + 3)
    gain.set_ylabel("gain (dB)")
    gain.set_xlabel("time in the dry recording (s)")

    target_samples, matched = _read_target_and_matched(dry, target, details)
    hertz = np.fft.rfftfreq(SPECTRUM_FRAMES, 1 / rate)[1:]
    for curve, samples in (
        (DRY, _read_start(dry, rate, len(details.channels))),
        (MATCHED, matched),
        (TARGET, target_samples),
    ):
        plot_curve(spectra, curve, hertz, _spectrum_db(samples)[1:])
    spectra.set_xscale("log")
    spectra.set_xlim(20, rate / 2)
    spectra.set_xlabel("frequency (Hz)")
    spectra.set_ylabel("level (dB)")

    loudest = int((target_samples**2).sum(axis=1).argmax())
    shown = target_samples[loudest]
    remaining = shown - matched[loudest]
    seconds = np.arange(len(shown)) / rate
    step = max(1, len(shown) // 200_000)
    difference.plot(seconds[::step], shown[::step], color=TARGET.light, linewidth=0.5, label="target")
    difference.plot(seconds[::step], remaining[::step], color="black", linewidth=0.5, label="target − matched")
    difference.set_xlabel("time in the target (s)")
    difference.set_ylabel("amplitude")
    for axes in figure.axes:  # legends above the axes cannot cover a curve
        axes.legend(**LEGEND, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3)
    figure.suptitle(_title(details), x=0.01, ha="left", fontsize=11)
    return figure


def _read_target_and_matched(
    dry: Path, target: Path, details: MatchDetails
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read the start of the target and render its matched signal, ``(channels, frames)`` each."""
    rate = details.sample_rate
    channels = details.channels
    if details.result.gain_db is None:
        channels = tuple(replace(channel, gain=0.0, delay_frames=0.0) for channel in channels)
    frames = min(file_length_at(target, rate), MAX_DRAWN_S * rate)
    matched = np.concatenate(list(render_matched_chunks(dry, rate, frames, channels, details.curve)), axis=1)
    return _read_start(target, rate, len(channels)), matched


def _read_start(path: Path, sample_rate: int, channels: int) -> NDArray[np.float64]:
    source = FileSource(path, sample_rate=sample_rate, channels=None)
    try:
        return select_channels(source.read(MAX_DRAWN_S * sample_rate), channels).astype(np.float64)
    finally:
        source.close()


def _spectrum_db(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the mean power over Hann windows and channels in dB; samples are ``(channels, frames)``."""
    padded = np.zeros((len(samples), max(SPECTRUM_FRAMES, samples.shape[1])))
    padded[:, : samples.shape[1]] = samples
    windows = np.lib.stride_tricks.sliding_window_view(padded, SPECTRUM_FRAMES, axis=1)[:, :: SPECTRUM_FRAMES // 2]
    hann = np.hanning(SPECTRUM_FRAMES + 1)[:-1]
    powers = [np.abs(np.fft.rfft(window * hann)) ** 2 for channel in windows for window in channel]
    power = np.mean(powers, axis=0) / np.sum(hann) ** 2
    level_db: NDArray[np.float64] = 10.0 * np.log10(np.maximum(power, 10.0 ** (FLOOR_DB / 10.0)))
    return level_db


def _title(details: MatchDetails) -> str:
    result = details.result
    line = format_result(result.gain_db, result.std_db, result.state)
    if result.delay_ms is None:
        return line
    return f"{line}, delay {format_number(result.delay_ms, 3)} ms{', inverted' if result.polarity < 0 else ''}"
