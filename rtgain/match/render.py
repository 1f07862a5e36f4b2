"""Matched signal of two recordings: the dry recording with gain and delay, streamed from file to file.

Its delay is not causal and its gain is constant; `rtgain.audio.effects.matched_path` is the causal version of a live
session, with ramps. A delay that moves is rendered along its curve, with a crossfade at each jump.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.effects.interpolation import SINC_HALF_FRAMES, fractional_delay, interpolate
from rtgain.audio.effects.matched_path import MatchedPath
from rtgain.audio.io.recorder import Recorder
from rtgain.audio.sources.excerpts import ExcerptReader
from rtgain.audio.sources.file_pair import POSITION_DECIMALS, select_channels
from rtgain.audio.sources.file_source import FileSource
from rtgain.errors import InputError
from rtgain.match.analysis import ratio_db
from rtgain.records.delay_curve import DelayCurve
from rtgain.records.equalizer import EqualizerFilters

CHUNK_FRAMES = 65536

CROSSFADE_S = 0.003
"""Duration in seconds of the crossfade at a jump of the delay."""

NO_FILTERS = EqualizerFilters().coefficients(1.0)


@dataclass(frozen=True)
class MatchedChannel:
    """Factor (linear, signed) and delay in frames (may be negative) of one channel of the matched signal.

    Where the delay moves, it is the delay in addition to the curve.
    """

    gain: float
    delay_frames: float


def render_matched_chunks(
    dry: Path,
    sample_rate: int,
    frames: int,
    channels: Sequence[MatchedChannel],
    curve: DelayCurve | None = None,
    filters: NDArray[np.float64] = NO_FILTERS,
) -> Iterator[NDArray[np.float64]]:
    """Yield `frames` frames of the matched signal, in chunks (channels, frames). One dry channel serves for all.

    `filters` are coefficients of `EqualizerFilters`, applied to all channels.
    """
    if curve is None:
        chunks = _render_at_constant_delay(dry, sample_rate, frames, channels)
    else:
        chunks = _render_along(curve, dry, sample_rate, frames, channels)
    if not len(filters):
        yield from chunks
        return
    equalizer = MatchedPath(sample_rate, len(channels))
    equalizer.set_equalizer(filters)
    unity, no_delay = [1.0] * len(channels), [0.0] * len(channels)
    for chunk in chunks:
        yield equalizer.process(chunk.astype(np.float32), gains=unity, delays_frames=no_delay).astype(np.float64)


def _render_at_constant_delay(
    dry: Path, sample_rate: int, frames: int, channels: Sequence[MatchedChannel]
) -> Iterator[NDArray[np.float64]]:
    whole = [math.floor(channel.delay_frames) for channel in channels]
    fractions = [channel.delay_frames - frames for channel, frames in zip(channels, whole, strict=True)]
    latest = max(whole)
    source = FileSource(dry, sample_rate=sample_rate, channels=None)
    try:
        padded = _PaddedSource(source, -latest - SINC_HALF_FRAMES, len(channels))
        context_frames = 2 * SINC_HALF_FRAMES + latest - min(whole)
        context = padded.read(context_frames)
        for start in range(0, frames, CHUNK_FRAMES):
            count = min(CHUNK_FRAMES, frames - start)
            context = np.concatenate([context, padded.read(count)], axis=1)
            rows = []
            for row, channel, own, fraction in zip(context, channels, whole, fractions, strict=True):
                first = latest - own
                taps = channel.gain * fractional_delay(fraction)
                rows.append(_filtered(row[first : first + count + 2 * SINC_HALF_FRAMES], taps))
            yield np.stack(rows)
            context = context[:, context.shape[1] - context_frames :]
    finally:
        source.close()


def _filtered(samples: NDArray[np.float64], taps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Filter `samples`, without the frames at the ends that the filter does not cover."""
    if np.count_nonzero(taps) <= 1:  # a whole delay
        scaled: NDArray[np.float64] = samples[SINC_HALF_FRAMES : len(samples) - SINC_HALF_FRAMES] * taps.sum()
        return scaled
    return np.convolve(samples, taps, mode="valid")


