"""The thread that reads the source ahead of the audio, so that no file is ever read by who must not wait."""

import threading

import numpy as np

from rtgain.audio.engine.engine import Engine
from rtgain.audio.sources.source import Source
from rtgain.errors import InputError

_REFILLS_PER_RING = 8
"""The source ring is refilled by this part of its length: eight wake-ups in two seconds, not one a block."""

_SHORTEST_WAIT_S = 0.02
"""Where playing has stopped one frame short of a refill, the thread would not wait at all."""


class Prefetch:
    """Keeps the engine's source ring full from `source`, which it reads from `start` to `stop`.

    One part of the ring stays free for `seek`. A source that fails ends there, as if it had been that long, and
    `error` says why.
    """

    def __init__(self, source: Source, engine: Engine) -> None:
        self.error: InputError | None = None
        self._source = source
        self._engine = engine
        self._chunk_frames = engine.source_capacity // _REFILLS_PER_RING
        self._stopped = False
        self._seek_request_frame: int | None = None
        self._wake = threading.Event()
        self._has_ended = False
        self._origin = 0, 0
        self._thread = threading.Thread(target=self._run, name="prefetch", daemon=True)

    def start(self) -> None:
        """Fill the ring, then keep it full from a thread: whoever plays after this call finds sound there."""
        self._fill()
        self._thread.start()

    def seek(self, frame: int) -> None:
        """Go on at `frame` of the source, as soon as that is read; before the source's end was played."""
        self._seek_request_frame = frame
        self._wake.set()

    @property
    def position(self) -> int:
        """The frame of the source that is played next."""
        if (sought := self._seek_request_frame) is not None:
            return sought
        ring_frame, source_frame = self._origin
        return source_frame + max(0, self._engine.source_read_frame - ring_frame)

    def stop(self) -> None:
        """Read no more. May be called more than once, also before `start`.

        Returns when the thread has ended, or after 5 s: a file on a lost network drive may never answer.
        """
        self._stopped = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def _run(self) -> None:
        while not self._stopped:
            self._wake.wait(self._seconds_until_space())
            self._wake.clear()
            if (frame := self._seek_request_frame) is not None and self._engine.source_space >= self._chunk_frames:
                self._go_to(frame)
            self._fill()

    def _go_to(self, frame: int) -> None:
        try:
            self._source.seek(frame)
        except InputError as error:
            self.error = error
        self._origin = self._write(cut=True), frame
        if self._seek_request_frame == frame:  # else there is a newer wish
            self._seek_request_frame = None

    def _fill(self) -> None:
        while not (self._has_ended or self._stopped) and self._engine.source_space >= 2 * self._chunk_frames:
            self._write()

    def _write(self, *, cut: bool = False) -> int:
        """Bring the next part of the source into the ring; the ring's frame that it begins at."""
        block = np.empty((self._source.channels, 0), np.float32)
        if self.error is None:
            try:
                block = self._source.read(self._chunk_frames)
            except InputError as error:
                self.error = error
        self._has_ended = block.shape[1] < self._chunk_frames
        return self._engine.write_source(block, last=self._has_ended, cut=cut)

    def _seconds_until_space(self) -> float | None:
        """How long playing takes to make room; None where there is nothing more to read."""
        if self._seek_request_frame is not None:  # and the one before it has not been played yet
            return _SHORTEST_WAIT_S
        if self._has_ended:
            return None
        missing = 2 * self._chunk_frames - self._engine.source_space
        return max(_SHORTEST_WAIT_S, missing / self._engine.sample_rate) if missing > 0 else 0.0
