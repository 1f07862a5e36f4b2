"""Recordings to match: written by the tests, of the demo that rtgain synthesizes."""

from pathlib import Path

import numpy as np
import soundfile

from rtgain.audio.sources.demo import DemoSource

RATE = 44100


def demo(seconds: float, sample_rate: int = RATE) -> np.ndarray:
    """The demo, (frames,) float32."""
    return DemoSource(sample_rate).read(round(seconds * sample_rate))[0].copy()


def write(path: Path, samples: np.ndarray, sample_rate: int = RATE) -> Path:
    """Write (frames,) or (frames, channels) as 32-bit floats."""
    soundfile.write(path, samples, sample_rate, subtype="FLOAT")
    return path
