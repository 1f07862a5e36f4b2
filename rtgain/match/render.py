"""Matched signal of two recordings: the dry recording with gain and delay, streamed from file to file.

Its delay is not causal and its gain is constant; `rtgain.audio.effects.matched_path` is the causal version of a live
session, with ramps.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.io.recorder import Recorder
from rtgain.audio.sources.file_source import FileSource
from rtgain.errors import InputError

CHUNK_FRAMES = 65536

SINC_HALF_FRAMES = 64
"""Half the length in frames of the fractional delay filter."""

KAISER_BETA = 8.0


def render_matched_chunks(
    dry: Path, sample_rate: int, frames: int, gain: float, delay_frames: float, channels: int = 1
) -> Iterator[NDArray[np.float64]]:
    """Yield `frames` frames of gain × dry, later by `delay_frames` (may be negative), in chunks (channels, frames)."""
    whole = math.floor(delay_frames)
    taps = gain * fractional_delay(delay_frames - whole)
    source = FileSource(dry, sample_rate=sample_rate, channels=channels)
    try:
        padded = _PaddedSource(source, -whole - SINC_HALF_FRAMES)
        context = padded.read(2 * SINC_HALF_FRAMES)
        for start in range(0, frames, CHUNK_FRAMES):
            context = np.concatenate([context, padded.read(min(CHUNK_FRAMES, frames - start))], axis=1)
            yield np.stack([np.convolve(row, taps, mode="valid") for row in context])
            context = context[:, -2 * SINC_HALF_FRAMES :]
    finally:
        source.close()


class _PaddedSource:
    """A source from any frame on, also before its start, with silence outside."""

    def __init__(self, source: FileSource, begin: int) -> None:
        self._source = source
        self._silent_frames = max(0, -begin)
        source.seek(max(0, begin))

    def read(self, frames: int) -> NDArray[np.float64]:
        """Return the next frames, shape (channels, frames)."""
        silent = min(frames, self._silent_frames)
        self._silent_frames -= silent
        samples = self._source.read(frames - silent)
        chunk = np.zeros((self._source.channels, frames))
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


def residual_db(dry: Path, target: Path, sample_rate: int, gain: float, delay_frames: float) -> float:
    """Compute the level of target − matched relative to the target, over the part that both recordings cover."""
    dry_frames = file_length_at(dry, sample_rate)
    source = FileSource(target, sample_rate=sample_rate)
    try:
        assert source.frames is not None
        begin = max(0, math.ceil(delay_frames))
        end = min(source.frames, math.floor(dry_frames + delay_frames))
        residual_energy, target_energy, position = 0.0, 0.0, 0
        for matched in render_matched_chunks(dry, sample_rate, source.frames, gain, delay_frames):
            target_chunk = source.read(matched.shape[1])[0].astype(np.float64)
            shared = slice(max(0, begin - position), max(0, end - position))
            difference = target_chunk[shared] - matched[0, : len(target_chunk)][shared]
            residual_energy += float(np.dot(difference, difference))
            target_energy += float(np.dot(target_chunk[shared], target_chunk[shared]))
            position += matched.shape[1]
    finally:
        source.close()
    if target_energy == 0.0:
        return math.nan
    return 10.0 * math.log10(max(residual_energy / target_energy, 1e-20))


def write_matched(dry: Path, target: Path, record: Path, sample_rate: int, gain: float, delay_frames: float) -> None:
    """Write all channels of the dry recording with gain and delay, as long as the target.

    Raises `InputError` if the file cannot be written, or if it is a FLAC and the signal exceeds full scale.
    """
    source = FileSource(dry)
    source.close()
    channels = source.file_channels
    recorder = Recorder(record, sample_rate, channels)
    try:
        with recorder:
            for chunk in render_matched_chunks(
                dry, sample_rate, file_length_at(target, sample_rate), gain, delay_frames, channels
            ):
                recorder.write(np.ascontiguousarray(chunk.T, dtype=np.float32))
                if recorder.clipped_samples:
                    raise InputError(
                        f"{record}: FLAC cannot hold the matched signal, which exceeds full scale; "
                        "use a name that ends in .wav"
                    )
    except InputError:
        if record.is_file():  # an incomplete file is removed; a device stays
            record.unlink()
        raise


def file_length_at(path: Path, sample_rate: int) -> int:
    """Return the length of a file in frames at `sample_rate`. Raises `InputError`."""
    source = FileSource(path, sample_rate=sample_rate)
    source.close()
    assert source.frames is not None
    return source.frames


def read_first_seconds(path: Path, sample_rate: int, seconds: float) -> NDArray[np.float32]:
    """Read the first `seconds` of a file as a mono mix, ``(frames,)``. Raises `InputError`."""
    source = FileSource(path, sample_rate=sample_rate)
    try:
        samples: NDArray[np.float32] = source.read(round(seconds * sample_rate))[0]
        return samples
    finally:
        source.close()


def file_sample_rate(path: Path) -> int:
    """Return the sample rate of a file in Hz. Raises `InputError`."""
    source = FileSource(path)
    source.close()
    return source.sample_rate
