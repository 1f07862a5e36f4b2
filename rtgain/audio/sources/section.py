"""Section of a source, played once or in a loop."""

import numpy as np

from rtgain.audio.sources.source import Block, Source

_STORED_LOOP_FRAMES = 1 << 18
"""Longest loop that is read once and stored: a seek for every pass of a short one would be slower than real time."""


class SectionSource:
    """Frames `start_frame` to `end_frame` of `source`, once, or with `loop` endlessly and without a gap.

    Its frame 0 is `start_frame`, and `loop_frames` its length. Closing it closes `source`.

    Raises `ValueError` for a loop of no frames.
    """

    def __init__(self, source: Source, start_frame: int, end_frame: int, *, loop: bool = False) -> None:
        end_frame = end_frame if source.frames is None else min(end_frame, source.frames)
        if end_frame < start_frame or (loop and end_frame == start_frame):
            raise ValueError(f"the section from frame {start_frame} to {end_frame} is empty")
        self.sample_rate = source.sample_rate
        self.channels = source.channels
        self.loop_frames = end_frame - start_frame
        self.frames: int | None = None if loop else self.loop_frames
        self._source = source
        self._start_frame = start_frame
        self._loop = loop
        self._position = 0
        self._stored: Block | None = None
        if start_frame > 0:
            source.seek(start_frame)
        if loop and self.loop_frames <= _STORED_LOOP_FRAMES:
            self._stored = source.read(self.loop_frames)

    def read(self, frames: int) -> Block:
        """Return the next `frames` frames, ``(channels, frames)``; fewer only at the end of a section played once."""
        if self._stored is not None:
            indices = np.arange(self._position, self._position + frames)
            self._position = (self._position + frames) % self.loop_frames
            return self._stored.take(indices, axis=1, mode="wrap")
        parts = [self._read_to_end(frames)]
        missing = frames - parts[0].shape[1]
        while self._loop and missing > 0:
            self.seek(0)
            parts.append(self._read_to_end(missing))
            missing -= parts[-1].shape[1]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def seek(self, frame: int) -> None:
        """Continue at `frame` >= 0 of the section. Reads beyond the end of a section played once return no frames."""
        self._position = frame % self.loop_frames if self._loop else min(frame, self.loop_frames)
        if self._stored is None:
            self._source.seek(self._start_frame + self._position)

    def close(self) -> None:
        """Close the source. May be called more than once."""
        self._source.close()

    def _read_to_end(self, frames: int) -> Block:
        block = self._source.read(min(frames, self.loop_frames - self._position))
        self._position += block.shape[1]
        return block
