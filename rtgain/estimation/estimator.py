"""Estimator: turns aligned windows into estimates, without threads, clocks or shared memory.

Each batch of windows passes through five steps: transform, noise estimation, descent of the loss, tracking over time,
classification of the state. Windows come in order. Live batches of one window and offline batches of many give the same
estimates, up to the descent's tolerance (0.004 dB; 0.015 dB at a step of 20 dB).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.config.names import ProcessorName
from rtgain.dsp.delay_estimation import CrossSpectrum
from rtgain.dsp.noise_estimation import POLARITY_COSINE
from rtgain.dsp.processors import DB_PER_NEPER
from rtgain.estimation.delay_tracker import ALIGNED, Alignment
from rtgain.estimation.descent import Descent, WindowDescent, descend, descend_stock
from rtgain.estimation.following_share import FollowingShare
from rtgain.estimation.gain_tracker import (
    FLOOR_STD_DB,
    OUTLIER_SIGMAS,
    SHIFTED_FLOOR_STD_DB,
    GainMeasurement,
    GainTracker,
)
from rtgain.estimation.window_features import FeatureExtractor, WindowFeatures, Windows
from rtgain.records.estimate import Estimate, State
from rtgain.records.response import Response

TRACKING_STD_DB = 0.25
"""Standard deviation in dB above which an estimate is still converging."""

MAX_RECENT_CHANGES = 4.0
"""Recent changes of the gain (`GainTracker.recent_changes`) above which its windows disagree, behind distortion or a
compressor for example. A gain that moves by ±6 dB at 0.5 Hz stays below, and so do codecs."""

INCOHERENT_AFTER_S = 0.5
"""Duration in seconds of windows without a significant band after which the signals are incoherent.

After the same duration, a channel without a significant band no longer counts if the others have one.
"""

MAX_CHANNEL_STD_DB = 1.0
"""Standard deviation in dB from which a window has no information about one of several channels.

A channel of nothing but noise has a significant band by chance in every tenth window, which reaches 2.6 dB.
"""

USELESS_LOSS = 0.9
"""Loss at the best gain above which no gain is useful (waveform loss, phase rotated by 90°)."""

MIN_COHERENT_FRACTION = 0.5
"""Share of the target's power that the aligned dry signal must explain over the last second, behind a filter or a gain.

A stretched target comes close to this share again and again behind a filter, but not behind one gain.
"""

COHERENCE_MEMORY_S = 1.0
"""Time constant in seconds of the averages of both fractions and of the bands' deviation."""

INCOHERENT_FRACTION_AFTER_S = 3.0
"""Duration in seconds of a too small coherent fraction after which the signals are incoherent; before, converging."""

MAX_FOLLOWING_SHARE = 0.04
"""Share of the target's power that may follow the signal without being a part of it (−14 dB): echoes, distortion.

Pauses do not count in it, nor does what may be noise: −12 dB of a whole recording, the limit of a match, are −14 dB.
"""

SOME_CHANGES = 2.0
"""Recent changes of the gain from which less sound may follow the signal."""

MAX_FOLLOWING_SHARE_OF_CHANGES = 0.01
"""The same above `SOME_CHANGES`: behind a chorus or a distortion, and not under the hand of the user.

Steps of up to 18 dB, one in 0.8 s on average, leave less than 0.007, a hyperbolic tangent of +9 dB 0.012 to 0.03.
"""

AGREEMENT_S = 2.0
"""Duration in seconds of agreement after which one gain explains the target again."""

POLARITY_MEMORY = 0.9
"""Weight of the previous value in the running cosine of the phase."""


