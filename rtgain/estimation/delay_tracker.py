"""Which delay to remove before windows are compared: found, agreed upon, followed."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from rtgain.dsp.delay_estimation import CrossSpectrum, DelayEstimate
from rtgain.dsp.spectra import NEGLIGIBLE_FRAMES

AGREEMENT_FRAMES = 2.0
"""Readings within this of each other agree."""

AGREEING_READINGS = 3
"""So many must agree before the alignment moves; so many failures in a row end it."""

MIN_COHERENCE_TO_REFINE = 0.5
"""A dry signal that explains this share of the target's power is aligned well enough to be refined."""

MIN_COHERENCE_TO_LOCK = 0.9
"""With this share explained at the present alignment, one reading of a distinct delay is enough."""

MAX_COHERENCE_UNRELATED = 0.15
"""With no more than this share explained (what chance explains), the alignment is in doubt."""

MAX_FAILED_READINGS = 10
"""After so many readings in vain there may be nothing to align: some three seconds with the defaults."""

OFFSET_HYSTERESIS_FRAMES = 0.75
"""The whole-frame offset follows the delay only when it is this far off, so that it never flutters."""

AVERAGED_READINGS = 16
"""Readings that the fraction of a frame is averaged over."""

MAX_DRIFT = 1e-3
"""Two clocks differ by less than this; crystals by a tenth of it."""

STEADY_DRIFT = 5e-6
"""A delay that moves by less than this share of time needs to be read only now and then …"""

STEADY_READINGS = 4
"""… once so many readings have said so."""

SEEN_DRIFT_FRAMES = 0.3
"""A drift shows when it has moved the delay by this much, and by four times what readings stray."""


@dataclass(frozen=True)
class Alignment:
    """What is known about the delay from dry to target, in frames.

    Windows are taken `offset_frames` (a whole number) apart; what is left of `delay_frames` is a fraction. The
    delay means nothing until it is `known`; when it is `not_found` the two signals seem to have nothing in common.
    """

    delay_frames: float = 0.0
    offset_frames: int = 0
    known: bool = True
    not_found: bool = False

    @property
    def fraction_frames(self) -> float:
        """What is left of the delay between windows that are taken `offset_frames` apart."""
        return self.delay_frames - self.offset_frames

    @property
    def shifts(self) -> bool:
        """Whether that is worth a shift."""
        return abs(self.fraction_frames) >= NEGLIGIBLE_FRAMES


ALIGNED = Alignment()
"""No delay at all, and that is known."""


