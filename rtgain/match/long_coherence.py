"""Coherence of a pair in windows of seconds: also the sound of an echo or a room lies within such a window."""

import math

import numpy as np

from rtgain.match.analysis import Real

WINDOW_S = 1.5
"""Length of a window in seconds, before rounding to a power of two of frames."""

MIN_WINDOWS = 6

OVERLAP = 1.2
"""Factor on the chance coherence of Hann windows that overlap by half."""


class LongCoherence:
    """Coherence of chunks of the matched signal and the target, ``(C, frames)`` each, in order and constant memory."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._window = 2 ** round(math.log2(WINDOW_S * sample_rate))
        bins = self._window // 2 + 1
        self._hann = np.hanning(self._window + 1)[:-1].astype(np.float32)
        self._pending = np.zeros((2, channels, 0), np.float32)
        self._cross = np.zeros((channels, bins), np.complex128)
        self._powers = np.zeros((2, channels, bins))
        self._loudness, self._squared_loudness = np.zeros(channels), np.zeros(channels)
        self._windows = 0

    def add(self, matched: Real, target: Real) -> None:
        """Add chunks of equal length."""
        chunk = np.stack([matched, target]).astype(np.float32)
        self._pending = np.concatenate([self._pending, chunk], axis=-1)
        while self._pending.shape[-1] >= self._window:
            # In double precision: the power of an invalid sample of 1e25 is no number in single precision.
            spectra = np.fft.rfft(self._pending[..., : self._window].astype(np.float64) * self._hann)
            self._pending = self._pending[..., self._window // 2 :]
            powers = spectra.real**2 + spectra.imag**2
            self._cross += spectra[0].conj() * spectra[1]
            self._powers += powers
            loudness = np.sqrt(powers[0].sum(axis=-1) * powers[1].sum(axis=-1))
            self._loudness += loudness
            self._squared_loudness += loudness**2
            self._windows += 1

    @property
    def explained(self) -> float:
        """Share of the target's power that the matched signal explains beyond chance; NaN with too few windows."""
        tiny = np.finfo(np.float64).tiny
        dry, target = self._powers
        coherence = np.abs(self._cross) ** 2 / np.maximum(dry * target, tiny)
        chance = np.minimum(OVERLAP * self._squared_loudness / np.maximum(self._loudness**2, tiny), 1.0)[:, None]
        testable = float((target * (1.0 - chance)).sum())
        if self._windows < MIN_WINDOWS or not testable > 0.0:
            return math.nan
        return float((target * (coherence - chance)).sum()) / testable