@dataclass
class AgreementAverage:
    """Averages over the last second: fractions that a filter and one gain explain, deviation of the gain between bands.

    `explained_fraction` is that of the processor: of one gain the smaller of both, of filters the first.
    `incoherent_s` is the time since the fractions were last large enough. Unless the agreement `is_assumed`, the
    signals do not agree before the first measurement.
    """

    is_assumed: bool = True
    explained_fraction: float = 1.0
    coherent_fraction: float = 1.0
    one_gain_fraction: float = 1.0
    band_deviation_db: float = 0.0
    incoherent_s: float = 0.0
    _total_weight: float = 0.0

    def update(self, cross: CrossSpectrum, duration_s: float, processor: ProcessorName) -> None:
        """Add the agreement of spectra over `duration_s` seconds."""
        decay = math.exp(-duration_s / COHERENCE_MEMORY_S)
        self._total_weight = decay * self._total_weight + 1.0 - decay
        share = (1.0 - decay) / self._total_weight
        self.coherent_fraction += share * (cross.coherent_fraction - self.coherent_fraction)
        self.one_gain_fraction += share * (cross.one_gain_fraction - self.one_gain_fraction)
        self.band_deviation_db += share * (cross.band_deviation_db - self.band_deviation_db)
        self.explained_fraction = self.coherent_fraction
        if processor == "gain":
            self.explained_fraction = min(self.coherent_fraction, self.one_gain_fraction)
        self.incoherent_s = 0.0 if self.is_coherent else self.incoherent_s + duration_s

    @property
    def is_coherent(self) -> bool:
        """True if the dry signal explains enough of the target, or is assumed to, in the first half second."""
        is_measured = self._total_weight > (1.0 - math.exp(-0.5) if self.is_assumed else 0.0)
        if not is_measured:
            return self.is_assumed
        return self.explained_fraction >= MIN_COHERENT_FRACTION


@dataclass
class ChannelState:
    """Gain and polarity of one channel over time. `uninformative_s` is the time without a significant band."""

    tracker: GainTracker = field(default_factory=GainTracker)
    phase_cosine: float = 0.0
    uninformative_s: float = 0.0

    @property
    def counts(self) -> bool:
        """True unless the channel is silent, or unrelated in both signals."""
        return self.uninformative_s < INCOHERENT_AFTER_S

    @property
    def gain_db(self) -> float:
        """The gain in dB; NaN while unknown."""
        return self.tracker.gain_db if self.counts and math.isfinite(self.tracker.std_db) else math.nan

    @property
    def polarity(self) -> int:
        """1 or −1, or 0 if the phase between dry and target does not determine it."""
        is_determined = self.counts and abs(self.phase_cosine) >= POLARITY_COSINE
        return int(math.copysign(1, self.phase_cosine)) if is_determined else 0


