"""Level meters: peak and RMS of what the audio ring has got since they were last read, and momentary loudness."""

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.engine.ring_buffer import OverrunError
from rtgain.audio.engine.shared_memory import DRY, LOUDNESS, MATCHED, TARGET, EngineSharedMemory
from rtgain.records.levels import Level

RMS_S = 0.3

METERED_SIGNALS = ("dry", "target", "matched", "difference")
"""What is metered, in the order of `metered_signals`; the difference is target − matched."""


def metered_signals(sound: NDArray[np.float32]) -> NDArray[np.float64]:
    """The signals of `METERED_SIGNALS`, ``(4, frames)``, out of rows of the audio ring, ``(4, frames)``."""
    return np.stack([sound[DRY], sound[TARGET], sound[MATCHED], sound[TARGET] - sound[MATCHED]]).astype(np.float64)


class LevelMeters:
    """Meters on the audio ring of a session. Loudness is the estimator's process's work; it is only read here."""

    def __init__(self, memory: EngineSharedMemory) -> None:
        self._memory = memory
        self._rms_frames = round(RMS_S * memory.control["sample_rate"])
        self._levels = dict.fromkeys(METERED_SIGNALS, Level())
        self._read = 0

    def levels(self) -> dict[str, Level]:
        """The levels by name (`METERED_SIGNALS`); what they were where no frame has come since."""
        ring, control = self._memory.audio, self._memory.control
        written = ring.frames_written
        new = written - self._read
        start = max(ring.oldest_frame, written - max(new, self._rms_frames))
        if not new:
            return self._levels
        try:
            samples = metered_signals(ring.read(start, written - start))
        except OverrunError:  # a writer this fast (the fast clock) leaves no moment to meter
            return self._levels
        self._read = written
        peaks = np.abs(samples[:, -new:]).max(axis=1)
        rms = np.sqrt(np.square(samples[:, -self._rms_frames :]).mean(axis=1))
        with np.errstate(divide="ignore"):
            peaks_dbfs, rms_dbfs = 20.0 * np.log10(peaks), 20.0 * np.log10(rms)
        lufs = [control[field] for field in LOUDNESS]
        numbers = zip(METERED_SIGNALS, peaks_dbfs.tolist(), rms_dbfs.tolist(), lufs, strict=True)
        self._levels = {name: Level(*level) for name, *level in numbers}
        return self._levels
