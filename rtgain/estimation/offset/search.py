"""Search for the offset between two recordings of any lengths, sample rates and formats.

A live session searches ±1 s (`rtgain.estimation.delay_tracker`). Here every offset at which two recordings overlap is
searched, in bounded memory (below 220 MB for two hours of sound, measured):

1. Both recordings are read at 8 kHz: two minutes first, and more until the offset is clear. The power in six bands,
   summed over the channels, is stored every 8 ms. Powers do not cancel where channels have opposite polarity.
2. The changes of these levels are correlated at all offsets. A recording of a few seconds has too few of them: its
   samples are correlated with the other recording block by block.
3. The best offsets are refined and checked on the samples at the dry recording's rate, each channel by itself.

NumPy only: the search runs in the process of the window, which does not load torch, while the estimator starts.
"""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.sources.file_pair import compared_channels, select_channels
from rtgain.audio.sources.file_source import FileSource
from rtgain.audio.sources.source import Block
from rtgain.dsp.delay_constants import WHITENING
from rtgain.estimation.offset.correlation import highest_peaks
from rtgain.estimation.offset.cross_spectra import CrossSpectra, lag_of_peak
from rtgain.estimation.offset.levels import (
    ALTERNATIVE_SCORE,
    LEVEL_HOP,
    MAX_CANDIDATES,
    MAX_LEVELS,
    SEARCH_RATE,
    Candidate,
    LevelMeter,
    Levels,
    LowRateReader,
    correlate_levels,
    order_by_level,
    without_invalid_samples,
)
from rtgain.estimation.offset.template import TEMPLATE_S, TemplateCorrelator
from rtgain.number_format import format_number
from rtgain.records.recording_offset import RecordingOffset

FIRST_PART_S = 120
"""Seconds of both recordings that are searched first. Each further search covers twice as much."""

DECISIVE_SCORE = 20.0
DECISIVE_COHERENCE = 0.7
"""Score and coherent fraction from which an offset is accepted before the recordings were read to their ends.

Unrelated recordings reach a score of 4 to 6; those with the same beat reach more, but are not coherent.
"""

EQUAL_COHERENCE = 0.1
"""Difference of the coherent fraction up to which two offsets are equally good."""

MAX_COMPARED = 4
"""Offsets that are compared over the whole recordings."""

REPEAT_SHARE = 0.8
"""Explained sound relative to the best offset's from which another offset makes it uncertain."""

MAX_PERIODS = 4
"""Periods of a sound that repeats by which further offsets are compared."""

EQUAL_SHARE = 0.999
"""Explained sound relative to the best offset's from which an offset explains as much."""

CHECK_WINDOW_S = 0.085
CHECK_WINDOWS = 64
"""Analysis windows, a quarter apart, that an offset is checked on."""

CHECKED_MOMENTS = 3
"""Loudest common moments that are tried until the sound is broadband enough for a single delay."""

MIN_COHERENCE = 0.3
"""Coherent fraction of the target above which an offset is accepted."""

DECIMALS = 6
"""Decimal places of a delay in frames: rounding errors at no delay become 0."""


@dataclass(frozen=True)
class _Check:
    """Result of a check on samples: refined delay, coherent fraction, and True if the sound fits no other delay."""

    delay_frames: float
    coherent_fraction: float
    is_broadband: bool


AS_THEY_ARE = Candidate(0.0, 0.0)
"""Both recordings from their starts, if no offset is better."""


class _CancelledError(Exception):
    """The search was cancelled."""


