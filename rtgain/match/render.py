"""Matched signal of two recordings: the dry recording with gain and delay, streamed from file to file.

Its delay is not causal and its gain is constant; `rtgain.audio.effects.matched_path` is the causal version of a live
session, with ramps.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.effects.matched_path import MatchedPath
from rtgain.audio.io.recorder import Recorder
from rtgain.audio.sources.file_pair import select_channels
from rtgain.audio.sources.file_source import FileSource
from rtgain.errors import InputError
from rtgain.records.equalizer import EqualizerFilters

CHUNK_FRAMES = 65536

SINC_HALF_FRAMES = 64
"""Half the length in frames of the fractional delay filter."""

KAISER_BETA = 8.0

NO_FILTERS = EqualizerFilters().coefficients(1.0)


@dataclass(frozen=True)
class MatchedChannel:
    """Factor (linear, signed) and delay in frames (may be negative) of one channel of the matched signal."""

    gain: float
    delay_frames: float


def render_matched_chunks(
    dry: Path,
    sample_rate: int,
    frames: int,
    channels: Sequence[MatchedChannel],
    filters: NDArray[np.float64] = NO_FILTERS,
) -> Iterator[NDArray[np.float64]]:
    """Yield `frames` frames of the matched signal, in chunks (channels, frames). One dry channel serves for all.

    `filters` are coefficients of `EqualizerFilters`, applied to all channels.
    """
    equalizer = MatchedPath(sample_rate, len(channels))
    equalizer.set_equalizer(filters)
    unity, no_delay = [1.0] * len(channels), [0.0] * len(channels)
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
            matched = np.stack(rows)
            if len(filters):
                matched = equalizer.process(matched.astype(np.float32), gains=unity, delays_frames=no_delay).astype(
                    float
                )
            yield matched
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


def fractional_delay(fraction: float) -> NDArray[np.float64]:
    """Design a Kaiser-windowed sinc of 129 taps that delays by 64 frames plus `fraction` (0 to 1) of a frame."""
    if fraction == 0.0:
        return np.eye(1, 2 * SINC_HALF_FRAMES + 1, SINC_HALF_FRAMES).ravel()
    time = np.arange(-SINC_HALF_FRAMES, SINC_HALF_FRAMES + 1) - fraction
    taps = np.sinc(time) * np.i0(KAISER_BETA * np.sqrt(np.clip(1 - (time / (SINC_HALF_FRAMES + 1)) ** 2, 0, 1)))
    scaled: NDArray[np.float64] = taps / taps.sum()
    return scaled


def residual_db(
    dry: Path,
    target: Path,
    sample_rate: int,
    channels: Sequence[MatchedChannel],
    section_s: tuple[float, float] = (0.0, math.inf),
    filters: NDArray[np.float64] = NO_FILTERS,
) -> float:
    """Compute the level of target − matched relative to the target, over the part that both recordings cover.

    It can be limited to a section of the dry recording, in s. `filters` are those of the matched signal.
    """
    dry_frames = file_length_at(dry, sample_rate)
    delays = [channel.delay_frames for channel in channels]
    source = FileSource(target, sample_rate=sample_rate, channels=None)
    try:
        assert source.frames is not None
        start_frame, end_frame = (time_s * sample_rate for time_s in section_s)
        begin = max(0, math.ceil(max(delays) + start_frame))
        end = min(source.frames, math.floor(min(delays) + min(dry_frames, end_frame)))
        residual_energy, target_energy, position = 0.0, 0.0, 0
        shared_frames = min(source.frames, max(end, 0))
        for matched in render_matched_chunks(dry, sample_rate, shared_frames, channels, filters):
            target_chunk = select_channels(source.read(matched.shape[1]), len(channels)).astype(np.float64)
            shared = slice(max(0, begin - position), max(0, end - position))
            difference = target_chunk[:, shared] - matched[:, : target_chunk.shape[1]][:, shared]
            residual_energy += float(np.vdot(difference, difference))
            target_energy += float(np.vdot(target_chunk[:, shared], target_chunk[:, shared]))
            position += matched.shape[1]
    finally:
        source.close()
    if target_energy == 0.0:
        return math.nan
    return 10.0 * math.log10(max(residual_energy / target_energy, 1e-20))


def write_matched(
    dry: Path,
    target: Path,
    record: Path,
    sample_rate: int,
    channels: Sequence[MatchedChannel],
    filters: NDArray[np.float64] = NO_FILTERS,
) -> None:
    """Write the matched signal in all compared channels, as long as the target.

    Raises `InputError` if the file cannot be written, or if it is a FLAC and the signal exceeds full scale.
    """
    recorder = Recorder(record, sample_rate, len(channels))
    try:
        with recorder:
            frames = file_length_at(target, sample_rate)
            for chunk in render_matched_chunks(dry, sample_rate, frames, channels, filters):
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


def file_length_at(path: Path, sample_rate: int) -> int:
    """Return the length of a file in frames at `sample_rate`. Raises `InputError`."""
    source = FileSource(path, sample_rate=sample_rate)
    source.close()
    assert source.frames is not None
    return source.frames
