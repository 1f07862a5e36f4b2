"""Timer clock: real-time speed without an audio device."""

import threading
import time
from collections.abc import Callable

import numpy as np

from rtgain.audio.engine.engine import Engine
from rtgain.audio.io.driver import LoadMeter
from rtgain.audio.io.prefetch import Prefetch
from rtgain.audio.sources.source import Source
from rtgain.errors import InputError

XRUN_THRESHOLD_S = 0.05
"""Lateness in seconds above which an xrun is counted: the buffer of most sound cards would be empty by then."""

MAX_CATCH_UP_S = 1.0
"""Backlog in seconds up to which late blocks are processed in a burst.

It is half of the source ring, which would be empty after the other half.
"""

_TIMER_BLOCK_FRAMES = 512


class TimerDriver:
    """Processes at the speed of a device, in a thread on an absolute schedule of the monotonic clock.

    On average it is never slower than the clock, because it catches up after late blocks. If the whole program was
    suspended for more than `MAX_CATCH_UP_S`, the driver continues from the present time, like a device.
    """

    description = "timer clock, no device"
    lost = False

    def __init__(self, engine: Engine, source: Source, block: int = _TIMER_BLOCK_FRAMES) -> None:
        self.block = block
        self._engine = engine
        self._prefetch = Prefetch(source, engine)
        self._load = LoadMeter(block / engine.sample_rate)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="timer clock", daemon=True)

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

    def replace_source(self, source: Source, to_frame: Callable[[int], int]) -> None:
        """Continue with another source; see `Prefetch.replace`."""
        self._prefetch.replace(source, to_frame)

    @property
    def is_replacing(self) -> bool:
        """True until the source of the last `replace_source` is played."""
        return self._prefetch.is_replacing

    def start(self) -> None:
        """Start the clock. The first block is processed immediately."""
        self._prefetch.start()
        self._thread.start()

    def stop(self) -> None:
        """Stop immediately, between two blocks."""
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
            if ahead_s < -MAX_CATCH_UP_S:
                start_s -= ahead_s
            with self._load:
                self._engine.process_source(out)
            blocks += 1
