"""Matching of one pair of recordings: an offline session over both, aggregated to one result."""

import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtgain.config.names import (
    DEFAULT_HOP_MS,
    DEFAULT_WINDOW_MS,
    MAX_CHANNELS,
    SYNTHETIC_INPUTS,
    TARGETS,
    LevelMatchMode,
)
from rtgain.config.session_config import SessionConfig, make_session_config, with_changes
from rtgain.errors import InputError
from rtgain.estimation.gain_tracker import robust_mean
from rtgain.match.explain import Explanation, Known, explain
from rtgain.match.render import MatchedChannel, aligned_chunks, aligned_range, file_length_at, write_matched
from rtgain.match.result import ChannelMatch, MatchResult
from rtgain.metering.file_loudness import measure_file
from rtgain.metering.loudness import LoudnessMeter
from rtgain.number_format import none_if_nan
from rtgain.records.estimate import Estimate, State
from rtgain.records.level_match import LevelMatch
from rtgain.records.recording_offset import RecordingOffset
from rtgain.session.pair_loudness import measure_loudness
from rtgain.session.pair_offset import search_offset
from rtgain.session.session import Session

MIN_FRAMES = 512
"""Least length in frames of the part that both recordings cover."""

CLIPPED_SHARE = 0.05
"""Share of clipped windows above which the state of a pair is ``clipped``; the gain is that of the other windows."""

MAX_TRACKING_STD_DB = 0.5
"""Standard deviation in dB from which one gain does not explain a pair."""

COMMON_SHARE = 0.99
"""Share of the longer recording below which the loudness of the common part is measured too."""

SEARCH_SHARE = 0.3
SESSION_SHARE = 0.6
"""Shares of the search for the offset and of the session in the progress of a match."""

MIN_WINDOW_MS = 0.01
ROUNDING = 1.0001
"""Factor by which half of the common part is raised, so that half of a power of two is not rounded down."""


@dataclass(frozen=True)
class MatchDetails:
    """A match with the data for its figure."""

    result: MatchResult
    sample_rate: int
    """Sample rate in Hz of the frames of `estimates`."""
    estimates: list[Estimate]
    """Estimates in the dry recording's own time; their delays are those between the starts of both recordings."""
    channels: tuple[MatchedChannel, ...]
    """Factor and delay of each channel of the matched signal."""
    explanation: Explanation
    """Differences beyond one gain, with the measurements behind them."""
    common_s: float
    """Duration of the common part in seconds."""
    longest_s: float
    """Duration of the longer recording in seconds."""
    common_lufs: tuple[float, float] | None
    """Loudness of both recordings over their common part; None if that is nearly all of both."""
    notices: tuple[str, ...]
    """Messages about the recordings for the user, one line each."""


