"""Measures the loudness of what is in the audio ring, beside the estimator and at its leisure."""

import threading
from typing import TYPE_CHECKING

from rtgain.audio.engine.ring_buffer import OverrunError
from rtgain.audio.engine.shared_memory import LOUDNESS_FIELDS, EngineSharedMemory
from rtgain.metering.level_meter import metered_signals

if TYPE_CHECKING:
    from rtgain.metering.loudness import MomentaryLoudness

WAIT_S = 0.05


class LoudnessWorker:
    """Writes the momentary loudness of what is metered to the control record, ten times a second.

    In the estimator's process, since the library takes two seconds to import: neither the window nor the audio may
    wait for that, and the estimator does not mind.
    """

    def __init__(self, memory: EngineSharedMemory) -> None:
        self._memory = memory
        self._stop = threading.Event()
        self._holds_memory = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="loudness", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let go of the memory. An import under way is not waited for."""
        self._stop.set()
        with self._holds_memory:
            return

    def _run(self) -> None:
        from rtgain.metering.loudness import MomentaryLoudness

        with self._holds_memory:
            if self._stop.is_set():
                return
            meter = MomentaryLoudness(self._memory.control["sample_rate"], len(LOUDNESS_FIELDS))
            taken = self._memory.audio.frames_written
        while not self._stop.wait(WAIT_S):
            with self._holds_memory:
                while not self._stop.is_set() and self._memory.audio.frames_written >= taken + meter.step_frames:
                    taken = self._measure(taken, meter)

    def _measure(self, start: int, meter: "MomentaryLoudness") -> int:
        """Weigh a tenth of a second; where the next one begins."""
        try:
            rows = self._memory.audio.read(start, meter.step_frames)
        except OverrunError:
            return self._memory.audio.frames_written
        for field, lufs in zip(LOUDNESS_FIELDS, meter.add(metered_signals(rows)).tolist(), strict=True):
            self._memory.control[field] = lufs
        return start + meter.step_frames