def find_offset(
    dry: Path,
    target: Path,
    *,
    on_progress: Callable[[float], None] = lambda share: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> RecordingOffset | None:
    """Find the offset, to a hundredth of a frame of the dry recording where the sound allows; None if it was cancelled.

    `on_progress` receives the completed share, 0 to 1, and `cancelled` is asked whether to stop, both several times per
    second and from threads of the search. Raises `InputError` for files that cannot be read.
    """
    try:
        return _Search(dry, target, on_progress, cancelled).run()
    except _CancelledError:
        return None


class _Search:
    """Search for one pair; holds what the steps share."""

    def __init__(
        self,
        dry: Path,
        target: Path,
        on_progress: Callable[[float], None],
        cancelled: Callable[[], bool],
    ) -> None:
        self._paths = dry, target
        self._sample_rate = 0
        self._on_progress = on_progress
        self._cancelled = cancelled
        self._hops_per_level = 1
        self._level_s = 0.0
        self._total_s = 0.0
        self._readers: list[LowRateReader] = []
        self._files: list[FileSource] = []

    def run(self) -> RecordingOffset:
        try:
            for path in self._paths:
                self._readers.append(LowRateReader(path))
                self._files.append(FileSource(path, sample_rate=self._sample_rate or None, channels=None))
                self._sample_rate = self._files[0].sample_rate
            frames = [reader.frames for reader in self._readers]
            self._total_s = sum(frames) / SEARCH_RATE
            self._hops_per_level = -(-max(frames) // (LEVEL_HOP * MAX_LEVELS))
            self._level_s = self._hops_per_level * LEVEL_HOP / SEARCH_RATE
            if min(frames) <= TEMPLATE_S * SEARCH_RATE:
                offset = self._search_template(template=int(frames[1] < frames[0]))
            else:
                offset = self._search_levels()
            self._report(1.0)
            return offset
        finally:
            for reader in self._readers:
                reader.close()
            for file in self._files:
                file.close()

    # --- reading --------------------------------------------------------------------------------

    def _blocks(self, reader: "LowRateReader", until_s: float = math.inf) -> Iterator[Block]:
        """Read a recording from its position until a time."""
        while reader.position_s < until_s and (block := reader.read()).shape[1]:
            yield block
            self._report(self._share)

    @property
    def _share(self) -> float:
        """Completed share before the checks of the offsets."""
        return 0.95 * sum(reader.position_s for reader in self._readers) / self._total_s

    def _report(self, share: float) -> None:
        if self._cancelled():
            raise _CancelledError
        self._on_progress(min(share, 1.0))

    # --- candidates -----------------------------------------------------------------------------

    def _search_levels(self) -> RecordingOffset:
        """Search the first part of both recordings, then longer ones, until an offset has no alternative."""
        meters = [LevelMeter(self._hops_per_level) for _ in self._readers]
        until_s = FIRST_PART_S
        with ThreadPoolExecutor(2, "offset search") as threads:
            while True:
                list(threads.map(self._read_levels, self._readers, meters, [until_s] * 2))
                is_whole = all(reader.is_finished for reader in self._readers)
                levels = [meter.levels for meter in meters]
                candidates = correlate_levels(levels[0], levels[1], self._level_s)
                if is_whole or (candidates and candidates[0].score >= DECISIVE_SCORE):
                    offset = self._choose(levels, candidates, is_whole=is_whole)
                    if is_whole or (offset.is_found and offset.notice is None):
                        return offset
                until_s *= 2

    def _read_levels(self, reader: "LowRateReader", meter: "LevelMeter", until_s: float) -> None:
        for block in self._blocks(reader, until_s):
            meter.add(block)
        if reader.is_finished:
            meter.finish()

    def _search_template(self, template: int) -> RecordingOffset:
        """Search the samples of the shorter recording, number `template`, in blocks of the other."""
        readers = self._readers
        samples = np.concatenate(list(self._blocks(readers[template])), axis=1)
        meters = [LevelMeter(self._hops_per_level) for _ in self._readers]
        meters[template].add(samples)
        other = 1 - template
        correlator = TemplateCorrelator(samples, readers[other].channels)
        for block in self._blocks(readers[other]):
            meters[other].add(block)
            correlator.add(block)
        sign = 1 if template == 0 else -1
        candidates = [Candidate(sign * lag / SEARCH_RATE, score) for lag, score in correlator.finish()]
        for meter in meters:
            meter.finish()
        return self._choose([meter.levels for meter in meters], candidates, is_whole=True)

    # --- checks ---------------------------------------------------------------------------------

    def _choose(self, levels: list[Levels], candidates: list[Candidate], *, is_whole: bool) -> RecordingOffset:
        """Check the candidates on samples, and last the recordings as they are. Of equal ones, choose by comparison.

        Unless `is_whole`, one is chosen only if it has no equal and is coherent at several moments.
        """
        checks = self._coherent_checks(levels, candidates)
        most = max((check.coherent_fraction for check in checks), default=0.0)
        equal = [check for check in checks if check.coherent_fraction > most - EQUAL_COHERENCE]
        if not equal or not (is_whole or (len(equal) == 1 and self._is_decisive(levels, equal[0]))):
            return self._offset(0.0, is_found=False)
        if equal[0].is_broadband:
            check, notice = self._compare(equal[:MAX_COMPARED])
        else:
            check = min(equal, key=lambda check: abs(check.delay_frames))
            notice = (
                f"{self._paths[1]}: its delay is uncertain, because a steady tone fits many delays; "
                "compare a part in which the sound changes"
            )
        return self._offset(check.delay_frames / self._sample_rate, is_found=True, notice=notice)

    def _is_decisive(self, levels: list[Levels], check: _Check) -> bool:
        offset_s = check.delay_frames / self._sample_rate
        moments = _loudest_moments_s(levels, self._level_s, offset_s)
        checks = (self._check_at(offset_s, self._level_s, moment_s) for moment_s in moments)
        return all(other.coherent_fraction > DECISIVE_COHERENCE for other in checks)

    def _coherent_checks(self, levels: list[Levels], candidates: list[Candidate]) -> list[_Check]:
        """Check the best candidate that is coherent, and those that may be as good as it."""
        best_score = max((candidate.score for candidate in candidates), default=0.0)
        checks: list[_Check] = []
        for candidate in (*order_by_level(candidates, levels, self._level_s)[:MAX_CANDIDATES], AS_THEY_ARE):
            self._report(self._share)
            is_tone = bool(checks) and not checks[0].is_broadband and best_score < DECISIVE_SCORE
            is_alternative = candidate.score >= ALTERNATIVE_SCORE * best_score or (is_tone and candidate is AS_THEY_ARE)
            if checks and not is_alternative:
                continue
            moments = _loudest_moments_s(levels, self._level_s, candidate.offset_s)
            check = self._check(candidate.offset_s, 2.5 * self._level_s, moments)
            is_new = all(abs(check.delay_frames - other.delay_frames) > 2.0 for other in checks)
            if check.coherent_fraction > MIN_COHERENCE and is_new:
                checks.append(check)
        return checks

    def _offset(self, delay_s: float, *, is_found: bool, notice: str | None = None) -> RecordingOffset:
        dry_s, target_s = ((file.frames or 0) / self._sample_rate for file in self._files)
        common_s = min(dry_s, target_s - delay_s) - max(0.0, -delay_s)
        return RecordingOffset(delay_s, is_found, common_s, notice)

    def _check(self, offset_s: float, resolution_s: float, moments: list[float]) -> _Check:
        """Refine an offset on the samples around the first moment that is unambiguous."""
        checks = []
        for moment_s in moments:
            checks.append(self._check_at(offset_s, resolution_s, moment_s))
            if checks[-1].is_broadband and checks[-1].coherent_fraction > MIN_COHERENCE:
                return checks[-1]
        return max(checks, key=lambda check: check.coherent_fraction)

    def _check_at(self, offset_s: float, resolution_s: float, moment_s: float) -> _Check:
        files, rate = self._files, self._sample_rate
        offset = round(offset_s * rate)
        reach = math.ceil(resolution_s * rate)
        window = 1 << round(math.log2(CHECK_WINDOW_S * rate))
        dry_frames, target_frames = (file.frames or 0 for file in files)
        begin, end = max(0, -offset), min(dry_frames, target_frames - offset)
        frames = max(0, min(window + (CHECK_WINDOWS - 1) * window // 4, end - begin))
        start = max(begin, min(end - frames, round(moment_s * rate) - frames // 2))
        channels = compared_channels(*(file.channels for file in files))
        dry = select_channels(_read_padded(files[0], start, frames), channels)
        target = select_channels(_read_padded(files[1], start + offset - reach, frames + 2 * reach), channels)
        lag = lag_of_peak(dry, target, reach, WHITENING)
        spectra = CrossSpectra(dry, target[:, lag : lag + frames], window)
        if not spectra.is_broadband:  # the envelope of a note is a better measure than its few harmonics
            lag = lag_of_peak(dry, target, reach, 0.0)
            spectra = CrossSpectra(dry, target[:, lag : lag + frames], window)
        delay_frames = round(offset + lag - reach + spectra.delay_frames, DECIMALS)
        return _Check(delay_frames, spectra.coherent_fraction, is_broadband=spectra.is_broadband)

    def _compare(self, checks: list[_Check]) -> tuple[_Check, str | None]:
        """Choose the offset that explains most of the sound in both recordings, and describe the doubt.

        Of offsets that explain as much, that is chosen at which the common part is most alike.
        """
        if len(checks) == 1:
            return checks[0], None
        checks = [*checks, *self._repetitions(checks)]
        explained, alike = zip(*(self._explained(round(check.delay_frames)) for check in checks), strict=True)
        most = max(float(products.sum()) for products in explained)

        def rank(index: int) -> tuple[bool, float]:
            products = float(explained[index].sum())
            is_equal = products >= EQUAL_SHARE * most
            return not is_equal, -alike[index] if is_equal else -products

        order = sorted(range(len(checks)), key=rank)
        best, second = (checks[index] for index in order[:2])
        # In the same channels: where channels have delays of their own, each offset explains others.
        in_both = np.minimum(explained[order[0]], explained[order[1]])
        if in_both.sum() < REPEAT_SHARE * explained[order[0]].sum():
            return best, None
        delay_ms, other_ms = (1e3 * check.delay_frames / self._sample_rate for check in (best, second))
        return best, (
            f"{self._paths[1]}: its delay of {format_number(delay_ms, 1)} ms is uncertain, because the sound repeats; "
            f"{format_number(other_ms, 1)} ms fits nearly as well"
        )

    def _repetitions(self, checks: list[_Check]) -> list[_Check]:
        """Offsets that are further periods away from the best one, if the sound repeats; of short recordings only."""
        best, second = checks[:2]
        if min(file.frames or 0 for file in self._files) > FIRST_PART_S * self._sample_rate:
            return []
        period = second.delay_frames - best.delay_frames
        known = [check.delay_frames for check in checks]
        delays = (best.delay_frames + count * period for count in range(-MAX_PERIODS, MAX_PERIODS + 1))
        return [
            replace(best, delay_frames=delay) for delay in delays if all(abs(delay - other) > 2.0 for other in known)
        ]

    def _explained(self, offset: int) -> tuple[NDArray[np.float64], float]:
        """Sum of the products of both recordings at an offset, ``(channels,)``, as magnitude per block.

        Whatever gain is applied, the difference of both, outside their common part too, is least where it is largest.
        The second value is the correlation over the common part, 0 to 1.
        """
        dry, target = self._files
        start = max(0, -offset)
        remaining = max(0, min((dry.frames or 0) - start, (target.frames or 0) - start - offset))
        dry.seek(start)
        target.seek(start + offset)
        channels = compared_channels(dry.channels, target.channels)
        total = np.zeros(channels)
        energies = np.zeros(2)
        while remaining > 0:
            self._report(self._share)
            frames = min(remaining, self._sample_rate)
            remaining -= frames
            rows = [select_channels(file.read(frames), channels) for file in self._files]
            total += np.abs(np.einsum("cn,cn->c", *rows))
            energies += [float(np.vdot(row, row)) for row in rows]
        return total, float(total.sum()) / max(math.sqrt(float(energies.prod())), 1e-30)


def _loudest_moments_s(levels: list[Levels], level_s: float, offset_s: float) -> list[float]:
    """Moments of the dry recording, in s, around which the product of both levels at an offset is largest."""
    lag = round(offset_s / level_s)
    dry, target = (np.sqrt(side.sum(axis=0, dtype=np.float64)) for side in levels)
    begin = max(0, -lag)
    end = min(len(dry), len(target) - lag)
    if end <= begin:
        return [0.0]
    product = dry[begin:end] * target[begin + lag : end + lag]
    excerpt_s = CHECK_WINDOW_S * (1 + (CHECK_WINDOWS - 1) / 4)
    span = max(1, min(len(product), round(excerpt_s / level_s)))
    energy = np.cumsum(np.concatenate([[0.0], product]))
    peaks = highest_peaks(energy[span:] - energy[:-span], CHECKED_MOMENTS, exclusion=span)
    return [(begin + index + span / 2) * level_s for index, _ in peaks] or [0.0]


def _read_padded(file: FileSource, start: int, frames: int) -> Block:
    """Read frames from `start`, which may be before the start of the file; silence outside of it."""
    padded = np.zeros((file.channels, frames), np.float32)
    before = min(frames, max(0, -start))
    file.seek(max(0, start))
    block = file.read(frames - before)
    padded[:, before : before + block.shape[1]] = without_invalid_samples(block)
    return padded
