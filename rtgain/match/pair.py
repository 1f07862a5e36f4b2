"""Matching of one pair of recordings: align, estimate window by window, aggregate to one gain."""

import math
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from rtgain.audio.engine.audio_ring import AudioRing, audio_rows
from rtgain.audio.engine.ring_buffer import RingBuffer
from rtgain.audio.sources.file_source import FileSource
from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.config.session_config import SessionConfig
from rtgain.errors import InputError
from rtgain.estimation.estimator import Estimator
from rtgain.estimation.gain_tracker import robust_mean
from rtgain.estimation.signal_reader import RingSignalReader
from rtgain.estimation.streaming import StreamingEstimator
from rtgain.match.coarse_delay import CoarseDelay, find_coarse_delay, power_of_two_within
from rtgain.match.render import file_length_at, file_sample_rate, residual_db, write_matched
from rtgain.match.result import MatchResult
from rtgain.metering.file_loudness import measure_file
from rtgain.number_format import none_if_nan
from rtgain.records.estimate import Estimate, State

CHUNK_FRAMES = 65536

MIN_FRAMES = 512
"""Least length of a recording in frames."""

CLIPPED_SHARE = 0.05
"""Share of clipped windows above which the state of a pair is ``clipped``; the gain is that of the other windows."""

HISTORY_S = 4.0
"""Readable sound before the newest chunk, in seconds: more than a delay search over the whole range reads."""


@dataclass(frozen=True)
class MatchDetails:
    """A match with the data for its figure."""

    result: MatchResult
    sample_rate: int
    """Sample rate in Hz of the frames of `estimates`."""
    estimates: list[Estimate]
    start_frame: int
    """Frame of the dry recording at which the common part begins: frame 0 of `estimates`."""
    notices: tuple[str, ...]
    """Messages about the recordings for the user, one line each."""


class FilePairReader(RingSignalReader):
    """Reader of two recordings side by side, through a ring buffer that `extend` fills.

    Frame 0 is the first frame that both recordings have.
    """

    def __init__(self, dry: Path, target: Path, sample_rate: int, offset_frames: int) -> None:
        capacity = 1 << (round(HISTORY_S * sample_rate) + CHUNK_FRAMES - 1).bit_length()
        memory = memoryview(bytearray(RingBuffer.nbytes(audio_rows(1), capacity, np.float32)))
        self._pair_ring = AudioRing(memory, 1, capacity)
        super().__init__(self._pair_ring)
        self._dry = FileSource(dry, sample_rate=sample_rate)
        self._target = FileSource(target, sample_rate=sample_rate)
        self.start_frame = max(0, -offset_frames)
        self._dry.seek(self.start_frame)
        self._target.seek(self.start_frame + offset_frames)
        self.is_finished = False

    def extend(self) -> None:
        """Read the next chunk of both recordings, up to the end of the shorter one."""
        dry, target = self._dry.read(CHUNK_FRAMES)[0], self._target.read(CHUNK_FRAMES)[0]
        frames = min(len(dry), len(target))
        self.is_finished = frames < CHUNK_FRAMES
        unknown = np.full(frames, np.nan, np.float32)  # matched signal and reference gain
        chunk = np.stack([dry[:frames], target[:frames], unknown, unknown])
        self._pair_ring.write(chunk)

    def close(self) -> None:
        """Close both files."""
        self._dry.close()
        self._target.close()


