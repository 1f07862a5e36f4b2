"""Where the dry signal comes from when it is not a device: files, a sine, pink noise."""

import math
from abc import ABC, abstractmethod
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from rtgain.audio.soundfiles import clock_time, cut_short, open_sound
from rtgain.errors import InputError

Block = NDArray[np.float32]
"""Samples, full scale at 1; shape (channels, frames) where nothing else is said."""

_FILE_BLOCK_FRAMES = 4096
_VORBIS_BLOCK_FRAMES = 8192
"""The longest block of Vorbis (Vorbis I specification, section 4.2.2)."""

_FLOAT_SUBTYPES = ("FLOAT", "DOUBLE")


class Source(Protocol):
    """A stream of samples that does not depend on how it is read: any read sizes give the same bits."""

    sample_rate: int
    channels: int
    frames: int | None
    """Length at `sample_rate`; None for a source without an end."""

    def read(self, frames: int) -> Block:
        """The next `frames` frames, shape (channels, frames); fewer only where the source ends."""

    def seek(self, frame: int) -> None:
        """Continue at `frame` >= 0; behind the end, reads give nothing."""

    def close(self) -> None:
        """Give files back; may be called more than once."""


class _BlockwiseSource(ABC):
    """Cuts reads of any size out of blocks whose size the source itself chooses."""

    def __init__(self, sample_rate: int, channels: int, frames: int | None) -> None:
        self.sample_rate = sample_rate
        self.channels = channels
        self.frames = frames
        self._pending: Block = np.empty((channels, 0), np.float32)

    @abstractmethod
    def _next(self) -> Block:
        """The block after the last one, shape (channels, n); n = 0 at the end and only there."""

    @abstractmethod
    def _go_to(self, frame: int) -> int:
        """Make `_next` continue at or before `frame`; returns how many frames before."""

    def read(self, frames: int) -> Block:
        parts = [self._pending[:, :0]]
        missing = frames
        while missing > 0:
            if self._pending.shape[1] == 0:
                self._pending = self._next()
                if self._pending.shape[1] == 0:
                    break
            parts.append(self._pending[:, :missing])
            self._pending = self._pending[:, missing:]
            missing -= parts[-1].shape[1]
        return np.concatenate(parts, axis=1)

    def seek(self, frame: int) -> None:
        if frame < 0:
            raise ValueError(f"frame {frame} is before the start")
        self._pending = self._pending[:, :0]
        surplus = self._go_to(frame)
        while surplus > 0:
            block = self._next()
            if block.shape[1] == 0:
                return
            self._pending = block[:, surplus:]
            surplus -= min(surplus, block.shape[1])

    # Most sources hold nothing that needs closing.
    def close(self) -> None:  # noqa: B027
        """Give files back; may be called more than once."""


