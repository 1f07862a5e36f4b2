"""Matching of one pair of recordings: an offline session over both, aggregated to one result and explained."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.io.decoded import decoded_in_memory
from rtgain.config.names import (
    DEFAULT_WINDOW_MS,
    MAX_CHANNELS,
    SYNTHETIC_INPUTS,
    TARGETS,
    LevelMatchMode,
    ProcessorName,
)
from rtgain.config.session_config import SessionConfig, make_session_config, with_changes
from rtgain.errors import InputError
from rtgain.match.aggregate import Aggregate, aggregate, without_curve
from rtgain.match.details import COMMON_SHARE, MatchDetails
from rtgain.match.explain import Explanation, explain
from rtgain.match.findings import PairFacts, by_importance
from rtgain.match.findings_delay import delay_findings
from rtgain.match.render import (
    NO_FILTERS,
    MatchedChannel,
    aligned_chunks,
    aligned_range,
    file_length_at,
    residual_db,
    write_matched,
)
from rtgain.match.result import MatchResult
from rtgain.metering.file_loudness import FileMeasurement, measure_file
from rtgain.metering.loudness import LoudnessMeter
from rtgain.number_format import none_if_nan
from rtgain.records.equalizer import EqualizerFilters
from rtgain.records.estimate import Estimate, State
from rtgain.records.finding import Finding
from rtgain.records.level_match import LevelMatch
from rtgain.records.recording_offset import RecordingOffset
from rtgain.session.pair_loudness import measure_loudness
from rtgain.session.pair_offset import search_offset
from rtgain.session.session import Session

MIN_FRAMES = 512
"""Least length in frames of the part that both recordings cover."""

MAX_ESTIMATES = 200_000
"""Number of estimates up to which all are kept, those of an hour or more; then every second one, or every fourth."""

MAX_TRACKING_STD_DB = 0.5
"""Standard deviation in dB from which one gain does not explain a pair."""

SEARCH_SHARE = 0.35
SESSION_SHARE = 0.55
"""Shares of the search for the offset, with the delay over time, and of the session in the progress of a match."""

MIN_WINDOW_MS = 0.01
ROUNDING = 1.0001
"""Factor by which half of the common part is raised, so that half of a power of two is not rounded down."""

Progress = Callable[[float], None]
Cancelled = Callable[[], bool]


@dataclass(frozen=True)
class _Measurement:
    """Estimates of an offline session over both recordings."""

    sample_rate: int
    frames: int
    estimates: list[Estimate]
    aggregate: Aggregate
    equalizer: EqualizerFilters | None
    notices: tuple[str, ...]


@dataclass(frozen=True)
class _Pass:
    """Second pass over the recordings, side by side: the explanation, and the part that both cover."""

    explanation: Explanation
    matched: tuple[MatchedChannel, ...]
    start_s: float
    common_frames: int
    longest_frames: int
    common_lufs: tuple[float, float] | None


def match_pair(
    dry: Path,
    target: Path,
    record: Path | None = None,
    *,
    start: float | None = None,
    end: float | None = None,
    level_match: LevelMatchMode = "off",
    processor: ProcessorName = "gain",
    on_progress: Progress = lambda share: None,
    cancelled: Cancelled = lambda: False,
) -> MatchDetails | None:
    """Match two recordings, or their section from `start` to `end` in s. With `record`, write the matched signal to it.

    `level_match` attenuates the matched signal as the monitor of a session attenuates the target, over that section.
    With the processor ``eq``, an equalizer is learned, and the matched signal passes through its filters.
    `on_progress` receives the completed share, 0 to 1. Returns None if it was `cancelled`. Raises `InputError`.
    """
    config = make_session_config(
        input=_file_option(dry), target=_file_option(target), start=start, end=end, processor=processor
    )
    with decoded_in_memory(Path(config.input), Path(config.target)):
        return _match(dry, target, record, config, level_match, on_progress, cancelled)


def _match(
    dry: Path,
    target: Path,
    record: Path | None,
    config: SessionConfig,
    level_match: LevelMatchMode,
    on_progress: Progress,
    cancelled: Cancelled,
) -> MatchDetails | None:
    section_s = config.section_s
    offset = search_offset(config, on_progress=lambda share: on_progress(SEARCH_SHARE * share), cancelled=cancelled)
    if offset is None:
        return None
    measured = _measure(_with_windows_for(config, offset), offset, on_progress, cancelled)
    if measured is None:
        return None
    rate, notices, match = measured.sample_rate, measured.notices, measured.aggregate
    levels = measure_file(dry), measure_file(target)  # before a file is written: it may fail
    second = _explain(dry, target, measured, offset, levels, section_s)
    explanation = second.explanation
    state = _explained_state(match, explanation)
    match = replace(match, state=state, std_db=math.hypot(match.std_db, explanation.spread_db))
    findings = explanation.findings
    if state is State.INCOHERENT:
        match = match.without_match()
    elif math.isfinite(match.gain_db) and explanation.is_one_gain:
        delays_frames = [channel.delay_frames for channel in match.channels]
        about_delay = delay_findings(offset.curve, delays_frames, rate, measured.frames / rate)
        findings = by_importance([*findings, *about_delay])
    equalized, filters, residual_eq_db = second.matched, NO_FILTERS, math.nan
    equalizer = None if math.isnan(match.gain_db) else measured.equalizer
    if equalizer is not None:
        equalized, filters = _equalized(second.matched, equalizer), equalizer.coefficients(rate)
        residual_eq_db = residual_db(aligned_chunks(dry, target, rate, equalized, section_s, offset.curve, filters))
    if record is not None:
        if math.isnan(match.gain_db):
            raise InputError(f"{dry}: no match with {target} was found ({state.label}); nothing was recorded")
        trim = 1.0
        if level_match != "off":
            levels_match = LevelMatch(level_match, match.gain_db, measure_loudness(config, offset).difference_lu)
            trim = 10.0 ** (levels_match.target_trim_db / 20.0)
            attenuated = f" The matched signal is attenuated by {-levels_match.target_trim_db:.2f} dB."
            notices += (levels_match.sentence() + (attenuated if trim < 1.0 else ""),)
        recorded = [replace(channel, gain=trim * channel.gain) for channel in equalized]
        recorder = write_matched(dry, target, record, rate, recorded, offset.curve, filters)
        if recorder.peak_notice is not None:
            notices += (recorder.peak_notice,)
    start_delay_frames = 0.0 if offset.curve is None else rate * offset.curve.delay_at_s(section_s[0])
    drift_ppm = offset.drift_ppm if offset.is_found and math.isfinite(match.gain_db) else math.nan
    result = replace(
        _result(match, rate, start_delay_frames, drift_ppm, levels, explanation, findings),
        residual_eq_db=none_if_nan(residual_eq_db),
        filters=None if equalizer is None else [item.to_object() for item in equalizer.filters],
    )
    on_progress(1.0)
    return MatchDetails(
        result,
        rate,
        measured.estimates,
        second.matched,
        offset.curve,
        replace(explanation, findings=findings),
        second.common_frames / rate,
        second.longest_frames / rate,
        None if config.start is None and config.end is None else second.start_s,
        second.common_lufs,
        equalizer,
        notices,
    )


def _measure(
    config: SessionConfig, offset: RecordingOffset, on_progress: Progress, cancelled: Cancelled
) -> _Measurement | None:
    """Run the offline session. Returns None if it was cancelled."""
    with Session(config, clock="offline", offset=offset, max_channels=MAX_CHANNELS, closed_form=True) as session:
        frames = session.total_frames or 0
        if frames < MIN_FRAMES:
            raise InputError(
                f"{config.input}, {config.target}: their common part has {frames} frames; at least {MIN_FRAMES} "
                "are required"
            )
        session.check()
        session.start()
        estimates: list[Estimate] = []
        count, step = 0, 1
        while not session.is_finished:
            if cancelled():
                return None
            latest = session.advance()
            estimates += latest[-count % step :: step]
            count += len(latest)
            if len(estimates) > MAX_ESTIMATES:
                estimates, step = estimates[::2], 2 * step
            on_progress(SEARCH_SHARE + SESSION_SHARE * session.frames / frames)
        estimates += session.drain()
        rate, channels, notices = session.sample_rate, session.channels, tuple(session.pop_notices())
        equalizer = None if session.equalizer is None else session.equalizer.equalizer
    aligned = estimates if offset.curve is None else without_curve(estimates, offset.curve, rate)
    return _Measurement(rate, frames, estimates, aggregate(aligned, channels), equalizer, notices)


def _explain(
    dry: Path,
    target: Path,
    measured: _Measurement,
    offset: RecordingOffset,
    levels: tuple[FileMeasurement, FileMeasurement],
    section_s: tuple[float, float],
) -> _Pass:
    """Explain the pair in one pass over both recordings at the delay of the match.

    Without a gain the analysis may tell why: it compares them at the offset, with equal levels.
    """
    rate, match = measured.sample_rate, measured.aggregate
    channels = len(match.channels)
    has_gain = math.isfinite(match.gain_db)
    if has_gain:
        matched = tuple(channel.matched(match.delay_frames) for channel in match.channels)
    else:
        offset_frames = offset.delay_s * rate if offset.is_found and offset.curve is None else 0.0
        matched = (MatchedChannel(1.0, round(offset_frames)),) * channels
    begin, last = aligned_range(dry, target, rate, matched, section_s, offset.curve)
    longest_frames = max(file_length_at(path, rate) for path in (dry, target))
    meters = None
    chunks = aligned_chunks(dry, target, rate, matched, section_s, offset.curve)
    if has_gain and last - begin < COMMON_SHARE * longest_frames:
        meters = LoudnessMeter(rate, channels), LoudnessMeter(rate, channels)
        chunks = _metered(chunks, meters, [channel.gain for channel in matched])
    start_s = (begin - max(channel.delay_frames for channel in matched)) / rate
    if offset.curve is not None:
        start_s = float(offset.curve.segments[0].dry_times_s(np.array(start_s)))
    dry_silent, target_silent = (_compared(level.is_silent_channel, channels) for level in levels)
    facts = PairFacts(
        sample_rate=rate,
        frames=last - begin,
        start_s=start_s,
        gain_db=match.gain_db,
        matched_gain_db=_mean_gain_db(matched),
        channels=[channel.to_record(rate) for channel in match.channels],
        is_related=match.state is not State.INCOHERENT,
        clipped_windows=sum(e.state is State.CLIPPED for e in measured.estimates),
        dry_plateaus=levels[0].plateaus,
        target_plateaus=levels[1].plateaus,
        dry_silent=dry_silent & ~target_silent,
        target_silent=target_silent & ~dry_silent,
    )
    explanation = explain(facts, chunks)
    common_lufs = None if meters is None else (meters[0].integrated_lufs, meters[1].integrated_lufs)
    return _Pass(explanation, matched, start_s, last - begin, longest_frames, common_lufs)


def _compared(values: NDArray[np.bool_], channels: int) -> NDArray[np.bool_]:
    """Select the values of the channels that are compared, ``(C,)``; that of a single channel counts for all."""
    return np.repeat(values, channels) if len(values) == 1 else values[:channels]


def _mean_gain_db(channels: Sequence[MatchedChannel]) -> float:
    """Mean gain in dB of the channels that are not silent."""
    gains_db = [20.0 * math.log10(abs(channel.gain)) for channel in channels if channel.gain]
    return float(np.mean(gains_db)) if gains_db else 0.0


def _explained_state(match: Aggregate, explanation: Explanation) -> State:
    """State of a pair: tracking only if one gain explains the target."""
    if match.state in (State.SILENT, State.INCOHERENT):
        return match.state
    if not explanation.is_coherent:
        return State.INCOHERENT
    std_db = math.hypot(match.std_db, explanation.spread_db)
    is_one_gain = std_db < MAX_TRACKING_STD_DB and explanation.residual_db < 0.0 and explanation.is_one_gain
    is_one_gain = is_one_gain and not explanation.is_interrupted
    return match.state if is_one_gain or match.state is State.CLIPPED else State.CONVERGING


def _result(
    match: Aggregate,
    rate: int,
    start_delay_frames: float,
    drift_ppm: float,
    levels: tuple[FileMeasurement, FileMeasurement],
    explanation: Explanation,
    findings: Sequence[Finding],
) -> MatchResult:
    has_gain = math.isfinite(match.gain_db)
    delay_frames = start_delay_frames + match.delay_frames
    dry, target = (level.loudness for level in levels)
    return MatchResult(
        gain_db=none_if_nan(match.gain_db),
        gain_linear=none_if_nan(10.0 ** (match.gain_db / 20.0)),
        std_db=none_if_nan(match.std_db),
        delay_samples=none_if_nan(delay_frames),
        delay_ms=none_if_nan(1e3 * delay_frames / rate),
        drift_ppm=none_if_nan(drift_ppm),
        polarity=match.polarity,
        state=match.state.label,
        channels=[channel.to_record(rate, start_delay_frames) for channel in match.channels],
        residual_db=none_if_nan(explanation.residual_db if has_gain else math.nan),
        residual_eq_db=None,
        filters=None,
        response=explanation.evidence.response_object if has_gain else None,
        lufs_dry=none_if_nan(dry.integrated_lufs),
        lufs_target=none_if_nan(target.integrated_lufs),
        lra_dry=none_if_nan(dry.range_lu),
        lra_target=none_if_nan(target.range_lu),
        true_peak_dry_dbtp=none_if_nan(dry.true_peak_dbtp),
        true_peak_target_dbtp=none_if_nan(target.true_peak_dbtp),
        findings=[finding.to_object() for finding in findings],
    )


def _equalized(channels: tuple[MatchedChannel, ...], equalizer: EqualizerFilters) -> tuple[MatchedChannel, ...]:
    """Give all channels the gain of the equalizer; their polarity stays, and so does a channel without sound."""
    gain = 10.0 ** (equalizer.gain_db / 20.0)
    return tuple(
        MatchedChannel(math.copysign(gain, channel.gain) if channel.gain else 0.0, channel.delay_frames)
        for channel in channels
    )


def _metered(
    chunks: Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]],
    meters: tuple[LoudnessMeter, LoudnessMeter],
    gains: Sequence[float],
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Measure the loudness of the dry recording and of the target in passing."""
    inverse = np.array([1.0 / gain if gain else 0.0 for gain in gains])[:, None]
    for matched, target in chunks:
        meters[0].push((matched * inverse).astype(np.float32))
        meters[1].push(target.astype(np.float32))
        yield matched, target


def _file_option(path: Path) -> str:
    """Value of an option for a file, also for one whose name is another value of that option, as ``demo``."""
    name = str(path)
    return f".{os.sep}{name}" if name in ("mic", *SYNTHETIC_INPUTS, *TARGETS) else name


def _with_windows_for(config: SessionConfig, offset: RecordingOffset) -> SessionConfig:
    """Shorten the windows, so that two fit into a short section of the common part."""
    begin_s = max(0.0, -offset.delay_s)
    end_s = min(begin_s + offset.common_s, math.inf if config.end is None else config.end)
    length_s = end_s - max(begin_s, config.start or 0.0)
    # Half of it, rounded to a lower power of two: the session rounds to the nearest by ratio.
    window_ms = min(DEFAULT_WINDOW_MS, max(1e3 * length_s / 2.0 / math.sqrt(2.0) * ROUNDING, MIN_WINDOW_MS))
    return with_changes(config, window_ms=window_ms, hop_ms=window_ms / 2.0)
