"""Offline driver: as fast as possible, deterministic."""

import numpy as np

from rtgain.audio.engine.engine import Engine
from rtgain.audio.io.driver import LoadMeter
from rtgain.audio.sources.source import Source
from rtgain.errors import InputError

_OFFLINE_BLOCK_FRAMES = 4096


class OfflineDriver:
    """As fast as the machine goes, in the calling thread: lossless, and the same bits every time."""

    description = "fast clock, no device"
    lost = False
    error: InputError | None = None

    def __init__(self, engine: Engine, source: Source, block: int = _OFFLINE_BLOCK_FRAMES) -> None:
        self.block = block
        self._engine = engine
        self._source = source
        self._out = np.empty((block, engine.out_channels), np.float32)
        self._load = LoadMeter(block / engine.sample_rate)
        self._has_ended = False
        self.position = 0

    @property
    def load(self) -> float:
        return self._load.share

    def seek(self, frame: int) -> None:
        """The next frame is that one; without a fade, for nobody listens."""
        self._source.seek(frame)
        self.position = frame

    def start(self) -> None:
        """Nothing starts by itself: `advance` does the work."""

    def advance(self, frames: int) -> int:
        """Process the next `frames` frames; returns how many there were, fewer only where the source ends.

        Raises `InputError` where the source cannot be read.
        """
        done = 0
        while done < frames and not self._has_ended:
            wanted = min(self.block, frames - done)
            samples = self._source.read(wanted)
            count = samples.shape[1]
            with self._load:
                self._engine.process(samples[0], samples[1] if len(samples) > 1 else None, self._out[:count])
            done += count
            self.position += count
            self._has_ended = count < wanted
            if self._has_ended:
                self._engine.end()
        return done

    def stop(self) -> None:
        """Nothing is running."""
