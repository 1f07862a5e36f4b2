"""Follows the audio ring: hands every hop's window to the estimator, in order, and keeps the two signals aligned.

Hops lie on a fixed grid in the dry signal's own time, and so do the readings of the delay: whether a follower
keeps up window by window, catches up many at once, or runs on the fast clock, the estimates are the same.
"""

import math
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from rtgain.audio.engine.shared_memory import DRY, REFERENCE_GAIN, TARGET
from rtgain.config.estimator_settings import MIN_REFERENCE_GAIN, WINDOW_FRAMES_MAX, EstimatorSettings
from rtgain.config.names import MAX_DELAY_S
from rtgain.dsp.delay_estimation import CrossSpectrum, gcc_phat_delay
from rtgain.estimation.delay_tracker import MIN_COHERENCE_TO_LOCK, Alignment, DelayTracker
from rtgain.estimation.estimator import Estimator, Windows
from rtgain.estimation.signal_reader import SignalReader
from rtgain.records.estimate import Estimate

DELAY_SEARCH_INTERVAL_HOPS = 16
"""Hops between readings of the delay while it is searched for, or in doubt."""

DELAY_TRACK_INTERVAL_HOPS = 64
"""Hops between readings once it is known; also the most windows in a batch."""

SEARCH_S = 2.0
"""Sound that the search over the whole range listens to …"""

SEARCH_MIN_S = 1.0
"""… and the least with which it begins."""

SEARCH_RATE = 48_000
"""What is below half of this rate tells a delay; the rest is hardly heard, and would cost memory and time."""

LIVE_BATCH_HOPS = 16
"""The most windows in a batch live: even where a loss takes ten times as long as the sound, something comes."""

MAX_BACKLOG_HOPS = 1
"""With more windows than this to catch up with, a live follower is late."""


Sample = TypeVar("Sample", np.float32, np.float64)


