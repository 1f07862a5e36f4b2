"""Streaming estimator: passes the window of every hop to the estimator, in order, and keeps both signals aligned.

Hops lie on a fixed grid in the dry signal's time, and so do the delay measurements. The estimates are therefore the
same whether windows are processed one by one, many at once after a backlog, or on the offline clock.
"""

import math
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from rtgain.config.estimator_settings import MIN_REFERENCE_GAIN, WINDOW_FRAMES_MAX, EstimatorSettings
from rtgain.config.names import MAX_DELAY_S
from rtgain.dsp.delay_estimation import CrossSpectrum, gcc_phat_delay
from rtgain.estimation.delay_tracker import MIN_COHERENCE_TO_LOCK, Alignment, DelayTracker
from rtgain.estimation.equalizer_learner import EqualizerLearner
from rtgain.estimation.estimator import Estimator
from rtgain.estimation.signal_reader import SignalReader
from rtgain.estimation.window_features import Windows
from rtgain.records.estimate import Estimate
from rtgain.records.learned_equalizer import LearnedEqualizer

DELAY_SEARCH_INTERVAL_HOPS = 16
"""Hops between delay measurements while the delay is unknown, unconfirmed or changing."""

DELAY_TRACK_INTERVAL_HOPS = 64
"""Hops between delay measurements while the delay is steady; also the most windows in a batch."""

SEARCH_S = 2.0
"""Duration in seconds of the signals in a global delay search."""

SEARCH_MIN_S = 1.0
"""Least duration in seconds with which a global search starts."""

SEARCH_RATE = 48_000
"""Sample rate in Hz above which signals are decimated for the global search.

The band above 24 kHz is hardly audible and would cost memory and time.
"""

LIVE_BATCH_HOPS = 16
"""Most windows in a live batch, so that estimates appear even if a loss takes ten times as long as the audio."""

MAX_BACKLOG_HOPS = 1
"""Backlog in windows above which comparisons skip windows, live."""


Sample = TypeVar("Sample", np.float32, np.float64)


