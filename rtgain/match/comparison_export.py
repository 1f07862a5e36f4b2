"""Export of a comparison: level-matched sounds of the section, their difference, the match, and the report."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.effects.interpolation import SINC_HALF_FRAMES, fractional_delay
from rtgain.audio.io.recorder import Recorder
from rtgain.config.session_config import SessionConfig, with_changes
from rtgain.match.render import MatchedChannel
from rtgain.number_format import format_number, format_time_ms
from rtgain.output.comparison_report import ComparisonReport, ReportRecording, report_page
from rtgain.output.curve_styles import ESTIMATE
from rtgain.output.figures import new_figure, plot_curve, png
from rtgain.records.level_match import LevelMatch
from rtgain.records.match_sentences import sentence_of_match
from rtgain.records.recording_offset import RecordingOffset
from rtgain.session.io_setup import SessionSource, count_channels, open_source, read_file_format
from rtgain.session.overview import Overview
from rtgain.session.pair_loudness import PairLoudness
from rtgain.system.atomic_write import write_atomic

CHUNK_FRAMES = 65536

UNKNOWN_GAIN = "Gain and findings are missing: the two were not compared before this report was written."

Signal = NDArray[np.float64]


TEST_TITLES = {"abx": "ABX test", "preference": "Preference test"}

SMALLEST_RESPONSE_DB = 6.0
"""Smallest span in dB that the picture of the response shows: a flat response looks flat."""


@dataclass(frozen=True)
class Comparison:
    """Results of a comparison.

    Attributes:
        config: options of the session, with both recordings and the section.
        offset: of the target.
        overviews: of dry and target.
        loudness: of both over the section.
        level_match: differences in level and the trims.
        match: object of ``rtgain match --json``; None if it is not known.
        tests: results of listening tests as JSON.
    """

    config: SessionConfig
    offset: RecordingOffset
    overviews: tuple[Overview, Overview]
    loudness: PairLoudness
    level_match: LevelMatch
    match: dict[str, Any] | None
    tests: Sequence[str] = ()


def write_comparison(comparison: Comparison, folder: Path, cancelled: Callable[[], bool]) -> None:
    """Write ``dry.flac``, ``target.flac``, ``difference.flac``, ``match.json`` and ``report.html`` to `folder`.

    The difference needs the match. An existing ``gain.png`` becomes a part of the report. An incomplete export is left
    if it was `cancelled`. Raises `InputError`.
    """
    match = comparison.match
    sounds, clipped_samples = _write_sounds(comparison, folder, cancelled)
    if cancelled():
        return
    if match is not None:
        write_atomic(folder / "match.json", (json.dumps(match, indent=2) + "\n").encode())
    for index, test in enumerate(comparison.tests, start=1):
        write_atomic(folder / f"listening test {index}.json", test.encode())
    figures = {}
    if match is not None and match.get("response") is not None:
        figures["Response of the target over the dry recording"] = _response_picture(match["response"])
    if (folder / "gain.png").exists():
        figures["Gain over time"] = (folder / "gain.png").read_bytes()
    level = f"{comparison.level_match.sentence()} {comparison.level_match.trim_sentence()}".rstrip()
    if clipped_samples:
        level += f" {clipped_samples} samples above full scale were clipped in these files."
    report = ComparisonReport(
        dry=_recording(comparison, 0),
        target=_recording(comparison, 1),
        section=_section(comparison.config),
        sentence=UNKNOWN_GAIN if match is None else sentence_of_match(match),
        level=level,
        findings=_findings(match),
        figures=figures,
        sounds=sounds,
        tests=[f"{TEST_TITLES[result['test']]}: {result['sentence']}" for result in map(json.loads, comparison.tests)],
    )
    write_atomic(folder / "report.html", report_page(report))


def _write_sounds(comparison: Comparison, folder: Path, cancelled: Callable[[], bool]) -> tuple[dict[str, Path], int]:
    """Write the sounds of the section. Returns their files by caption, and the number of clipped samples."""
    config, trims = comparison.config, comparison.level_match
    file_format = read_file_format(config)
    assert file_format is not None, "two recordings are files"
    channels = count_channels(config, file_format, file_format.channels)
    opened = open_source(with_changes(config, loop=False), None, channels, comparison.offset)
    assert opened.source is not None
    rate = opened.source.sample_rate
    matched_channels = _matched_channels(comparison.match, channels, rate, opened)
    dry_trim, target_trim = (10.0 ** (trim_db / 20.0) for trim_db in (trims.dry_trim_db, trims.target_trim_db))
    names = ("dry", "target") if matched_channels is None else ("dry", "target", "difference")
    recorders = [Recorder(folder / f"{name}.flac", rate, channels) for name in names]
    try:
        for dry, target, matched in _chunks(opened, channels, matched_channels or ()):
            if cancelled():
                break
            signals = (dry_trim * dry, target_trim * target, target_trim * (target - matched))
            for recorder, signal in zip(recorders, signals, strict=False):
                recorder.write(np.ascontiguousarray(signal.T, np.float32))
    finally:
        opened.source.close()
        for recorder in recorders:
            recorder.close()
    captions = {
        "dry": f"Dry{_trim_text(trims.dry_trim_db)}",
        "target": f"Target{_trim_text(trims.target_trim_db)}",
        "difference": f"Difference (target − matched){_trim_text(trims.target_trim_db)}",
    }
    return {captions[name]: folder / f"{name}.flac" for name in names}, sum(r.clipped_samples for r in recorders)


def _chunks(
    opened: SessionSource, channels: int, matched_channels: Sequence[MatchedChannel]
) -> Iterator[tuple[Signal, Signal, Signal]]:
    """Yield dry, target and matched signal of the section, (channels, frames) each.

    The matched signal is silent without `matched_channels`. Their delays are within a frame of the aligned recordings.
    """
    assert opened.source is not None
    whole = [math.floor(channel.delay_frames) for channel in matched_channels]
    reach = SINC_HALF_FRAMES + max((abs(frames) for frames in whole), default=0)
    ahead = opened.source.read(CHUNK_FRAMES).astype(np.float64)
    before = np.zeros((channels, reach))
    while ahead.shape[1]:
        block, ahead = ahead, opened.source.read(CHUNK_FRAMES).astype(np.float64)
        dry, target = block[:channels], block[channels:]
        after = np.zeros((channels, reach))
        after[:, : min(reach, ahead.shape[1])] = ahead[:channels, :reach]
        context = np.concatenate([before, dry, after], axis=1)
        matched = np.zeros_like(dry)
        for index, (channel, frames) in enumerate(zip(matched_channels, whole, strict=True)):
            first = reach - SINC_HALF_FRAMES - frames
            samples = context[index, first : first + dry.shape[1] + 2 * SINC_HALF_FRAMES]
            taps = channel.gain * fractional_delay(channel.delay_frames - frames)
            matched[index] = np.convolve(samples, taps, mode="valid")
        yield dry, target, matched
        before = context[:, context.shape[1] - 2 * reach : context.shape[1] - reach]


def _matched_channels(
    match: dict[str, Any] | None, channels: int, sample_rate: int, opened: SessionSource
) -> list[MatchedChannel] | None:
    """Return gain and remaining delay of each channel; None without a match. A silent channel has a gain of 0."""
    if match is None or match["gain_db"] is None:
        return None
    # Along a curve, the target is read without the common delay.
    removed_frames = opened.offset_frames if opened.curve is None else match["delay_ms"] * 1e-3 * sample_rate
    result = []
    for channel in match["channels"][:channels]:
        gain_db, delay_ms = channel["gain_db"], channel["delay_ms"]
        gain = 0.0 if gain_db is None else 10.0 ** (gain_db / 20.0)
        delay_frames = (match["delay_ms"] if delay_ms is None else delay_ms) * 1e-3 * sample_rate
        signed_gain = math.copysign(gain, channel["polarity"] or 1)
        result.append(MatchedChannel(signed_gain, delay_frames - removed_frames))
    return result


def _response_picture(response: dict[str, Any]) -> bytes:
    figure = new_figure(1600, 700)
    axes = figure.subplots()
    gain_db = [math.nan if value is None else value for value in response["gain_db"]]
    plot_curve(axes, ESTIMATE, response["frequency_hz"], gain_db)
    known_db = [value for value in response["gain_db"] if value is not None] or [0.0]
    middle_db = (min(known_db) + max(known_db)) / 2
    reach_db = max(SMALLEST_RESPONSE_DB, max(known_db) - min(known_db)) * 0.55
    axes.set_ylim(middle_db - reach_db, middle_db + reach_db)
    axes.set_xscale("log")
    axes.set_xticks([100, 1000, 10000], ["100", "1k", "10k"])
    axes.set_xlabel("frequency (Hz)")
    axes.set_ylabel("gain (dB)")
    return png(figure)


def _recording(comparison: Comparison, index: int) -> ReportRecording:
    overview = comparison.overviews[index]
    loudness = (comparison.loudness.dry, comparison.loudness.target)[index]
    return ReportRecording(Path(overview.path).name, overview.description, overview.duration_s, loudness)


def _section(config: SessionConfig) -> str:
    if config.start is None and config.end is None:
        return "Compared over everything that both recordings cover."
    end = "the end" if config.end is None else format_time_ms(config.end)
    return f"Compared from {format_time_ms(config.start or 0.0)} to {end} of the dry recording."


def _findings(match: dict[str, Any] | None) -> list[str] | None:
    findings = None if match is None else match.get("findings")
    return None if findings is None else [finding["text"] for finding in findings]


def _trim_text(trim_db: float) -> str:
    return f", attenuated by {format_number(-trim_db, 2)} dB" if trim_db < 0.0 else ""
