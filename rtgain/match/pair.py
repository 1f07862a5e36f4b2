"""Matching of one pair of recordings: an offline session over both, aggregated to one result."""

import math
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtgain.config.names import (
    DEFAULT_HOP_MS,
    DEFAULT_WINDOW_MS,
    MAX_CHANNELS,
    SYNTHETIC_INPUTS,
    TARGETS,
    ProcessorName,
)
from rtgain.config.session_config import SessionConfig, make_session_config, with_changes
from rtgain.errors import InputError
from rtgain.estimation.gain_tracker import robust_mean
from rtgain.match.render import NO_FILTERS, MatchedChannel, residual_db, write_matched
from rtgain.match.result import ChannelMatch, MatchResult
from rtgain.metering.file_loudness import measure_file
from rtgain.number_format import none_if_nan
from rtgain.records.equalizer import EqualizerFilters
from rtgain.records.estimate import Estimate, State
from rtgain.records.recording_offset import RecordingOffset
from rtgain.session.pair_offset import search_offset
from rtgain.session.session import Session

MIN_FRAMES = 512
"""Least length in frames of the part that both recordings cover."""

CLIPPED_SHARE = 0.05
"""Share of clipped windows above which the state of a pair is ``clipped``; the gain is that of the other windows."""

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
    notices: tuple[str, ...]
    """Messages about the recordings for the user, one line each."""
    equalizer: EqualizerFilters | None
    """Learned equalizer; None with the processor ``gain``."""


def match_pair(
    dry: Path,
    target: Path,
    record: Path | None = None,
    *,
    start: float | None = None,
    end: float | None = None,
    processor: ProcessorName = "gain",
    on_progress: Callable[[float], None] = lambda share: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> MatchDetails | None:
    """Match two recordings, or their section from `start` to `end` in s. With `record`, write the matched signal to it.

    With the processor ``eq``, an equalizer is learned, and the matched signal passes through its filters.

    `on_progress` receives the completed share, 0 to 1. Returns None if it was `cancelled`. Raises `InputError`.
    """
    config = make_session_config(
        input=_file_option(dry), target=_file_option(target), start=start, end=end, processor=processor
    )
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
        learned = session.equalizer
        rate, channel_count, notices = session.sample_rate, session.channels, tuple(session.pop_notices())
    gain_db, std_db, delay_frames, polarity, state = _aggregate(estimates)
    if channel_count == 1:
        channels = [_Channel(gain_db, polarity, delay_frames)]
    else:
        channels = _aggregate_channels(estimates, channel_count)
        std_db = math.hypot(std_db, _channel_deviation_db(gain_db, channels))
    matched = tuple(channel.matched(delay_frames) for channel in channels)
    residual, residual_eq = math.nan, math.nan
    loudness_dry, loudness_target = measure_file(dry), measure_file(target)  # before a file is written: it may fail
    if math.isfinite(gain_db):
        section_s = start or 0.0, math.inf if end is None else end
        residual = residual_db(dry, target, rate, matched, section_s)
        equalized, filters = matched, NO_FILTERS
        if learned is not None:
            equalized, filters = _equalized(matched, learned.equalizer), learned.equalizer.coefficients(rate)
            residual_eq = residual_db(dry, target, rate, equalized, section_s, filters)
        if record is not None:
            write_matched(dry, target, record, rate, equalized, filters)
    elif record is not None:
        raise InputError(f"{dry}: no match with {target} was found ({state}); nothing was recorded")
    result = MatchResult(
        gain_db=none_if_nan(gain_db),
        gain_linear=none_if_nan(10.0 ** (gain_db / 20.0)),
        std_db=none_if_nan(std_db),
        delay_samples=none_if_nan(delay_frames),
        delay_ms=none_if_nan(1e3 * delay_frames / rate),
        polarity=polarity,
        state=state,
        channels=[
            ChannelMatch(none_if_nan(x.gain_db), x.polarity, none_if_nan(1e3 * x.delay_frames / rate)) for x in channels
        ],
        residual_db=none_if_nan(residual),
        residual_eq_db=none_if_nan(residual_eq),
        filters=None if learned is None else [item.to_object() for item in learned.equalizer.filters],
        lufs_dry=none_if_nan(loudness_dry.integrated_lufs),
        lufs_target=none_if_nan(loudness_target.integrated_lufs),
        lra_dry=none_if_nan(loudness_dry.range_lu),
        lra_target=none_if_nan(loudness_target.range_lu),
        true_peak_dry_dbtp=none_if_nan(loudness_dry.true_peak_dbtp),
        true_peak_target_dbtp=none_if_nan(loudness_target.true_peak_dbtp),
    )
    on_progress(1.0)
    return MatchDetails(result, rate, estimates, matched, notices, None if learned is None else learned.equalizer)


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

    def matched(self, common_delay_frames: float) -> MatchedChannel:
        """The channel of the matched signal: silent without a gain, as where the target is silent."""
        gain = math.copysign(10.0 ** (self.gain_db / 20.0), self.polarity or 1) if math.isfinite(self.gain_db) else 0.0
        return MatchedChannel(gain, self.delay_frames if math.isfinite(self.delay_frames) else common_delay_frames)


def _equalized(channels: tuple[MatchedChannel, ...], equalizer: EqualizerFilters) -> tuple[MatchedChannel, ...]:
    """Give all channels the gain of the equalizer; their polarity stays, and so does a channel without sound."""
    gain = 10.0 ** (equalizer.gain_db / 20.0)
    return tuple(
        MatchedChannel(math.copysign(gain, channel.gain) if channel.gain else 0.0, channel.delay_frames)
        for channel in channels
    )


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