class StreamingEstimator:
    """Turns what a ring holds into estimates, one a hop. `dropped_frames` counts what it came too late for.

    `comparisons` estimate the same windows at the same alignment, by their entries in the race.
    """

    def __init__(
        self,
        sound: SignalReader,
        estimator: Estimator,
        *,
        last: Estimate | None = None,
        delay_frames: float | None = None,
        live: bool = False,
    ) -> None:
        """Follow `sound` from its beginning, or from behind the estimate `last`; `delay_frames` where it is known.

        `live`, rivals leave windows out while the follower is late: the race must not hold up the estimate.
        """
        self.estimator = estimator
        self.comparisons = {entry: Estimator(settings) for entry, settings in estimator.settings.comparisons.items()}
        self.dropped_frames = 0
        self._live = live
        self._comparison_estimates: list[tuple[str, Estimate]] = []
        self._pending_windows: tuple[Windows, Alignment] | None = None
        self._sound = sound
        self._cross = CrossSpectrum()
        self._hop = 0
        if last is not None:
            estimator.resume(last)
            settings = estimator.settings
            self._hop = 1 + round((last.center_frame - settings.window_frames / 2) / settings.hop_frames)
            delay_frames = None if math.isnan(last.delay_frames) else last.delay_frames
        self.aligner = DelayTracker(search=estimator.settings.align, delay_frames=delay_frames)

    def configure(self, settings: EstimatorSettings) -> None:
        """Go on with other settings; a window or hop of other length is taken up behind the last one."""
        before = self.estimator.settings
        self.estimator.settings = settings
        if (settings.window_frames, settings.hop_frames) != (before.window_frames, before.hop_frames):
            self._hop = -(-self._hop * before.hop_frames // settings.hop_frames)
            self._cross = CrossSpectrum()
        if settings.align != before.align:
            self.aligner = DelayTracker(search=settings.align)
        comparisons, self.comparisons = self.comparisons, {}
        for entry, others in settings.comparisons.items():
            self.comparisons[entry] = comparisons.get(entry) or Estimator(others)
            self.comparisons[entry].settings = others
            self.comparisons[entry].frozen = self.estimator.frozen

    def reset(self, gain_db: float) -> None:
        """Let all forget everything and start again from `gain_db`."""
        for estimator in (self.estimator, *self.comparisons.values()):
            estimator.reset(gain_db)

    def freeze(self, on: bool) -> None:
        """Let all hold their estimates, or let them go."""
        for estimator in (self.estimator, *self.comparisons.values()):
            estimator.frozen = on

    def poll_comparisons(self) -> list[tuple[str, Estimate]]:
        """What the rivals estimate of the windows since the last call, each with its entry in the race."""
        self._run_comparisons()
        taken, self._comparison_estimates = self._comparison_estimates, []
        return taken

    @property
    def next_frame(self) -> int:
        """The frame counter's value from which the next estimate can be made."""
        settings = self.estimator.settings
        return self._hop * settings.hop_frames + settings.window_frames + max(0, self.aligner.offset_frames)

    @property
    def backlog_s(self) -> float:
        """How long ago the next estimate could have been made."""
        return (self._sound.frames_written - self.next_frame) / self.estimator.settings.sample_rate

    def skip_to_newest(self) -> None:
        """Go on with the newest window. What lies before it counts as dropped."""
        settings = self.estimator.settings
        newest = self._sound.frames_written - settings.window_frames - max(0, self.aligner.offset_frames)
        hop = max(self._hop, newest // settings.hop_frames)
        self.dropped_frames += (hop - self._hop) * settings.hop_frames
        self._hop = hop

    def advance(self) -> list[Estimate]:
        """The estimates of all windows that are complete by now, up to the next reading of the delay.

        An empty list means that no window is complete. Raises `OverrunError` when the ring was overwritten
        while it was read; the next call then goes on with what is left. Rivals come later: nothing waits for them.
        """
        self._run_comparisons()
        settings = self.estimator.settings
        hop_frames, window_frames = settings.hop_frames, settings.window_frames
        self._skip_overrun()
        offset = self.aligner.offset_frames
        ready = (self._sound.frames_written - self.next_frame) // hop_frames + 1
        reading_hops = DELAY_TRACK_INTERVAL_HOPS if self.aligner.steady else DELAY_SEARCH_INTERVAL_HOPS
        hops = min(ready, reading_hops - self._hop % reading_hops, WINDOW_FRAMES_MAX // window_frames)
        if self._live:
            hops = min(hops, LIVE_BATCH_HOPS)
        if hops <= 0:
            return []
        start = self._hop * hop_frames
        span = (hops - 1) * hop_frames + window_frames
        first = start + min(0, offset)
        stretch = self._sound.read(first, span + abs(offset))
        dry_from, target_from = start - first, start - first + offset
        windows = Windows(
            dry=_windows(stretch[DRY, dry_from : dry_from + span], window_frames, hop_frames),
            target=_windows(stretch[TARGET, target_from : target_from + span], window_frames, hop_frames),
            center_frames=start + window_frames / 2 + hop_frames * np.arange(hops, dtype=np.float64),
            available_frames=float(self.next_frame) + hop_frames * np.arange(hops, dtype=np.float64),
            gain_true_db=mean_gain_db(stretch[REFERENCE_GAIN, dry_from : dry_from + span], window_frames, hop_frames),
        )
        alignment = self.aligner.alignment
        estimates = self.estimator.estimate(windows, alignment, self._cross)
        if not self._live or ready <= MAX_BACKLOG_HOPS:
            self._pending_windows = windows, alignment
        self._hop += hops
        if self._hop % reading_hops == 0:
            self._read_delay(reading_hops * hop_frames)
        return estimates

    def _run_comparisons(self) -> None:
        waiting, self._pending_windows = self._pending_windows, None
        if waiting is not None:
            for entry, comparison in self.comparisons.items():
                self._comparison_estimates += [(entry, estimate) for estimate in comparison.estimate(*waiting)]

    def _skip_overrun(self) -> None:
        """Go on with the first window that has a target, and with the newest when the next one is overwritten."""
        settings = self.estimator.settings
        offset = self.aligner.offset_frames
        self._hop = max(self._hop, -(-max(0, -offset) // settings.hop_frames))
        if self._hop * settings.hop_frames + min(0, offset) < self._sound.oldest_frame:
            self.skip_to_newest()

    def _read_delay(self, span_frames: int) -> None:
        cross, self._cross = self._cross, CrossSpectrum()
        if self.aligner.needs_global_search(cross):
            sample_rate = self.estimator.settings.sample_rate
            end = self.next_frame - self.estimator.settings.hop_frames
            oldest = self._sound.oldest_frame
            kept = oldest + sample_rate // 4 if oldest else 0  # what will not be overwritten meanwhile
            begin = max(kept, end - round(SEARCH_S * sample_rate))
            if end - begin >= SEARCH_MIN_S * sample_rate:
                stretch = torch.from_numpy(self._sound.read(begin, end - begin))
                decimation = max(1, sample_rate // SEARCH_RATE)
                longest_frames = round(MAX_DELAY_S * sample_rate)
                reading = gcc_phat_delay(stretch[DRY], stretch[TARGET], longest_frames, decimation)
                if (
                    reading.confident or cross.coherent_fraction < MIN_COHERENCE_TO_LOCK
                ):  # else the windows alone can tell
                    self.aligner.update_global(reading, cross.coherent_fraction, span_frames)
                    return
        self.aligner.update_local(cross, span_frames)


def mean_gain_db(gain: NDArray[np.floating], window_frames: int, hop_frames: int) -> NDArray[np.float64]:
    """The mean in dB over each window of `gain` (linear), Hann-weighted as the analysis is; NaN stays NaN."""
    if gain.min() == gain.max():
        gain_db = 20.0 * np.log10(float(gain[0]))
        return np.full((len(gain) - window_frames) // hop_frames + 1, gain_db)
    hann = np.hanning(window_frames + 1)[:-1]
    level_db = 20.0 * np.log10(np.maximum(gain.astype(np.float64), MIN_REFERENCE_GAIN))
    means: NDArray[np.float64] = _windows(level_db, window_frames, hop_frames) @ (hann / hann.sum())
    return means


def _windows(signal: NDArray[Sample], window_frames: int, hop_frames: int) -> NDArray[Sample]:
    """Windows over `signal`, without a copy. (NumPy's own sliding window takes 50 µs to make.)"""
    windows: NDArray[Sample] = torch.from_numpy(signal).unfold(0, window_frames, hop_frames).numpy()
    return windows
