"""Delay between dry and target over time: search, lock and tracking, from a few measurements per second."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rtgain.dsp.delay_estimation import DECIMALS, CrossSpectrum, DelayEstimate
from rtgain.dsp.spectra import NEGLIGIBLE_FRAMES

AGREEMENT_FRAMES = 2.0
"""Difference in frames up to which two measurements agree."""

AGREEING_MEASUREMENTS = 3
"""Number of measurements that must agree before the alignment changes.

The same number of consecutive failures discards the alignment.
"""

MIN_COHERENCE_TO_REFINE = 0.5
"""Coherent fraction from which the alignment is good enough to be refined."""

MIN_COHERENCE_TO_LOCK = 0.9
"""Coherent fraction at the present alignment from which one unambiguous measurement is enough."""

MAX_COHERENCE_UNRELATED = 0.15
"""Coherent fraction up to which an alignment counts as wrong; unrelated signals reach this value."""

MAX_FAILED_MEASUREMENTS = 10
"""Number of failed measurements after which no delay is found: some three seconds with the defaults."""

OFFSET_HYSTERESIS_FRAMES = 0.75
"""Distance in frames between delay and whole-frame offset from which the offset changes."""

AVERAGED_MEASUREMENTS = 16
"""Number of measurements that the fraction of a frame is averaged over."""

MAX_DRIFT = 1e-3
"""Largest rate difference of two clocks; crystals differ by a tenth of it."""

STEADY_DRIFT = 5e-6
"""Rate of change of the delay, in frames per frame, below which it may be measured at longer intervals."""

STEADY_MEASUREMENTS = 4
"""Number of measurements after which a delay may count as steady."""

MIN_RELATIVE_DELAY_FRAMES = 0.1
"""Delay of a channel relative to the others in frames from which it is removed; it must also be significant."""

SIGNIFICANT_SIGMAS = 4.0
"""Standard deviations of the mean from which a channel's relative delay is significant."""

MIN_DRIFT_FRAMES = 0.3
"""Change of the delay in frames from which a drift is significant; it must also exceed four standard deviations."""


@dataclass(frozen=True)
class Alignment:
    """Present knowledge of the delay from dry to target, in frames.

    Windows are cut `offset_frames` (a whole number) apart; a fraction of the delay remains. The delay is
    meaningless unless `is_known`. With `not_found`, the two signals seem to have nothing in common.

    `relative_delays_frames` and `relative_offsets_frames` are what each channel's delay and offset add to these; empty
    if no channel has a delay of its own.
    """

    delay_frames: float = 0.0
    offset_frames: int = 0
    is_known: bool = True
    not_found: bool = False
    relative_delays_frames: tuple[float, ...] = ()
    relative_offsets_frames: tuple[int, ...] = ()

    def delays_frames(self, channels: int) -> tuple[float, ...]:
        """Return the delay of each channel."""
        relative = self.relative_delays_frames or (0.0,) * channels
        return tuple(self.delay_frames + delay for delay in relative)

    def offsets_frames(self, channels: int) -> tuple[int, ...]:
        """Return the whole frames by which the windows of each channel are cut apart."""
        relative = self.relative_offsets_frames or (0,) * channels
        return tuple(self.offset_frames + offset for offset in relative)

    def fractions_frames(self, channels: int) -> tuple[float, ...]:
        """Return the remaining delay between the windows of each channel."""
        delays, offsets = self.delays_frames(channels), self.offsets_frames(channels)
        return tuple(delay - offset for delay, offset in zip(delays, offsets, strict=True))

    def needs_shift(self, channels: int) -> bool:
        """Return True if a remaining delay is large enough for a fractional shift."""
        return any(abs(fraction) >= NEGLIGIBLE_FRAMES for fraction in self.fractions_frames(channels))


ALIGNED = Alignment()
"""Alignment at a known delay of 0."""


