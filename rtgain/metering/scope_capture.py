"""Capture the newest analysis window for display: three signals and their spectra on logarithmic bins."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.engine.audio_ring import AudioRing
from rtgain.audio.engine.ring_buffer import OverrunError
from rtgain.records.scope import Bins, Scope, Signal

MAX_BINS = 400
"""Maximum number of bins of a spectrum: its plot does not have more pixels."""

LOWEST_HZ = 20.0
"""Lower edge of the first bin."""

FLOOR_DB = -200.0
"""Lowest level in a spectrum: silence and levels below the resolution of float32."""


def capture_scope(ring: AudioRing, window_frames: int, sample_rate: int) -> Scope | None:
    """Return the scope of the last `window_frames` frames of an audio ring, or None if it has fewer frames."""
    start = ring.frames_written - window_frames
    if start < 0:
        return None
    try:
        read = ring.read_signals(start, window_frames)
    except OverrunError:  # the next capture will be read in time
        return None
    signals = np.stack([read.dry, read.target, read.matched])
    first_bins, frequency_hz = _log_bins(window_frames, sample_rate)
    hann = _hann(window_frames)
    magnitude = np.abs(np.fft.rfft(signals * hann)) * np.float32(2.0 / hann.sum())
    peaks = np.maximum.reduceat(magnitude[:, :, : first_bins[-1]], first_bins[:-1], axis=2)
    levels_db = 20.0 * np.log10(np.maximum(peaks.astype(np.float64), 10.0 ** (FLOOR_DB / 20.0)))
    dry, target, matched = signals
    dry_db, target_db, matched_db = levels_db
    return Scope(dry, target, matched, frequency_hz, dry_db, target_db, matched_db)


@cache
def _hann(frames: int) -> Signal:
    hann: Signal = np.hanning(frames + 1)[:-1].astype(np.float32)
    return hann


@cache
def _log_bins(window_frames: int, sample_rate: int) -> tuple[NDArray[np.int64], Bins]:
    """Return the edges, shape (bins + 1,), of groups of spectral lines, and the center frequency of each group in Hz.

    The groups are evenly spaced in log frequency where each contains at least one line, and single lines below.
    """
    lines = window_frames // 2 + 1
    spacing_hz = sample_rate / window_frames
    lowest = max(1, round(LOWEST_HZ / spacing_hz))
    edges = np.unique(np.round(np.geomspace(lowest, lines, MAX_BINS + 1)).astype(np.int64))
    return edges, spacing_hz * np.sqrt(edges[:-1] * (edges[1:] - 1.0))
