"""Signals for the benchmarks: synthetic ones, or the user's recordings."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.sources.demo import DemoSource
from rtgain.audio.sources.file_source import FileSource
from rtgain.audio.sources.synthetic import PinkSource
from rtgain.audio.sources.synthetic_speech import synthetic_speech

SYNTHETIC_S = 20
SYNTHETIC_RATE = 48000


@dataclass(frozen=True)
class BenchSignal:
    """A dry signal: `samples` ``(frames,)`` float32 at `sample_rate` Hz."""

    name: str
    samples: NDArray[np.float32]
    sample_rate: int

    def sound_s(self, time_s: float) -> float:
        """Seconds of sound before `time_s`, in windows of 20 ms that are less than 40 dB below the loudest one."""
        return float(np.count_nonzero(self._has_sound(50)[: round(50 * time_s)])) / 50

    @property
    def is_steady(self) -> bool:
        """True if less than a tenth of the signal is 40 dB or more below its loudest part; False for speech."""
        return bool(np.mean(~self._has_sound(20)) < 0.1)

    def _has_sound(self, windows_per_s: int) -> NDArray[np.bool_]:
        """True for windows that are less than 40 dB below the loudest one."""
        frames = self.sample_rate // windows_per_s
        windows = self.samples[: len(self.samples) // frames * frames].reshape(-1, frames)
        power = np.mean(np.square(windows, dtype=np.float64), axis=1)
        has_sound: NDArray[np.bool_] = power > 1e-4 * power.max()
        return has_sound


def synthetic_signals() -> list[BenchSignal]:
    """Make the demo (music), synthetic speech with pauses, and pink noise, 20 s each."""
    rate, frames = SYNTHETIC_RATE, SYNTHETIC_S * SYNTHETIC_RATE
    return [
        BenchSignal("demo", DemoSource(rate).read(frames)[0].copy(), rate),
        BenchSignal("speech", synthetic_speech(16000, SYNTHETIC_S * 16000), 16000),
        BenchSignal("pink", PinkSource(rate, seed=1).read(frames)[0].copy(), rate),
    ]


def read_recording(path: Path) -> BenchSignal:
    """Read a sound file as a mono mix. Raises `InputError`."""
    source = FileSource(str(path))
    try:
        assert source.frames is not None
        return BenchSignal(path.stem, source.read(source.frames)[0].copy(), source.sample_rate)
    finally:
        source.close()
