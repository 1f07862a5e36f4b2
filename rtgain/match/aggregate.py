"""Aggregation of the estimates of a pair to one gain, delay and polarity, overall and per channel."""

import math
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rtgain.estimation.gain_tracker import robust_mean
from rtgain.match.render import MatchedChannel
from rtgain.match.result import ChannelMatch
from rtgain.number_format import none_if_nan
from rtgain.records.delay_curve import DelayCurve
from rtgain.records.estimate import Estimate, State

CLIPPED_SHARE = 0.05
"""Share of clipped windows above which the state of a pair is ``clipped``; the gain is that of the other windows."""


@dataclass(frozen=True)
class ChannelAggregate:
    """Gain in dB, polarity and delay in frames of one channel; NaN if its sound does not determine them."""

    gain_db: float
    polarity: int
    delay_frames: float

    def to_record(self, sample_rate: int, start_delay_frames: float = 0.0) -> ChannelMatch:
        """Convert to the channel of the result; `start_delay_frames` is added to the delay."""
        delay_ms = 1e3 * (start_delay_frames + self.delay_frames) / sample_rate
        return ChannelMatch(none_if_nan(self.gain_db), self.polarity, none_if_nan(delay_ms))

    def matched(self, common_delay_frames: float) -> MatchedChannel:
        """Return the channel of the matched signal: silent without a gain, as where the target is silent."""
        gain = math.copysign(10.0 ** (self.gain_db / 20.0), self.polarity or 1) if math.isfinite(self.gain_db) else 0.0
        return MatchedChannel(gain, self.delay_frames if math.isfinite(self.delay_frames) else common_delay_frames)


@dataclass(frozen=True)
class Aggregate:
    """Gain and its standard deviation in dB, delay in frames, polarity and state of a pair; NaN for unknown numbers."""

    gain_db: float
    std_db: float
    delay_frames: float
    polarity: int
    state: State
    channels: list[ChannelAggregate]

    def without_match(self) -> "Aggregate":
        """Return the aggregate of a pair that does not match."""
        return _unknown(self.state, len(self.channels))


def aggregate(estimates: list[Estimate], channels: int) -> Aggregate:
    """Aggregate the estimates of a session of `channels` channels."""
    usable = [
        e for e in estimates if e.state.is_coherent and math.isfinite(e.opt_std_db) and math.isfinite(e.delay_frames)
    ]
    if not usable:
        return _unknown(_state_without_gain(estimates), channels)
    gain_db, std_db = robust_mean(np.array([e.gain_opt_db for e in usable]), np.array([e.opt_std_db for e in usable]))
    delay_frames = float(np.median([e.delay_frames for e in usable]))
    polarity = int(np.sign(sum(e.polarity for e in usable)))
    clipped = sum(e.state is State.CLIPPED for e in estimates) > CLIPPED_SHARE * len(estimates)
    state = State.CLIPPED if clipped else State.TRACKING
    if channels == 1:
        own = [ChannelAggregate(gain_db, polarity, delay_frames)]
    else:
        own = [_aggregate_channel(usable, index) for index in range(channels)]
        if all(math.isnan(channel.gain_db) for channel in own):
            return _unknown(State.INCOHERENT, channels)
        std_db = math.hypot(std_db, _channel_deviation_db(gain_db, own))
    return Aggregate(gain_db, std_db, delay_frames, polarity, state, own)


def without_curve(estimates: list[Estimate], curve: DelayCurve, sample_rate: int) -> list[Estimate]:
    """Return the estimates with the delays that remain along the curve."""
    remaining = []
    for estimate in estimates:
        delay_frames = sample_rate * curve.delay_at_s(estimate.center_frame / sample_rate)
        own = tuple(delay - delay_frames for delay in estimate.channel_delays_frames)
        estimate = replace(estimate, delay_frames=estimate.delay_frames - delay_frames, channel_delays_frames=own)
        remaining.append(estimate)
    return remaining


def _unknown(state: State, channels: int) -> Aggregate:
    unknown = ChannelAggregate(math.nan, 0, math.nan)
    return Aggregate(math.nan, math.nan, math.nan, 0, state, [unknown] * channels)


def _state_without_gain(estimates: list[Estimate]) -> State:
    states = Counter(e.state for e in estimates)
    if states[State.SILENT] == len(estimates):
        return State.SILENT
    return State.CLIPPED if states[State.CLIPPED] else State.INCOHERENT


def _aggregate_channel(usable: list[Estimate], index: int) -> ChannelAggregate:
    """Take the medians over the estimates in which the channel's values are known."""
    gains_db = np.array([e.channel_gains_db[index] for e in usable])
    delays_frames = np.array([e.channel_delays_frames[index] for e in usable])
    polarity = int(np.sign(sum(e.channel_polarities[index] for e in usable)))
    return ChannelAggregate(_median(gains_db), polarity, _median(delays_frames))


def _channel_deviation_db(gain_db: float, channels: list[ChannelAggregate]) -> float:
    """Half the largest distance of a channel's gain from the one gain: two deviations contain the gains of all."""
    distances_db = [abs(channel.gain_db - gain_db) for channel in channels if math.isfinite(channel.gain_db)]
    return max(distances_db, default=0.0) / 2.0


def _median(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else math.nan