def match_pair(dry: Path, target: Path, record: Path | None = None) -> MatchDetails:
    """Match two recordings. With `record`, write the matched signal to that file. Raises `InputError`."""
    notices = []
    for path in (dry, target):
        source = FileSource(path)
        try:
            source.check_finite()
        finally:
            source.close()
        if source.notice is not None:
            notices.append(source.notice)
    torch.set_num_threads(1)  # more threads are slower at these sizes, and sum in a different order each time
    sample_rate = file_sample_rate(dry)
    shortest_frames = min(file_length_at(path, sample_rate) for path in (dry, target))
    if shortest_frames < MIN_FRAMES:
        raise InputError(
            f"{dry}, {target}: the shorter one has {shortest_frames} frames; at least {MIN_FRAMES} are required"
        )
    settings = _settings(sample_rate, shortest_frames)
    delay = find_coarse_delay(dry, target, sample_rate, settings.window_frames)
    estimates, start_frame = _estimate(dry, target, settings, delay)
    gain_db, std_db, delay_frames, polarity, state = _aggregate(estimates, round(delay.frames))
    residual = math.nan
    if math.isfinite(gain_db):
        gain = math.copysign(10.0 ** (gain_db / 20.0), polarity or 1)
        residual = residual_db(dry, target, sample_rate, gain, delay_frames)
        if record is not None:
            write_matched(dry, target, record, sample_rate, gain, delay_frames)
    elif record is not None:
        raise InputError(f"{dry}: no match with {target} was found ({state}); nothing was recorded")
    loudness_dry, loudness_target = measure_file(dry), measure_file(target)
    result = MatchResult(
        gain_db=none_if_nan(gain_db),
        gain_linear=none_if_nan(10.0 ** (gain_db / 20.0)),
        std_db=none_if_nan(std_db),
        delay_samples=none_if_nan(delay_frames),
        delay_ms=none_if_nan(1e3 * delay_frames / sample_rate),
        polarity=polarity,
        residual_db=none_if_nan(residual),
        lufs_dry=none_if_nan(loudness_dry.integrated_lufs),
        lufs_target=none_if_nan(loudness_target.integrated_lufs),
        lra_dry=none_if_nan(loudness_dry.range_lu),
        lra_target=none_if_nan(loudness_target.range_lu),
        true_peak_dry_dbtp=none_if_nan(loudness_dry.true_peak_dbtp),
        true_peak_target_dbtp=none_if_nan(loudness_target.true_peak_dbtp),
        state=state,
    )
    return MatchDetails(result, sample_rate, estimates, start_frame, tuple(notices))


def _settings(sample_rate: int, shortest_frames: int) -> EstimatorSettings:
    defaults = EstimatorSettings.from_config(SessionConfig(), sample_rate)
    window_frames = min(defaults.window_frames, power_of_two_within(shortest_frames // 2))
    hop_frames = min(defaults.hop_frames, window_frames // 4)
    return replace(defaults, window_frames=window_frames, hop_frames=hop_frames, reject_clipped=True)


def _estimate(dry: Path, target: Path, settings: EstimatorSettings, delay: CoarseDelay) -> tuple[list[Estimate], int]:
    """Estimate all windows that both recordings fill. Returns also the frame of the dry recording where they begin.

    The delays of the estimates count from the whole frames of `delay`.
    """
    offset_frames = round(delay.frames)
    reader = FilePairReader(dry, target, settings.sample_rate, offset_frames)
    try:
        streaming = StreamingEstimator(
            reader, Estimator(settings), delay_frames=delay.frames - offset_frames if delay.is_known else None
        )
        estimates: list[Estimate] = []
        while not reader.is_finished:
            reader.extend()
            while batch := streaming.advance():
                estimates += batch
        return estimates, reader.start_frame
    finally:
        reader.close()


def _aggregate(estimates: list[Estimate], offset_frames: int) -> tuple[float, float, float, int, str]:
    """Aggregate to gain in dB, standard deviation in dB, delay in frames, polarity and state of the whole pair."""
    in_progress = [e for e in estimates if e.state in (State.TRACKING, State.CONVERGING)]
    usable = [e for e in in_progress if math.isfinite(e.opt_std_db) and math.isfinite(e.delay_frames)]
    if not usable:
        states = Counter(e.state for e in estimates)
        all_silent = states[State.SILENT] == len(estimates)
        state = State.SILENT if all_silent else State.CLIPPED if states[State.CLIPPED] else State.INCOHERENT
        return math.nan, math.nan, math.nan, 0, state.label
    gain_db, std_db = robust_mean(np.array([e.gain_opt_db for e in usable]), np.array([e.opt_std_db for e in usable]))
    delay_frames = float(np.median([e.delay_frames for e in usable])) + offset_frames
    polarity = int(np.sign(sum(e.polarity for e in usable)))
    clipped = sum(e.state is State.CLIPPED for e in estimates) > CLIPPED_SHARE * len(estimates)
    return gain_db, std_db, delay_frames, polarity, (State.CLIPPED if clipped else State.TRACKING).label
