"""Level meter: peak since the last reading, RMS and momentary loudness of the signals of a session."""

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.engine.audio_ring import AudioSignals
from rtgain.audio.engine.ring_buffer import OverrunError
from rtgain.audio.engine.shared_memory import LOUDNESS_FIELDS, EngineSharedMemory
from rtgain.records.levels import Level

RMS_WINDOW_S = 0.3

METERED_SIGNALS = ("dry", "target", "matched", "difference")
"""Metered signals, in the order of `metered_signals`. The difference is target − matched."""


def metered_signals(signals: AudioSignals) -> NDArray[np.float64]:
    """Compute the signals of `METERED_SIGNALS`, shape (4, frames), from those of the first channel."""
    dry, target, matched = signals.dry[0], signals.target[0], signals.matched[0]
    return np.stack([dry, target, matched, target - matched]).astype(np.float64)


class LevelMeter:
    """Meters the audio ring of a session. The loudness is measured in the estimator process and only read here."""

    def __init__(self, memory: EngineSharedMemory) -> None:
        self._memory = memory
        self._rms_frames = round(RMS_WINDOW_S * memory.control["sample_rate"])
        self._levels = dict.fromkeys(METERED_SIGNALS, Level())
        self._frames_read = 0

    def levels(self) -> dict[str, Level]:
        """Return the levels by signal (`METERED_SIGNALS`); the previous levels if there are no new frames."""
        ring, control = self._memory.audio, self._memory.control
        written = ring.frames_written
        new = written - self._frames_read
        start = max(ring.oldest_frame, written - max(new, self._rms_frames))
        if not new:
            return self._levels
        try:
            samples = metered_signals(ring.read_signals(start, written - start))
        except OverrunError:  # on the offline clock the writer may be too fast
            return self._levels
        self._frames_read = written
        peaks = np.abs(samples[:, -new:]).max(axis=1)
        rms = np.sqrt(np.square(samples[:, -self._rms_frames :]).mean(axis=1))
        with np.errstate(divide="ignore"):
            peaks_dbfs, rms_dbfs = 20.0 * np.log10(peaks), 20.0 * np.log10(rms)
        lufs = [control[field] for field in LOUDNESS_FIELDS]
        numbers = zip(METERED_SIGNALS, peaks_dbfs.tolist(), rms_dbfs.tolist(), lufs, strict=True)
        self._levels = {name: Level(*level) for name, *level in numbers}
        return self._levels
