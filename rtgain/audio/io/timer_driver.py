"""Timer driver: real-time speed without an audio device."""

import threading
import time

import numpy as np

from rtgain.audio.engine.engine import Engine
from rtgain.audio.io.driver import LoadMeter
from rtgain.audio.io.prefetch import Prefetch
from rtgain.audio.sources.source import Source
from rtgain.errors import InputError

XRUN_THRESHOLD_S = 0.05
"""The real-time clock counts an xrun when it is this late: most sound cards would have run dry."""

STOPPED_S = 1.0
"""Half of what the source ring holds: who makes up for more plays silence."""
_TIMER_BLOCK_FRAMES = 512


class TimerDriver:
    """The speed of a device without a device: a thread on an absolute schedule of the monotonic clock.

    It is never slower than the clock on average: blocks that are late are made up for. Only when it was stopped
    for `STOPPED_S` or longer, with all of the program, does it go on from there, as a device would.
    """

    description = "real-time clock, no device"
    lost = False

    def __init__(self, engine: Engine, source: Source, block: int = _TIMER_BLOCK_FRAMES) -> None:
        self.block = block
        self._engine = engine
        self._prefetch = Prefetch(source, engine)
        self._load = LoadMeter(block / engine.sample_rate)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="real-time clock", daemon=True)

    @property
    def load(self) -> float:
        return self._load.share

    @property
    def error(self) -> InputError | None:
        return self._prefetch.error

    @property
    def position(self) -> int:
        return self._prefetch.position

    def seek(self, frame: int) -> None:
        self._prefetch.seek(frame)

    def start(self) -> None:
        """Start the clock. Its first block is processed at once."""
        self._prefetch.start()
        self._thread.start()

    def stop(self) -> None:
        """Stop at once, between two blocks."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._prefetch.stop()

    def _run(self) -> None:
        out = np.empty((self.block, self._engine.out_channels), np.float32)
        control = self._engine.memory.control
        start_s = time.monotonic()
        blocks = 0
        is_late = False
        while True:
            ahead_s = start_s + blocks * self.block / self._engine.sample_rate - time.monotonic()
            if self._stop.wait(max(0.0, ahead_s)):
                return
            if ahead_s < -XRUN_THRESHOLD_S and not is_late:
                control["xruns"] += 1
            is_late = ahead_s < -XRUN_THRESHOLD_S
            if ahead_s < -STOPPED_S:
                start_s -= ahead_s
            with self._load:
                self._engine.process_source(out)
            blocks += 1
