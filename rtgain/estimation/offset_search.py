"""Search for the offset between two recordings of any lengths, sample rates and formats.

A live session searches ±1 s (`rtgain.estimation.delay_tracker`). Here every offset at which two recordings overlap is
searched, in memory that does not grow with the square of their lengths, and nearly not with the lengths themselves:

1. Both recordings are read once at 8 kHz. The power in six bands, summed over the channels, is stored every 8 ms.
   Powers do not cancel where channels have opposite polarity.
2. The changes of these levels are correlated at all offsets. A recording of a few seconds has too few of them: its
   samples are correlated with the other recording block by block.
3. The best offsets are refined and checked on the samples at the dry recording's rate, each channel by itself.

NumPy only: the search runs in the process of the window, which does not load torch, while the estimator starts.
"""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
import soxr
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rtgain.audio.io.decoder import Decoder
from rtgain.audio.sources.file_pair import compared_channels, select_channels
from rtgain.audio.sources.file_source import FileSource
from rtgain.audio.sources.source import Block
from rtgain.config.names import MAX_CHANNELS
from rtgain.records.recording_offset import RecordingOffset

SEARCH_RATE = 8000
"""Sample rate in Hz of the search over all offsets: sufficient for any voice or beat."""

LEVEL_HOP = 64
LEVEL_WINDOW = 256
"""Hop and window in frames at `SEARCH_RATE` of the levels: windows at offsets between two hops still overlap by 7/8."""

BAND_EDGES_HZ = (94, 281, 594, 1000, 1594, 2500, 3844)

MAX_LEVELS = 1 << 20
"""Most levels of a recording: 2.3 hours at the hop; longer ones have proportionally longer hops."""

LEVEL_RANGE = 1e-6
"""Power relative to a band's maximum below which changes of its level do not count: the noise of quiet parts."""

MAX_CHANGE = 3.0
"""Limit of a level's change, in nepers of power: the start of a sound is one event and not the only one."""

MIN_OVERLAP = 1e-4
"""Least product of changes at an offset, relative to the largest, for a meaningful correlation."""

FIRST_PART_S = 120
"""Seconds of both recordings that are searched first. Each further search covers twice as much."""

DECISIVE_SCORE = 20.0
DECISIVE_COHERENCE = 0.7
"""Score and coherent fraction from which an offset is accepted before the recordings were read to their ends.

Unrelated recordings reach a score of 4 to 6; those with the same beat reach more, but are not coherent.
"""

TEMPLATE_S = 16
"""Duration in seconds up to which a recording is searched by its samples."""

BLOCK_FRAMES = 1 << 18
"""Frames, at `SEARCH_RATE`, of a block in the search by samples: twice the longest template."""

WHITENING = 0.75
"""Exponent of the phase transform (as in `rtgain.dsp.delay_estimation`)."""

MAX_CANDIDATES = 6
"""Offsets that are checked on samples."""

MAX_PEAKS = 32
"""Highest peaks of a correlation out of which these are selected: a beat twice a second has many that are equal."""

ALTERNATIVE_SCORE = 0.5
"""Score relative to the best from which another offset must be compared with it over the whole recordings.

The phase transform of a repeated sound raises some of its equal offsets over others by half (measured on clicks).
"""

EQUAL_COHERENCE = 0.1
"""Difference of the coherent fraction up to which two offsets are equally good."""

MAX_COMPARED = 4
"""Offsets that are compared over the whole recordings."""

REPEAT_SHARE = 0.8
"""Explained sound relative to the best offset's from which another offset makes it uncertain."""

CHECK_WINDOW_S = 0.085
CHECK_WINDOWS = 64
"""Analysis windows, a quarter apart, that an offset is checked on."""

MIN_CHECK_WINDOWS = 8
"""Least number of windows for a coherence estimate: a short recording is cut into shorter windows."""

MIN_CHECK_WINDOW = 64

CHECKED_MOMENTS = 3
"""Loudest common moments that are tried until the sound is broadband enough for a single delay."""

MIN_COHERENCE = 0.3
"""Coherent fraction of the target above which an offset is accepted."""

NEAR_PEAK = 0.98
"""Share of the largest correlation from which another one nearer to the middle is preferred: a tone has many."""

