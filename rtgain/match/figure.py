"""Figure of a match: gain over time, response, and the level curve or the difference."""

import math
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.sources.file_pair import select_channels
from rtgain.audio.sources.file_source import FileSource
from rtgain.match.details import MatchDetails
from rtgain.match.findings import response_offset_db
from rtgain.match.render import file_length_at, render_matched_chunks
from rtgain.match.report import match_sentence, remainder_sentence
from rtgain.output.curve_styles import CLOSED_FORM, ESTIMATE, LEFT, RIGHT, TARGET
from rtgain.output.figures import LEGEND, new_figure, plot_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE_COLUMNS = 105

SHOWN_PERCENTILES = (1.0, 99.0)
"""Percentiles of the windows' gains that the axis shows."""

MIN_DRAWN_COHERENCE = 0.5
"""Coherence of a band from which its response is drawn."""

MAX_DRAWN_S = 600
"""Longest sound that is drawn, in seconds."""


def match_figure(details: MatchDetails, dry: Path, target: Path) -> "Figure":
    """Draw the figure, 1600 × 1440 pixels. Raises `InputError`."""
    result = details.result
    figure = new_figure(1600, 1440)
    gain, response, third = figure.subplots(3, 1)

    _draw_gain(gain, details)
    _draw_response(response, details)
    dynamics = any(finding["kind"] == "dynamics" for finding in result.findings)
    if dynamics:
        _draw_level_curve(third, details)
    else:
        _draw_difference(third, dry, target, details)
    for axes in (gain, response, third):  # legends above the axes cannot cover a curve
        axes.legend(**LEGEND, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=4)
    title = f"{dry.name} → {target.name}\n{match_sentence(result)} {remainder_sentence(result)}"
    figure.suptitle("\n".join(textwrap.fill(line, TITLE_COLUMNS) for line in title.splitlines()), x=0.01, ha="left")
    return figure


def _draw_gain(axes: "Axes", details: MatchDetails) -> None:
    """Gain over time: the estimate and the closed form of each window, and each channel's own gain."""
    result = details.result
    time_s = np.array([e.center_frame / details.sample_rate for e in details.estimates])
    is_usable = np.array([math.isfinite(e.opt_std_db) for e in details.estimates], dtype=bool)
    curves = [(ESTIMATE, [e.gain_est_db for e in details.estimates])]
    curves.append((CLOSED_FORM, [e.gain_opt_db for e in details.estimates]))
    if len(result.channels) == 2:
        for index, style in enumerate((LEFT, RIGHT)):
            curves.append((style, [e.channel_gains_db[index] for e in details.estimates]))
    for curve, values in curves:
        plot_curve(axes, curve, time_s, np.where(is_usable, values, np.nan))
    if result.gain_db is not None:
        axes.axhline(result.gain_db, color=ESTIMATE.light, alpha=0.4, linewidth=4)
        shown = np.array(curves[1][1])[is_usable]
        low_db, high_db = np.nanpercentile(shown, SHOWN_PERCENTILES) if shown.size else (0.0, 0.0)
        axes.set_ylim(min(result.gain_db - 3.0, low_db - 1.0), max(result.gain_db + 3.0, high_db + 1.0))
    axes.set_ylabel("gain (dB)")
    axes.set_xlabel("time in the dry recording (s)")


def _draw_response(axes: "Axes", details: MatchDetails) -> None:
    """Response by frequency; on an axis of its own the coherence."""
    response = details.explanation.evidence.response
    axes.set_xscale("log")
    axes.set_xlim(20, details.sample_rate / 2)
    axes.set_xlabel("frequency (Hz)")
    axes.set_ylabel("gain (dB)")
    if response is None:
        return
    coherent = np.where(response.coherence >= MIN_DRAWN_COHERENCE, response.gain_db, np.nan)
    plot_curve(axes, replace(ESTIMATE, label="response"), response.frequency_hz, coherent)
    known = coherent[np.isfinite(coherent)]
    if known.size:
        axes.set_ylim(min(known.min() - 1.0, np.median(known) - 3.0), max(known.max() + 1.0, np.median(known) + 3.0))
    share = axes.twinx()
    share.fill_between(response.frequency_hz, response.coherence, color=TARGET.light, alpha=0.12, linewidth=0)
    share.set_ylim(0.0, 1.0)
    share.set_ylabel("coherence (shaded)")


def _draw_level_curve(axes: "Axes", details: MatchDetails) -> None:
    """Gain over the level of the dry recording: a point per window, and the curve."""
    evidence = details.explanation.evidence
    curve = evidence.curve
    assert curve is not None
    dry_db = curve.levels_db - evidence.matched_gain_db
    mean_db = evidence.gain_db + response_offset_db(evidence)
    axes.scatter(dry_db, mean_db + curve.gain_db, s=6, color=TARGET.light, alpha=0.4, label="window")
    axes.scatter(dry_db, mean_db + curve.curve_db, s=5, color=ESTIMATE.light, label="curve")
    axes.set_xlabel(f"{'peak' if curve.detector.is_peak else 'RMS'} level of the dry recording (dBFS)")
    axes.set_ylabel("gain (dB)")


def _draw_difference(axes: "Axes", dry: Path, target: Path, details: MatchDetails) -> None:
    """Waveforms of the target's loudest channel and of its difference from the matched signal."""
    target_samples, matched = _read_target_and_matched(dry, target, details)
    loudest = int((target_samples**2).sum(axis=1).argmax())
    shown = target_samples[loudest]
    remaining = shown - matched[loudest]
    seconds = np.arange(len(shown)) / details.sample_rate
    step = max(1, len(shown) // 200_000)
    axes.plot(seconds[::step], shown[::step], color=TARGET.light, linewidth=0.5, label="target")
    axes.plot(seconds[::step], remaining[::step], color="black", linewidth=0.5, label="target − matched")
    axes.set_xlabel("time in the target (s)")
    axes.set_ylabel("amplitude")


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
