"""Offline clock: as fast as possible and deterministic."""

import numpy as np

from rtgain.audio.engine.engine import Engine
from rtgain.audio.io.driver import LoadMeter
from rtgain.audio.sources.source import Source
from rtgain.errors import InputError

_OFFLINE_BLOCK_FRAMES = 4096


class OfflineDriver:
    """Processes in the calling thread as fast as possible, without lost frames and with reproducible bits."""

    description = "offline clock, no device"
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
        """Continue at `frame`. There is no crossfade, because the output is not played."""
        self._source.seek(frame)
        self.position = frame

    def start(self) -> None:
        """Do nothing: the caller processes with `advance`."""

    def advance(self, frames: int) -> int:
        """Process the next `frames` frames. Returns their number, which is smaller only at the end of the source.

        Raises `InputError` if the source cannot be read.
        """
        done = 0
        while done < frames and not self._has_ended:
            wanted = min(self.block, frames - done)
            samples = self._source.read(wanted)
            count = samples.shape[1]
            with self._load:
                channels = self._engine.channels
                target = samples[channels:] if len(samples) > channels else None
                self._engine.process(samples[:channels], target, self._out[:count])
            done += count
            self.position += count
            self._has_ended = count < wanted
            if self._has_ended:
                self._engine.mark_source_ended()
        return done

    def stop(self) -> None:
        """Do nothing: no thread is running."""
