"""The newest window of sound as a window shows it: the three signals, and their spectra on few bins."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.engine.ring_buffer import OverrunError, RingBuffer
from rtgain.audio.engine.shared_memory import DRY, MATCHED, TARGET
from rtgain.records.scope import Bins, Scope, Signal

BINS = 400
"""A spectrum is brought to at most so many bins: a plot of it is no wider."""

LOWEST_HZ = 20.0

FLOOR_DB = -200.0
"""Silence, and what float32 cannot tell from it."""


def capture_scope(ring: RingBuffer, window_frames: int, sample_rate: int) -> Scope | None:
    """The scope of the last `window_frames` frames of an audio ring; None before there are so many."""
    start = ring.frames_written - window_frames
    if start < 0:
        return None
    try:
        rows = ring.read(start, window_frames)
    except OverrunError:  # whoever reads this slowly sees the next one
        return None
    signals = rows[[DRY, TARGET, MATCHED]].astype(np.float32)
    first_bins, frequency_hz = _log_bins(window_frames, sample_rate)
    hann = _hann(window_frames)
    magnitude = np.abs(np.fft.rfft(signals * hann)) * np.float32(2.0 / hann.sum())
    peaks = np.maximum.reduceat(magnitude[:, : first_bins[-1]], first_bins[:-1], axis=1)
    levels_db = 20.0 * np.log10(np.maximum(peaks.astype(np.float64), 10.0 ** (FLOOR_DB / 20.0)))
    dry, target, matched = signals
    return Scope(dry, target, matched, frequency_hz, levels_db[DRY], levels_db[TARGET], levels_db[MATCHED])


@cache
def _hann(frames: int) -> Signal:
    hann: Signal = np.hanning(frames + 1)[:-1].astype(np.float32)
    return hann


@cache
def _log_bins(window_frames: int, sample_rate: int) -> tuple[NDArray[np.int64], Bins]:
    """Edges ``(bins + 1,)`` of groups of spectral lines, and the frequency in Hz at the middle of each group.

    The groups are evenly spaced in log frequency where that leaves each at least a line, and single lines below.
    """
    lines = window_frames // 2 + 1
    spacing_hz = sample_rate / window_frames
    lowest = max(1, round(LOWEST_HZ / spacing_hz))
    edges = np.unique(np.round(np.geomspace(lowest, lines, BINS + 1)).astype(np.int64))
    return edges, spacing_hz * np.sqrt(edges[:-1] * (edges[1:] - 1.0))
