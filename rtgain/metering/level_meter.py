"""Level meter: peak since the last reading, RMS and loudness of the signals of a session."""

import math

import numpy as np

from rtgain.audio.engine.ring_buffer import OverrunError
from rtgain.audio.engine.shared_memory import LOUDNESS_FIELDS, EngineSharedMemory
from rtgain.records.levels import METERED_SIGNALS, Level, Loudness

RMS_WINDOW_S = 0.3


class LevelMeter:
    """Meters the audio ring of a session. The loudness is measured in the estimator process and only read here."""

    def __init__(self, memory: EngineSharedMemory) -> None:
        self._memory = memory
        self._rms_frames = round(RMS_WINDOW_S * memory.control["sample_rate"])
        unknown = (math.nan,) * memory.channels
        self._levels = dict.fromkeys(METERED_SIGNALS, Level(unknown, unknown))
        self._frames_read = 0

    def levels(self) -> dict[str, Level]:
        """Return the levels by signal (`METERED_SIGNALS`); the previous levels if there are no new frames."""
        ring = self._memory.audio
        written = ring.frames_written
        new = written - self._frames_read
        start = max(ring.oldest_frame, written - max(new, self._rms_frames))
        if not new:
            return self._levels
        try:
            samples = ring.read_signals(start, written - start).metered.astype(np.float64)
        except OverrunError:  # on the offline clock the writer may be too fast
            return self._levels
        self._frames_read = written
        peaks = np.abs(samples[:, :, -new:]).max(axis=2)
        rms = np.sqrt(np.square(samples[:, :, -self._rms_frames :]).mean(axis=2))
        with np.errstate(divide="ignore"):
            peaks_dbfs, rms_dbfs = 20.0 * np.log10(peaks), 20.0 * np.log10(rms)
        self._levels = {
            name: Level(tuple(peak.tolist()), tuple(level.tolist()), self._loudness(name))
            for name, peak, level in zip(METERED_SIGNALS, peaks_dbfs, rms_dbfs, strict=True)
        }
        return self._levels

    def _loudness(self, name: str) -> Loudness:
        return Loudness(*(self._memory.control[field] for field in LOUDNESS_FIELDS[name]))
