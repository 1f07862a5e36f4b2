"""Passages of a pair that no gain explains: one recording is silent, or the polarity is another one."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rtgain.match.analysis import PairSpectra, Real

SILENCE = 1e-7
"""Power of a window relative to the loudest one below which a recording is silent: −70 dB."""

LOUD = 1e-3
"""Power relative to the loudest window from which the other recording has sound: −30 dB."""

MIN_SILENCE_S = 0.5
"""Sound of the other recording in seconds from which a silence is a passage."""

MIN_USUAL_SHARE = 0.25
"""Mean power of the other recording, relative to that of its other windows, from which it goes on: noise in a pause is
softer."""

MIN_CORRELATION = 0.5
"""Correlation of matched signal and target in a window from which its sign is the polarity."""

MIN_CORRELATED = 0.8
"""Share of the power in windows with such a correlation from which changes of the polarity are counted."""

MIN_RUN = 4
"""Windows with one polarity that are a passage."""

MAX_CHANGES_PER_S = 1.0
"""Changes of the polarity per second above which they are none of a switch or an edit, but of an effect."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Passages:
    """Passages as pairs of their first and last time in s, from the start of the common part.

    Attributes:
        target_silent: the target is silent, and the dry recording is not.
        dry_silent: the dry recording is silent, and the target is not.
        polarity_changes_s: times at which the polarity changes.
    """

    target_silent: list[tuple[float, float]]
    dry_silent: list[tuple[float, float]]
    polarity_changes_s: list[float]

    @property
    def any(self) -> bool:
        """True if there is any passage."""
        return bool(self.target_silent or self.dry_silent or self.polarity_changes_s)


def split_passages(pair: PairSpectra) -> tuple[Passages, PairSpectra]:
    """Find the passages. Returns the pair without silent ones and with one polarity, for one model."""
    dry, target = (power.sum(axis=(1, 2), dtype=np.float64) for power in (pair.matched_power, pair.target_power))
    target_silent, dry_silent = _silences(pair.times_s, target, dry), _silences(pair.times_s, dry, target)
    keep = np.ones(len(dry), bool)
    for first, last in (*target_silent, *dry_silent):
        keep[max(0, first - 2) : last + 3] = False  # the windows next to a silence are partly silent
    changes = _polarity_changes(pair, dry, target, keep)
    inverted = np.zeros(len(dry), bool)
    for first in changes:
        inverted[first:] = ~inverted[first:]
        keep[max(0, first - 1) : first + 1] = False
    passages = Passages(
        [_times(pair.times_s, run) for run in target_silent],
        [_times(pair.times_s, run) for run in dry_silent],
        [float(pair.times_s[first - 1 : first + 1].mean()) for first in changes],
    )
    return passages, _cleaned(pair, keep, inverted) if passages.any else pair


def _silences(times_s: Real, power: Real, other: Real) -> list[tuple[int, int]]:
    """Runs of windows, first and last, in which a recording is silent and the other one has sound for a while."""
    if len(power) < 2 or not power.any():
        return []
    is_silent = power < SILENCE * power.max()
    has_sound = other > LOUD * other.max()
    hop_s = float(times_s[1] - times_s[0])
    edges = np.flatnonzero(np.diff(is_silent, prepend=False, append=False))
    runs = zip(edges[::2].tolist(), (edges[1::2] - 1).tolist(), strict=True)
    usual = MIN_USUAL_SHARE * float(other[~is_silent].mean())
    return [
        (first, last)
        for first, last in runs
        if has_sound[first : last + 1].sum() * hop_s >= MIN_SILENCE_S and other[first : last + 1].mean() > usual
    ]


def _times(times_s: Real, run: tuple[int, int]) -> tuple[float, float]:
    """Begin and end of the silence behind a run of windows, which are two hops long: to half a hop."""
    hop_s = float(times_s[1] - times_s[0])
    return float(times_s[run[0]]) - 1.5 * hop_s, float(times_s[run[1]]) + 1.5 * hop_s


def _polarity_changes(pair: PairSpectra, dry: Real, target: Real, keep: Mask) -> list[int]:
    """Numbers of the windows from which the polarity is another one than before."""
    loud = np.flatnonzero(keep & (dry > LOUD * dry.max(initial=0.0)) & (target > 0.0))
    if len(loud) < 2 * MIN_RUN:
        return []
    correlation = pair.cross.sum(axis=(1, 2))[loud].real / np.sqrt(dry[loud] * target[loud])
    is_clear = np.abs(correlation) > MIN_CORRELATION
    if target[loud][is_clear].sum() < MIN_CORRELATED * target[loud].sum():
        return []
    clear, negative = loud[is_clear], correlation[is_clear] < 0.0
    edges = [0, *(np.flatnonzero(np.diff(negative)) + 1).tolist(), len(clear)]
    runs = [(begin, end) for begin, end in pairwise(edges) if end - begin >= MIN_RUN]
    changes = [int(clear[begin]) for (_, end), (begin, _) in pairwise(runs) if negative[end - 1] != negative[begin]]
    duration_s = float(pair.times_s[-1] - pair.times_s[0])
    return changes if len(changes) <= max(1.0, MAX_CHANGES_PER_S * duration_s) else []


def _cleaned(pair: PairSpectra, keep: Mask, inverted: Mask) -> PairSpectra:
    """Silence windows in both recordings, and invert the target in some others."""
    selected, sign = keep[:, None, None], np.where(inverted, -1.0, 1.0)
    return replace(
        pair,
        matched_power=pair.matched_power * selected,
        target_power=pair.target_power * selected,
        cross=pair.cross * selected * sign[:, None, None],
        matched_means=pair.matched_means * keep[:, None],
        target_means=pair.target_means * (keep * sign)[:, None],
        target_spectra=pair.target_spectra * sign[pair.sampled][:, None, None],
    )


def without_channels(pair: PairSpectra, channels: Mask) -> PairSpectra:
    """Silence the target in some channels, ``(C,)``: those in which the dry recording is silent."""
    if not channels.any():
        return pair
    keep = ~channels
    return replace(
        pair,
        target_power=pair.target_power * keep[:, None],
        cross=pair.cross * keep[:, None],
        swapped_cross=pair.swapped_cross * keep[:, None],
        target_spectra=pair.target_spectra * keep[:, None],
        target_means=pair.target_means * keep,
        target_energy=pair.target_energy * keep,
    )
