"""Delay and coherence of two excerpts that are aligned to a few frames."""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rtgain.audio.sources.source import Block
from rtgain.dsp.delay_constants import FLAT_DELAY_BAND, MAX_SNR, MIN_PEAK_TO_RMS, MIN_POWER_SHARE
from rtgain.estimation.offset.correlation import correlation_envelope, taper

MIN_CHECK_WINDOWS = 8
"""Least number of windows for a coherence estimate: a short recording is cut into shorter windows."""

MIN_CHECK_WINDOW = 64

NEAR_PEAK = 0.98
"""Share of the largest correlation from which another one nearer to the middle is preferred: a tone has many."""

AUDIBLE = 1e-6
"""Power relative to the strongest bin from which a bin counts: below it are the side lobes of a tone."""

TONE_BINS = 5
"""Spread in bins of a single tone: its audible part of a Hann window's lobes."""


class CrossSpectra:
    """Welch's averaged spectra of two signals, ``(channels, frames)`` each, with the same start.

    The estimator measures with torch (`rtgain.dsp.delay_estimation.CrossSpectrum`), which this process does not load.
    `coherent_fraction` is that of the channel with the largest: others may have a delay of their own.
    """

    def __init__(self, dry: Block, target: Block, window: int) -> None:
        frames = max(dry.shape[1], MIN_CHECK_WINDOWS * MIN_CHECK_WINDOW)
        window = min(window, 1 << ((frames // MIN_CHECK_WINDOWS).bit_length() - 1))
        x, y = (_spectra(signal, frames, window) for signal in (dry, target))
        tiny = np.finfo(np.float64).tiny
        powers = [bins.real**2 + bins.imag**2 for bins in (x, y)]
        loudness = np.sqrt(powers[0].sum(axis=2) * powers[1].sum(axis=2))
        independent = loudness.sum(axis=1) ** 2 / np.maximum((loudness**2).sum(axis=1), tiny) / 2.0
        chance = np.minimum(1.0 / np.maximum(independent, 1.0), 1.0)[:, None]
        self._cross = (x.conj() * y).mean(axis=1)
        dry_power, target_power = (power.mean(axis=1) for power in powers)
        coherence = np.abs(self._cross) ** 2 / np.maximum(dry_power * target_power, tiny)
        testable = (target_power * (1.0 - chance)).sum(axis=1)
        explained = (target_power * (coherence - chance)).sum(axis=1)
        counts = (testable > 0.0) & (testable >= MIN_POWER_SHARE * testable.max())
        self.coherent_fraction = float((explained[counts] / testable[counts]).max(initial=0.0))
        reliable = np.clip((coherence - chance) / np.maximum(1.0 - chance, 1e-6), 0.0, 1.0 - 1.0 / MAX_SNR)
        audible = (dry_power > AUDIBLE * dry_power.max()) & (target_power > AUDIBLE * target_power.max())
        self._weights = np.where(audible, reliable / (1.0 - reliable), 0.0)
        self._weights[:, round(FLAT_DELAY_BAND * self._weights.shape[1]) :] = 0.0
        self._omega = 2.0 * np.pi * np.arange(self._weights.shape[1]) / window

    @property
    def is_broadband(self) -> bool:
        """True if the coherent sound has enough bins for a single clear peak, or a quarter of a short window's."""
        least = min(MIN_PEAK_TO_RMS, math.sqrt(FLAT_DELAY_BAND * self._weights.shape[1]) / 2.0)
        return float(self._weights.sum()) > least * float(np.sqrt((self._weights**2).sum()))

    @property
    def is_tone(self) -> bool:
        """True if the coherent sound lies within a few neighboring bins."""
        total = float(self._weights.sum())
        if not total > 0.0:
            return False
        mean = float((self._weights * self._omega).sum()) / total
        spread = math.sqrt(float((self._weights * (self._omega - mean) ** 2).sum()) / total)
        return spread < TONE_BINS * float(self._omega[1])

    @property
    def delay_frames(self) -> float:
        """Remaining delay within ± 1 frame: slope of the phase over frequency, whatever each channel's constant phase.

        Weighted least squares, as in `rtgain.dsp.delay_estimation`. The slope of a single tone means nothing. Its delay
        is that at which most of it cancels, within half a period.
        """
        if self.is_tone:
            loudest = int(self._weights.sum(axis=1).argmax())
            weights = self._weights[loudest]
            phase = float(np.angle((weights * np.exp(1j * np.angle(self._cross[loudest]))).sum()))
            return -phase * float(weights.sum() / (weights * self._omega).sum())
        weights, omega = self._weights, self._omega
        spread = omega - (weights * omega).sum(axis=1, keepdims=True) / np.maximum(
            weights.sum(axis=1, keepdims=True), 1e-30
        )
        total = float((weights * spread**2).sum())
        delay = 0.0
        if total <= 1e-12 * float(weights.sum()):
            return delay
        unit = weights * np.exp(1j * np.angle(self._cross))
        for _ in range(3):
            compensated = unit * np.exp(1j * omega * delay)
            error = np.angle(compensated * compensated.sum(axis=1, keepdims=True).conj())
            delay -= float((weights * spread * error).sum()) / total
        return delay if abs(delay) <= 1.0 else 0.0


def lag_of_peak(dry: Block, target: Block, reach: int, whitening: float) -> int:
    """Lag of `dry` in `target`, 0 to 2 · `reach` frames: the highest peak, of many the one nearest to `reach`."""
    size = 1 << target.shape[1].bit_length()
    tapers = (taper(signal.shape[1]) if whitening > 0.0 else 1.0 for signal in (dry, target))
    x, y = (np.fft.rfft(signal * taper, size) for signal, taper in zip((dry, target), tapers, strict=True))
    envelope = correlation_envelope(x.conj() * y, size, whitening)[: 2 * reach + 1]
    peaks = np.flatnonzero(envelope >= NEAR_PEAK * envelope.max())
    lag = int(peaks[np.abs(peaks - reach).argmin()])
    while 0 < lag < 2 * reach:  # to the top of this peak
        step = lag - 1 if envelope[lag - 1] > envelope[lag + 1] else lag + 1
        if envelope[step] <= envelope[lag]:
            break
        lag = step
    return lag


def _spectra(signal: Block, frames: int, window: int) -> NDArray[np.complex128]:
    """Hann spectra of windows a quarter apart, ``(channels, windows, bins)``; the lowest two bins are 0."""
    padded = np.zeros((len(signal), frames))
    padded[:, : signal.shape[1]] = signal
    windows = sliding_window_view(padded, window, axis=1)[:, :: window // 4]
    bins: NDArray[np.complex128] = np.fft.rfft(windows * np.hanning(window + 1)[:-1])
    bins[..., :2] = 0.0
    return bins
