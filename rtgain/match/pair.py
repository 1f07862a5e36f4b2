"""One pair of recordings: aligned, followed window by window, and summed up in one gain."""

import math
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from rtgain.audio.engine.shared_memory import DRY, TARGET
from rtgain.audio.sources.file_source import FileSource
from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.config.session_config import SessionConfig
from rtgain.dsp.closed_form import weighted_median
from rtgain.errors import InputError
from rtgain.estimation.estimator import Estimator
from rtgain.estimation.gain_tracker import FLOOR_STD_DB, OUTLIER_SIGMAS, OVERLAP_VARIANCE_FACTOR
from rtgain.estimation.streaming import StreamingEstimator
from rtgain.match.coarse_delay import Offset, find_coarse_delay, power_of_two_within
from rtgain.match.render import file_length_at, file_sample_rate, residual_db, write_matched
from rtgain.match.result import MatchResult
from rtgain.metering.loudness import integrated_lufs
from rtgain.number_format import none_if_nan
from rtgain.records.estimate import Estimate, State

CHUNK_FRAMES = 65536

MIN_FRAMES = 512
"""Less than this is no recording to match."""

CLIPPED_SHARE = 0.05
"""A pair is called clipped when more than this share of its windows is; the gain is that of the others."""

HISTORY_KEPT_S = 4.0
"""Sound that stays readable behind the newest frame: what a search over the whole range listens to, and more."""


@dataclass(frozen=True)
class MatchDetails:
    """A match, and what a figure of it shows: the estimates, and the rate that their frames count at."""

    match: MatchResult
    sample_rate: int
    estimates: list[Estimate]
    start_frame: int
    """Where in the dry recording the part begins that both share: frame 0 of the estimates."""


class FilePairReader:
    """Two recordings read side by side, as a follower reads a ring: frame 0 is where both have begun."""

    def __init__(self, dry: Path, target: Path, sample_rate: int, offset_frames: int) -> None:
        self._dry = FileSource(dry, sample_rate=sample_rate)
        self._target = FileSource(target, sample_rate=sample_rate)
        self.start_frame = max(0, -offset_frames)
        self._dry.seek(self.start_frame)
        self._target.seek(self.start_frame + offset_frames)
        self._kept = round(HISTORY_KEPT_S * sample_rate)
        self._rows = np.full((4, 0), np.nan, np.float32)
        self.oldest_frame = 0
        self.ended = False

    @property
    def frames_written(self) -> int:
        """Frames so far."""
        return self.oldest_frame + self._rows.shape[1]

    def extend(self) -> None:
        """Read the next piece of both, up to where the shorter ends."""
        dry, target = self._dry.read(CHUNK_FRAMES)[0], self._target.read(CHUNK_FRAMES)[0]
        frames = min(len(dry), len(target))
        self.ended = frames < CHUNK_FRAMES
        piece = np.full((4, frames), np.nan, np.float32)
        piece[DRY], piece[TARGET] = dry[:frames], target[:frames]
        rows = np.concatenate([self._rows, piece], axis=1)
        dropped = max(0, rows.shape[1] - self._kept - CHUNK_FRAMES)
        self._rows = rows[:, dropped:]
        self.oldest_frame += dropped

    def read(self, start: int, frames: int) -> NDArray[np.floating]:
        """Frames from `start`, ``(4, frames)``."""
        return self._rows[:, start - self.oldest_frame : start - self.oldest_frame + frames]

    def close(self) -> None:
        """Close both files."""
        self._dry.close()
        self._target.close()


