"""Where the dry signal comes from when it is not a device: files, a sine, pink noise."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from rtgain.audio.io.decoder import Decoder, clock_time
from rtgain.audio.sources.source import Block, _BlockwiseSource
from rtgain.errors import InputError

_FILE_BLOCK_FRAMES = 4096


class FileSource(_BlockwiseSource):
    """A sound file, streamed: memory does not grow with its length.

    `channels` = 1 gives the mean of all the file's channels, more give its first ones; `picked` are those to
    give instead, counted from 1, in that order. `sample_rate` in Hz
    resamples where it differs from the file's own (soxr, very high quality); None keeps the file's.
    `loop` repeats the file for ever, without a gap and through one resampler; `loop_frames` is its length once.

    Raises `InputError` for a file that cannot be played (see `Decoder`), one that has not all
    of these channels, and, in `read`, one that turns out to be damaged.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        sample_rate: int | None = None,
        channels: int = 1,
        picked: tuple[int, ...] = (),
        loop: bool = False,
    ) -> None:
        if channels < 1:
            raise ValueError(f"channels is {channels}; a file is played as one or more")
        if channels > 1 and not picked:
            picked = tuple(range(1, channels + 1))
        channels = len(picked) or 1
        self._picked = [channel - 1 for channel in picked]
        self.path = Path(path)
        self._sound = Decoder(self.path)
        self._file_frames = self._sound.frames
        self._loop = loop
        self._file_position = 0
        self._at_end = False
        try:
            self.file_channels = self._sound.channels
            if self.file_channels == 1 and channels > 1:
                raise InputError(
                    f"{self.path}: has one channel, and two are needed (dry left, target right); "
                    "use a stereo file, or --target reference"
                )
            if self.file_channels < max(picked, default=1):
                raise InputError(
                    f"{self.path}: has {self.file_channels} channels, not {max(picked)}; "
                    "choose others with --dry-channel and --target-channel"
                )
            file_rate = self._sound.sample_rate
            ratio = Fraction(sample_rate or file_rate, file_rate)
            frames = math.floor(self._file_frames * ratio + Fraction(1, 2))
            if frames == 0:
                raise InputError(f"{self.path}: is over before one frame at {sample_rate} Hz; use more sound")
            self.loop_frames = frames
            super().__init__(sample_rate or file_rate, channels, None if loop else frames)
            self._ratio = ratio
            self._resampler = None
            if ratio != 1:
                self._resampler = soxr.ResampleStream(
                    file_rate, self.sample_rate, channels, dtype="float32", quality="VHQ"
                )
            # A loop of a few frames is kept: seeking for each turn would be slower than real time.
            self._whole = self._decode(self._file_frames) if loop and self._is_short else None
            self._file_position = 0
        except InputError:
            self.close()
            raise

    def check_finite(self) -> None:
        """Read the whole file once and raise `InputError` with the time of the first NaN or infinity.

        Only floating-point files can hold them; for others this returns at once. The position of
        `read` stays as it is.
        """
        if not self._sound.is_float:
            return
        position = self._file_position
        self._seek_file(0)
        while self._file_position < self._file_frames:
            start = self._file_position
            bad = np.flatnonzero(~np.isfinite(self._decode(_FILE_BLOCK_FRAMES)).all(axis=1))
            if bad.size:
                frame = start + int(bad[0])
                raise InputError(
                    f"{self.path}: holds NaN or infinite samples, the first at "
                    f"{clock_time(frame / self._sound.sample_rate)} (frame {frame}); "
                    "write it anew as 24-bit PCM, or cut that part out"
                )
        self._seek_file(position)

    def close(self) -> None:
        self._sound.close()

    @property
    def _is_short(self) -> bool:
        return self._file_frames <= _FILE_BLOCK_FRAMES

    def _next(self) -> Block:
        while not self._at_end:
            block = self._take_looped() if self._loop else self._decode(_FILE_BLOCK_FRAMES)
            self._at_end = not self._loop and self._file_position >= self._file_frames
            if self._resampler is not None:
                block = self._resampler.resample_chunk(block, last=self._at_end)
            if len(block):
                return block.T
        return np.empty((self.channels, 0), np.float32)

    def _take_looped(self) -> Block:
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
        """Up to `frames` frames from the file's position to its end, mixed: shape (frames, channels)."""
        wanted = min(frames, self._file_frames - self._file_position)
        samples = self._sound.read(wanted).T
        self._file_position += wanted
        if self._picked:
            return samples[:, self._picked]
        if samples.shape[1] == 1:
            return samples
        with np.errstate(invalid="ignore"):  # opposite infinities have no mean: NaN says so
            mean: NDArray[np.float64] = samples.mean(axis=1, dtype=np.float64, keepdims=True)
        return mean.astype(np.float32)

    def _go_to(self, frame: int) -> int:
        # A resampler that starts where input and output frames coincide, some filter lengths early,
        # has forgotten its start when it reaches `frame`.
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
