"""The thread that reads the source ahead of the audio, so that no file is ever read by who must not wait."""

import threading

import numpy as np

from rtgain.audio.engine import Engine
from rtgain.audio.sources import Source
from rtgain.errors import InputError

_PARTS = 8
"""The source ring is refilled by this part of its length: eight wake-ups in two seconds, not one a block."""

_SHORTEST_WAIT_S = 0.02
"""Where playing has stopped one frame short of a refill, the thread would not wait at all."""


class Prefetch:
    """Keeps the engine's source ring full from `source`, which it reads from `start` to `stop`.

    A source that fails ends there, as if it had been that long, and `error` says why.
    """

    def __init__(self, source: Source, engine: Engine) -> None:
        self.error: InputError | None = None
        self._source = source
        self._engine = engine
        self._chunk_frames = engine.source_capacity // _PARTS
        self._stop = threading.Event()
        self._has_ended = False
        self._thread = threading.Thread(target=self._run, name="prefetch", daemon=True)

    def start(self) -> None:
        """Fill the ring, then keep it full from a thread: whoever plays after this call finds sound there."""
        self._fill()
        self._thread.start()

    def stop(self) -> None:
        """Read no more. May be called more than once, also before `start`.

        Returns when the thread has ended, or after 5 s: a file on a lost network drive may never answer.
        """
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def _run(self) -> None:
        while not self._has_ended and not self._stop.wait(self._seconds_until_space()):
            self._fill()

    def _fill(self) -> None:
        while not self._has_ended and not self._stop.is_set() and self._engine.source_space >= self._chunk_frames:
            try:
                block = self._source.read(self._chunk_frames)
            except InputError as error:
                self.error = error
                block = np.empty((self._source.channels, 0), np.float32)
            self._has_ended = block.shape[1] < self._chunk_frames
            self._engine.write_source(block, last=self._has_ended)

    def _seconds_until_space(self) -> float:
        missing = self._chunk_frames - self._engine.source_space
        return max(_SHORTEST_WAIT_S, missing / self._engine.sample_rate) if missing > 0 else 0.0