class StreamingEstimator:
    """Makes one estimate per hop from the signals of a reader.

    `dropped_frames` counts frames that were overwritten before their windows were read. `comparisons` are estimators,
    by comparison entry, on the same windows at the same alignment.
    """

    def __init__(
        self,
        reader: SignalReader,
        estimator: Estimator,
        *,
        last: Estimate | None = None,
        delay_frames: float | None = None,
        live: bool = False,
    ) -> None:
        """Start at frame 0 of `reader`, or after the estimate `last`; `delay_frames` is a delay known beforehand.

        If `live`, batches are short, and comparisons skip windows during a backlog, so that they never delay the
        estimate.
        """
        self.estimator = estimator
        self.comparisons = {entry: Estimator(settings) for entry, settings in estimator.settings.comparisons.items()}
        self.dropped_frames = 0
        self._learner = self._new_learner()
        self._learned: list[LearnedEqualizer] = []
        self._live = live
        self._comparison_estimates: list[tuple[str, Estimate]] = []
        self._pending_windows: tuple[Windows, Alignment] | None = None
        self._reader = reader
        self._cross = CrossSpectrum()
        self._hop = 0
        relative_delays_frames = (0.0,) * reader.channels
        if last is not None:
            estimator.resume(last)
            settings = estimator.settings
            self._hop = 1 + round((last.center_frame - settings.window_frames / 2) / settings.hop_frames)
            delay_frames = None if math.isnan(last.delay_frames) else last.delay_frames
            if delay_frames is not None:
                relative_delays_frames = tuple(delay - delay_frames for delay in last.channel_delays_frames)
        self.delay_tracker = DelayTracker(
            search=estimator.settings.align,
            delay_frames=delay_frames,
            relative_delays_frames=relative_delays_frames,
        )
        if delay_frames is not None and last is None and estimator.settings.align:
            for each in (estimator, *self.comparisons.values()):
                each.reset_agreement(is_assumed=False)

    def configure(self, settings: EstimatorSettings) -> None:
        """Continue with other settings; another window or hop length takes effect after the last window."""
        before = self.estimator.settings
        self.estimator.settings = settings
        if (settings.processor, settings.window_frames, settings.hop_frames) != (
            before.processor,
            before.window_frames,
            before.hop_frames,
        ):
            latest = self.equalizer
            self._learner = self._new_learner()
            if latest is not None:
                self.resume_equalizer(latest)
        if (settings.window_frames, settings.hop_frames) != (before.window_frames, before.hop_frames):
            self._hop = -(-self._hop * before.hop_frames // settings.hop_frames)
            self._cross = CrossSpectrum()
        if settings.align != before.align:
            self.delay_tracker = DelayTracker(
                search=settings.align,
                delay_frames=settings.delay_frames if settings.align else None,
                relative_delays_frames=(0.0,) * self._reader.channels,
            )
        previous, self.comparisons = self.comparisons, {}
        for entry, comparison_settings in settings.comparisons.items():
            self.comparisons[entry] = previous.get(entry) or Estimator(comparison_settings)
            self.comparisons[entry].settings = comparison_settings
            self.comparisons[entry].frozen = self.estimator.frozen

    def reset(self, gain_db: float) -> None:
        """Reset all estimators; their next descents start from `gain_db`."""
        for estimator in self._estimators:
            estimator.reset(gain_db)
        self._learner = self._new_learner()

    def start_target(self, settings: EstimatorSettings, gain_db: float) -> None:
        """Estimate another target from the next frame on, at the delay of `settings`, starting from `gain_db`."""
        self.configure(settings)
        self.reset(gain_db)
        self._hop = max(self._hop, -(-self._reader.frames_written // settings.hop_frames))
        self._cross = CrossSpectrum()
        self._pending_windows = None
        self.delay_tracker = DelayTracker(
            search=settings.align,
            delay_frames=settings.delay_frames if settings.align else None,
            relative_delays_frames=(0.0,) * self._reader.channels,
        )

    def set_frozen(self, frozen: bool) -> None:
        """Freeze the estimates of all estimators, or release them."""
        for estimator in self._estimators:
            estimator.frozen = frozen

    def poll_comparisons(self) -> list[tuple[str, Estimate]]:
        """Return the comparisons' estimates since the last call, each with its entry."""
        self._run_comparisons()
        estimates, self._comparison_estimates = self._comparison_estimates, []
        return estimates

    @property
    def equalizer(self) -> LearnedEqualizer | None:
        """Newest learned equalizer; None with the processor ``gain``, and before the first fit."""
        return None if self._learner is None else self._learner.latest

    def resume_equalizer(self, last: LearnedEqualizer) -> None:
        """Continue to learn from what another estimator has learned; without effect with the processor ``gain``."""
        if self._learner is not None:
            self._learner.resume(last)

    def poll_equalizers(self) -> list[LearnedEqualizer]:
        """Return what has been learned since the last call, in order."""
        learned, self._learned = self._learned, []
        return learned

    def _new_learner(self) -> EqualizerLearner | None:
        settings = self.estimator.settings
        return EqualizerLearner(settings) if settings.processor == "eq" else None

    @property
    def next_frame(self) -> int:
        """The frame counter from which the next estimate can be made."""
        settings = self.estimator.settings
        return self._hop * settings.hop_frames + settings.window_frames + max(0, *self._offsets_frames)

    @property
    def _offsets_frames(self) -> tuple[int, ...]:
        """Whole frames by which the target's windows are later than the dry signal's, per channel."""
        return self.delay_tracker.alignment.offsets_frames(self._reader.channels)

    @property
    def backlog_s(self) -> float:
        """Audio in seconds since the next estimate could have been made."""
        return (self._reader.frames_written - self.next_frame) / self.estimator.settings.sample_rate

    def skip_to_newest(self) -> None:
        """Continue with the newest window; the frames before it count as dropped."""
        settings = self.estimator.settings
        newest = self._reader.frames_written - settings.window_frames - max(0, *self._offsets_frames)
        hop = max(self._hop, newest // settings.hop_frames)
        self.dropped_frames += (hop - self._hop) * settings.hop_frames
        self._hop = hop

    def advance(self) -> list[Estimate]:
        """Make the estimates of all complete windows, up to the next delay measurement.

        An empty list means that no window is complete. Raises `OverrunError` if the frames were overwritten during the
        read; the next call continues with the newest window. Comparisons run later, so that they delay nothing.
        """
        self._run_comparisons()
        settings = self.estimator.settings
        hop_frames, window_frames = settings.hop_frames, settings.window_frames
        self._skip_overrun()
        alignment = self.delay_tracker.alignment
        offsets = alignment.offsets_frames(self._reader.channels)
        next_frame = self.next_frame
        ready = (self._reader.frames_written - next_frame) // hop_frames + 1
        interval_hops = DELAY_TRACK_INTERVAL_HOPS if self.delay_tracker.is_steady else DELAY_SEARCH_INTERVAL_HOPS
        hops = min(ready, interval_hops - self._hop % interval_hops, WINDOW_FRAMES_MAX // window_frames)
        if self._live:
            hops = min(hops, LIVE_BATCH_HOPS)
        if hops <= 0:
            return []
        start = self._hop * hop_frames
        span = (hops - 1) * hop_frames + window_frames
        first = start + min(0, *offsets)
        signals = self._reader.read(first, span + max(0, *offsets) - min(0, *offsets))
        dry_start = start - first
        windows = Windows(
            dry=_channel_windows(_part(signals.dry, dry_start, (0,) * len(offsets), span), window_frames, hop_frames),
            target=_channel_windows(_part(signals.target, dry_start, offsets, span), window_frames, hop_frames),
            center_frames=start + window_frames / 2 + hop_frames * np.arange(hops, dtype=np.float64),
            available_frames=float(next_frame) + hop_frames * np.arange(hops, dtype=np.float64),
            gain_true_db=mean_gain_db(signals.reference_gain[dry_start : dry_start + span], window_frames, hop_frames),
        )
        estimates = self.estimator.estimate(windows, alignment, self._cross)
        if self._learner is not None:
            frozen = self.estimator.frozen
            estimates, learned = self._learner.process(windows, alignment, estimates, frozen=frozen)
            self._learned += learned
        if not self._live or ready <= MAX_BACKLOG_HOPS:
            self._pending_windows = windows, alignment
        self._hop += hops
        if self._hop % interval_hops == 0:
            self._measure_delay(interval_hops * hop_frames)
        return estimates

    def _run_comparisons(self) -> None:
        pending, self._pending_windows = self._pending_windows, None
        if pending is not None:
            for entry, comparison in self.comparisons.items():
                self._comparison_estimates += [(entry, estimate) for estimate in comparison.estimate(*pending)]

    def _skip_overrun(self) -> None:
        """Skip to the first window with a target, and to the newest window if the next one has been overwritten."""
        settings = self.estimator.settings
        earliest = min(0, *self._offsets_frames)
        self._hop = max(self._hop, -(earliest // settings.hop_frames))
        if self._hop * settings.hop_frames + earliest < self._reader.oldest_frame:
            self.skip_to_newest()

    @property
    def _estimators(self) -> tuple[Estimator, ...]:
        """The estimator and the comparisons."""
        return (self.estimator, *self.comparisons.values())

    def _measure_delay(self, span_frames: int) -> None:
        cross, self._cross = self._cross, CrossSpectrum()
        for estimator in self._estimators:
            if estimator.settings.align and self.delay_tracker.confirmed:
                estimator.update_agreement(cross, span_frames / estimator.settings.sample_rate)
            else:
                estimator.reset_agreement()
        if self.delay_tracker.needs_global_search(cross):
            sample_rate = self.estimator.settings.sample_rate
            end = self.next_frame - self.estimator.settings.hop_frames
            oldest = self._reader.oldest_frame
            safe = oldest + sample_rate // 4 if oldest else 0  # not overwritten during the read
            begin = max(safe, end - round(SEARCH_S * sample_rate))
            if end - begin >= SEARCH_MIN_S * sample_rate:
                signals = self._reader.read(begin, end - begin)
                dry, target = torch.from_numpy(signals.dry), torch.from_numpy(signals.target)
                decimation = max(1, sample_rate // SEARCH_RATE)
                max_delay_frames = round(MAX_DELAY_S * sample_rate)
                measurement = gcc_phat_delay(dry, target, max_delay_frames, decimation)
                # Otherwise the windows at the present alignment are the better measurement.
                if measurement.confident or cross.coherent_fraction < MIN_COHERENCE_TO_LOCK:
                    self.delay_tracker.update_global(measurement, cross.coherent_fraction, span_frames)
                    return
        relative_offsets_frames = self.delay_tracker.alignment.relative_offsets_frames
        self.delay_tracker.update_local(cross, span_frames)
        if self.delay_tracker.alignment.relative_offsets_frames != relative_offsets_frames:
            for estimator in self._estimators:
                estimator.reset_agreement()


def mean_gain_db(gain: NDArray[np.floating], window_frames: int, hop_frames: int) -> NDArray[np.float64]:
    """Compute the mean in dB over each window of the linear `gain`, weighted by the analysis's Hann window.

    A window that contains NaN has a mean of NaN.
    """
    if gain.min() == gain.max() or np.isnan(gain).all():
        gain_db = 20.0 * np.log10(float(gain[0]))
        return np.full((len(gain) - window_frames) // hop_frames + 1, gain_db)
    hann = np.hanning(window_frames + 1)[:-1]
    level_db = 20.0 * np.log10(np.maximum(gain.astype(np.float64), MIN_REFERENCE_GAIN))
    means: NDArray[np.float64] = _windows(level_db, window_frames, hop_frames) @ (hann / hann.sum())
    return means


def _part(
    signals: NDArray[np.float32], start: int, offsets_frames: tuple[int, ...], frames: int
) -> NDArray[np.float32]:
    """Select `frames` frames of each channel, from `start` plus its offset; without a copy if the offsets are equal."""
    begin = start + offsets_frames[0]
    if len(set(offsets_frames)) == 1:
        return signals[:, begin : begin + frames]
    begins = (start + offset for offset in offsets_frames)
    return np.stack([channel[begin : begin + frames] for channel, begin in zip(signals, begins, strict=True)])


def _channel_windows(signals: NDArray[np.float32], window_frames: int, hop_frames: int) -> NDArray[np.float32]:
    """Cut signals of C channels, ``(C, frames)``, into windows, ``(B, C, W)``, without a copy."""
    return _windows(signals, window_frames, hop_frames).swapaxes(0, 1)


def _windows(signal: NDArray[Sample], window_frames: int, hop_frames: int) -> NDArray[Sample]:
    """Cut the last axis into windows without a copy. (NumPy's own sliding window takes 50 µs to make.)"""
    windows: NDArray[Sample] = torch.from_numpy(signal).unfold(-1, window_frames, hop_frames).numpy()
    return windows
