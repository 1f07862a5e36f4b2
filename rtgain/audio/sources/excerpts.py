"""Excerpts of a sound file at any position, also before its start and behind its end."""

import numpy as np

from rtgain.audio.sources.file_source import FileSource
from rtgain.audio.sources.source import Block

SKIP_FRAMES = 1 << 18
"""Frames up to which a later position is reached by reading on, not by a seek."""


class ExcerptReader:
    """Reader of a file at any position, with silence outside. Excerpts that overlap or follow each other need no seek.

    It reads the first `channels`; a single channel is repeated. Memory holds the last excerpt only.
    """

    def __init__(self, source: FileSource, channels: int) -> None:
        self._source = source
        self._channels = channels
        self._start = 0
        self._samples: Block = np.zeros((source.channels, 0), np.float32)
        source.seek(0)

    def read(self, start: int, frames: int) -> Block:
        """Return the `frames` frames from `start`, which may be negative; shape ``(channels, frames)``."""
        begin, end = max(0, start), max(0, start + frames)
        buffered_end = self._start + self._samples.shape[1]
        if not self._start <= begin <= buffered_end + SKIP_FRAMES:
            self._source.seek(begin)
            self._start, self._samples = begin, self._samples[:, :0]
        elif begin > buffered_end:
            self._source.read(begin - buffered_end)
            self._start, self._samples = begin, self._samples[:, :0]
        else:
            self._samples = self._samples[:, begin - self._start :]
            self._start = begin
        if (missing := end - begin - self._samples.shape[1]) > 0:
            self._samples = np.concatenate([self._samples, self._source.read(missing)], axis=1)
        found = self._samples[:, : end - begin]
        excerpt = np.zeros((self._channels, frames), np.float32)
        first = begin - start
        excerpt[:, first : first + found.shape[1]] = found if len(found) == 1 else found[: self._channels]
        return excerpt