AUDIBLE = 1e-6
"""Power relative to the strongest bin from which a bin counts: below it are the side lobes of a tone."""

FLAT_DELAY_BAND = 0.6
MIN_POWER_SHARE = 0.01
MAX_SNR = 1e3
MIN_PEAK_TO_RMS = 4.0
"""As in `rtgain.dsp.delay_estimation`: band of constant delay, least power of a channel relative to the loudest, limit
of a bin's weight, and of an unambiguous peak."""

TONE_BINS = 5
"""Spread in bins of a single tone: its audible part of a Hann window's lobes."""

DECIMALS = 6
"""Decimal places of a delay in frames: rounding errors at no delay become 0."""

READ_S = 4
"""Seconds that are read at once: larger than the blocks of playback, whose overhead would double the time."""

Levels = NDArray[np.float32]
"""Power by band and time, ``(bands, levels)``."""


@dataclass(frozen=True)
class _Candidate:
    """Offset in seconds with its score: correlation relative to that of unrelated recordings."""

    offset_s: float
    score: float


@dataclass(frozen=True)
class _Check:
    """Result of a check on samples: refined delay, coherent fraction, and True if the sound fits no other delay."""

    delay_frames: float
    coherent_fraction: float
    is_broadband: bool


AS_THEY_ARE = _Candidate(0.0, 0.0)
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
        self._readers: list[_LowRateReader] = []
        self._files: list[FileSource] = []

    def run(self) -> RecordingOffset:
        try:
            for path in self._paths:
                self._readers.append(_LowRateReader(path))
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

    def _blocks(self, reader: "_LowRateReader", until_s: float = math.inf) -> Iterator[Block]:
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
        meters = [_LevelMeter(self._hops_per_level) for _ in self._readers]
        until_s = FIRST_PART_S
        with ThreadPoolExecutor(2, "offset search") as threads:
            while True:
                list(threads.map(self._read_levels, self._readers, meters, [until_s] * 2))
                is_whole = all(reader.is_finished for reader in self._readers)
                levels = [meter.levels for meter in meters]
                candidates = self._correlate_levels(*levels)
                if is_whole or (candidates and candidates[0].score >= DECISIVE_SCORE):
                    offset = self._choose(levels, candidates, is_whole=is_whole)
                    if is_whole or (offset.is_found and offset.notice is None):
                        return offset
                until_s *= 2

    def _read_levels(self, reader: "_LowRateReader", meter: "_LevelMeter", until_s: float) -> None:
        for block in self._blocks(reader, until_s):
            meter.add(block)
        if reader.is_finished:
            meter.finish()

    def _correlate_levels(self, dry: Levels, target: Levels) -> list[_Candidate]:
        """Correlate the levels' changes at all offsets.

        The score is the sum of products of two changes, divided by the root of the sum of their squares: for unrelated
        recordings its variance is 1 at every offset, however short the overlap is. It grows with the overlap, and the
        correlation coefficient does not. Where both have the same beat everywhere, the coefficient is highest where the
        rest fits too. So the highest of both are candidates.
        """
        size = 1 << (dry.shape[1] + target.shape[1]).bit_length()
        x, y = _changes(dry), _changes(target)
        products, squares = _correlation(x, y, size), _correlation(x * x, y * y, size)
        largest = float(squares.max())
        if not largest > 0.0:
            return []
        is_meaningful = squares > MIN_OVERLAP * largest
        score = np.where(is_meaningful, products / np.sqrt(np.where(is_meaningful, squares, 1.0)), 0.0)
        coefficient = products / np.maximum(_common_energy(x, y, size), np.finfo(np.float32).tiny)
        coefficient[score < ALTERNATIVE_SCORE * score.max()] = 0.0
        peaks = [_highest_peaks(values, MAX_PEAKS // 2, exclusion=4) for values in (score, coefficient)]
        lags = list(dict.fromkeys(lag for pair in zip_longest(*peaks) for lag, _ in filter(None, pair)))
        return [
            _Candidate((lag if lag < target.shape[1] else lag - size) * self._level_s, float(score[lag]))
            for lag in lags
        ]

    def _search_template(self, template: int) -> RecordingOffset:
        """Search the samples of the shorter recording, number `template`, in blocks of the other."""
        readers = self._readers
        samples = np.concatenate(list(self._blocks(readers[template])), axis=1)
        meters = [_LevelMeter(self._hops_per_level) for _ in self._readers]
        meters[template].add(samples)
        other = 1 - template
        correlator = _TemplateCorrelator(samples, readers[other].channels)
        for block in self._blocks(readers[other]):
            meters[other].add(block)
            correlator.add(block)
        sign = 1 if template == 0 else -1
        candidates = [_Candidate(sign * lag / SEARCH_RATE, score) for lag, score in correlator.finish()]
        for meter in meters:
            meter.finish()
        return self._choose([meter.levels for meter in meters], candidates, is_whole=True)

    # --- checks ---------------------------------------------------------------------------------

    def _choose(self, levels: list[Levels], candidates: list[_Candidate], *, is_whole: bool) -> RecordingOffset:
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

    def _coherent_checks(self, levels: list[Levels], candidates: list[_Candidate]) -> list[_Check]:
        """Check the best candidate that is coherent, and those that may be as good as it."""
        best_score = max((candidate.score for candidate in candidates), default=0.0)
        checks: list[_Check] = []
        for candidate in (*_by_level(candidates, levels, self._level_s)[:MAX_CANDIDATES], AS_THEY_ARE):
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
        lag = _lag_of_peak(dry, target, reach, WHITENING)
        spectra = _CrossSpectra(dry, target[:, lag : lag + frames], window)
        if not spectra.is_broadband:  # the envelope of a note is a better measure than its few harmonics
            lag = _lag_of_peak(dry, target, reach, 0.0)
            spectra = _CrossSpectra(dry, target[:, lag : lag + frames], window)
        delay_frames = round(offset + lag - reach + spectra.delay_frames, DECIMALS)
        return _Check(delay_frames, spectra.coherent_fraction, is_broadband=spectra.is_broadband)

    def _compare(self, checks: list[_Check]) -> tuple[_Check, str | None]:
        """Choose the offset that explains most of the sound in both recordings, and describe the doubt."""
        if len(checks) == 1:
            return checks[0], None
        explained = [self._explained(round(check.delay_frames)) for check in checks]
        order = sorted(range(len(checks)), key=lambda index: -explained[index])
        best, second = (checks[index] for index in order[:2])
        if explained[order[1]] < REPEAT_SHARE * explained[order[0]]:
            return best, None
        delay_ms, other_ms = (1e3 * check.delay_frames / self._sample_rate for check in (best, second))
        return best, (
            f"{self._paths[1]}: its delay of {delay_ms:.1f} ms is uncertain, because the sound repeats; "
            f"{other_ms:.1f} ms fits nearly as well"
        )

    def _explained(self, offset: int) -> float:
        """Sum of the products of both recordings at an offset, as magnitude per channel and block.

        Whatever gain is applied, the difference of both, outside their common part too, is least where it is largest.
        """
        dry, target = self._files
        start = max(0, -offset)
        remaining = max(0, min((dry.frames or 0) - start, (target.frames or 0) - start - offset))
        dry.seek(start)
        target.seek(start + offset)
        channels = compared_channels(dry.channels, target.channels)
        total = 0.0
        while remaining > 0:
            self._report(self._share)
            frames = min(remaining, self._sample_rate)
            remaining -= frames
            rows = (select_channels(file.read(frames), channels) for file in self._files)
            total += float(np.abs(np.einsum("cn,cn->c", *rows)).sum())
        return total


class _LowRateReader:
    """Reader of a whole recording at `SEARCH_RATE`, all channels up to `MAX_CHANNELS`."""

    def __init__(self, path: Path) -> None:
        self._decoder = Decoder(path)
        rate = self._decoder.sample_rate
        self.frames = math.ceil(self._decoder.frames * SEARCH_RATE / rate)
        self.channels = min(self._decoder.channels, MAX_CHANNELS)
        self._resampler = soxr.ResampleStream(rate, SEARCH_RATE, self.channels, dtype="float32", quality="HQ")

    def read(self) -> Block:
        """Return the next block, ``(channels, frames)``; without frames only at the end."""
        resampled = np.empty((0, self.channels), np.float32)
        while not len(resampled) and self._decoder.position < self._decoder.frames:
            block = self._decoder.read(READ_S * self._decoder.sample_rate)[: self.channels]
            is_last = self._decoder.position == self._decoder.frames
            if self._decoder.is_float:
                block = np.nan_to_num(block, posinf=0.0, neginf=0.0)
            resampled = self._resampler.resample_chunk(np.ascontiguousarray(block.T), last=is_last)
        return resampled.T

    @property
    def position_s(self) -> float:
        """Position in the recording."""
        return self._decoder.position / self._decoder.sample_rate

    @property
    def is_finished(self) -> bool:
        """True at the end of the recording."""
        return self._decoder.position == self._decoder.frames

    def close(self) -> None:
        """Close the file."""
        self._decoder.close()


class _LevelMeter:
    """Power of the bands, summed over channels, of consecutive blocks at `SEARCH_RATE`."""

    def __init__(self, hops_per_level: int) -> None:
        self._hops_per_level = hops_per_level
        self._hann = np.hanning(LEVEL_WINDOW + 1)[:-1].astype(np.float32)
        self._edges = [round(hertz * LEVEL_WINDOW / SEARCH_RATE) for hertz in BAND_EDGES_HZ]
        self._rest: Block | None = None
        self._powers: list[NDArray[np.float32]] = []
        self._levels: list[NDArray[np.float32]] = []

    def add(self, block: Block) -> None:
        """Add ``(channels, frames)``."""
        samples = block if self._rest is None else np.concatenate([self._rest, block], axis=1)
        hops = (samples.shape[1] - LEVEL_WINDOW) // LEVEL_HOP + 1
        if hops <= 0:
            self._rest = samples
            return
        self._rest = samples[:, hops * LEVEL_HOP :].copy()
        windows = sliding_window_view(samples, LEVEL_WINDOW, axis=1)[:, : hops * LEVEL_HOP : LEVEL_HOP]
        bins = np.fft.rfft(windows * self._hann)
        power = (bins.real**2 + bins.imag**2).sum(axis=0)
        self._powers.append(np.add.reduceat(power, self._edges, axis=1)[:, : len(self._edges) - 1])
        self._store()

    def finish(self) -> None:
        """Fill the last window and the last level up with silence. Idempotent."""
        if self._rest is not None:
            self.add(np.zeros((len(self._rest), LEVEL_WINDOW), np.float32))
            self._rest = None
        missing = -sum(map(len, self._powers)) % self._hops_per_level
        if missing:
            self._powers.append(np.zeros((missing, len(self._edges) - 1), np.float32))
            self._store()

    @property
    def levels(self) -> Levels:
        """The levels so far."""
        return np.concatenate(self._levels).T.copy()

    def _store(self) -> None:
        powers = np.concatenate(self._powers)
        complete = len(powers) // self._hops_per_level * self._hops_per_level
        grouped = powers[:complete].reshape(-1, self._hops_per_level, powers.shape[1])
        self._levels.append(grouped.mean(axis=1))
        self._powers = [powers[complete:]]


class _TemplateCorrelator:
    """Correlation of a short recording with consecutive blocks of another: generalized, summed over channels."""

    def __init__(self, template: Block, channels: int) -> None:
        self._channels = compared_channels(len(template), channels)
        self._frames = template.shape[1]
        self._spectrum = np.fft.rfft(select_channels(template, self._channels) * _taper(self._frames), BLOCK_FRAMES)
        self._taper = _taper(BLOCK_FRAMES)
        self._buffer = np.zeros((self._channels, self._frames), np.float32)
        self._start = -self._frames
        self._peaks: list[tuple[int, float]] = []

    def add(self, block: Block) -> None:
        """Add ``(channels, frames)`` of the longer recording."""
        self._buffer = np.concatenate([self._buffer, select_channels(block, self._channels)], axis=1)
        while self._buffer.shape[1] >= BLOCK_FRAMES:
            self._correlate(self._buffer[:, :BLOCK_FRAMES])
            self._buffer = self._buffer[:, BLOCK_FRAMES // 2 :]
            self._start += BLOCK_FRAMES // 2

    def finish(self) -> list[tuple[int, float]]:
        """Return the lags in frames of the longer recording, each with its score, best first."""
        self.add(np.zeros((self._channels, BLOCK_FRAMES), np.float32))
        return self._peaks

    def _correlate(self, block: Block) -> None:
        cross = self._spectrum.conj() * np.fft.rfft(block * self._taper)
        envelope = _envelope(cross, BLOCK_FRAMES, WHITENING)[: BLOCK_FRAMES - self._frames + 1]
        rms = float(np.sqrt(np.mean(envelope**2)))
        if rms > 0.0:
            found = _highest_peaks(envelope, MAX_PEAKS, exclusion=SEARCH_RATE // 200)
            self._keep_best([(self._start + lag, value / rms) for lag, value in found])

    def _keep_best(self, found: list[tuple[int, float]]) -> None:
        """Add peaks to the best ones; blocks overlap, and so a peak may be found twice."""
        best: list[tuple[int, float]] = []
        for lag, score in sorted([*self._peaks, *found], key=lambda peak: -peak[1]):
            if all(abs(lag - other) > 1 for other, _ in best):
                best.append((lag, score))
        self._peaks = best[:MAX_PEAKS]


class _CrossSpectra:
    """Welch's averaged spectra of two signals, ``(channels, frames)`` each, with the same start.

    The estimator measures with torch (`rtgain.dsp.delay_estimation.CrossSpectrum`), which this process does not load.
    `coherent_fraction` is that of the channel with the largest: others may have a delay of their own.
    """

    def __init__(self, dry: Block, target: Block, window: int) -> None:
        frames = max(dry.shape[1], MIN_CHECK_WINDOWS * MIN_CHECK_WINDOW)
        window = min(window, power_of_two_within(frames // MIN_CHECK_WINDOWS))
        x, y = (_spectra(signal, frames, window) for signal in (dry, target))
        tiny = np.finfo(np.float64).tiny
        loudness = np.sqrt((np.abs(x) ** 2).sum(axis=2) * (np.abs(y) ** 2).sum(axis=2))
        independent = loudness.sum(axis=1) ** 2 / np.maximum((loudness**2).sum(axis=1), tiny) / 2.0
        chance = np.minimum(1.0 / np.maximum(independent, 1.0), 1.0)[:, None]
        self._cross = (x.conj() * y).mean(axis=1)
        dry_power, target_power = ((np.abs(bins) ** 2).mean(axis=1) for bins in (x, y))
        coherence = np.abs(self._cross) ** 2 / np.maximum(dry_power * target_power, tiny)
        testable = (target_power * (1.0 - chance)).sum(axis=1)
        explained = (target_power * (coherence - chance)).sum(axis=1)
        counts = (testable > 0.0) & (testable >= MIN_POWER_SHARE * testable.max())
        self.coherent_fraction = float((explained[counts] / testable[counts]).max(initial=0.0))
        reliable = np.clip((coherence - chance) / np.maximum(1.0 - chance, 1e-6), 0.0, 1.0 - 1.0 / MAX_SNR)
        audible = (dry_power > AUDIBLE * dry_power.max()) & (target_power > AUDIBLE * target_power.max())
        self._weights = np.where(audible, reliable / (1.0 - reliable), 0.0)
        self._weights[:, round(FLAT_DELAY_BAND * self._weights.shape[1]) :] = 0.0
        self._omega = 2.0 * np.pi * np.arange(self._weights.shape[1]) / window

    @property
    def is_broadband(self) -> bool:
        """True if the coherent sound has enough bins for a single clear peak, or a quarter of a short window's."""
        least = min(MIN_PEAK_TO_RMS, math.sqrt(FLAT_DELAY_BAND * self._weights.shape[1]) / 2.0)
        return float(self._weights.sum()) > least * float(np.sqrt((self._weights**2).sum()))

    @property
    def is_tone(self) -> bool:
        """True if the coherent sound lies within a few neighboring bins."""
        total = float(self._weights.sum())
        if not total > 0.0:
            return False
        mean = float((self._weights * self._omega).sum()) / total
        spread = math.sqrt(float((self._weights * (self._omega - mean) ** 2).sum()) / total)
        return spread < TONE_BINS * float(self._omega[1])

    @property
    def delay_frames(self) -> float:
        """Remaining delay within ± 1 frame: slope of the phase over frequency, whatever each channel's constant phase.

        Weighted least squares, as in `rtgain.dsp.delay_estimation`. The slope of a single tone means nothing. Its delay
        is that at which most of it cancels, within half a period.
        """
        if self.is_tone:
            loudest = int(self._weights.sum(axis=1).argmax())
            weights = self._weights[loudest]
            phase = float(np.angle((weights * np.exp(1j * np.angle(self._cross[loudest]))).sum()))
            return -phase * float(weights.sum() / (weights * self._omega).sum())
        weights, omega = self._weights, self._omega
        spread = omega - (weights * omega).sum(axis=1, keepdims=True) / np.maximum(
            weights.sum(axis=1, keepdims=True), 1e-30
        )
        total = float((weights * spread**2).sum())
        delay = 0.0
        if total <= 1e-12 * float(weights.sum()):
            return delay
        unit = weights * np.exp(1j * np.angle(self._cross))
        for _ in range(3):
            compensated = unit * np.exp(1j * omega * delay)
            error = np.angle(compensated * compensated.sum(axis=1, keepdims=True).conj())
            delay -= float((weights * spread * error).sum()) / total
        return delay if abs(delay) <= 1.0 else 0.0


def power_of_two_within(frames: int) -> int:
    """Largest power of two that is at most `frames`."""
    return 1 << (frames.bit_length() - 1)


def _by_level(candidates: list[_Candidate], levels: list[Levels], level_s: float) -> list[_Candidate]:
    """Put those first that are nearly as good as the best and have the largest product of both levels.

    Where a sound repeats, the scores of many offsets are equal, and the product is largest where most of it coincides.
    The others follow in their order.
    """
    dry, target = (np.sqrt(side.sum(axis=0, dtype=np.float64)) for side in levels)

    def product(candidate: _Candidate) -> float:
        lag = round(candidate.offset_s / level_s)
        begin, end = max(0, -lag), min(len(dry), len(target) - lag)
        return float(dry[begin:end] @ target[begin + lag : end + lag]) if end > begin else 0.0

    threshold = ALTERNATIVE_SCORE * max((candidate.score for candidate in candidates), default=0.0)
    alternatives = [candidate for candidate in candidates if candidate.score >= threshold]
    first = sorted(alternatives, key=product, reverse=True)[: MAX_CANDIDATES // 2]
    return [*first, *(candidate for candidate in candidates if candidate not in first)]


def _changes(levels: Levels) -> NDArray[np.float32]:
    """Changes over two hops of the logarithm of each band's power, ``(bands, levels)``."""
    loudest = levels.max(axis=1, keepdims=True)
    floor = np.maximum(LEVEL_RANGE * loudest, 1e-3 * LEVEL_RANGE * loudest.max())
    logarithm = np.log(levels + np.maximum(floor, np.finfo(np.float32).tiny))
    changes = np.zeros_like(levels)
    changes[:, 1:-1] = np.clip(logarithm[:, 2:] - logarithm[:, :-2], -MAX_CHANGE, MAX_CHANGE)
    return changes


def _correlation(dry: NDArray[np.float32], target: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Circular correlation over lags from dry to target, ``(size,)``, summed over the rows."""
    total = np.zeros(size // 2 + 1, np.complex64)
    for x, y in zip(dry, target, strict=True):
        total += np.fft.rfft(x, size).conj() * np.fft.rfft(y, size)
    return np.fft.irfft(total, size).astype(np.float32, copy=False)


def _common_energy(x: NDArray[np.float32], y: NDArray[np.float32], size: int) -> NDArray[np.float64]:
    """Geometric mean of the energies of `x` and `y` in their overlap, at the lags of `_correlation`, ``(size,)``."""
    lags = np.arange(size)
    lags = np.where(lags < y.shape[1], lags, lags - size)
    energies = []
    for changes, shift in ((x, 0), (y, 1)):
        sums = np.concatenate([[0.0], np.cumsum((changes**2).sum(axis=0, dtype=np.float64))])
        begin, end = np.maximum(0, -lags), np.minimum(x.shape[1], y.shape[1] - lags)
        begin, end = (np.clip(edge + shift * lags, 0, len(sums) - 1) for edge in (begin, end))
        energies.append(np.maximum(sums[end] - sums[begin], 0.0))
    mean: NDArray[np.float64] = np.sqrt(energies[0] * energies[1])
    return mean


def _envelope(cross: NDArray[np.complexfloating], size: int, whitening: float) -> NDArray[np.float32]:
    """Envelope of the generalized cross-correlation, ``(size,)``, summed over channels ``(channels, bins)``.

    The sum of envelopes, not of correlations, which would cancel if one channel is inverted.
    """
    total = np.zeros(size, np.float32)
    for bins in cross:
        magnitude = np.abs(bins)
        peak = float(magnitude.max())
        if peak > 0.0:
            bins = np.where(magnitude > 1e-9 * peak, bins / np.maximum(magnitude, 1e-9 * peak) ** whitening, 0.0)
            bins[0] = 0.0
            total += np.abs(np.fft.ifft(bins, size))
    return total


def _lag_of_peak(dry: Block, target: Block, reach: int, whitening: float) -> int:
    """Lag of `dry` in `target`, 0 to 2 · `reach` frames: the highest peak, of many the one nearest to `reach`."""
    size = 1 << target.shape[1].bit_length()
    tapers = (_taper(signal.shape[1]) if whitening > 0.0 else 1.0 for signal in (dry, target))
    x, y = (np.fft.rfft(signal * taper, size) for signal, taper in zip((dry, target), tapers, strict=True))
    envelope = _envelope(x.conj() * y, size, whitening)[: 2 * reach + 1]
    peaks = np.flatnonzero(envelope >= NEAR_PEAK * envelope.max())
    lag = int(peaks[np.abs(peaks - reach).argmin()])
    while 0 < lag < 2 * reach:  # to the top of this peak
        step = lag - 1 if envelope[lag - 1] > envelope[lag + 1] else lag + 1
        if envelope[step] <= envelope[lag]:
            break
        lag = step
    return lag


def _highest_peaks(values: NDArray[np.floating], count: int, exclusion: int) -> list[tuple[int, float]]:
    """The highest positive values with their indices, best first, more than `exclusion` apart."""
    remaining = values.copy()
    peaks = []
    for _ in range(count):
        index = int(remaining.argmax())
        if not remaining[index] > 0.0:
            break
        peaks.append((index, float(remaining[index])))
        remaining[max(0, index - exclusion) : index + exclusion + 1] = 0.0
    return peaks


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
    peaks = _highest_peaks(energy[span:] - energy[:-span], CHECKED_MOMENTS, exclusion=span)
    return [(begin + index + span / 2) * level_s for index, _ in peaks] or [0.0]


def _read_padded(file: FileSource, start: int, frames: int) -> Block:
    """Read frames from `start`, which may be before the start of the file; silence outside of it."""
    padded = np.zeros((file.channels, frames), np.float32)
    before = min(frames, max(0, -start))
    file.seek(max(0, start))
    block = file.read(frames - before)
    padded[:, before : before + block.shape[1]] = np.nan_to_num(block, posinf=0.0, neginf=0.0)
    return padded


def _spectra(signal: Block, frames: int, window: int) -> NDArray[np.complex128]:
    """Hann spectra of windows a quarter apart, ``(channels, windows, bins)``; the lowest two bins are 0."""
    padded = np.zeros((len(signal), frames))
    padded[:, : signal.shape[1]] = signal
    windows = sliding_window_view(padded, window, axis=1)[:, :: window // 4]
    bins: NDArray[np.complex128] = np.fft.rfft(windows * np.hanning(window + 1)[:-1])
    bins[..., :2] = 0.0
    return bins


def _taper(frames: int) -> NDArray[np.float32]:
    """Fades of an eighth at both ends: two signals cut at one moment would share the cut and correlate there."""
    taper = np.ones(frames, np.float32)
    fade = (0.5 - 0.5 * np.cos(np.linspace(0.0, np.pi, max(1, frames // 8)))).astype(np.float32)
    taper[: len(fade)] *= fade
    taper[frames - len(fade) :] *= fade[::-1]
    return taper
