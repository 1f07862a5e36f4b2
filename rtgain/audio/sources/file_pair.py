"""Two recordings side by side: the dry one and its target, from files of any format, rate and length."""

import math
from pathlib import Path

import numpy as np

from rtgain.audio.effects.interpolation import SINC_HALF_FRAMES, interpolate
from rtgain.audio.sources.excerpts import ExcerptReader
from rtgain.audio.sources.file_source import FileSource
from rtgain.audio.sources.source import Block
from rtgain.config.names import MAX_CHANNELS
from rtgain.errors import InputError
from rtgain.records.delay_curve import DelayCurve, DelaySegment

NEGLIGIBLE_FRAMES = 0.02
"""Fraction of a frame by which the target may be earlier than the dry recording at the whole-frame offset.

Otherwise it is later: a matched signal can be delayed while it is played, and not be early.
"""

POSITION_DECIMALS = 6
"""Decimal places of a position in frames, so that whole frames are read without an interpolation."""


def compared_channels(dry_channels: int, target_channels: int) -> int:
    """Number of channels that two recordings are compared in: those of the other one if one of them has only one."""
    counts = dry_channels, target_channels
    return max(counts) if 1 in counts else min(counts)


def select_channels(samples: Block, channels: int) -> Block:
    """Select the first `channels` of ``(n, frames)``; a single channel is repeated."""
    return np.repeat(samples, channels, axis=0) if len(samples) == 1 else samples[:channels]