def match_pair(dry: Path, target: Path, record: Path | None = None) -> MatchDetails:
    """Match two recordings. With `record`, write the dry one as matched to the target. Raises `InputError`."""
    for path in (dry, target):
        source = FileSource(path)
        try:
            source.check_finite()
        finally:
            source.close()
    torch.set_num_threads(1)  # more are slower at these sizes, and add up in another order each time
    sample_rate = file_sample_rate(dry)
    shortest = min(file_length_at(path, sample_rate) for path in (dry, target))
    if shortest < MIN_FRAMES:
        raise InputError(f"{dry}, {target}: one lasts {shortest} frames; {MIN_FRAMES} are needed at least")
    settings = _settings(sample_rate, shortest)
    offset = find_coarse_delay(dry, target, sample_rate, settings.window_frames)
    estimates, start_frame = _follow(dry, target, settings, offset)
    gain_db, std_db, delay_frames, polarity, state = _aggregate(estimates, offset.frames)
    residual = math.nan
    if math.isfinite(gain_db):
        gain = math.copysign(10.0 ** (gain_db / 20.0), polarity or 1)
        residual = residual_db(dry, target, sample_rate, gain, delay_frames)
        if record is not None:
            write_matched(dry, target, record, sample_rate, gain, delay_frames)
    elif record is not None:
        raise InputError(
            f"{dry}: nothing in it is found in {target} ({state}), so there is no matched signal to record"
        )
    match = MatchResult(
        gain_db=none_if_nan(gain_db),
        gain_linear=none_if_nan(10.0 ** (gain_db / 20.0)),
        std_db=none_if_nan(std_db),
        delay_samples=none_if_nan(delay_frames),
        delay_ms=none_if_nan(1e3 * delay_frames / sample_rate),
        polarity=polarity,
        residual_db=none_if_nan(residual),
        lufs_dry=none_if_nan(integrated_lufs(dry)),
        lufs_target=none_if_nan(integrated_lufs(target)),
        state=state,
    )
    return MatchDetails(match, sample_rate, estimates, start_frame)


def _settings(sample_rate: int, shortest_frames: int) -> EstimatorSettings:
    defaults = EstimatorSettings.from_config(SessionConfig(), sample_rate)
    window_frames = min(defaults.window_frames, power_of_two_within(shortest_frames // 2))
    hop_frames = min(defaults.hop_frames, window_frames // 4)
    return replace(defaults, window_frames=window_frames, hop_frames=hop_frames, reject_clipped=True)


def _follow(dry: Path, target: Path, settings: EstimatorSettings, offset: Offset) -> tuple[list[Estimate], int]:
    """The estimates of all windows that both recordings fill; their delays count from no offset at all."""
    whole = round(offset.frames)
    sound = FilePairReader(dry, target, settings.sample_rate, whole)
    try:
        follower = StreamingEstimator(
            sound, Estimator(settings), delay_frames=offset.frames - whole if offset.known else None
        )
        estimates: list[Estimate] = []
        while not sound.ended:
            sound.extend()
            while batch := follower.advance():
                estimates += batch
        return estimates, sound.start_frame
    finally:
        sound.close()


def _aggregate(estimates: list[Estimate], offset_frames: float) -> tuple[float, float, float, int, str]:
    """Gain in dB, its standard deviation, delay in frames, polarity and state of the whole.

    The mean of the windows' closed forms, each by its certainty, without what strays; where windows differ by more
    than they should, because the gain moved or the target is equalized, the deviation says so.
    """
    told = [e for e in estimates if e.state in (State.TRACKING, State.CONVERGING) and math.isfinite(e.opt_std_db)]
    told = [e for e in told if math.isfinite(e.delay_frames)]
    if not told:
        states = Counter(e.state for e in estimates)
        silent = states[State.SILENT] == len(estimates)
        clipped = states[State.CLIPPED] > 0
        state = State.SILENT if silent else State.CLIPPED if clipped else State.INCOHERENT
        return math.nan, math.nan, math.nan, 0, state.label
    gains_db = np.array([e.gain_opt_db for e in told])
    variances = np.array([e.opt_std_db for e in told]) ** 2 + FLOOR_STD_DB**2
    middle_db = float(weighted_median(*(torch.from_numpy(x)[None] for x in (gains_db, 1.0 / variances))))
    near = np.abs(gains_db - middle_db) <= OUTLIER_SIGMAS * np.sqrt(variances)
    kept = near if near.sum() > len(near) / 2 else np.ones_like(near)
    weights = 1.0 / variances[kept]
    gain_db = float(np.average(gains_db[kept], weights=weights))
    disagreement = float(np.average((gains_db[kept] - gain_db) ** 2 / variances[kept]))
    std_db = math.sqrt(OVERLAP_VARIANCE_FACTOR / weights.sum() * max(1.0, disagreement) + FLOOR_STD_DB**2)
    if kept is not near:  # it moved: no average of it is sure
        std_db = float(np.sqrt(np.average((gains_db - gain_db) ** 2, weights=1.0 / variances)))
    delay_frames = float(np.median([e.delay_frames for e in told])) + round(offset_frames)
    polarity = int(np.sign(sum(e.polarity for e in told)))
    clipped = sum(e.state is State.CLIPPED for e in estimates) > CLIPPED_SHARE * len(estimates)
    return gain_db, std_db, delay_frames, polarity, (State.CLIPPED if clipped else State.TRACKING).label