class DelayTracker:
    """Keeps the delay between dry and target, in frames, out of readings that come a few a second.

    `offset_frames` is the whole number of frames by which windows are to be shifted; `delay_frames` is the
    delay to a fraction, and means nothing until `aligned`. A delay out of the whole range is `confirmed` when the
    windows taken at it agree. `failed_readings` counts readings without success.
    """

    def __init__(self, *, search: bool = True, delay_frames: float | None = None) -> None:
        """With `search` off the delay is 0 for good; `delay_frames` resumes from a delay known before."""
        self.search = search
        self.aligned = self.confirmed = not search or delay_frames is not None
        self.delay_frames = delay_frames or 0.0
        self.offset_frames = round(self.delay_frames)
        self.failed_readings = 0
        self._drift = 0.0
        self._now_frames = 0
        self._followed = deque([(0.0, self.delay_frames)], maxlen=AVERAGED_READINGS)
        self._recent: deque[tuple[float, float]] = deque(maxlen=AGREEING_READINGS)

    @property
    def steady(self) -> bool:
        """Whether the delay is known, stands still, and no reading speaks against it: then they may come less often."""
        if not self.search:
            return True
        still = len(self._followed) >= STEADY_READINGS and abs(self._drift) < STEADY_DRIFT
        return self.confirmed and still and not self._recent and not self.failed_readings

    @property
    def alignment(self) -> Alignment:
        """What is known now."""
        not_found = not self.aligned and self.failed_readings >= MAX_FAILED_READINGS
        return Alignment(self.delay_frames, self.offset_frames, self.confirmed, not_found)

    def needs_global_search(self, cross: CrossSpectrum) -> bool:
        """Whether the whole range must be searched: the windows are too little alike, or too tonal to settle it."""
        unconfirmed = self.aligned and not self.confirmed
        if not self.search or unconfirmed or cross.windows == 0:
            return False
        if self.aligned:
            return cross.coherent_fraction < MIN_COHERENCE_TO_REFINE
        return cross.coherent_fraction < MIN_COHERENCE_TO_LOCK or not cross.is_unambiguous

    def update_local(self, cross: CrossSpectrum, span_frames: int = 0) -> None:
        """Refine the alignment by what is left between the windows of the last `span_frames` at the present one."""
        if not self.search or cross.windows == 0:
            return
        likely_frames = 1.0 if self.steady else max(1.0, MAX_DRIFT * span_frames)
        self._now_frames += span_frames
        if self.aligned and not self.confirmed:
            self.aligned = self.confirmed = cross.coherent_fraction > MAX_COHERENCE_UNRELATED
        reading = cross.read()
        if cross.coherent_fraction < MIN_COHERENCE_TO_REFINE or not reading.confident:
            self.failed_readings += 1
            return
        delay_frames = self.delay_frames + reading.delay_frames
        if abs(reading.delay_frames) > likely_frames:
            self._consider(delay_frames)
        elif self.aligned:
            self._follow(delay_frames, span_frames)
        elif cross.coherent_fraction > MIN_COHERENCE_TO_LOCK and cross.is_unambiguous:
            self._lock(delay_frames, confirmed=True)
        else:
            self._consider(delay_frames)

    def update_global(self, reading: DelayEstimate, coherent_fraction: float, span_frames: int = 0) -> None:
        """Consider a reading of the whole range; `coherent_fraction` is the share at the present alignment."""
        self._now_frames += span_frames
        if reading.confident and not (self.aligned and self._agrees(reading.delay_frames)):
            # Somewhere else is better than here: where we are is no longer the answer.
            self.aligned = self.confirmed = False
            self._consider(reading.delay_frames)
        elif coherent_fraction < MAX_COHERENCE_UNRELATED:
            self.failed_readings += 1
            if self.failed_readings >= AGREEING_READINGS:
                self.aligned = self.confirmed = False

    def _agrees(self, delay_frames: float) -> bool:
        return abs(delay_frames - self.delay_frames) <= AGREEMENT_FRAMES

    def _consider(self, delay_frames: float) -> None:
        self._recent.append((self._now_frames, delay_frames))
        if len(self._recent) == AGREEING_READINGS and self._have_agreed():
            self._lock(sorted(delay for _, delay in self._recent)[AGREEING_READINGS // 2], confirmed=False)
        else:
            self.failed_readings += 1

    def _have_agreed(self) -> bool:
        """Whether the recent readings lie on one place, or on a line that two clocks may draw."""
        (begin, first), (_, middle), (end, last) = self._recent
        moved = abs(last - first) <= AGREEMENT_FRAMES + MAX_DRIFT * (end - begin)
        return moved and abs(first - 2.0 * middle + last) <= 2.0 * AGREEMENT_FRAMES

    def _follow(self, delay_frames: float, span_frames: int) -> None:
        """Average the delay over its readings; where they drift, be where their line will be amid the next ones."""
        self._recent.clear()
        self.failed_readings = 0
        if abs(delay_frames - self.delay_frames) > 1.0:
            self._followed = deque(list(self._followed)[-1:], maxlen=AVERAGED_READINGS)
        self._followed.append((self._now_frames - span_frames / 2, delay_frames))
        times, delays = np.array(self._followed).T
        self.delay_frames, self._drift = float(delays.mean()), 0.0
        if times[-1] > times[0]:
            centered = times - times.mean()
            slope = float(centered @ delays / (centered @ centered))
            strayed = float(np.std(delays - slope * centered))
            if abs(slope) * (times[-1] - times[0]) > max(SEEN_DRIFT_FRAMES, 4.0 * strayed):
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
        self._followed = deque([(float(self._now_frames), delay_frames)], maxlen=AVERAGED_READINGS)
        self._recent.clear()
