"""Prefetch thread: reads the source ahead of playback, so that the audio callback never waits for a file."""

import threading
from collections.abc import Callable

import numpy as np

from rtgain.audio.engine.engine import Engine
from rtgain.audio.sources.source import Block, Source
from rtgain.errors import InputError

_REFILLS_PER_RING = 8
"""The source ring is refilled in this many parts: eight wake-ups in two seconds instead of one per block."""

_MIN_WAIT_S = 0.02
"""Minimum wait in seconds. If playback stopped one frame before a refill, the thread would otherwise spin."""


class Prefetch:
    """Keeps the engine's source ring filled from `source`, from `start` to `stop`.

    One part of the ring stays free for `seek`. A read error ends the source at that frame and is stored in `error`.
    """

    def __init__(self, source: Source, engine: Engine) -> None:
        self.error: InputError | None = None
        self._source = source
        self._engine = engine
        self._chunk_frames = engine.source_capacity // _REFILLS_PER_RING
        self._stopped = False
        self._seek_request_frame: int | None = None
        self._replacement: tuple[Source, Callable[[int], int]] | None = None
        self._wake = threading.Event()
        self._has_ended = False
        self._origin = 0, 0  # a frame of the ring, and the frame of the source at it
        self._thread = threading.Thread(target=self._run, name="prefetch", daemon=True)

    def start(self) -> None:
        """Fill the ring, then start the thread that keeps it filled. Playback can start after this call."""
        self._fill()
        self._thread.start()

    def seek(self, frame: int) -> None:
        """Continue at `frame` of the source as soon as it has been read.

        The end of the source must not have been played yet.
        """
        self._seek_request_frame = frame
        self._wake.set()

    def replace(self, source: Source, to_frame: Callable[[int], int]) -> None:
        """Continue with another source, in time: after frame n of the present one with its frame ``to_frame(n)``.

        It has the same rows and sample rate. The present one is closed as soon as the other one has been read.
        """
        if (seek_frame := self._seek_request_frame) is not None:
            self._seek_request_frame = to_frame(seek_frame)
        self._replacement = source, to_frame
        self._wake.set()

    @property
    def is_replacing(self) -> bool:
        """True until the source of the last `replace` is played."""
        return self._replacement is not None or not self._engine.is_flushed

    @property
    def position(self) -> int:
        """Next frame of the source to play."""
        if (seek_frame := self._seek_request_frame) is not None:
            return seek_frame
        replacement, position = self._replacement, self._played_position(self._engine.source_read_frame)
        return position if replacement is None else replacement[1](position)

    def _played_position(self, read_frame: int) -> int:
        """Frame of the source at `read_frame` of the ring."""
        ring_frame, source_frame = self._origin
        return source_frame + max(0, read_frame - ring_frame)

    def stop(self) -> None:
        """Stop reading. May be called more than once, also before `start`.

        Returns when the thread has ended, or after 5 s, because reading from a lost network drive may never return.
        """
        self._stopped = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(5.0)
        if self._replacement is not None:  # the caller closes the source that it gave last
            self._source.close()

    def _run(self) -> None:
        while not self._stopped:
            self._wake.wait(self._seconds_until_space())
            self._wake.clear()
            if self._engine.source_space >= self._chunk_frames and self._engine.is_flushed:
                if self._replacement is not None:
                    self._replace(*self._replacement)
                elif self._seek_request_frame is not None:
                    self._seek(self._seek_request_frame)
            self._fill()

    def _replace(self, source: Source, to_frame: Callable[[int], int]) -> None:
        origin = self._engine.source_read_frame
        frame = to_frame(self._played_position(origin))
        self._source.close()
        self._source = source
        self._seek_source(frame)
        block = self._read_chunk()
        while not self._has_ended and (played := self._engine.source_read_frame - origin) > self._chunk_frames // 2:
            skipped = min(played, block.shape[1])  # the file was slow: catch up with what has been played since then
            block = np.concatenate([block[:, skipped:], self._read_chunk()], axis=1)
            origin, frame = origin + skipped, frame + skipped
        self._origin = self._engine.write_source(block, last=self._has_ended, flush=True, origin=origin), frame
        if self._replacement == (source, to_frame):  # otherwise there is a newer request
            self._replacement = None

    def _seek(self, frame: int) -> None:
        self._seek_source(frame)
        block = self._read_chunk()
        self._origin = self._engine.write_source(block, last=self._has_ended, flush=True), frame
        if self._seek_request_frame == frame:  # otherwise there is a newer request
            self._seek_request_frame = None

    def _seek_source(self, frame: int) -> None:
        try:
            self._source.seek(frame)
        except InputError as error:
            self.error = error

    def _fill(self) -> None:
        while not (self._has_ended or self._stopped) and self._engine.source_space >= 2 * self._chunk_frames:
            block = self._read_chunk()
            self._engine.write_source(block, last=self._has_ended)

    def _read_chunk(self) -> Block:
        """Read the next part of the source."""
        block = np.empty((self._source.channels, 0), np.float32)
        if self.error is None:
            try:
                block = self._source.read(self._chunk_frames)
            except InputError as error:
                self.error = error
        self._has_ended = block.shape[1] < self._chunk_frames
        return block

    def _seconds_until_space(self) -> float | None:
        """Return the playback time in seconds until a part is free; None after the end of the source."""
        is_requested = self._seek_request_frame is not None or self._replacement is not None
        if is_requested or not self._engine.is_flushed:  # the ring has no free part before the flush
            return _MIN_WAIT_S
        if self._has_ended:
            return None
        missing = 2 * self._chunk_frames - self._engine.source_space
        return max(_MIN_WAIT_S, missing / self._engine.sample_rate) if missing > 0 else 0.0
