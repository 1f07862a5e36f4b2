"""Delay of a target recording over its whole length: clock drift, and jumps where sound was lost or inserted.

The recordings are read once, in excerpts of some seconds, in constant memory:

1. Blocks of 0.4 s are compared at the delay that is expected: a line through the delays before.
2. Where another delay explains a block better, or none does, the correlations of the excerpt give candidates, and the
   most likely path through them gives the jumps.
3. Where the drift changes, the line that begins there takes over.
4. Lines are fitted to all measured delays: one delay per stretch between two jumps, and a drift, which may change.

NumPy only, like the search for the offset.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.effects.interpolation import SINC_HALF_FRAMES, interpolate
from rtgain.audio.sources.excerpts import ExcerptReader
from rtgain.audio.sources.file_pair import compared_channels
from rtgain.audio.sources.file_source import FileSource
from rtgain.audio.sources.source import Block
from rtgain.config.names import MAX_CHANNELS
from rtgain.dsp.delay_constants import WHITENING
from rtgain.estimation.offset.correlation import correlation_envelope, highest_peaks, taper
from rtgain.estimation.offset.delay_blocks import (
    BLOCK_WINDOWS,
    BlockDelays,
    measure_blocks,
    mutual_information,
    window_frames_at,
)
from rtgain.estimation.offset.delay_fit import DelayFit, fit_bent_delays, fit_delays
from rtgain.estimation.offset.delay_path import PathPart, find_path, unexplained_frames
from rtgain.estimation.offset.levels import without_invalid_samples
from rtgain.records.delay_curve import JUMP_S, DelayCurve, DelaySegment

EXCERPT_BLOCKS = 16
"""Blocks that are read at once: 6 s."""

CONTEXT_S = 1.0
"""Sound in seconds before an excerpt in which a jump may lie that its first block shows."""

REACHES_S = (0.3, 2.5)
"""Distances in seconds up to which a jump is searched: the second if the first leaves sound unexplained."""

MAX_UNEXPLAINED_S = 0.25
"""Sound in seconds without a delay from which delays farther away are searched."""

MAX_JUMPS_PER_S = 1.0
MIN_JUMPS = 8
"""Jumps per second, and in all, above which the target is not the same recording in time: a stretch makes many."""

MAX_ECHO_S = 1.0
"""Time in seconds for which an echo may be louder than the sound itself, in a pause of the dry recording."""

MAX_DISPERSION_S = 0.01
"""Jump in seconds up to which it may be a filter that delays some frequencies more than others, as an allpass does."""

COMPARED_S = 3.0
"""Sound in seconds on both sides of a small jump in which one delay is compared with two."""

JUMP_ADVANTAGE = 1.2
"""Factor by which two delays must share more information with the dry recording than one."""

MAX_DRIFT = 5e-3
"""Largest drift in frames per frame: more is a stretch, and not a clock."""

DRIFT_ADVANTAGE = 1.2
"""Factor by which a drift must explain more of the first excerpt than a constant delay."""

LINE_BLOCKS = (16, 8, 4)
"""Blocks that a new line is searched in, the first number that has one: the drift may soon change again."""

MAX_STEP_FRAMES = 1.0
"""Distance of a new line from the last block's delay up to which it continues it: more is a jump."""

LOW_SHARE = 0.25
"""Coherent fraction relative to that of the excerpts before below which a block is not explained."""

RECENT_BLOCKS = 48
"""Blocks that the expected delay is extrapolated from: 18 s."""

LEAST_EXPLAINED = 0.1
"""Coherent fraction below which two excerpts have nothing in common."""

WHOLE_FRAMES = 0.1
"""Distance from a whole number of frames up to which a jump is one: buffers and edits have whole frames."""


PEAK_SCORE = 5.0
MAX_PEAK_SCORE = 20.0
"""Peak of a correlation relative to its RMS from which it counts, and up to which it counts more."""


class CancelledError(Exception):
    """The analysis was cancelled."""


Delays = NDArray[np.float64]


