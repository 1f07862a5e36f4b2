"""Overview of a recording: its format, and the outline of its waveform at a fixed number of points."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

OUTLINE_POINTS = 2000
"""Points of an outline: more than a window has pixels."""

READ_FRAMES = 1 << 18


@dataclass(frozen=True)
class Overview:
    """Overview of one recording.

    Attributes:
        path: as the session names it.
        description: format in words, as ``44.1 kHz 24 bit stereo FLAC``.
        duration_s: length in seconds.
        low, high: lowest and highest sample of all channels in each of `OUTLINE_POINTS` equal parts, ``(points,)``.
    """

    path: str
    description: str
    duration_s: float
    low: NDArray[np.float32]
    high: NDArray[np.float32]


def read_overview(path: str, *, cancelled: Callable[[], bool] = lambda: False) -> Overview:
    """Read a recording once. The part that was not read when it was `cancelled` is silent. Raises `InputError`."""
    from rtgain.audio.io.decoder import Decoder  # FFmpeg takes 17 MB, which other sessions do not need

    low = np.zeros(OUTLINE_POINTS, np.float32)
    high = np.zeros(OUTLINE_POINTS, np.float32)
    with Decoder(Path(path)) as decoder:
        while decoder.position < decoder.frames and not cancelled():
            start = decoder.position
            block = decoder.read(READ_FRAMES)
            if not block.shape[1]:
                break
            points = np.arange(start, start + block.shape[1]) * OUTLINE_POINTS // decoder.frames
            firsts = np.flatnonzero(np.diff(points, prepend=-1))
            part = slice(points[firsts[0]], points[firsts[-1]] + 1)
            if len(firsts) < part.stop - part.start:  # fewer frames than points
                low[points[firsts]], high[points[firsts]] = block.min(axis=0)[firsts], block.max(axis=0)[firsts]
                continue
            low[part] = np.minimum(low[part], np.minimum.reduceat(block.min(axis=0), firsts))
            high[part] = np.maximum(high[part], np.maximum.reduceat(block.max(axis=0), firsts))
        return Overview(path, decoder.description, decoder.frames / decoder.sample_rate, low, high)
