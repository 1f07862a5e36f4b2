"""Readers of the matched signal for a recording: from the ring while it plays, or rendered afterwards offline."""

from collections import deque
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.constants import CROSSFADE_S
from rtgain.audio.effects.matched_path import MatchedPath
from rtgain.audio.effects.ramp import RAMP, init_ramp, ramp
from rtgain.audio.engine.audio_ring import AudioRing
from rtgain.audio.engine.ring_buffer import OverrunError
from rtgain.records.estimate import Estimate
from rtgain.records.learned_equalizer import LearnedEqualizer

CHUNK_FRAMES = 65536
"""Most frames copied at once."""

Chunk = NDArray[np.float32]


class MatchedSignalReader(Protocol):
    """Reader of the matched signal in order."""

    def add_estimate(self, estimate: Estimate, trim: float) -> None:
        """Receive the next estimate, and the linear trim of the level match that is valid from then on."""

    def add_equalizer(self, learned: LearnedEqualizer) -> None:
        """Receive the next learned equalizer, before the estimate of the same window."""

    def read(self, until_frame: int) -> list[Chunk]:
        """Return the signal since the last call, up to `until_frame`, in chunks of shape (channels, frames)."""


class LiveMatchedReader:
    """Reader of the matched signal that the callback has written. Overwritten frames become silence.

    The signal in the ring has no trim: `trim`, linear, is valid until the first estimate.
    """

    def __init__(self, ring: AudioRing, sample_rate: int, trim: float) -> None:
        self._ring = ring
        self._next_frame = 0
        self._trim = trim
        self._trim_ramp = np.zeros(1, RAMP)
        init_ramp(self._trim_ramp, CROSSFADE_S, sample_rate)

    def add_estimate(self, estimate: Estimate, trim: float) -> None:
        """Set the trim: the callback applies the estimates itself."""
        self._trim = trim

    def add_equalizer(self, learned: LearnedEqualizer) -> None:
        """Do nothing: the callback applies the filters itself."""

    def read(self, until_frame: int) -> list[Chunk]:
        return [self._trimmed(chunk) for chunk in self._read(until_frame)]

    def _trimmed(self, chunk: Chunk) -> Chunk:
        trims = np.empty(chunk.shape[1])
        ramp(self._trim_ramp[0], self._trim, trims, len(trims))
        return (trims * chunk).astype(np.float32)

    def _read(self, until_frame: int) -> list[Chunk]:
        chunks: list[Chunk] = []
        while self._next_frame < until_frame:
            frames = min(CHUNK_FRAMES, until_frame - self._next_frame)
            try:
                chunks.append(self._ring.read_signals(self._next_frame, frames).matched)
            except OverrunError as overrun:
                frames = min(overrun.oldest_frame, until_frame) - self._next_frame
                chunks.append(np.zeros((self._ring.channels, frames), np.float32))
            self._next_frame += frames
        return chunks


class OfflineMatchedRenderer:
    """Renderer of the matched signal on the offline clock.

    Offline, an estimate arrives after the frames that it applies to. The frames are matched afterwards, each with
    the newest estimate that would have been available when it was played, as in a live session. `trim`, linear, is
    valid until the first estimate.
    """

    def __init__(self, ring: AudioRing, sample_rate: int, trim: float) -> None:
        self._ring = ring
        self._path = MatchedPath(sample_rate, ring.channels)
        self._next_frame = 0
        self._gains: tuple[float, ...] = (trim,) * ring.channels
        self._delays_frames: tuple[float, ...] = (0.0,) * ring.channels
        self._pending: deque[tuple[Estimate, float]] = deque()
        self._sample_rate = sample_rate
        self._pending_equalizers: deque[LearnedEqualizer] = deque()

    def add_estimate(self, estimate: Estimate, trim: float) -> None:
        self._pending.append((estimate, trim))

    def add_equalizer(self, learned: LearnedEqualizer) -> None:
        self._pending_equalizers.append(learned)

    def read(self, until_frame: int) -> list[Chunk]:
        chunks: list[Chunk] = []
        while self._next_frame < until_frame:
            while self._pending and self._pending[0][0].available_frame <= self._next_frame:
                estimate, trim = self._pending.popleft()
                self._gains = tuple(trim * gain for gain in estimate.matched_gains)
                self._delays_frames = estimate.matched_delays_frames
                self._use_equalizer(estimate.available_frame)
            next_change = int(self._pending[0][0].available_frame) if self._pending else until_frame
            frames = min(CHUNK_FRAMES, until_frame - self._next_frame, next_change - self._next_frame)
            dry = self._ring.read_signals(self._next_frame, frames).dry
            chunks.append(self._path.process(dry, gains=self._gains, delays_frames=self._delays_frames))
            self._next_frame += frames
        return chunks

    def _use_equalizer(self, frame: float) -> None:
        """Use the newest equalizer that is available at `frame`."""
        learned = None
        while self._pending_equalizers and self._pending_equalizers[0].available_frame <= frame:
            learned = self._pending_equalizers.popleft()
        if learned is not None:
            self._path.set_equalizer(learned.equalizer.coefficients(self._sample_rate))