class _PaddedSource:
    """`channels` of a source from any frame on, also before its start, with silence outside."""

    def __init__(self, source: FileSource, begin: int, channels: int) -> None:
        self._source = source
        self._channels = channels
        self._silent_frames = max(0, -begin)
        source.seek(max(0, begin))

    def read(self, frames: int) -> NDArray[np.float64]:
        """Return the next frames, shape (channels, frames)."""
        silent = min(frames, self._silent_frames)
        self._silent_frames -= silent
        samples = select_channels(self._source.read(frames - silent), self._channels)
        chunk = np.zeros((self._channels, frames))
        chunk[:, silent : silent + samples.shape[1]] = samples
        return chunk


def _render_along(
    curve: DelayCurve, dry: Path, sample_rate: int, frames: int, channels: Sequence[MatchedChannel]
) -> Iterator[NDArray[np.float64]]:
    """Yield the matched signal with the delay of a curve. It is silent where sound was inserted into the target."""
    source = FileSource(dry, sample_rate=sample_rate, channels=None)
    try:
        reader = ExcerptReader(source, len(channels))
        for start in range(0, frames, CHUNK_FRAMES):
            matched = np.zeros((len(channels), min(CHUNK_FRAMES, frames - start)))
            for segment in _rendered_segments(curve, sample_rate):
                _add_segment(matched, start, segment, reader, channels)
            yield matched
    finally:
        source.close()


@dataclass(frozen=True)
class _RenderedSegment:
    """Frames of the target, from `begin` to `end` (not whole), and the dry recording's frame at the target's frame 0.

    `step` is the number of dry frames per target frame; `fade` the length in frames of the crossfades.
    """

    begin: float
    end: float
    origin: float
    step: float
    fade: float

    def weights(self, start: float, frames: int) -> NDArray[np.float64]:
        """Weight of each frame from `start` on: 1 inside, and a linear fade across either end."""
        time = start + np.arange(frames)
        rising, falling = ((time - self.begin) / self.fade, (self.end - time) / self.fade)
        weights: NDArray[np.float64] = np.clip(np.minimum(rising, falling) + 0.5, 0.0, 1.0)
        return weights


def _rendered_segments(curve: DelayCurve, sample_rate: int) -> list[_RenderedSegment]:
    segments = []
    for segment in curve.segments:
        begin_s, end_s = segment.target_times_s(np.array([segment.begin_s, segment.end_s])).tolist()
        step = 1.0 / (1.0 + 1e-6 * segment.drift_ppm)
        origin = -segment.delay_s * sample_rate * step
        segments.append(
            _RenderedSegment(begin_s * sample_rate, end_s * sample_rate, origin, step, CROSSFADE_S * sample_rate)
        )
    return segments


def _add_segment(
    matched: NDArray[np.float64],
    start: int,
    segment: _RenderedSegment,
    reader: ExcerptReader,
    channels: Sequence[MatchedChannel],
) -> None:
    """Add one segment to the frames of the matched signal from `start` on."""
    half = segment.fade / 2.0
    for index, channel in enumerate(channels):
        begin = max(start, segment.begin - half + channel.delay_frames)
        end = min(start + matched.shape[1], segment.end + half + channel.delay_frames)
        if not begin < end or channel.gain == 0.0:
            continue
        first, count = math.ceil(begin), math.ceil(end) - math.ceil(begin)
        position = round(segment.origin + (first - channel.delay_frames) * segment.step, POSITION_DECIMALS)
        origin = math.floor(position) - SINC_HALF_FRAMES
        samples = reader.read(origin, math.ceil(count * segment.step) + 2 * SINC_HALF_FRAMES + 2)[index : index + 1]
        values = channel.gain * interpolate(samples, position - origin, segment.step, count)[0]
        weights = segment.weights(first - channel.delay_frames, count)
        matched[index, first - start : first - start + count] += weights * values


