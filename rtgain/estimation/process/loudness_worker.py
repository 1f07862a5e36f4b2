"""Loudness measurement of the signals in the audio ring, in a thread of the estimator process."""

import threading
from typing import TYPE_CHECKING

from rtgain.audio.engine.ring_buffer import OverrunError
from rtgain.audio.engine.shared_memory import LOUDNESS_FIELDS, EngineSharedMemory
from rtgain.metering.level_meter import metered_signals

if TYPE_CHECKING:
    from rtgain.metering.loudness import MomentaryLoudness

POLL_S = 0.05
"""Interval in seconds at which the ring is checked."""


class LoudnessWorker:
    """Thread that writes the momentary loudness of the metered signals to the control record, ten times per second.

    It runs in the estimator process because the library takes two seconds to import. Neither the GUI nor the audio may
    wait for that, and the estimator is not delayed.
    """

    def __init__(self, memory: EngineSharedMemory) -> None:
        self._memory = memory
        self._stop = threading.Event()
        self._memory_in_use = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="loudness", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Release the memory; does not wait for a running import."""
        self._stop.set()
        with self._memory_in_use:
            return

    def _run(self) -> None:
        from rtgain.metering.loudness import MomentaryLoudness

        with self._memory_in_use:
            if self._stop.is_set():
                return
            meter = MomentaryLoudness(self._memory.control["sample_rate"], len(LOUDNESS_FIELDS))
            next_frame = self._memory.audio.frames_written
        while not self._stop.wait(POLL_S):
            with self._memory_in_use:
                while not self._stop.is_set() and self._memory.audio.frames_written >= next_frame + meter.step_frames:
                    next_frame = self._measure(next_frame, meter)

    def _measure(self, start: int, meter: "MomentaryLoudness") -> int:
        """Measure a tenth of a second from `start`; return the start of the next one."""
        try:
            rows = self._memory.audio.read(start, meter.step_frames)
        except OverrunError:
            return self._memory.audio.frames_written
        for field, lufs in zip(LOUDNESS_FIELDS, meter.add(metered_signals(rows)).tolist(), strict=True):
            self._memory.control[field] = lufs
        return start + meter.step_frames