class RelativeDelay:
    """Delay of one channel relative to the delay that all channels have in common, in frames; 0 while insignificant.

    `offset_frames` is its whole-frame part.
    """

    def __init__(self, delay_frames: float = 0.0) -> None:
        self.delay_frames = delay_frames
        self.offset_frames = round(delay_frames)
        self._measured: deque[float] = deque(maxlen=AVERAGED_MEASUREMENTS)
        self._failed_measurements = 0

    def fail(self) -> None:
        """Count a measurement without success; after some of them the channel is compared at the common delay again."""
        self._failed_measurements += 1
        if self._failed_measurements >= MAX_FAILED_MEASUREMENTS:
            self.delay_frames, self.offset_frames, self._failed_measurements = 0.0, 0, 0
            self._measured.clear()

    def update(self, delay_frames: float) -> None:
        """Average one more measurement; those before it are forgotten if it does not agree with them."""
        self._failed_measurements = 0
        if self._measured and abs(delay_frames - float(np.median(self._measured))) > AGREEMENT_FRAMES:
            self._measured.clear()
        self._measured.append(delay_frames)
        count = len(self._measured)
        if count < AGREEING_MEASUREMENTS:
            return
        mean_frames, std_frames = float(np.mean(self._measured)), float(np.std(self._measured, ddof=1))
        least_frames = max(MIN_RELATIVE_DELAY_FRAMES, SIGNIFICANT_SIGMAS * std_frames / math.sqrt(count))
        self.delay_frames = round(mean_frames, DECIMALS) if abs(mean_frames) > least_frames else 0.0
        if abs(self.delay_frames - self.offset_frames) > OFFSET_HYSTERESIS_FRAMES:
            self.offset_frames = round(self.delay_frames)
            self._measured.clear()  # windows cut elsewhere make better measurements


