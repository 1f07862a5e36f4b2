"""Path of the delay through an excerpt in which it jumps: candidates, the most likely path, and the exact jumps."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.sources.source import Block
from rtgain.dsp.delay_constants import WHITENING
from rtgain.estimation.offset.correlation import correlation_envelope, highest_peaks, taper

STEP_S = 0.008
"""Resolution in seconds of the path; the jumps between its steps are located to the frame."""

JUMP_PENALTY = 40.0
"""Log-likelihood by which a path with one more jump must be better."""

INDEPENDENT_VALUES = 4.0
"""Independent values in a step: a factor of its log-likelihood."""

MIN_UNEXPLAINED = 1e-3
"""Least unexplained share of a step; below it are rounding and the fraction of a frame."""

CHANCE = 0.25
"""Share of a step that unrelated sound explains."""

CANDIDATE_SCORE = 5.0
"""Peak of a correlation relative to its RMS from which it is a candidate."""

LONG_BLOCK_WINDOWS = 4
"""Windows in a block that a candidate is found in: 0.3 s."""

CANDIDATES_PER_BLOCK = 3
CANDIDATES_PER_JUMP = 4
MAX_CANDIDATES = 24

PADDING_STEPS = 16
"""Steps of silence behind an excerpt, so that its filtered end holds no sound of its begin."""

SEARCHED_STEPS = 8
FITTED_STEPS = 24
"""Steps around a jump that are searched for its frame, and steps outside of them that give the gains."""

EQUAL_COST = 1e-6
"""Difference of two residuals, relative to the largest, up to which a jump may lie at either frame: in a pause."""

MIN_STEPS = 3
"""Steps that a delay must last: less is a repeated period of a tone."""

QUIET = 1e-4
"""Power relative to the mean of the excerpt at which a step counts half: the sound decides, not the noise of pauses."""


@dataclass(frozen=True)
class PathPart:
    """Frames of the dry excerpt, from `begin` to `end`, in which the target is later by `lag` whole frames."""

    lag: int
    begin: int
    end: int


def find_path(
    dry: Block,
    target: Block,
    reach: int,
    window: int,
    sample_rate: int,
    *,
    starts_at_0: bool,
    known_jumps: frozenset[int] = frozenset(),
) -> list[PathPart]:
    """Find the most likely sequence of lags over the excerpt (Viterbi, 1967), each with the frames that it explains.

    Shape: dry ``(C, N)``, target ``(C, N + 2 · reach)``, which begins `reach` frames earlier. Lags are within
    ± `reach`. With `starts_at_0` the first lag is 0. `known_jumps` are those of the excerpts before: buffers have one
    size. Empty if nothing explains the excerpt.
    """
    step = max(16, round(STEP_S * sample_rate))
    peaks = _highest_peaks(dry, target, reach, LONG_BLOCK_WINDOWS * window)
    candidates = _distinct([0, *peaks])[:MAX_CANDIDATES]
    parts = _most_likely_parts(dry, target, reach, candidates, step, starts_at_0=starts_at_0)
    # Delays that last a tenth of a second, between two others or at the ends.
    sizes = known_jumps | {after.lag - before.lag for before, after in pairwise(parts)}
    short = _short_lags(dry, target, reach, parts, window, sizes)
    candidates = _distinct([0, *(part.lag for part in parts), *short])
    parts = _most_likely_parts(dry, target, reach, candidates, step, starts_at_0=starts_at_0)
    located = _located(dry, target, reach, parts, step)
    return _merged([part for part in located if part.end - part.begin >= step], step)


def _highest_peaks(dry: Block, target: Block, reach: int, block: int) -> list[int]:
    """Lags of the correlation peaks of all blocks, half a block apart, best first."""
    block = min(block, dry.shape[1])
    size = 1 << (block + 2 * reach - 1).bit_length()
    dry_taper, target_taper = taper(block), taper(block + 2 * reach)
    found: dict[int, float] = {}
    for start in range(0, dry.shape[1] - block + 1, max(1, block // 2)):
        x = np.fft.rfft(dry[:, start : start + block] * dry_taper, size)
        y = np.fft.rfft(target[:, start : start + block + 2 * reach] * target_taper, size)
        envelope = correlation_envelope(x.conj() * y, size, WHITENING)[: 2 * reach + 1]
        rms = float(np.sqrt(np.mean(envelope**2)))
        if rms > 0.0:
            for lag, value in highest_peaks(envelope, CANDIDATES_PER_BLOCK, exclusion=4):
                if value > CANDIDATE_SCORE * rms:
                    found[lag - reach] = max(found.get(lag - reach, 0.0), value / rms)
    return sorted(found, key=lambda lag: -found[lag])


def _short_lags(
    dry: Block, target: Block, reach: int, parts: list[PathPart], window: int, sizes: frozenset[int]
) -> list[int]:
    """Lags that may last for a moment: peaks of short blocks between two parts, and jumps of sizes that occur."""
    frames = dry.shape[1]
    lags: list[int] = []
    edges = [(0, 0), (frames, frames)]
    for before, after in pairwise(parts):
        lags += [before.lag + size for size in sizes if size * (after.lag - before.lag - size) > 0]
        edges.append((min(before.end, after.begin), max(before.end, after.begin)))
    for first, last in edges:
        begin, end = max(0, first - 3 * window), min(frames, last + 3 * window)
        excerpt = target[:, begin : end + 2 * reach]
        lags += _highest_peaks(dry[:, begin:end], excerpt, reach, window)[:CANDIDATES_PER_JUMP]
    return lags


def unexplained_frames(dry: Block, parts: list[PathPart]) -> int:
    """Frames with sound that no part explains, without those that are missing in the target."""
    power = (dry.astype(np.float64) ** 2).sum(axis=0)
    has_sound = power > QUIET * power.mean()
    for part in parts:
        has_sound[part.begin : part.end] = False
    for before, after in pairwise(parts):
        if before.lag > after.lag:
            has_sound[after.begin - (before.lag - after.lag) : after.begin] = False
    return int(has_sound.sum())


def _distinct(lags: Iterable[int]) -> list[int]:
    """Lags without those that differ by one frame from an earlier one."""
    distinct: list[int] = []
    for lag in lags:
        if all(abs(lag - other) > 1 for other in distinct):
            distinct.append(lag)
    return distinct


def _most_likely_parts(
    dry: Block, target: Block, reach: int, candidates: list[int], step: int, *, starts_at_0: bool
) -> list[PathPart]:
    """Parts of the most likely path through the candidates, to a step."""
    likelihood = _log_likelihood(dry, target, reach, candidates, step)
    labels = _most_likely(likelihood, starts_at_0=starts_at_0)
    edges = np.flatnonzero(np.diff(labels)) + 1
    runs = zip([0, *edges], [*edges, len(labels)], strict=True)
    return _merged(
        [
            PathPart(candidates[labels[first]], int(first) * step, int(last) * step)
            for first, last in runs
            if labels[first] < len(candidates) and last - first >= MIN_STEPS
        ],
        step,
    )


def _merged(parts: list[PathPart], step: int) -> list[PathPart]:
    """Join parts with the same lag, unless other sound lies between them."""
    merged: list[PathPart] = []
    for part in parts:
        if merged and merged[-1].lag == part.lag and part.begin - merged[-1].end <= MIN_STEPS * step:
            merged[-1] = PathPart(part.lag, merged[-1].begin, part.end)
        else:
            merged.append(part)
    return merged


def _log_likelihood(dry: Block, target: Block, reach: int, candidates: list[int], step: int) -> NDArray[np.float64]:
    """Log-likelihood of each candidate in each step, ``(steps, candidates + 1)``; the last is that of none."""
    steps = dry.shape[1] // step
    x, y = (_whitened(signal, step) for signal in (dry, target))
    x = x[:, : steps * step]
    x_power = _per_step(np.abs(x) ** 2, step)
    explained = np.zeros((len(candidates), steps))
    for row, lag in zip(explained, candidates, strict=True):
        shifted = y[:, reach + lag : reach + lag + steps * step]
        y_power = _per_step(np.abs(shifted) ** 2, step)
        matched = np.abs(_per_step(x.conj() * shifted, step)) ** 2 / np.maximum(x_power, 1e-30)
        row[:] = matched.sum(axis=0) / np.maximum(y_power.sum(axis=0), 1e-30)
    unexplained = np.concatenate([1.0 - explained, np.full((1, steps), 1.0 - CHANCE)]).T
    # Of the sound itself: where it is silent, its filtered version holds remains of the sound around.
    power = _per_step(dry[:, : steps * step].astype(np.float64) ** 2, step).sum(axis=0)
    weight = power / (power + QUIET * max(float(power.mean()), 1e-30))
    likelihood: NDArray[np.float64] = -INDEPENDENT_VALUES * np.log(np.maximum(unexplained, MIN_UNEXPLAINED))
    likelihood *= weight[:, None]
    return likelihood


def _most_likely(likelihood: NDArray[np.float64], *, starts_at_0: bool) -> NDArray[np.intp]:
    """Viterbi path of states, ``(steps,)``; every change between states costs `JUMP_PENALTY`, half for none."""
    steps, states = likelihood.shape
    score = np.zeros(states)
    if starts_at_0:
        score[1:] = -JUMP_PENALTY
    leave = np.full(states, JUMP_PENALTY / 2.0)
    previous = np.zeros((steps, states), np.intp)
    none = states - 1
    for index in range(steps):
        best = int(score.argmax())
        # From one delay to another through none, in no time: two halves.
        entered = np.full(states, score[best] - JUMP_PENALTY)
        entered[none] = score[best] - leave[none]
        origin = np.full(states, best)
        from_none = score[none] - leave[none]
        better = from_none > entered
        entered[better], origin[better] = from_none, none
        stays = score >= entered
        previous[index] = np.where(stays, np.arange(states), origin)
        score = np.where(stays, score, entered) + likelihood[index]
    labels = np.empty(steps, np.intp)
    state = int(score.argmax())
    for index in range(steps - 1, -1, -1):
        labels[index] = state
        state = int(previous[index, state])
    return labels


def _whitened(signal: Block, step: int) -> NDArray[np.complex128]:
    """Analytic signal of each channel, divided by its smoothed spectrum to the power of `WHITENING`."""
    frames = signal.shape[1]
    size = _fast_size(frames + PADDING_STEPS * step)
    bins = np.fft.rfft(signal, size)
    width = max(1, size // step)
    power = np.cumsum(np.pad(np.abs(bins) ** 2, ((0, 0), (width + 1, width)), mode="edge"), axis=1)
    smooth = np.maximum((power[:, 2 * width + 1 :] - power[:, : -2 * width - 1]) / (2 * width + 1), 0.0)
    floor = 1e-6 * smooth.max(axis=1, keepdims=True) + 1e-30
    bins /= np.maximum(smooth, floor) ** (WHITENING / 2.0)
    bins[:, 0] = 0.0
    analytic: NDArray[np.complex128] = np.fft.ifft(bins, size)[:, :frames]
    return analytic


def _fast_size(frames: int) -> int:
    """Smallest length at least `frames` that is one, three, five or fifteen times a power of two."""
    return min(factor << max(0, math.ceil(math.log2(frames / factor))) for factor in (1, 3, 5, 15))


def _per_step(values: NDArray[np.inexact], step: int) -> NDArray[np.inexact]:
    sums: NDArray[np.inexact] = values.reshape(len(values), -1, step).sum(axis=2)
    return sums


# --- exact jumps --------------------------------------------------------------------------------


def _located(dry: Block, target: Block, reach: int, parts: list[PathPart], step: int) -> list[PathPart]:
    """Move the ends of neighboring parts to the frame at which the residual is least."""
    located = list(parts)
    for index in range(len(parts) - 1):
        before, after = located[index], located[index + 1]
        if before.lag == after.lag:
            continue
        end, begin = _locate(dry, target, reach, before, after, step)
        located[index] = PathPart(before.lag, before.begin, end)
        located[index + 1] = PathPart(after.lag, begin, max(begin, after.end))
    return located


def _locate(dry: Block, target: Block, reach: int, before: PathPart, after: PathPart, step: int) -> tuple[int, int]:
    """End of the first part and begin of the second: the sum of both residuals is least there.

    If the delay falls, the target lost sound, and the jump is one moment of the target. If it rises, sound was inserted
    into the target, and the jump is one moment of the dry recording.
    """
    missing = max(0, before.lag - after.lag)
    low = max(before.begin, min(before.end, after.begin - missing) - SEARCHED_STEPS * step)
    high = min(after.end - missing, max(before.end, after.begin - missing) + SEARCHED_STEPS * step)
    if high - low < 2:
        return before.end, max(after.begin, before.end + missing)
    known_before = max(before.begin, low - FITTED_STEPS * step), low
    known_after = high + missing, min(after.end, high + missing + FITTED_STEPS * step)
    first = _residual(dry, target, reach, before, (low, high), known_before if low - known_before[0] >= step else None)
    second = _residual(
        dry,
        target,
        reach,
        after,
        (low + missing, high + missing),
        known_after if known_after[1] - known_after[0] >= step else None,
    )
    cost = np.concatenate([[0.0], np.cumsum(first)]) + np.concatenate([np.cumsum(second[::-1])[::-1], [0.0]])
    equal = np.flatnonzero(cost <= float(cost.min()) + EQUAL_COST * float(cost.max()))
    end = low + round(float(equal.mean()))
    return end, end + missing


def _residual(
    dry: Block, target: Block, reach: int, part: PathPart, span: tuple[int, int], known: tuple[int, int] | None
) -> NDArray[np.float64]:
    """Squared residual of the frames of `span` at the lag of a part, with gains from `known` frames, or all of it."""

    def excerpts(begin: int, end: int) -> tuple[Block, Block]:
        begin, end = max(0, begin), min(end, dry.shape[1])
        return dry[:, begin:end], target[:, reach + part.lag + begin : reach + part.lag + end]

    x, y = excerpts(*(known or (part.begin, part.end)))
    power = np.einsum("cn,cn->c", x, x, dtype=np.float64)
    gains = np.einsum("cn,cn->c", x, y, dtype=np.float64) / np.maximum(power, 1e-30)
    x, y = excerpts(*span)
    residual: NDArray[np.float64] = ((y - gains[:, None] * x) ** 2).sum(axis=0)
    return residual