@dataclass
class _Measurements:
    """Delays of blocks: their times in frames, delay and deviation per channel, and the stretch that they belong to."""

    times: list[float] = field(default_factory=list)
    delays: list[NDArray[np.float64]] = field(default_factory=list)
    stds: list[NDArray[np.float64]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    explained: list[float] = field(default_factory=list)

    def remove_from(self, frame: float) -> None:
        while self.times and self.times[-1] >= frame:
            for values in (self.times, self.delays, self.stds, self.labels, self.explained):
                values.pop()

    def merge_stretch(self, label: int) -> None:
        """Count the measurements of a stretch, and those behind it, to the one before."""
        self.labels = [each - (each >= label) for each in self.labels]

    def remove_stretch(self, label: int) -> None:
        """Remove the measurements of a stretch, and count those behind it to the one before."""
        for index in reversed(range(len(self.labels))):
            if self.labels[index] == label:
                for values in (self.times, self.delays, self.stds, self.labels, self.explained):
                    del values[index]
            elif self.labels[index] > label:
                self.labels[index] -= 2

    def common(self, since: int = 0) -> tuple[Delays, Delays, Delays, NDArray[np.intp]]:
        """Times, delays, deviations and labels of the blocks with a delay, from number `since` on, over all channels.

        A channel that is later than the first one by a constant time does not move the mean.
        """
        times: Delays = np.array(self.times[since:], np.float64)
        labels = np.array(self.labels[since:], np.intp)
        if not len(times):
            return times, times, times, labels
        delays, stds = np.array(self.delays[since:]), np.array(self.stds[since:])
        reference = int(np.isfinite(delays).sum(axis=0).argmax())
        for channel in range(delays.shape[1]):
            both = delays[:, channel] - delays[:, reference]
            both = both[np.isfinite(both)]
            delays[:, channel] -= float(np.median(both)) if both.size else math.nan
        weights = np.where(np.isfinite(delays), 1.0 / (stds**2 + 1e-6), 0.0)
        total = weights.sum(axis=1)
        known = total > 0.0
        mean = (weights * np.nan_to_num(delays)).sum(axis=1)[known] / total[known]
        return times[known], mean, 1.0 / np.sqrt(total[known]), labels[known]


@dataclass(frozen=True)
class _Stretch:
    """Frames of the dry recording between two jumps, with the whole frames by which its delay exceeds the first's."""

    begin: float
    end: float
    jump: int


def follow_delay(
    dry: Path,
    target: Path,
    delay_s: float,
    *,
    section_s: tuple[float, float] = (0.0, math.inf),
    on_progress: Callable[[float], None] = lambda share: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> DelayCurve | None:
    """Follow the delay of `target` through the part that both recordings cover; None if it was cancelled.

    `delay_s` is the delay at some moment, and `section_s` a section of the dry recording. Raises `InputError`.
    """
    try:
        source = FileSource(dry, channels=None)
        try:
            other = FileSource(target, sample_rate=source.sample_rate, channels=None)
            try:
                follower = _Follower(source, other, delay_s, section_s)
                return follower.run(on_progress, cancelled)
            finally:
                other.close()
        finally:
            source.close()
    except CancelledError:
        return None


class _Follower:
    """Analysis of one pair of files."""

    def __init__(self, dry: FileSource, target: FileSource, delay_s: float, section_s: tuple[float, float]) -> None:
        assert dry.frames is not None
        assert target.frames is not None
        self._rate = dry.sample_rate
        channels = min(compared_channels(dry.channels, target.channels), MAX_CHANNELS)
        self._dry, self._target = ExcerptReader(dry, channels), ExcerptReader(target, channels)
        self._window = window_frames_at(self._rate)
        self._block = BLOCK_WINDOWS * self._window // 2
        self._excerpt = EXCERPT_BLOCKS * self._block
        self._delay = self._start_delay = delay_s * self._rate
        self._drift = 0.0
        start_frame, end_frame = (time_s * self._rate for time_s in section_s)
        # A drift or a jump may move the ends of the common part.
        slack = REACHES_S[-1] * self._rate
        self._begin = round(max(0.0, start_frame, -self._delay - slack))
        self._end = round(min(dry.frames, end_frame, target.frames - self._delay + slack))
        self._loudest = (0.0, 0.0)
        self._typical = 0.0
        self._measured = _Measurements()
        self._stretches = [_Stretch(-math.inf, math.inf, 0)]
        self._line_since = 0
        self._relative = [0] * channels

    def run(self, on_progress: Callable[[float], None], cancelled: Callable[[], bool]) -> DelayCurve:
        """Follow the delay from the begin to the end."""
        position = self._begin
        bent = -1
        is_first = True
        while position < self._end:
            if cancelled():
                raise CancelledError
            end = self._excerpt_end(position)
            blocks = self._measure(position, end - position)
            bad = self._is_bad(blocks)
            if (
                bad.any()
                and is_first
                and (self._separate_channels(position, end - position) | self._acquire(position, end - position))
            ):
                blocks = self._measure(position, end - position)
                bad = self._is_bad(blocks)
            if bad.any():
                first = int(bad.argmax())
                self._accept(position, blocks.first(first))
                frame = position + first * self._block
                if frame > bent and self._bend(frame):
                    self._line_since = len(self._measured.times)
                    is_first = is_first and not first
                    position = bent = frame
                    continue
                known_from = max(frame - CONTEXT_S * self._rate, self._begin, bent, self._stretches[-1].begin)
                start = position if is_first else math.ceil(known_from)
                # A whole excerpt behind the jump: sound that repeats has many delays for a moment.
                end = self._excerpt_end(frame)
                self._bridge(start, end, is_first=is_first)
            else:
                self._accept(position, blocks)
            is_first = is_first and not self._measured.times
            self._extrapolate()
            position = end
            on_progress((position - self._begin) / (self._end - self._begin))
        return self._curve()

    def _excerpt_end(self, start: int) -> int:
        """End of the excerpt from `start`; the last one is longer if too little for another one is left."""
        end = min(start + self._excerpt, self._end)
        return end if self._end - end >= 4 * self._window else self._end

    # --- excerpts -------------------------------------------------------------------------------

    def _expected(self, frame: float) -> float:
        """Delay in frames at which the target is read: whole frames without a drift."""
        return self._delay + self._drift * frame if self._drift else float(round(self._delay))

    def _aligned(self, start: int, frames: int, reach: int = 0) -> Block:
        """Target at the expected delay, from `reach` frames before `start` to `reach` frames behind the end."""
        farthest = max(map(abs, self._relative))
        begin, count = start - reach - farthest, frames + 2 * (reach + farthest)
        if self._drift:
            first = begin + self._expected(begin)
            origin = math.floor(first) - SINC_HALF_FRAMES - 1
            step = 1.0 + self._drift
            samples = self._target.read(origin, math.ceil(count * step) + 2 * SINC_HALF_FRAMES + 4)
            aligned = interpolate(without_invalid_samples(samples), first - origin, step, count).astype(np.float32)
        else:
            aligned = without_invalid_samples(self._target.read(begin + round(self._delay), count))
        if not farthest:
            return aligned
        begins = (farthest + own for own in self._relative)
        length = frames + 2 * reach
        return np.stack([row[first : first + length] for row, first in zip(aligned, begins, strict=True)])

    def _excerpt_of_dry(self, start: int, frames: int) -> Block:
        return without_invalid_samples(self._dry.read(start, frames))

    def _measure(self, position: int, frames: int) -> BlockDelays:
        length = frames + self._window // 2
        x, y = self._excerpt_of_dry(position, length), self._aligned(position, length)
        blocks = measure_blocks(x, y, self._window, self._loudest)
        self._loudest = blocks.loudest
        return blocks

    def _is_bad(self, blocks: BlockDelays) -> NDArray[np.bool_]:
        """Blocks with sound that another delay explains better, or that this one explains much less than others."""
        typical = self._typical or float(np.quantile(blocks.explained, 0.75))
        low = blocks.explained < max(LOW_SHARE * typical, LEAST_EXPLAINED)
        bad: NDArray[np.bool_] = blocks.has_sound & (blocks.is_elsewhere | low)
        return bad

    def _accept(self, position: int, blocks: BlockDelays, label: int | None = None, lag: int = 0) -> None:
        label = len(self._stretches) - 1 if label is None else label
        measured = self._measured
        for index in np.flatnonzero(blocks.has_sound):
            measured.explained.append(float(blocks.explained[index]))
            measured.times.append(position + float(blocks.centers_frames[index]))
            # The target was read at the expected delay of the moment that is `lag` frames later.
            measured.delays.append(self._expected(measured.times[-1] + lag) + lag + blocks.delays_frames[index])
            measured.stds.append(blocks.stds_frames[index])
            measured.labels.append(label)
        if measured.explained:
            self._typical = float(np.median(measured.explained[-RECENT_BLOCKS:]))

    def _extrapolate(self) -> None:
        """Fit the expected delay to the last blocks."""
        since = max(self._line_since, len(self._measured.times) - RECENT_BLOCKS)
        times, delays, stds, labels = self._measured.common(since)
        if len(times) < 3:
            return
        fit = fit_delays(times, delays, stds, labels, len(self._stretches))
        latest = slice(-LINE_BLOCKS[-1], None)
        rest = delays[latest] - fit.delays_frames[labels[latest]] - fit.drift * times[latest]
        if abs(float(np.median(rest))) > MAX_STEP_FRAMES / 4.0:  # the drift has changed
            fit = fit_bent_delays(times, delays, stds, labels, len(self._stretches))
        if math.isfinite(fit.delays_frames[-1]):
            self._delay, self._drift = fit.last_line

    # --- unknown delays -------------------------------------------------------------------------

    def _acquire(self, position: int, frames: int, reaches_s: tuple[float, ...] = REACHES_S) -> bool:
        """Find the line that explains most of an excerpt; True if it is another one than before."""
        before = self._delay, self._drift
        best, most = before, self._explained(position, frames)
        for reach_s in reaches_s:
            for delay, drift in self._lines(position, frames, round(reach_s * self._rate)):
                self._delay, self._drift = before[0] + delay - drift * position, before[1] + drift
                explained = self._explained(position, frames) / (DRIFT_ADVANTAGE if drift else 1.0)
                if explained > most:
                    best, most = (self._delay, self._drift), explained
            self._delay, self._drift = before
            if most > EXCERPT_BLOCKS / 2:
                break
        self._delay, self._drift = best
        if best == before:
            return False
        self._refine(position, frames)
        return True

    def _bend(self, frame: int) -> bool:
        """Continue the delay before `frame` by another line; True if there is one that explains what follows."""
        before = self._delay, self._drift
        times, delays, stds, labels = self._measured.common(max(0, len(self._measured.times) - LINE_BLOCKS[-1]))
        is_late = (
            len(times) >= 3 and labels[0] == labels[-1] and abs(delays[-1] - self._expected(times[-1])) > WHOLE_FRAMES
        )
        for blocks in LINE_BLOCKS:
            frames = min(blocks * self._block, self._end - frame)
            if is_late:  # the drift changed a while ago, by little
                fit = fit_delays(times, delays, stds, labels - labels[-1], 1)
                self._delay, self._drift = float(fit.delays_frames[0]), fit.drift
                if not self._is_bad(self._measure(frame, frames)).any():
                    return True
                self._delay, self._drift = before
            if self._acquire(frame, frames, REACHES_S[:1]) and self._drift != before[1]:
                step = self._expected(times[-1]) - delays[-1] if len(times) else 0.0
                is_near = abs(step) <= MAX_STEP_FRAMES + 2.0 * abs(self._drift - before[1]) * self._block
                if is_near and not self._is_bad(self._measure(frame, frames)).any():
                    return True
            self._delay, self._drift = before
        return False

    def _explained(self, position: int, frames: int) -> float:
        """Sum over the blocks of an excerpt of their coherent fractions at the expected delay."""
        blocks = self._measure(position, frames)
        return float(blocks.explained[blocks.has_sound & ~blocks.is_elsewhere].sum())

    def _refine(self, position: int, frames: int) -> None:
        """Fit the expected delay to the blocks of the first excerpt, to a fraction of a frame."""
        for _ in range(2):
            blocks = self._measure(position, frames)
            known = np.isfinite(blocks.delays_frames) & (blocks.has_sound & ~blocks.is_elsewhere)[:, None]
            if known.sum() < 3:
                return
            times = position + np.broadcast_to(blocks.centers_frames[:, None], known.shape)[known]
            delays = np.array([self._expected(time) for time in times.tolist()]) + blocks.delays_frames[known]
            fit = fit_delays(times, delays, blocks.stds_frames[known], np.zeros(len(times), np.intp), 1)
            self._delay, self._drift = float(fit.delays_frames[0]), fit.drift

    def _separate_channels(self, position: int, frames: int) -> bool:
        """Find channels with a delay of their own, which is constant; True if there are any."""
        reach = round(REACHES_S[0] * self._rate)
        peaks = self._peaks(position, frames, reach, 4 * self._window, apart=True)
        for channel in range(1, len(self._relative)):
            both = [
                lags[channel] - lags[0] for _, lags, scores in peaks if min(scores[0], scores[channel]) > PEAK_SCORE
            ]
            if len(both) < 3:
                continue
            middle = round(float(np.median(both)))
            agreeing = sum(abs(lag - middle) <= 1 for lag in both)
            if abs(middle) > 2 and agreeing >= len(both) / 2:
                self._relative[channel] = middle
        return any(self._relative)

    def _peaks(
        self, position: int, frames: int, reach: int, block: int, *, apart: bool
    ) -> list[tuple[float, list[int], list[float]]]:
        """Center of each block, and lags and scores of correlation peaks: two of all channels, or one of each."""
        x, y = self._excerpt_of_dry(position, frames), self._aligned(position, frames, reach)
        size = 1 << (block + 2 * reach - 1).bit_length()
        fades = taper(block), taper(block + 2 * reach)
        found = []
        for start in range(0, frames - block + 1, block if apart else 2 * block):
            dry = np.fft.rfft(x[:, start : start + block] * fades[0], size)
            target = np.fft.rfft(y[:, start : start + block + 2 * reach] * fades[1], size)
            cross = dry.conj() * target
            lags, scores = [], []
            for bins in cross[:, None] if apart else cross[None]:
                envelope = correlation_envelope(bins, size, WHITENING)[: 2 * reach + 1]
                rms = max(float(np.sqrt(np.mean(envelope**2))), 1e-30)
                peaks = highest_peaks(envelope, 1 if apart else 2, exclusion=4)
                lags += [lag - reach for lag, _ in peaks] or [0]
                scores += [value / rms for _, value in peaks] or [0.0]
            found.append((start + block / 2.0, lags, scores))
        return found

    def _lines(self, position: int, frames: int, reach: int) -> list[tuple[float, float]]:
        """Lines through most correlation peaks, without and with a drift: delay at `position`, relative to the
        expected one, and drift."""
        block = 2 * self._window
        peaks = [
            (center, lag, min(score, MAX_PEAK_SCORE))
            for center, lags, scores in self._peaks(position, frames, reach, block, apart=False)
            for lag, score in zip(lags, scores, strict=True)
            if score > PEAK_SCORE
        ]
        if len(peaks) < 3:
            return []
        time, lag, score = np.array(peaks).T
        lines = []
        for drifts in (False, True):
            best, line = 0.0, (0.0, 0.0)
            for first in range(len(time)):
                later = np.flatnonzero(time > time[first] + 4 * block)
                slopes = (lag[later] - lag[first]) / (time[later] - time[first]) if drifts else np.zeros(1)
                for slope in slopes[np.abs(slopes) <= MAX_DRIFT].tolist():
                    near = np.abs(lag - lag[first] - slope * (time - time[first])) <= 2.0
                    if (value := float(score[near].sum())) > best:
                        best, line = value, (float(lag[first] - slope * time[first]), slope)
            lines.append(line)
        return lines

    def _bridge(self, start: int, end: int, *, is_first: bool) -> None:
        """Find the path of the delay from one frame to another, and measure each of its stretches."""
        x = self._excerpt_of_dry(start, end - start)
        parts: list[PathPart] = []
        for reach_s in REACHES_S:
            reach = round(reach_s * self._rate)
            y = self._aligned(start, end - start, reach)
            parts = find_path(
                x, y, reach, self._window, self._rate, starts_at_0=not is_first, known_jumps=self._known_jumps
            )
            if unexplained_frames(x, parts) < MAX_UNEXPLAINED_S * self._rate:
                break
        if not parts:
            return
        self._measured.remove_from(start)
        if is_first and len(self._stretches) == 1:
            self._delay += parts[0].lag
            parts = [PathPart(part.lag - parts[0].lag, part.begin, part.end) for part in parts]
        lag = 0
        for part in parts:
            if part.lag != lag:
                before = self._stretches[-1]
                jump_frame = max(before.begin, start + part.begin - max(0, lag - part.lag))
                self._stretches[-1] = _Stretch(before.begin, jump_frame, before.jump)
                self._stretches.append(_Stretch(start + part.begin, math.inf, before.jump + part.lag - lag))
                lag = part.lag
            self._measure_part(start, part)
        self._delay += (1.0 + self._drift) * lag

    @property
    def _known_jumps(self) -> frozenset[int]:
        return frozenset(after.jump - before.jump for before, after in pairwise(self._stretches))

    def _measure_part(self, start: int, part: PathPart) -> None:
        frames = part.end - part.begin
        if frames < 2 * self._window:
            return
        x = self._excerpt_of_dry(start + part.begin, frames)
        y = self._aligned_at(start + part.begin, frames, part.lag)
        blocks = measure_blocks(x, y, self._window, self._loudest)
        self._accept(start + part.begin, blocks, lag=part.lag)

    def _aligned_at(self, start: int, frames: int, lag: int) -> Block:
        reach = abs(lag)
        return self._aligned(start, frames, reach)[:, reach + lag : reach + lag + frames]

    # --- result ---------------------------------------------------------------------------------

    def _remove_echoes(self) -> None:
        """Remove stretches in which the target seems later for a moment, and then is as before: its echo was louder."""
        index = 1
        while index < len(self._stretches) - 1:
            before, between, after = self._stretches[index - 1 : index + 2]
            is_short = between.end - between.begin < MAX_ECHO_S * self._rate
            if not (before.jump == after.jump < between.jump and is_short):
                index += 1
                continue
            self._stretches[index - 1 : index + 2] = [_Stretch(before.begin, after.end, before.jump)]
            self._measured.remove_stretch(index)
            index = max(1, index - 1)
        if len(self._stretches) > 1:  # the echo of the end
            before, last = self._stretches[-2:]
            if last.jump > before.jump and self._end - last.begin < MAX_ECHO_S * self._rate:
                self._stretches[-2:] = [_Stretch(before.begin, math.inf, before.jump)]
                self._measured.remove_stretch(len(self._stretches))

    def _curve(self) -> DelayCurve:
        self._remove_echoes()
        explained = np.array(self._measured.explained)
        share = float(explained.mean()) if explained.size else 0.0
        jumps_per_s = (len(self._stretches) - 1) * self._rate / max(1, self._end - self._begin)
        is_stretched = len(self._stretches) > MIN_JUMPS and jumps_per_s > MAX_JUMPS_PER_S
        if len(self._measured.common()[0]) < 3 or is_stretched:
            segment = DelaySegment(-math.inf, math.inf, self._start_delay / self._rate)
            return DelayCurve((segment,), explained_share=share, is_stretched=is_stretched)
        fit, segments = self._fit()
        while self._remove_dispersion(segments):
            fit, segments = self._fit()
        if fit.bends:
            # Behind a change, blocks were compared at a line that was a few frames off.
            self._measure_along(segments)
            fit, segments = self._fit()
        return DelayCurve(segments, 1e6 * fit.drift, 1e6 * fit.drift_std, share)

    def _fit(self) -> tuple[DelayFit, tuple[DelaySegment, ...]]:
        fit = fit_bent_delays(*self._measured.common(), len(self._stretches))
        return fit, self._segments(fit)

    def _remove_dispersion(self, segments: tuple[DelaySegment, ...]) -> bool:
        """Remove small jumps without which the target is explained as well; True if there were any.

        Behind a filter that delays some frequencies more than others the delay follows the sound.
        """
        needless = [
            before.end_s * self._rate
            for before, after in pairwise(segments)
            if JUMP_S < abs(after.delay_at_s(before.end_s) - before.delay_at_s(before.end_s)) <= MAX_DISPERSION_S
            and not self._is_jump(before, after)
        ]
        for frame in needless:
            index = int(np.argmin([abs(stretch.end - frame) for stretch in self._stretches]))
            before, after = self._stretches[index : index + 2]
            self._stretches[index : index + 2] = [_Stretch(before.begin, after.end, before.jump)]
            self._measured.merge_stretch(index + 1)
        return bool(needless)

    def _is_jump(self, before: DelaySegment, after: DelaySegment) -> bool:
        """True if the sound around the moment between two segments is explained better by both than by the first."""
        reach = round(COMPARED_S * self._rate)
        end, begin = math.floor(before.end_s * self._rate), math.ceil(after.begin_s * self._rate)
        first = round(max(before.begin_s * self._rate, self._begin, end - reach)), end
        second = begin, round(min(after.end_s * self._rate, self._end, begin + reach))
        dry = [self._excerpt_of_dry(start, stop - start) for start, stop in (first, second)]
        target, at_after = self._target_along(before, *first), self._target_along(after, *second)
        at_before = self._target_along(before, *second)
        with_jump, without = (
            mutual_information(np.concatenate(dry, axis=1), np.concatenate([target, rest], axis=1), self._window)
            for rest in (at_after, at_before)
        )
        return with_jump > JUMP_ADVANTAGE * without

    def _target_along(self, segment: DelaySegment, begin: int, end: int) -> Block:
        self._expect(segment)
        return self._aligned(begin, end - begin)

    def _expect(self, segment: DelaySegment) -> None:
        self._delay, self._drift = segment.delay_s * self._rate, 1e-6 * segment.drift_ppm

    def _measure_along(self, segments: tuple[DelaySegment, ...]) -> None:
        """Measure all blocks again, at the delay of `segments`."""
        self._measured = _Measurements()
        for segment in segments:
            self._expect(segment)
            begin, end = (time_s * self._rate for time_s in (segment.begin_s, segment.end_s))
            first, last = math.ceil(max(begin, self._begin)), math.floor(min(end, self._end))
            middle = (max(begin, self._begin) + min(end, self._end)) / 2.0
            label = next(index for index, stretch in enumerate(self._stretches) if middle < stretch.end)
            for position in range(first, last - 2 * self._window, self._excerpt):
                frames = min(self._excerpt, last - position - self._window // 2)
                self._accept(position, self._measure(position, frames), label)

    def _segments(self, fit: DelayFit) -> tuple[DelaySegment, ...]:
        delays = fit.delays_frames.copy()
        jumps = np.array([stretch.jump for stretch in self._stretches], np.float64)
        base = delays - jumps
        known = base[np.isfinite(base)]
        fraction = float(np.median(known)) if known.size else self._delay
        for index in range(len(delays)):
            # In the target's time a jump has whole frames.
            near = base[index] if math.isfinite(base[index]) else fraction
            rounded = fraction + round(near - fraction)
            delays[index] = jumps[index] + (rounded if abs(near - rounded) <= WHOLE_FRAMES else near)
        lines: list[tuple[float, float, float]] = []
        for stretch, delay in zip(self._stretches, delays.tolist(), strict=True):
            if lines and abs(lines[-1][2] - delay) < 0.5:
                lines[-1] = lines[-1][0], stretch.end, lines[-1][2]
            else:
                lines.append((stretch.begin, stretch.end, delay))
        return tuple(segment for line in lines for segment in self._bent(fit, *line))

    def _bent(self, fit: DelayFit, begin: float, end: float, delay: float) -> list[DelaySegment]:
        """Segments of one stretch, with the delay at frame 0 of the line before all bends."""
        drift = fit.first_drift
        segments = []
        for bend in (*fit.bends, None):
            until = end if bend is None else min(max(bend.time_frames, begin), end)
            if begin < until:
                edges_s = begin / self._rate, until / self._rate
                segments.append(DelaySegment(*edges_s, delay / self._rate, 1e6 * drift))
                begin = until
            if bend is not None:
                delay, drift = delay - bend.change * bend.time_frames, drift + bend.change
        return segments