class Estimator:
    """Estimator of a gain from window to window. `settings` may be replaced between batches."""

    def __init__(self, settings: EstimatorSettings) -> None:
        self.settings = settings
        self.frozen = False
        self.tracker = GainTracker()
        self.extractor = FeatureExtractor()
        self._channels: list[ChannelState] = []
        self._uninformative_s = 0.0
        self.reset_agreement()
        self._state = State.WAITING

    def warm_up(self) -> None:
        """Make torch load its lazily loaded parts (a second), so that the first estimate is not late."""
        noise = np.random.default_rng(0).standard_normal((1, 1, self.settings.window_frames)).astype(np.float32)
        zero = np.zeros(1)
        Estimator(self.settings).estimate(Windows(noise, noise, zero, zero, zero))

    def reset(self, gain_db: float = 0.0) -> None:
        """Reset gain, polarity and state; the next descent starts from `gain_db`."""
        self.tracker = GainTracker(gain_db=gain_db)
        self._channels = []
        self._uninformative_s = 0.0
        self.reset_agreement()
        self._state = State.WAITING

    def resume(self, last: Estimate) -> None:
        """Resume from the last estimate of another estimator."""
        if math.isfinite(last.gain_est_db):
            self.tracker = GainTracker(gain_db=last.gain_est_db, std_db=last.std_db)
        self._channels = [
            ChannelState(
                GainTracker(gain_db=gain_db, std_db=last.std_db) if math.isfinite(gain_db) else GainTracker(),
                float(polarity),
            )
            for gain_db, polarity in zip(last.channel_gains_db, last.channel_polarities, strict=True)
        ]
        self._state = last.state

    def enable_response(self) -> None:
        """Average the response of the target by frequency from now on."""
        self.extractor.enable_response(self.settings)

    @property
    def response(self) -> Response | None:
        """Response over the last two seconds; None unless enabled, or before any sound."""
        return self.extractor.response(self.settings)

    def update_agreement(self, cross: CrossSpectrum, duration_s: float) -> None:
        """Update how far one gain explains the target, from the spectra of the last `duration_s` at one alignment."""
        if cross.windows > 1 and not self.frozen:
            self._agreement.update(cross, duration_s, self.settings.processor)

    def reset_agreement(self, *, is_assumed: bool = True) -> None:
        """Forget how far one gain explains the target: the alignment has changed.

        Unless `is_assumed`, no estimate is tracking before the next measurement.
        """
        self._agreement = AgreementAverage(is_assumed)
        self._following = FollowingShare(-(-self.settings.window_frames // self.settings.hop_frames))
        self._agreed_s = math.inf

    def estimate(
        self, windows: Windows, alignment: Alignment = ALIGNED, cross: CrossSpectrum | None = None
    ) -> list[Estimate]:
        """Make one estimate per window, in order; `cross` collects the spectra for the next delay measurement.

        The descents of a batch start together from the present gain. If one of them has not settled, all are repeated
        one by one, each from the result of the one before. A batch thus changes a result by its tolerance at most.
        """
        channels = windows.dry.shape[1]
        if len(self._channels) != channels:
            self._channels = [ChannelState() for _ in range(channels)]
        features, gate_states = self.extractor.extract(windows, alignment, self.settings, cross)
        batch_descent = self._descend(features)
        uninformative = features.noise.uninformative
        use_batch = len(gate_states) == 1 or (
            not self.settings.stock_optimizer and bool((batch_descent.settled | uninformative).all())
        )
        log_gains = torch.stack([features.optimum_log, features.least_squares_log]) + features.level_ratio_log
        optima_db, least_squares_db = torch.where(uninformative, math.nan, DB_PER_NEPER * log_gains.double()).tolist()
        bound_db = torch.where(uninformative, math.nan, features.bound_db).tolist()
        std_db = (DB_PER_NEPER * features.noise.std_log.double()).tolist()
        phase_cosine, level_ratio_log = features.noise.phase_cosine.tolist(), features.level_ratio_log.tolist()
        channel_values = self._channel_values(features)
        lag_hops, spread_hops = features.lag_hops.tolist(), features.spread_hops.tolist()
        floor_std_db = SHIFTED_FLOOR_STD_DB if alignment.needs_shift(channels) else FLOOR_STD_DB
        delays_frames = alignment.delays_frames(channels) if alignment.is_known else (math.nan,) * channels
        center_frames, available_frames = windows.center_frames.tolist(), windows.available_frames.tolist()
        gain_true_db = windows.gain_true_db.tolist()
        dry_power, coherent_fraction = features.dry_level.square().tolist(), features.noise.coherent_fraction.tolist()
        descents = batch_descent.windows
        estimates = []
        for index, gate_state in enumerate(gate_states):
            descent = descents[index] if use_batch else self._descend(features.at(index)).windows[0]
            if not self.frozen:
                gain_db = DB_PER_NEPER * (descent.log_gain + level_ratio_log[index])
                measurement = GainMeasurement(gain_db, std_db[index], lag_hops[index], spread_hops[index], floor_std_db)
                measurement = self._track_gains(measurement, channel_values[index])
                std_db[index] = measurement.std_db
                self._track_phases(measurement, channel_values[index], phase_cosine[index], alignment)
                if gate_state is State.SILENT:
                    self._following.skip()
                elif alignment.is_known and self.settings.align and math.isfinite(optima_db[index]):
                    gain = 10.0 ** (optima_db[index] / 20.0)
                    self._following.update(dry_power[index], coherent_fraction[index], gain, self._hop_s)
                self._state = gate_state or self._classify_state(descent, alignment, features, index)
            estimates.append(
                Estimate(
                    center_frame=center_frames[index],
                    available_frame=available_frames[index],
                    gain_true_db=gain_true_db[index],
                    gain_est_db=self.tracker.gain_db if math.isfinite(self.tracker.std_db) else math.nan,
                    gain_opt_db=optima_db[index],
                    opt_std_db=std_db[index],
                    least_squares_db=least_squares_db[index],
                    bound_db=bound_db[index],
                    std_db=self.std_db,
                    loss=math.nan if gate_state else descent.loss,
                    state=self._state,
                    steps=descent.steps,
                    delay_frames=alignment.delay_frames if alignment.is_known else math.nan,
                    polarity=self.polarity,
                    channel_gains_db=self.channel_gains_db,
                    channel_polarities=tuple(channel.polarity for channel in self._channels),
                    channel_delays_frames=delays_frames,
                )
            )
        return estimates

    @property
    def polarity(self) -> int:
        """1 or −1, or 0 if the phase between dry and target does not determine it, or if channels differ."""
        polarities = {channel.polarity for channel in self._channels if channel.phase_cosine and channel.counts}
        return polarities.pop() if len(polarities) == 1 else 0

    @property
    def std_db(self) -> float:
        """Standard deviation of the gain in dB.

        Two of them cover each channel's gain if it differs significantly, and the gain of most bands.
        """
        std_db, gains_db = self.tracker.std_db, self._differing_gains_db
        if not math.isfinite(std_db):
            return std_db
        return max(
            std_db,
            self._agreement.band_deviation_db,
            *(abs(gain_db - self.tracker.gain_db) / 2.0 for gain_db in gains_db),
            0.0,
        )

    @property
    def channel_gains_db(self) -> tuple[float, ...]:
        """The gain of each channel in dB; NaN while unknown, and for a silent channel."""
        if len(self._channels) == 1:
            return (self.tracker.gain_db if math.isfinite(self.tracker.std_db) else math.nan,)
        return tuple(channel.gain_db for channel in self._channels)

    @property
    def _differing_gains_db(self) -> tuple[float, ...]:
        """Lowest and highest gain of all channels that count; empty if they do not differ significantly."""
        known = [channel for channel in self._channels if math.isfinite(channel.gain_db)]
        if len(known) < 2:
            return ()
        low, high = (choose(known, key=lambda channel: channel.tracker.gain_db) for choose in (min, max))
        difference_db = high.tracker.gain_db - low.tracker.gain_db
        if difference_db <= OUTLIER_SIGMAS * math.hypot(low.tracker.std_db, high.tracker.std_db):
            return ()
        return low.tracker.gain_db, high.tracker.gain_db

    @property
    def gain(self) -> float:
        """The present estimate, linear and signed; NaN while unknown."""
        if not math.isfinite(self.tracker.std_db):
            return math.nan
        return math.copysign(10.0 ** (self.tracker.gain_db / 20.0), self.polarity)

    @property
    def _hop_s(self) -> float:
        return self.settings.hop_frames / self.settings.sample_rate

    def _descend(self, features: WindowFeatures) -> Descent:
        if self.settings.closed_form:
            settled = torch.ones_like(features.optimum_log, dtype=torch.bool)
            return Descent(
                features.optimum_log, features.least_loss, settled, torch.zeros_like(settled, dtype=torch.int64)
            )
        start_log = self.tracker.gain_db / DB_PER_NEPER - features.level_ratio_log
        loss_inputs = features.loss, features.dry, features.target, features.weights
        optimizer, schedule = self.settings.optimizer, self.settings.schedule
        if self.settings.stock_optimizer:
            return descend_stock(*loss_inputs, start_log, features.optimum_log, optimizer=optimizer, schedule=schedule)
        return descend(
            *loss_inputs, features.noise, start_log, features.optimum_log, optimizer=optimizer, schedule=schedule
        )

    def _channel_values(self, features: WindowFeatures) -> list[list[list[float]]]:
        """Return the gain of each channel of each window in dB, and its standard deviation; infinite if too large."""
        gains_db = DB_PER_NEPER * (features.channel_optimum_log + features.level_ratio_log.unsqueeze(-1)).double()
        stds_db = DB_PER_NEPER * features.noise.channel_std_log.double()
        if stds_db.shape[-1] > 1:
            stds_db = torch.where(stds_db < MAX_CHANNEL_STD_DB, stds_db, math.inf)
        values: list[list[list[float]]] = torch.stack([gains_db, stds_db], dim=-1).tolist()
        return values

    def _track_gains(self, measurement: GainMeasurement, channel_values: Sequence[Sequence[float]]) -> GainMeasurement:
        """Update the gains by one window; return its measurement with the deviation that the channels imply.

        `channel_values` are the gain of each channel and its deviation. If channels differ, each window measures the
        gain of one of them, or a gain between them: such measurements are averaged.
        """
        if len(self._channels) > 1:  # otherwise the channel's gain is the estimate
            for channel, (gain_db, std_db) in zip(self._channels, channel_values, strict=True):
                own = GainMeasurement(
                    gain_db, std_db, measurement.lag_hops, measurement.spread_hops, measurement.floor_std_db
                )
                channel.tracker = self._updated(channel.tracker, own)
            if gains_db := self._differing_gains_db:
                half_range_db = (gains_db[1] - gains_db[0]) / 2.0
                measurement = replace(measurement, std_db=math.hypot(measurement.std_db, half_range_db))
        self.tracker = self._updated(self.tracker, measurement)
        return measurement

    def _track_phases(
        self,
        measurement: GainMeasurement,
        channel_values: Sequence[Sequence[float]],
        phase_cosines: Sequence[float],
        alignment: Alignment,
    ) -> None:
        hop_s = self._hop_s
        if not math.isfinite(measurement.std_db):
            self._uninformative_s += hop_s
            return
        self._uninformative_s = 0.0
        for channel, (_, std_db), phase_cosine in zip(self._channels, channel_values, phase_cosines, strict=True):
            if not math.isfinite(std_db):
                channel.uninformative_s += hop_s
                continue
            channel.uninformative_s = 0.0
            if alignment.is_known:
                weight = 1.0 - POLARITY_MEMORY if channel.phase_cosine else 1.0
                channel.phase_cosine += weight * (phase_cosine - channel.phase_cosine)

    def _updated(self, tracker: GainTracker, measurement: GainMeasurement) -> GainTracker:
        """Return the tracker with one more measurement; with a stock optimizer, nothing is averaged."""
        if not self.settings.stock_optimizer:
            tracker.update(measurement)
        elif math.isfinite(measurement.std_db):
            return GainTracker(measurement.gain_db, measurement.std_db)
        return tracker

    def _classify_state(
        self, descent: WindowDescent, alignment: Alignment, features: WindowFeatures, index: int
    ) -> State:
        by_gain = self.settings.processor == "gain"
        changes = by_gain and self.tracker.recent_changes > MAX_RECENT_CHANGES
        some_changes = by_gain and self.tracker.recent_changes > SOME_CHANGES
        following_limit = MAX_FOLLOWING_SHARE_OF_CHANGES if some_changes else MAX_FOLLOWING_SHARE
        disagrees = by_gain and self._agreement.band_deviation_db > TRACKING_STD_DB
        disagrees |= self._following.share > following_limit
        self._agreed_s = 0.0 if disagrees else self._agreed_s + self._hop_s
        no_useful_gain = descent.loss > USELESS_LOSS and float(features.at(index).least_loss) > USELESS_LOSS
        has_no_gain = self._agreement.incoherent_s >= INCOHERENT_FRACTION_AFTER_S
        if self._uninformative_s >= INCOHERENT_AFTER_S or alignment.not_found or no_useful_gain or has_no_gain:
            return State.INCOHERENT
        in_doubt = self._agreed_s < AGREEMENT_S or not self._agreement.is_coherent
        if by_gain:  # the learner judges its filters itself
            in_doubt |= self.tracker.outliers > 0 or changes or self.std_db > TRACKING_STD_DB
        if in_doubt or not descent.settled or not alignment.is_known:
            return State.CONVERGING
        return State.TRACKING
