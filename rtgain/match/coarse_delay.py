"""How far two recordings are offset against each other, whatever their rates and lengths."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from rtgain.audio.sources.file_source import FileSource
from rtgain.dsp.delay_estimation import CrossSpectrum, gcc_phat_delay
from rtgain.dsp.spectra import SpectraPair, hann_spectra
from rtgain.match.render import read_first_seconds

COARSE_RATE = 8000
"""The whole range of offsets is searched at this rate, in Hz: enough for any voice or beat."""

COARSE_S = 1800
"""Sound from the start of each recording that the search listens to."""

FINE_WINDOWS = 64
"""Windows, the loudest that both recordings share, by which the offset is made exact."""

FEWEST_WINDOWS = 8
"""Fewer tell nothing of coherence: a short piece is cut into shorter windows."""

SHORTEST_WINDOW = 64

MIN_COHERENCE = 0.3
"""An offset at which the dry signal explains this share of the target is right."""


@dataclass(frozen=True)
class Offset:
    """How much later the target is than the dry signal, in frames, and whether that could be told."""

    frames: float
    known: bool


def find_coarse_delay(dry: Path, target: Path, sample_rate: int, window_frames: int) -> Offset:
    """Search all offsets at a low rate, then refine the best at `sample_rate`. Raises `InputError`."""
    low_dry, low_target = (read_first_seconds(path, COARSE_RATE, COARSE_S) for path in (dry, target))
    candidates = [0.0]
    longest = max(len(low_dry), len(low_target))
    equal = [torch.from_numpy(_padded(x, longest)) for x in (low_dry, low_target)]
    reading = gcc_phat_delay(equal[0], equal[1], longest - 1)
    if reading.confident:
        candidates.insert(0, reading.delay_frames)
    for coarse in candidates:
        whole = round(coarse * sample_rate / COARSE_RATE)
        cross = _compare(
            dry, target, sample_rate, window_frames, whole, _loud_moment_s(low_dry, low_target, round(coarse))
        )
        if cross.coherent_fraction > MIN_COHERENCE:
            fine = cross.estimate_delay()
            return Offset(whole + (fine.delay_frames if fine.confident else 0.0), True)
    return Offset(0.0, False)


def _compare(
    dry: Path, target: Path, sample_rate: int, window_frames: int, offset: int, moment_s: float
) -> CrossSpectrum:
    """The cross-spectrum of both at `offset` frames around a moment of the dry signal."""
    wanted = window_frames + (FINE_WINDOWS - 1) * window_frames // 4
    start = max(0, -offset, round(moment_s * sample_rate) - wanted // 2)
    pieces = []
    for path, at in ((dry, start), (target, start + offset)):
        source = FileSource(path, sample_rate=sample_rate)
        try:
            source.seek(at)
            pieces.append(source.read(wanted)[0])
        finally:
            source.close()
    frames = max(min(map(len, pieces)), FEWEST_WINDOWS * SHORTEST_WINDOW)
    window = min(window_frames, power_of_two_within(frames // FEWEST_WINDOWS))
    cut = np.lib.stride_tricks.sliding_window_view
    windows = [cut(_padded(x[:frames], frames), window)[:: window // 4].copy() for x in pieces]
    spectra = [hann_spectra(torch.from_numpy(x)) for x in windows]
    loudest = [float(x.rms.max()) for x in spectra]
    cross = CrossSpectrum()
    if min(loudest) > 0.0:
        pair = SpectraPair(*(x.scaled(torch.tensor(1.0 / level)) for x, level in zip(spectra, loudest, strict=True)))
        cross.add(pair, torch.ones(len(pair.cross)))
    return cross


def power_of_two_within(frames: int) -> int:
    """The largest power of two that is not above `frames`."""
    return 1 << (frames.bit_length() - 1)


def _loud_moment_s(dry: NDArray[np.float32], target: NDArray[np.float32], offset: int) -> float:
    """The moment of the dry signal, in s, around which both are loudest."""
    begin = max(0, -offset)
    end = min(len(dry), len(target) - offset)
    if end <= begin:
        return 0.0
    product = np.abs(dry[begin:end]) * np.abs(target[begin + offset : end + offset])
    span = min(len(product), COARSE_RATE)
    energy = np.cumsum(np.concatenate([[0.0], product.astype(np.float64)]))
    loudest = int(np.argmax(energy[span:] - energy[:-span]))
    return (begin + loudest + span / 2) / COARSE_RATE


def _padded(samples: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    padded = np.zeros(max(frames, len(samples)), np.float32)
    padded[: len(samples)] = samples
    return padded