def match_pair(
    dry: Path,
    target: Path,
    record: Path | None = None,
    *,
    start: float | None = None,
    end: float | None = None,
    level_match: LevelMatchMode = "off",
    on_progress: Callable[[float], None] = lambda share: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> MatchDetails | None:
    """Match two recordings, or their section from `start` to `end` in s. With `record`, write the matched signal to it.

    `level_match` attenuates the matched signal as the monitor of a session attenuates the target, over that section.
    `on_progress` receives the completed share, 0 to 1. Returns None if it was `cancelled`. Raises `InputError`.
    """
    config = make_session_config(input=_file_option(dry), target=_file_option(target), start=start, end=end)
    offset = search_offset(config, on_progress=lambda share: on_progress(SEARCH_SHARE * share), cancelled=cancelled)
    if offset is None:
        return None
    config = _with_windows_for(config, offset)
    with Session(config, clock="offline", offset=offset, max_channels=MAX_CHANNELS) as session:
        frames = session.total_frames or 0
        if frames < MIN_FRAMES:
            raise InputError(
                f"{dry}, {target}: their common part has {frames} frames; at least {MIN_FRAMES} are required"
            )
        session.check()
        session.start()
        estimates: list[Estimate] = []
        while not session.is_finished:
            if cancelled():
                return None
            estimates += session.advance()
            on_progress(SEARCH_SHARE + SESSION_SHARE * session.frames / frames)
        estimates += session.drain()
        rate, channel_count, notices = session.sample_rate, session.channels, tuple(session.pop_notices())
    gain_db, std_db, delay_frames, polarity, state = _aggregate(estimates)
    if channel_count == 1:
        channels = [_Channel(gain_db, polarity, delay_frames)]
    else:
        channels = _aggregate_channels(estimates, channel_count)
        std_db = math.hypot(std_db, _channel_deviation_db(gain_db, channels))
    section_s = start or 0.0, math.inf if end is None else end
    levels_dry, levels_target = measure_file(dry), measure_file(target)  # before a file is written: it may fail
    if math.isnan(gain_db):  # the analysis may tell why: at the offset, with equal levels
        offset_frames = offset.delay_s * rate if offset.is_found else 0.0
        matched = (MatchedChannel(1.0, round(offset_frames)),) * channel_count
    else:
        matched = tuple(channel.matched(delay_frames) for channel in channels)
    begin, last = aligned_range(dry, target, rate, matched, section_s)
    longest_frames = max(file_length_at(path, rate) for path in (dry, target))
    meters = None
    chunks = aligned_chunks(dry, target, rate, matched, section_s)
    if math.isfinite(gain_db) and last - begin < COMMON_SHARE * longest_frames:
        meters = LoudnessMeter(rate, channel_count), LoudnessMeter(rate, channel_count)
        chunks = _metered(chunks, meters, [channel.gain for channel in matched])
    explanation = explain(
        Known(
            sample_rate=rate,
            frames=last - begin,
            start_s=(begin - max(channel.delay_frames for channel in matched)) / rate,
            gain_db=gain_db,
            matched_gain_db=_mean_gain_db(matched),
            channels=[channel.to_record(rate) for channel in channels],
            is_related=state != State.INCOHERENT.label,
            clipped_windows=sum(e.state is State.CLIPPED for e in estimates),
            dry_plateaus=levels_dry.plateaus,
            target_plateaus=levels_target.plateaus,
        ),
        chunks,
    )
    std_db = math.hypot(std_db, explanation.spread_db)
    state = _explained_state(state, std_db, explanation)
    if state == State.INCOHERENT.label:
        gain_db = std_db = delay_frames = math.nan
        polarity = 0
        channels = [_Channel(math.nan, 0, math.nan)] * channel_count
    if record is not None:
        if math.isnan(gain_db):
            raise InputError(f"{dry}: no match with {target} was found ({state}); nothing was recorded")
        trim = 1.0
        if level_match != "off":
            match = LevelMatch(level_match, gain_db, measure_loudness(config, offset).difference_lu)
            trim = 10.0 ** (match.target_trim_db / 20.0)
            notices += (match.sentence(),)
        recorded = [replace(channel, gain=trim * channel.gain) for channel in matched]
        write_matched(dry, target, record, rate, recorded)
    result = MatchResult(
        gain_db=none_if_nan(gain_db),
        gain_linear=none_if_nan(10.0 ** (gain_db / 20.0)),
        std_db=none_if_nan(std_db),
        delay_samples=none_if_nan(delay_frames),
        delay_ms=none_if_nan(1e3 * delay_frames / rate),
        drift_ppm=None,
        polarity=polarity,
        state=state,
        channels=[channel.to_record(rate) for channel in channels],
        residual_db=none_if_nan(explanation.residual_db if math.isfinite(gain_db) else math.nan),
        response=explanation.evidence.response_object if math.isfinite(gain_db) else None,
        lufs_dry=none_if_nan(levels_dry.loudness.integrated_lufs),
        lufs_target=none_if_nan(levels_target.loudness.integrated_lufs),
        lra_dry=none_if_nan(levels_dry.loudness.range_lu),
        lra_target=none_if_nan(levels_target.loudness.range_lu),
        true_peak_dry_dbtp=none_if_nan(levels_dry.loudness.true_peak_dbtp),
        true_peak_target_dbtp=none_if_nan(levels_target.loudness.true_peak_dbtp),
        findings=[finding.to_object() for finding in explanation.findings],
    )
    on_progress(1.0)
    common_lufs = None if meters is None else (meters[0].integrated_lufs, meters[1].integrated_lufs)
    return MatchDetails(
        result,
        rate,
        estimates,
        matched,
        explanation,
        (last - begin) / rate,
        longest_frames / rate,
        common_lufs,
        notices,
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


@dataclass(frozen=True)
class _Channel:
    """Gain in dB, polarity and delay in frames of one channel; NaN if its sound does not determine them."""

    gain_db: float
    polarity: int
    delay_frames: float

    def to_record(self, sample_rate: int) -> ChannelMatch:
        """The channel in the result."""
        return ChannelMatch(
            none_if_nan(self.gain_db), self.polarity, none_if_nan(1e3 * self.delay_frames / sample_rate)
        )

    def matched(self, common_delay_frames: float) -> MatchedChannel:
        """The channel of the matched signal: silent without a gain, as where the target is silent."""
        gain = math.copysign(10.0 ** (self.gain_db / 20.0), self.polarity or 1) if math.isfinite(self.gain_db) else 0.0
        return MatchedChannel(gain, self.delay_frames if math.isfinite(self.delay_frames) else common_delay_frames)


def _with_windows_for(config: SessionConfig, offset: RecordingOffset) -> SessionConfig:
    """Shorten the windows, so that two fit into a short section of the common part."""
    begin_s = max(0.0, -offset.delay_s)
    end_s = min(begin_s + offset.common_s, math.inf if config.end is None else config.end)
    length_s = end_s - max(begin_s, config.start or 0.0)
    # Half of it, rounded to a lower power of two: the session rounds to the nearest by ratio.
    window_ms = min(DEFAULT_WINDOW_MS, max(1e3 * length_s / 2.0 / math.sqrt(2.0) * ROUNDING, MIN_WINDOW_MS))
    return with_changes(config, window_ms=window_ms, hop_ms=min(DEFAULT_HOP_MS, window_ms / 4.0))


def _usable(estimates: list[Estimate]) -> list[Estimate]:
    in_progress = [e for e in estimates if e.state in (State.TRACKING, State.CONVERGING)]
    return [e for e in in_progress if math.isfinite(e.opt_std_db) and math.isfinite(e.delay_frames)]


def _aggregate(estimates: list[Estimate]) -> tuple[float, float, float, int, str]:
    """Aggregate to gain in dB, standard deviation in dB, delay in frames, polarity and state of the whole pair."""
    usable = _usable(estimates)
    if not usable:
        states = Counter(e.state for e in estimates)
        all_silent = states[State.SILENT] == len(estimates)
        state = State.SILENT if all_silent else State.CLIPPED if states[State.CLIPPED] else State.INCOHERENT
        return math.nan, math.nan, math.nan, 0, state.label
    gain_db, std_db = robust_mean(np.array([e.gain_opt_db for e in usable]), np.array([e.opt_std_db for e in usable]))
    delay_frames = float(np.median([e.delay_frames for e in usable]))
    polarity = int(np.sign(sum(e.polarity for e in usable)))
    clipped = sum(e.state is State.CLIPPED for e in estimates) > CLIPPED_SHARE * len(estimates)
    return gain_db, std_db, delay_frames, polarity, (State.CLIPPED if clipped else State.TRACKING).label


def _explained_state(state: str, std_db: float, explanation: Explanation) -> str:
    """State of a pair: tracking only if one gain explains the target."""
    if state in (State.SILENT.label, State.INCOHERENT.label):
        return state
    if not explanation.is_coherent:
        return State.INCOHERENT.label
    is_one_gain = std_db < MAX_TRACKING_STD_DB and explanation.residual_db < 0.0 and explanation.is_one_gain
    return state if is_one_gain or state == State.CLIPPED.label else State.CONVERGING.label


def _mean_gain_db(channels: Sequence[MatchedChannel]) -> float:
    """Mean gain in dB of the channels that are not silent."""
    gains_db = [20.0 * math.log10(abs(channel.gain)) for channel in channels if channel.gain]
    return float(np.mean(gains_db)) if gains_db else 0.0


def _aggregate_channels(estimates: list[Estimate], channels: int) -> list[_Channel]:
    """Aggregate each channel's own gain, polarity and delay: the medians over the estimates where they are known."""
    usable = _usable(estimates)
    aggregated = []
    for index in range(channels):
        gains_db = np.array([e.channel_gains_db[index] for e in usable])
        delays_frames = np.array([e.channel_delays_frames[index] for e in usable])
        polarity = int(np.sign(sum(e.channel_polarities[index] for e in usable)))
        aggregated.append(_Channel(_median(gains_db), polarity, _median(delays_frames)))
    return aggregated


def _channel_deviation_db(gain_db: float, channels: list[_Channel]) -> float:
    """Half the largest distance of a channel's gain from the one gain: two deviations contain the gains of all."""
    distances_db = [abs(channel.gain_db - gain_db) for channel in channels if math.isfinite(channel.gain_db)]
    return max(distances_db, default=0.0) / 2.0


def _median(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else math.nan
