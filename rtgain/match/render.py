"""The dry recording as it matches the target: gained, delayed, streamed from file to file."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.io.recorder import Recorder
from rtgain.audio.io.sound_file import open_sound
from rtgain.audio.sources.file_source import FileSource
from rtgain.errors import InputError

CHUNK_FRAMES = 65536

SINC_HALF_FRAMES = 64
"""Half the length of the filter that delays by a fraction of a frame."""

KAISER_BETA = 8.0


def render_matched_chunks(
    dry: Path, sample_rate: int, frames: int, gain: float, delay_frames: float, channels: int = 1
) -> Iterator[NDArray[np.float64]]:
    """`frames` frames of gain × dry, `delay_frames` later (or earlier), in pieces of shape (channels, frames)."""
    whole = math.floor(delay_frames)
    taps = gain * fractional_delay(delay_frames - whole)
    source = FileSource(dry, sample_rate=sample_rate, channels=channels)
    try:
        stream = _Stream(source, -whole - SINC_HALF_FRAMES)
        around = stream.take(2 * SINC_HALF_FRAMES)
        for start in range(0, frames, CHUNK_FRAMES):
            around = np.concatenate([around, stream.take(min(CHUNK_FRAMES, frames - start))], axis=1)
            yield np.stack([np.convolve(row, taps, mode="valid") for row in around])
            around = around[:, -2 * SINC_HALF_FRAMES :]
    finally:
        source.close()


class _Stream:
    """A source from any frame on, before its start too: outside of it there is silence."""

    def __init__(self, source: FileSource, begin: int) -> None:
        self._source = source
        self._silent_frames = max(0, -begin)
        source.seek(max(0, begin))

    def take(self, frames: int) -> NDArray[np.float64]:
        """The next frames, shape (channels, frames)."""
        before = min(frames, self._silent_frames)
        self._silent_frames -= before
        samples = self._source.read(frames - before)
        stretch = np.zeros((self._source.channels, frames))
        stretch[:, before : before + samples.shape[1]] = samples
        return stretch


def fractional_delay(fraction: float) -> NDArray[np.float64]:
    """A Kaiser-windowed sinc of 129 taps that delays by 64 frames and `fraction` (0 to 1) of one."""
    if fraction == 0.0:
        return np.eye(1, 2 * SINC_HALF_FRAMES + 1, SINC_HALF_FRAMES).ravel()
    time = np.arange(-SINC_HALF_FRAMES, SINC_HALF_FRAMES + 1) - fraction
    taps = np.sinc(time) * np.i0(KAISER_BETA * np.sqrt(np.clip(1 - (time / (SINC_HALF_FRAMES + 1)) ** 2, 0, 1)))
    scaled: NDArray[np.float64] = taps / taps.sum()
    return scaled


def residual_db(dry: Path, target: Path, sample_rate: int, gain: float, delay_frames: float) -> float:
    """Level of target minus matched dry, relative to the target, over what both recordings cover."""
    dry_frames = file_length_at(dry, sample_rate)
    source = FileSource(target, sample_rate=sample_rate)
    try:
        assert source.frames is not None
        begin = max(0, math.ceil(delay_frames))
        end = min(source.frames, math.floor(dry_frames + delay_frames))
        left, whole, position = 0.0, 0.0, 0
        for matched in render_matched_chunks(dry, sample_rate, source.frames, gain, delay_frames):
            wanted = source.read(matched.shape[1])[0].astype(np.float64)
            shared = slice(max(0, begin - position), max(0, end - position))
            difference = wanted[shared] - matched[0, : len(wanted)][shared]
            left += float(np.dot(difference, difference))
            whole += float(np.dot(wanted[shared], wanted[shared]))
            position += matched.shape[1]
    finally:
        source.close()
    if whole == 0.0:
        return math.nan
    return 10.0 * math.log10(max(left / whole, 1e-20))


def write_matched(dry: Path, target: Path, record: Path, sample_rate: int, gain: float, delay_frames: float) -> None:
    """Write the dry recording, all its channels, gained and delayed to lie over the target, as long as that."""
    sound, _ = open_sound(dry)
    with sound:
        channels = sound.channels
    recorder = Recorder(record, sample_rate, channels)
    try:
        with recorder:
            for piece in render_matched_chunks(
                dry, sample_rate, file_length_at(target, sample_rate), gain, delay_frames, channels
            ):
                recorder.write(np.ascontiguousarray(piece.T, dtype=np.float32))
    except InputError:
        if record.is_file():  # no half of it is left; a device stays
            record.unlink()
        raise


def file_length_at(path: Path, sample_rate: int) -> int:
    """Length of a file in frames at `sample_rate`. Raises `InputError`."""
    source = FileSource(path, sample_rate=sample_rate)
    source.close()
    assert source.frames is not None
    return source.frames


def read_first_seconds(path: Path, sample_rate: int, seconds: float) -> NDArray[np.float32]:
    """The first `seconds` of a file, its channels mixed to one, ``(frames,)``. Raises `InputError`."""
    source = FileSource(path, sample_rate=sample_rate)
    try:
        samples: NDArray[np.float32] = source.read(round(seconds * sample_rate))[0]
        return samples
    finally:
        source.close()


def file_sample_rate(path: Path) -> int:
    """A file's own sample rate in Hz. Raises `InputError`."""
    source = FileSource(path)
    source.close()
    return source.sample_rate