class FileSource(_BlockwiseSource):
    """A sound file, streamed: memory does not grow with its length.

    `channels` = 1 gives the mean of all the file's channels, more give its first ones; `picked` are those to
    give instead, counted from 1, in that order. `sample_rate` in Hz
    resamples where it differs from the file's own (soxr, very high quality); None keeps the file's.
    `loop` repeats the file for ever, without a gap and through one resampler; `turn_frames` is its length once.

    Raises `InputError` for a file that cannot be played (see `open_sound`), one that has not all
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
        self._sound, self._file_frames = open_sound(self.path)
        self._loop = loop
        self._file_position = 0
        self._is_drained = False
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
            file_rate = self._sound.samplerate
            ratio = Fraction(sample_rate or file_rate, file_rate)
            frames = math.floor(self._file_frames * ratio + Fraction(1, 2))
            if frames == 0:
                raise InputError(f"{self.path}: is over before one frame at {sample_rate} Hz; use more sound")
            self.turn_frames = frames
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
        if self._sound.subtype not in _FLOAT_SUBTYPES:
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
                    f"{clock_time(frame / self._sound.samplerate)} (frame {frame}); "
                    "write it anew as 24-bit PCM, or cut that part out"
                )
        self._seek_file(position)

    def close(self) -> None:
        self._sound.close()

    @property
    def _is_short(self) -> bool:
        return self._file_frames <= _FILE_BLOCK_FRAMES

    def _next(self) -> Block:
        while not self._is_drained:
            block = self._take_looped() if self._loop else self._decode(_FILE_BLOCK_FRAMES)
            self._is_drained = not self._loop and self._file_position >= self._file_frames
            if self._resampler is not None:
                block = self._resampler.resample_chunk(block, last=self._is_drained)
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
        rate = self._sound.samplerate
        at = clock_time(self._file_position / rate)
        try:
            samples: Block = self._sound.read(wanted, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, OSError) as error:
            reason = getattr(error, "error_string", str(error)).rstrip(".")
            raise InputError(
                f"{self.path}: cannot be read after {at} ({reason}); the file is damaged, so fetch it again"
            ) from None
        missing = self._file_frames - self._file_position - len(samples)
        if len(samples) < wanted and self._sound.format == "OGG" and missing <= _VORBIS_BLOCK_FRAMES:
            # The pages of some whole streams count a block that no decoder gives: what was cut from their start.
            self._file_frames = self._file_position + len(samples)
            wanted = len(samples)
        if len(samples) < wanted:
            end = clock_time((self._file_position + len(samples)) / rate)
            raise cut_short(self.path, f"it ends at {end} instead of {clock_time(self._file_frames / rate)}")
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
        self._is_drained = not self._loop and self._file_position >= self._file_frames
        if self._resampler is not None:
            self._resampler.clear()
        return frame - start

    def _seek_file(self, frame: int) -> None:
        self._sound.go_to(frame)
        self._file_position = frame


class SyntheticSource(_BlockwiseSource):
    """An endless mono source whose blocks of `block_frames` frames are each computed from their number."""

    def __init__(self, sample_rate: int, block_frames: int) -> None:
        super().__init__(sample_rate, channels=1, frames=None)
        self._block_frames = block_frames
        self._block = 0

    @abstractmethod
    def _render(self, block: int) -> Block:
        """Samples of block number `block`, shape (block_frames,)."""

    def _next(self) -> Block:
        self._block += 1
        return self._render(self._block - 1)[np.newaxis]

    def _go_to(self, frame: int) -> int:
        self._block, surplus = divmod(frame, self._block_frames)
        return surplus


class SineSource(SyntheticSource):
    """A sine of `hz` Hz and peak `amplitude`; its phase comes from the frame number, never from a sum."""

    def __init__(self, sample_rate: int, *, hz: float = 600.0, amplitude: float = 0.5) -> None:
        super().__init__(sample_rate, block_frames=4096)
        self._cycles_per_frame = Fraction(hz) / sample_rate
        self._amplitude = amplitude
        self._cycles = np.arange(self._block_frames) * float(self._cycles_per_frame)

    def _render(self, block: int) -> Block:
        start = float(block * self._block_frames * self._cycles_per_frame % 1)
        samples: NDArray[np.float64] = self._amplitude * np.sin(2 * np.pi * (start + self._cycles))
        return samples.astype(np.float32)


class PinkSource(SyntheticSource):
    """Gaussian pink noise, −3 dB an octave from 10 Hz to half the sample rate, RMS `rms`.

    White noise that is drawn anew for every block goes through a linear-phase FIR filter of more
    than a second (overlap-save), so that any block can be computed from its number and `seed`.
    """

    CORNER_HZ = 10.0
    """Below, the spectrum is flat: power that grew without end would hold nothing but rumble."""

    LONGEST_FILTER = 2**18
    """Frames of the filter: a second up to 262 kHz, and a third of one at the highest rate."""

    def __init__(self, sample_rate: int, *, seed: int = 0, rms: float = 0.1) -> None:
        super().__init__(sample_rate, block_frames=min(2 ** math.ceil(math.log2(sample_rate)), self.LONGEST_FILTER))
        self._seed = seed
        frames = 2 * self._block_frames
        hz = np.fft.rfftfreq(frames, 1 / sample_rate)
        amplitude = 1 / np.sqrt(np.maximum(hz, self.CORNER_HZ))
        amplitude[0] = 0.0
        taps = np.roll(np.fft.irfft(amplitude), self._block_frames // 2)[: self._block_frames]
        taps *= np.hanning(self._block_frames)
        taps *= rms / np.linalg.norm(taps)
        self._response = np.fft.rfft(taps, frames)
        self._last: tuple[int, NDArray[np.float64]] | None = None

    def _render(self, block: int) -> Block:
        before = self._last[1] if self._last and self._last[0] == block - 1 else self._white(block - 1)
        now = self._white(block)
        self._last = block, now
        filtered = np.fft.irfft(np.fft.rfft(np.concatenate([before, now])) * self._response)
        return filtered[self._block_frames :].astype(np.float32)

    def _white(self, block: int) -> NDArray[np.float64]:
        stream = np.random.SeedSequence(self._seed, spawn_key=(block + 1,))
        return np.random.Generator(np.random.PCG64(stream)).standard_normal(self._block_frames)
