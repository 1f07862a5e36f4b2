"""Signals that the benchmarks measure on: what rtgain makes itself, or the user's own recordings."""

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
class Signal:
    """A dry signal: `samples` ``(frames,)`` float32 at `sample_rate`. Speech, with its pauses, is not `steady`."""

    name: str
    samples: NDArray[np.float32]
    sample_rate: int

    @property
    def steady(self) -> bool:
        """Whether less than a tenth of it is 40 dB and more below the rest."""
        frames = self.sample_rate // 20
        pieces = self.samples[: len(self.samples) // frames * frames].reshape(-1, frames)
        power = np.mean(np.square(pieces, dtype=np.float64), axis=1)
        return bool(np.mean(power < 1e-4 * power.max()) < 0.1)


def built_in() -> list[Signal]:
    """The demo (music), babble with pauses (like speech) and pink noise, twenty seconds each."""
    rate, frames = SYNTHETIC_RATE, SYNTHETIC_S * SYNTHETIC_RATE
    return [
        Signal("demo", DemoSource(rate).read(frames)[0].copy(), rate),
        Signal("babble", synthetic_speech(16000, SYNTHETIC_S * 16000), 16000),
        Signal("pink", PinkSource(rate, seed=1).read(frames)[0].copy(), rate),
    ]


def recording(path: Path) -> Signal:
    """A sound file, its channels mixed to one. Raises `InputError`."""
    source = FileSource(str(path))
    try:
        assert source.frames is not None
        return Signal(path.stem, source.read(source.frames)[0].copy(), source.sample_rate)
    finally:
        source.close()