class DelayTracker:
    """Delay between dry and target, in frames, from a few measurements per second.

    `offset_frames` is the whole number of frames by which windows are shifted. `delay_frames` includes the fraction
    and is meaningless unless `aligned`. A delay from the global search is `confirmed` once the windows cut at it are
    coherent. `failed_measurements` counts measurements without success. Each of several channels may have a delay of
    its own in addition.
    """

    def __init__(
        self,
        *,
        search: bool = True,
        delay_frames: float | None = None,
        relative_delays_frames: Sequence[float] = (0.0,),
    ) -> None:
        """Start without a delay, or resume from `delay_frames`; without `search` the delay stays 0.

        `relative_delays_frames` has one value per channel.
        """
        self.search = search
        self._relative = [RelativeDelay(delay) for delay in relative_delays_frames]
        self.aligned = self.confirmed = not search or delay_frames is not None
        self.delay_frames = delay_frames or 0.0
        self.offset_frames = round(self.delay_frames)
        self.failed_measurements = 0
        self._drift = 0.0
        self._now_frames = 0
        self._accepted = deque([(0.0, self.delay_frames)], maxlen=AVERAGED_MEASUREMENTS)
        self._candidates: deque[tuple[float, float]] = deque(maxlen=AGREEING_MEASUREMENTS)

    @property
    def is_steady(self) -> bool:
        """True if the delay is known, constant and uncontradicted, so that longer intervals are enough."""
        if not self.search:
            return True
        constant = len(self._accepted) >= STEADY_MEASUREMENTS and abs(self._drift) < STEADY_DRIFT
        return self.confirmed and constant and not self._candidates and not self.failed_measurements

    @property
    def alignment(self) -> Alignment:
        """The present alignment."""
        not_found = not self.aligned and self.failed_measurements >= MAX_FAILED_MEASUREMENTS
        relative: tuple[tuple[float, ...], tuple[int, ...]] = ((), ())
        if any(channel.delay_frames or channel.offset_frames for channel in self._relative):
            relative = (
                tuple(channel.delay_frames for channel in self._relative),
                tuple(channel.offset_frames for channel in self._relative),
            )
        return Alignment(self.delay_frames, self.offset_frames, self.confirmed, not_found, *relative)

    def needs_global_search(self, cross: CrossSpectrum) -> bool:
        """Return True if the whole range must be searched: the windows are too incoherent, or too tonal."""
        unconfirmed = self.aligned and not self.confirmed
        if not self.search or unconfirmed or cross.windows == 0:
            return False
        if self.aligned:
            return cross.coherent_fraction < MIN_COHERENCE_TO_REFINE
        return cross.coherent_fraction < MIN_COHERENCE_TO_LOCK or not cross.is_unambiguous

    def update_local(self, cross: CrossSpectrum, span_frames: int = 0) -> None:
        """Update by the remaining delay between the windows of the last `span_frames` at the present alignment."""
        if not self.search or cross.windows == 0:
            return
        plausible_frames = 1.0 if self.is_steady else max(1.0, MAX_DRIFT * span_frames)
        self._now_frames += span_frames
        if self.aligned and not self.confirmed:
            self.aligned = self.confirmed = cross.coherent_fraction > MAX_COHERENCE_UNRELATED
        measurement = cross.estimate_delay()
        if cross.coherent_fraction < MIN_COHERENCE_TO_REFINE or not measurement.confident:
            self.failed_measurements += 1
            return
        if self.confirmed and len(self._relative) > 1:
            self._update_relative(cross, measurement.delay_frames)
        delay_frames = self.delay_frames + measurement.delay_frames
        if abs(measurement.delay_frames) > plausible_frames:
            self._add_candidate(delay_frames)
        elif self.aligned:
            self._average(delay_frames, span_frames)
        elif cross.coherent_fraction > MIN_COHERENCE_TO_LOCK and cross.is_unambiguous:
            self._lock(delay_frames, confirmed=True)
        else:
            self._add_candidate(delay_frames)

    def update_global(self, measurement: DelayEstimate, coherent_fraction: float, span_frames: int = 0) -> None:
        """Update by a delay from the global search; `coherent_fraction` is that at the present alignment."""
        self._now_frames += span_frames
        if measurement.confident and not (self.aligned and self._agrees(measurement.delay_frames)):
            # Another delay fits better than the present one, which is therefore given up.
            self.aligned = self.confirmed = False
            self._add_candidate(measurement.delay_frames)
        elif coherent_fraction < MAX_COHERENCE_UNRELATED:
            self.failed_measurements += 1
            if self.failed_measurements >= AGREEING_MEASUREMENTS:
                self.aligned = self.confirmed = False

    def _update_relative(self, cross: CrossSpectrum, common_frames: float) -> None:
        """Measure each channel's own delay relative to `common_frames`, the delay that remains in all of them."""
        for index, channel in enumerate(self._relative):
            measurement = cross.channel(index).estimate_delay()
            if measurement.confident:
                channel.update(channel.delay_frames + measurement.delay_frames - common_frames)
            elif measurement.confidence > 0.0:  # 0 in silence
                channel.fail()

    def _agrees(self, delay_frames: float) -> bool:
        return abs(delay_frames - self.delay_frames) <= AGREEMENT_FRAMES

    def _add_candidate(self, delay_frames: float) -> None:
        self._candidates.append((self._now_frames, delay_frames))
        if len(self._candidates) == AGREEING_MEASUREMENTS and self._candidates_agree():
            self._lock(sorted(delay for _, delay in self._candidates)[AGREEING_MEASUREMENTS // 2], confirmed=False)
        else:
            self.failed_measurements += 1

    def _candidates_agree(self) -> bool:
        """Return True if the candidates are one delay, or lie on a line that two clocks may produce."""
        (begin, first), (_, middle), (end, last) = self._candidates
        plausible = abs(last - first) <= AGREEMENT_FRAMES + MAX_DRIFT * (end - begin)
        return plausible and abs(first - 2.0 * middle + last) <= 2.0 * AGREEMENT_FRAMES

    def _average(self, delay_frames: float, span_frames: int) -> None:
        """Average the delay over its measurements; extrapolate a drift to the middle of the next windows."""
        self._candidates.clear()
        self.failed_measurements = 0
        if abs(delay_frames - self.delay_frames) > 1.0:
            self._accepted = deque(list(self._accepted)[-1:], maxlen=AVERAGED_MEASUREMENTS)
        self._accepted.append((self._now_frames - span_frames / 2, delay_frames))
        times, delays = np.array(self._accepted).T
        self.delay_frames, self._drift = float(delays.mean()), 0.0
        if times[-1] > times[0]:
            centered = times - times.mean()
            slope = float(centered @ delays / (centered @ centered))
            std_frames = float(np.std(delays - slope * centered))
            if abs(slope) * (times[-1] - times[0]) > max(MIN_DRIFT_FRAMES, 4.0 * std_frames):
                self._drift = slope
                self.delay_frames += slope * (self._now_frames + span_frames / 2 - float(times.mean()))
        if abs(self.delay_frames - self.offset_frames) > OFFSET_HYSTERESIS_FRAMES:
            self.offset_frames = round(self.delay_frames)

    def _lock(self, delay_frames: float, *, confirmed: bool) -> None:
        self.aligned = True
        self.confirmed = confirmed
        self.delay_frames = delay_frames
        self.offset_frames = round(delay_frames)
        if not confirmed:  # from a search over all channels
            self._relative = [RelativeDelay() for _ in self._relative]
        self._drift = 0.0
        self._accepted = deque([(float(self._now_frames), delay_frames)], maxlen=AVERAGED_MEASUREMENTS)
        self._candidates.clear()
