"""File source: streamed, resampled and looped sound files."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from rtgain.audio.io.decoded import open_recording
from rtgain.audio.sources.source import Block, BlockwiseSource
from rtgain.config.names import MAX_CHANNELS
from rtgain.errors import InputError
from rtgain.number_format import format_time_ms

_FILE_BLOCK_FRAMES = 4096


class FileSource(BlockwiseSource):
    """Streamed sound file: memory does not grow with the length of the file.

    `channels` = 1 is the mean of all channels of the file; more are its first channels; None selects all of them, at
    most `MAX_CHANNELS`. `channel_map` selects other channels, counted from 1, in that order. The file is resampled
    (soxr, very high quality) if `sample_rate` in Hz differs from its own rate; None selects its own rate. `loop`
    repeats the file endlessly, without a gap and through one resampler; `loop_frames` is the length of one pass.
    `notice` is a line for the user about a file with several audio streams, of which the first is played; otherwise
    None.

    Raises `InputError` for an invalid file (see `Decoder`), if the file has fewer channels, and in `read` if the
    file is damaged.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        sample_rate: int | None = None,
        channels: int | None = 1,
        channel_map: tuple[int, ...] = (),
        loop: bool = False,
    ) -> None:
        if channels is not None and channels < 1:
            raise ValueError(f"channels is {channels}; a file is played as one or more")
        self.path = Path(path)
        self._sound = open_recording(self.path)
        if channels is None:
            channels = min(self._sound.channels, MAX_CHANNELS)
        if channels > 1 and not channel_map:
            channel_map = tuple(range(1, channels + 1))
        channels = len(channel_map) or 1
        self._channel_indices = [channel - 1 for channel in channel_map]
        self._file_frames = self._sound.frames
        self._loop = loop
        self._file_position = 0
        self._at_end = False
        try:
            self.file_channels = self._sound.channels
            self.notice = self._stream_notice()
            if self.file_channels == 1 and channels > 1:
                raise InputError(
                    f"{self.path}: has one channel, but two are needed (dry left, target right); "
                    "use a stereo file, or --target reference"
                )
            if self.file_channels < max(channel_map, default=1):
                raise InputError(
                    f"{self.path}: has {self.file_channels} channels, not {max(channel_map)}; "
                    "choose others with --dry-channel and --target-channel"
                )
            file_rate = self._sound.sample_rate
            ratio = Fraction(sample_rate or file_rate, file_rate)
            frames = math.floor(self._file_frames * ratio + Fraction(1, 2))
            if frames == 0:
                raise InputError(f"{self.path}: is shorter than one frame at {sample_rate} Hz; use a longer file")
            self.loop_frames = frames
            super().__init__(sample_rate or file_rate, channels, None if loop else frames)
            self._ratio = ratio
            self._resampler = None
            if ratio != 1:
                self._resampler = soxr.ResampleStream(
                    file_rate, self.sample_rate, channels, dtype="float32", quality="VHQ"
                )
            # A loop of few frames stays in memory: a seek for each pass would be slower than real time.
            self._whole = self._decode(self._file_frames) if loop and self._is_short else None
            self._file_position = 0
        except InputError:
            self.close()
            raise

    def check_finite(self) -> None:
        """Read the whole file once and raise `InputError` with the time of the first NaN or infinity.

        Only floating-point files can contain them; for others this returns immediately. The position of `read` does
        not change.
        """
        if not self._sound.is_float:
            return
        position = self._file_position
        self._seek_file(0)
        while self._file_position < self._file_frames:
            start = self._file_position
            invalid = np.flatnonzero(~np.isfinite(self._decode(_FILE_BLOCK_FRAMES)).all(axis=1))
            if invalid.size:
                frame = start + int(invalid[0])
                raise InputError(
                    f"{self.path}: contains NaN or infinite samples, the first at "
                    f"{format_time_ms(frame / self._sound.sample_rate)} (frame {frame}); "
                    "re-encode it as 24-bit PCM, or cut that part out"
                )
        self._seek_file(position)

    def close(self) -> None:
        self._sound.close()

    def _stream_notice(self) -> str | None:
        streams = self._sound.audio_streams
        if streams == 1:
            return None
        return f"{self.path}: plays the first of {streams} audio streams ({self._sound.description})"

    @property
    def _is_short(self) -> bool:
        return self._file_frames <= _FILE_BLOCK_FRAMES

    def _next(self) -> Block:
        while not self._at_end:
            block = self._decode_looped() if self._loop else self._decode(_FILE_BLOCK_FRAMES)
            self._at_end = not self._loop and self._file_position >= self._file_frames
            if self._resampler is not None:
                block = self._resampler.resample_chunk(block, last=self._at_end)
            if len(block):
                return block.T
        return np.empty((self.channels, 0), np.float32)

    def _decode_looped(self) -> Block:
        if self._whole is not None:
            indices = np.arange(self._file_position, self._file_position + _FILE_BLOCK_FRAMES)
            self._file_position = int(indices[-1] + 1) % self._file_frames
            return self._whole.take(indices, axis=0, mode="wrap")
        block = self._decode(_FILE_BLOCK_FRAMES)
        if len(block) < _FILE_BLOCK_FRAMES:
            self._seek_file(0)
            block = np.concatenate([block, self._decode(_FILE_BLOCK_FRAMES - len(block))])
        return block

    def _decode(self, frames: int) -> Block:
        """Decode and mix up to `frames` frames from the position of the file, shape (frames, channels)."""
        wanted = min(frames, self._file_frames - self._file_position)
        samples = self._sound.read(wanted).T
        self._file_position += wanted
        if self._channel_indices:
            return samples[:, self._channel_indices]
        if samples.shape[1] == 1:
            return samples
        with np.errstate(invalid="ignore"):  # the mean of opposite infinities is NaN
            mean: NDArray[np.float64] = samples.mean(axis=1, dtype=np.float64, keepdims=True)
        return mean.astype(np.float32)

    def _seek(self, frame: int) -> int:
        # Start the resampler at coinciding input and output frames, several filter lengths early: the start has no
        # effect at `frame`.
        lead_in = 0 if self._ratio == 1 else math.ceil(4096 * max(1.0, float(self._ratio)))
        start = max(0, frame - lead_in) // self._ratio.numerator * self._ratio.numerator
        file_start = int(start / self._ratio)
        self._seek_file(file_start % self._file_frames if self._loop else min(file_start, self._file_frames))
        self._at_end = not self._loop and self._file_position >= self._file_frames
        if self._resampler is not None:
            self._resampler.clear()
        return frame - start

    def _seek_file(self, frame: int) -> None:
        self._sound.seek(frame)
        self._file_position = frame