def aligned_chunks(
    dry: Path,
    target: Path,
    sample_rate: int,
    channels: Sequence[MatchedChannel],
    section_s: tuple[float, float] = (0.0, math.inf),
    curve: DelayCurve | None = None,
    filters: NDArray[np.float64] = NO_FILTERS,
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Yield matched signal and target, ``(channels, frames)`` each, over the part that both recordings cover.

    It can be limited to a section of the dry recording, in s. Both are silent in the crossfades at jumps, and where
    sound was inserted into the target. `filters` are those of the
    matched signal.
    """
    begin, end = aligned_range(dry, target, sample_rate, channels, section_s, curve)
    delays = [channel.delay_frames for channel in channels]
    source = FileSource(target, sample_rate=sample_rate, channels=None)
    try:
        assert source.frames is not None
        position = 0
        frames = min(source.frames, max(end, 0))
        for matched in render_matched_chunks(dry, sample_rate, frames, channels, curve, filters):
            target_chunk = select_channels(source.read(matched.shape[1]), len(channels)).astype(np.float64)
            matched = matched[:, : target_chunk.shape[1]]
            if curve is not None:
                counts = _is_covered(curve, sample_rate, position, target_chunk.shape[1], delays)
                target_chunk, matched = target_chunk * counts, matched * counts
            shared = slice(max(0, begin - position), max(0, end - position))
            yield matched[:, shared], target_chunk[:, shared]
            position += matched.shape[1]
    finally:
        source.close()


def residual_db(chunks: Iterable[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> float:
    """Compute the level of target − matched relative to the target, from `aligned_chunks`; NaN without a target."""
    residual_energy = target_energy = 0.0
    for matched, target in chunks:
        difference = target - matched
        residual_energy += float(np.vdot(difference, difference))
        target_energy += float(np.vdot(target, target))
    return ratio_db(residual_energy, target_energy)


def aligned_range(
    dry: Path,
    target: Path,
    sample_rate: int,
    channels: Sequence[MatchedChannel],
    section_s: tuple[float, float] = (0.0, math.inf),
    curve: DelayCurve | None = None,
) -> tuple[int, int]:
    """Return the first frame of the target of the part that both recordings cover, and the frame behind its last."""
    delays = [channel.delay_frames for channel in channels]
    start_frame, end_frame = (time_s * sample_rate for time_s in section_s)
    end_frame = min(file_length_at(dry, sample_rate), end_frame)
    if curve is not None:
        start_frame += sample_rate * curve.delay_at_s(start_frame / sample_rate)
        end_frame += sample_rate * curve.delay_at_s(end_frame / sample_rate)
    begin = max(0, math.ceil(max(delays) + start_frame))
    end = math.floor(min(delays) + end_frame)
    return begin, max(begin, min(file_length_at(target, sample_rate), end))


def _is_covered(
    curve: DelayCurve, sample_rate: int, start: int, frames: int, delays_frames: Sequence[float]
) -> NDArray[np.bool_]:
    """True for frames of the target inside of a segment, ``(frames,)``, outside of the crossfades at its ends."""
    covered = np.zeros(frames, np.bool_)
    time = start + np.arange(frames)
    for segment in _rendered_segments(curve, sample_rate):
        half = segment.fade / 2.0
        begin, end = segment.begin + half + max(delays_frames), segment.end - half + min(delays_frames)
        covered |= (time >= begin) & (time < end)
    return covered


def write_matched(
    dry: Path,
    target: Path,
    record: Path,
    sample_rate: int,
    channels: Sequence[MatchedChannel],
    curve: DelayCurve | None = None,
    filters: NDArray[np.float64] = NO_FILTERS,
) -> Recorder:
    """Write the matched signal in all compared channels, as long as the target. Returns the closed recorder.

    Raises `InputError` if the file cannot be written, or if it is a FLAC and the signal exceeds full scale.
    """
    recorder = Recorder(record, sample_rate, len(channels))
    try:
        with recorder:
            frames = file_length_at(target, sample_rate)
            for chunk in render_matched_chunks(dry, sample_rate, frames, channels, curve, filters):
                recorder.write(np.ascontiguousarray(chunk.T, dtype=np.float32))
                if recorder.clipped_samples:
                    raise InputError(
                        f"{record}: FLAC cannot hold the matched signal, which exceeds full scale; "
                        "use a name that ends in .wav"
                    )
    except BaseException:  # an interruption too
        if record.is_file():  # an incomplete file is removed; a device stays
            record.unlink()
        raise
    return recorder


def file_length_at(path: Path, sample_rate: int) -> int:
    """Return the length of a file in frames at `sample_rate`. Raises `InputError`."""
    source = FileSource(path, sample_rate=sample_rate)
    source.close()
    assert source.frames is not None
    return source.frames
