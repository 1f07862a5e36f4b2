"""The beginning of a source, for sessions of a given duration."""

from rtgain.audio.sources.source import Block, Source


class Excerpt:
    """The first `frames` frames of `source`, itself a `Source`. Closing it closes the source."""

    def __init__(self, source: Source, frames: int) -> None:
        self.sample_rate = source.sample_rate
        self.channels = source.channels
        self.frames: int | None = frames if source.frames is None else min(frames, source.frames)
        self._source = source
        self._left = frames

    def read(self, frames: int) -> Block:
        """The next frames, shape (channels, frames); fewer where the excerpt or the source ends."""
        block = self._source.read(min(frames, self._left))
        self._left -= block.shape[1]
        return block

    def seek(self, frame: int) -> None:
        """Continue at `frame`."""
        assert self.frames is not None
        self._source.seek(frame)
        self._left = max(0, self.frames - frame)

    def close(self) -> None:
        """Close the source."""
        self._source.close()
