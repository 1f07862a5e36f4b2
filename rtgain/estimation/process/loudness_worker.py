"""Loudness measurement of the signals in the audio ring, in a thread of the estimator process."""

import threading

import numpy as np

from rtgain.audio.engine.ring_buffer import OverrunError
from rtgain.audio.engine.shared_memory import LOUDNESS_FIELDS, EngineSharedMemory
from rtgain.metering.loudness import STEPS_PER_S, LoudnessMeter
from rtgain.records.levels import LOUDNESS_NAMES

POLL_S = 0.05
"""Interval in seconds at which the ring is checked."""


class LoudnessWorker:
    """Thread that writes the loudness of the metered signals to the control record, ten times per second.

    It runs in the estimator process, so that its compilation at the first start delays neither the GUI nor the audio.
    `start` compiles before the thread begins: numba's compiler would not let the estimator run next to it.
    """

    def __init__(self, memory: EngineSharedMemory) -> None:
        self._memory = memory
        self._stop = threading.Event()
        self._restart = threading.Event()
        self._memory_in_use = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="loudness", daemon=True)

    def start(self) -> None:
        """Compile the meter, unless this machine has done that before, and start the thread."""
        meter = LoudnessMeter(int(self._memory.control["sample_rate"]), self._memory.channels)
        meter.push(np.zeros((self._memory.channels, 1), np.float32))
        self._thread.start()

    def restart(self) -> None:
        """Discard the loudness so far, and measure again from the next tenth of a second, after all ramps of a gain."""
        self._restart.set()

    def stop(self) -> None:
        """Release the memory; waits at most for the measurement of one step."""
        self._stop.set()
        with self._memory_in_use:
            return

    def _run(self) -> None:
        with self._memory_in_use:
            if self._stop.is_set():
                return
            sample_rate = int(self._memory.control["sample_rate"])
            step_frames = round(sample_rate / STEPS_PER_S)
            meters = self._new_meters(sample_rate)
            next_frame = self._memory.audio.frames_written
        while not self._stop.wait(POLL_S):
            with self._memory_in_use:
                if self._restart.is_set() and not self._stop.is_set():
                    self._restart.clear()
                    meters = self._new_meters(sample_rate)
                    next_frame = self._memory.audio.frames_written + step_frames
                while not self._stop.is_set() and self._memory.audio.frames_written >= next_frame + step_frames:
                    next_frame = self._measure(next_frame, step_frames, meters)

    def _new_meters(self, sample_rate: int) -> list[LoudnessMeter]:
        return [LoudnessMeter(sample_rate, self._memory.channels) for _ in LOUDNESS_FIELDS]

    def _measure(self, start: int, frames: int, meters: list[LoudnessMeter]) -> int:
        """Measure `frames` frames from `start`; return the start of the next step."""
        try:
            signals = self._memory.audio.read_signals(start, frames).metered
        except OverrunError:
            return self._memory.audio.frames_written
        for meter, signal in zip(meters, signals, strict=True):
            meter.push(signal)
        for fields, meter in zip(LOUDNESS_FIELDS.values(), meters, strict=True):  # at once: displays compare signals
            for field, name in zip(fields, LOUDNESS_NAMES, strict=True):
                self._memory.control[field] = getattr(meter, name)
        return start + frames
