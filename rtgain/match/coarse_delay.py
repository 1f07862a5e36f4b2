"""Coarse delay between two whole recordings of any sample rates and lengths.

A live session searches ±1 s (`rtgain.estimation.delay_tracker`); here the search covers the first half hour.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rtgain.audio.sources.file_source import FileSource
from rtgain.dsp.delay_estimation import CrossSpectrum, gcc_phat_delay
from rtgain.dsp.spectra import SpectraPair, hann_spectra
from rtgain.match.render import read_first_seconds

COARSE_RATE = 8000
"""Sample rate in Hz of the search over all delays: sufficient for any voice or beat."""

COARSE_S = 1800
"""Seconds from the start of each recording that the search reads."""

FINE_WINDOWS = 64
"""Windows, around the loudest common moment, that refine the delay."""

MIN_WINDOWS = 8
"""Least number of windows for a coherence estimate: a short recording is cut into shorter windows."""

MIN_WINDOW_FRAMES = 64

MIN_COHERENCE = 0.3
"""Coherent fraction of the target above which a delay is accepted."""


@dataclass(frozen=True)
class CoarseDelay:
    """Delay of the target relative to the dry signal in frames; 0 if it is not known."""

    frames: float
    is_known: bool


def find_coarse_delay(dry: Path, target: Path, sample_rate: int, window_frames: int) -> CoarseDelay:
    """Search all delays at a low rate, then refine the best at `sample_rate`. Raises `InputError`."""
    low_dry, low_target = (read_first_seconds(path, COARSE_RATE, COARSE_S) for path in (dry, target))
    candidates = [0.0]
    longest_frames = max(len(low_dry), len(low_target))
    equal = [torch.from_numpy(_padded(x, longest_frames)) for x in (low_dry, low_target)]
    estimate = gcc_phat_delay(equal[0][None], equal[1][None], longest_frames - 1)
    if estimate.confident:
        candidates.insert(0, estimate.delay_frames)
    for coarse in candidates:
        offset_frames = round(coarse * sample_rate / COARSE_RATE)
        moment_s = _loud_moment_s(low_dry, low_target, round(coarse))
        cross = _cross_spectrum(dry, target, sample_rate, window_frames, offset_frames, moment_s)
        if cross.coherent_fraction > MIN_COHERENCE:
            fine = cross.estimate_delay()
            return CoarseDelay(offset_frames + (fine.delay_frames if fine.confident else 0.0), True)
    return CoarseDelay(0.0, False)


def _cross_spectrum(
    dry: Path, target: Path, sample_rate: int, window_frames: int, offset_frames: int, moment_s: float
) -> CrossSpectrum:
    """Compute the cross-spectrum at a delay of `offset_frames`, around a moment of the dry signal."""
    excerpt_frames = window_frames + (FINE_WINDOWS - 1) * window_frames // 4
    start = max(0, -offset_frames, round(moment_s * sample_rate) - excerpt_frames // 2)
    excerpts = []
    for path, position in ((dry, start), (target, start + offset_frames)):
        source = FileSource(path, sample_rate=sample_rate)
        try:
            source.seek(position)
            excerpts.append(source.read(excerpt_frames)[0])
        finally:
            source.close()
    frames = max(min(map(len, excerpts)), MIN_WINDOWS * MIN_WINDOW_FRAMES)
    window = min(window_frames, power_of_two_within(frames // MIN_WINDOWS))
    windows = [sliding_window_view(_padded(x[:frames], frames), window)[:: window // 4].copy() for x in excerpts]
    spectra = [hann_spectra(torch.from_numpy(x[:, None])) for x in windows]
    loudest = [float(x.rms.max()) for x in spectra]
    cross = CrossSpectrum()
    if min(loudest) > 0.0:
        pair = SpectraPair(*(x.scaled(torch.tensor(1.0 / level)) for x, level in zip(spectra, loudest, strict=True)))
        cross.add(pair, torch.ones(len(pair.cross)))
    return cross


def power_of_two_within(frames: int) -> int:
    """Largest power of two that is at most `frames`."""
    return 1 << (frames.bit_length() - 1)


def _loud_moment_s(dry: NDArray[np.float32], target: NDArray[np.float32], delay_frames: int) -> float:
    """Find the moment of the dry signal, in s, around which the product of both magnitudes is largest."""
    begin = max(0, -delay_frames)
    end = min(len(dry), len(target) - delay_frames)
    if end <= begin:
        return 0.0
    product = np.abs(dry[begin:end]) * np.abs(target[begin + delay_frames : end + delay_frames])
    span = min(len(product), COARSE_RATE)
    energy = np.cumsum(np.concatenate([[0.0], product.astype(np.float64)]))
    loudest = int(np.argmax(energy[span:] - energy[:-span]))
    return (begin + loudest + span / 2) / COARSE_RATE


def _padded(samples: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    padded = np.zeros(max(frames, len(samples)), np.float32)
    padded[: len(samples)] = samples
    return padded