class FilePairSource:
    """Part that two recordings have in common, streamed in constant memory: rows of the dry one, then of the target.

    Both are read at `sample_rate` in Hz, by default the rate of `dry`. The target is later by `offset_frames`, the
    whole frames of `delay_s`, and earlier if that is negative. Frame 0 is frame `start_frame` of the dry recording.
    With a `curve`, the target is read along it (Kaiser-windowed sinc), so that it is aligned everywhere, and
    `offset_frames` is 0. Where sound is missing in the target, both recordings are silent.

    A block has 2C rows. With `channels` = 1, C is 1 and each row is the mean of all channels of its file. Otherwise C
    is the smaller of both files' numbers of channels, at most `channels` and at most `MAX_CHANNELS`; a file of one
    channel is compared with every channel of the other. `notices` are lines for the user: channels that are not
    compared, and further audio streams.

    Raises `InputError` for an invalid file (see `FileSource`), if the recordings have no common part at the offset,
    and in `read` if a file is damaged.
    """

    def __init__(
        self,
        dry: str | Path,
        target: str | Path,
        *,
        sample_rate: int | None = None,
        delay_s: float = 0.0,
        curve: DelayCurve | None = None,
        channels: int | None = None,
    ) -> None:
        opened = 1 if channels == 1 else None
        self._dry = FileSource(dry, sample_rate=sample_rate, channels=opened)
        self.sample_rate = self._dry.sample_rate
        try:
            self._target = FileSource(target, sample_rate=self.sample_rate, channels=opened)
        except BaseException:
            self._dry.close()
            raise
        try:
            self._prepare(delay_s, curve, channels)
        except BaseException:
            self.close()
            raise

    def _prepare(self, delay_s: float, curve: DelayCurve | None, channels: int | None) -> None:
        """Find the common part, and go to its first frame."""
        files = self._dry, self._target
        compared = compared_channels(self._dry.channels, self._target.channels)
        self._compared_channels = min(compared, channels or MAX_CHANNELS)
        self.channels = 2 * self._compared_channels
        self.notices = tuple(file.notice for file in files if file.notice is not None)
        if channels != 1:
            self.notices += self._channel_notices(files) + self._channel_notices(files[::-1])
        assert self._dry.frames is not None
        assert self._target.frames is not None
        self.curve = curve
        if curve is None:
            self.offset_frames = math.floor(delay_s * self.sample_rate + NEGLIGIBLE_FRAMES)
            self.start_frame = max(0, -self.offset_frames)
            self._target_start = self.start_frame + self.offset_frames
            frames = min(self._dry.frames - self.start_frame, self._target.frames - self._target_start)
        else:
            self.offset_frames = 0
            self._excerpts = ExcerptReader(self._target, self._compared_channels)
            parts = [(segment, *self._covered(segment)) for segment in curve.segments]
            self._parts = [(segment, begin, end) for segment, begin, end in parts if begin < end]
            self.start_frame = min((begin for _, begin, _ in self._parts), default=0)
            frames = max((end for *_, end in self._parts), default=0) - self.start_frame
        if frames <= 0:
            raise InputError(
                f"{self._target.path}: has no part in common with {self._dry.path} when it is {abs(delay_s):.3f} s "
                f"{'earlier' if delay_s < 0 else 'later'}; choose recordings of one performance"
            )
        self.frames: int | None = frames
        self._remaining_frames = frames
        self.seek(0)

    def check_finite(self) -> None:
        """Raise `InputError` for NaN or infinity in either file, as `FileSource.check_finite` does."""
        self._dry.check_finite()
        self._target.check_finite()

    def read(self, frames: int) -> Block:
        """Return the next `frames` frames, ``(2C, frames)``; fewer only at the end of the common part."""
        count = min(frames, self._remaining_frames)
        assert self.frames is not None
        start = self.start_frame + self.frames - self._remaining_frames
        self._remaining_frames -= count
        if self.curve is not None:
            return self._read_along(start, count)
        return np.concatenate(
            [select_channels(file.read(count), self._compared_channels) for file in (self._dry, self._target)]
        )

    def seek(self, frame: int) -> None:
        """Continue at `frame` >= 0 of the common part. Reads beyond its end return no frames."""
        if frame < 0:
            raise ValueError(f"frame {frame} is before the start")
        assert self.frames is not None
        frame = min(frame, self.frames)
        self._dry.seek(self.start_frame + frame)
        if self.curve is None:
            self._target.seek(self._target_start + frame)
        self._remaining_frames = self.frames - frame

    def _covered(self, segment: DelaySegment) -> tuple[int, int]:
        """First frame of the dry recording that a segment covers in both, and the one behind the last."""
        rate = self.sample_rate
        assert self._dry.frames is not None
        assert self._target.frames is not None
        edges_s = segment.dry_times_s(np.array([0.0, self._target.frames / rate])).tolist()
        begin, end = (max(segment.begin_s, edges_s[0]) * rate, min(segment.end_s, edges_s[1]) * rate)
        begin, end = (round(min(max(edge, 0.0), self._dry.frames), POSITION_DECIMALS) for edge in (begin, end))
        return math.ceil(begin), math.ceil(end)

    def _read_along(self, start: int, frames: int) -> Block:
        """Read frames of the dry recording, and the target along the curve."""
        channels = self._compared_channels
        block = np.zeros((2 * channels, frames), np.float32)
        dry = select_channels(self._dry.read(frames), channels)
        for segment, first, last in self._parts:
            begin, end = max(first, start), min(last, start + frames)
            if begin >= end:
                continue
            part = slice(begin - start, end - start)
            block[:channels, part] = dry[:, part]
            position_s = float(segment.target_times_s(np.array([begin / self.sample_rate]))[0])
            position = round(position_s * self.sample_rate, POSITION_DECIMALS)
            step = 1.0 + 1e-6 * segment.drift_ppm
            origin = math.floor(position) - SINC_HALF_FRAMES
            count = math.ceil((end - begin) * step) + 2 * SINC_HALF_FRAMES + 2
            samples = self._excerpts.read(origin, count)
            block[channels:, part] = interpolate(samples, position - origin, step, end - begin)
        return block

    def close(self) -> None:
        """Close both files. May be called more than once."""
        self._dry.close()
        self._target.close()

    def _channel_notices(self, files: tuple[FileSource, FileSource]) -> tuple[str, ...]:
        """Lines about the first of both files, if its channels are not compared one with one."""
        file, other = files
        compared = self._compared_channels
        if file.channels == 1 < compared:
            each = f"each of the {compared} channels of {other.path}"
            return (f"{file.path}: has one channel; it is compared with {each}",)
        if file.file_channels > compared:
            return (f"{file.path}: has {file.file_channels} channels, of which the first {compared} are compared",)
        return ()
