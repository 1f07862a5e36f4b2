"""Delay between dry and target over time: search, lock and tracking, from a few measurements per second."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from rtgain.dsp.delay_estimation import CrossSpectrum, DelayEstimate
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

MIN_DRIFT_FRAMES = 0.3
"""Change of the delay in frames from which a drift is significant; it must also exceed four standard deviations."""


@dataclass(frozen=True)
class Alignment:
    """Present knowledge of the delay from dry to target, in frames.

    Windows are cut `offset_frames` (a whole number) apart; `fraction_frames` of the delay remain. The delay is
    meaningless unless `is_known`. With `not_found`, the two signals seem to have nothing in common.
    """

    delay_frames: float = 0.0
    offset_frames: int = 0
    is_known: bool = True
    not_found: bool = False

    @property
    def fraction_frames(self) -> float:
        """The remaining delay between windows that are cut `offset_frames` apart."""
        return self.delay_frames - self.offset_frames

    @property
    def needs_shift(self) -> bool:
        """True if the remaining delay is large enough for a fractional shift."""
        return abs(self.fraction_frames) >= NEGLIGIBLE_FRAMES


ALIGNED = Alignment()
"""Alignment at a known delay of 0."""


class DelayTracker:
    """Delay between dry and target, in frames, from a few measurements per second.

    `offset_frames` is the whole number of frames by which windows are shifted. `delay_frames` includes the fraction
    and is meaningless unless `aligned`. A delay from the global search is `confirmed` once the windows cut at it are
    coherent. `failed_measurements` counts measurements without success.
    """

    def __init__(self, *, search: bool = True, delay_frames: float | None = None) -> None:
        """Start without a delay, or resume from `delay_frames`; without `search` the delay stays 0."""
        self.search = search
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
        return Alignment(self.delay_frames, self.offset_frames, self.confirmed, not_found)

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
        self._drift = 0.0
        self._accepted = deque([(float(self._now_frames), delay_frames)], maxlen=AVERAGED_MEASUREMENTS)
        self._candidates.clear()
