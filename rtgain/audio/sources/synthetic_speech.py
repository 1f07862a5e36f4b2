"""Synthetic speech: syllables and pauses for tests, lessons and benchmarks."""

import numpy as np
from numpy.typing import NDArray

from rtgain.config.api_arguments import checked_count, checked_sample_rate


def synthetic_speech(sample_rate: int, frames: int, *, seed: int = 1) -> NDArray[np.float32]:
    """Synthesize speech-like syllables and pauses: a glottal buzz through three formants.

    Returns shape (frames,), with an RMS of 0.1 (−20 dBFS). The pitch moves within a syllable, the formants between
    syllables. A sound that ends before the first syllable is silent. Raises `InputError`.
    """
    sample_rate = checked_sample_rate("synthetic_speech", sample_rate)
    frames, seed = checked_count("synthetic_speech: frames", frames), checked_count("synthetic_speech: seed", seed)
    rng = np.random.default_rng(seed)
    out = np.zeros(frames)
    start = 0
    while start < frames:
        pause = rng.random() < 0.2
        length = min(frames - start, round(sample_rate * rng.uniform(0.15, 0.7 if pause else 0.3)))
        if not pause:
            out[start : start + length] = _syllable(rng, sample_rate, length)
        start += length
    if out.any():
        out *= 0.1 / np.sqrt(np.mean(out**2))
    return out.astype(np.float32)


def _syllable(rng: np.random.Generator, sample_rate: int, length: int) -> NDArray[np.float64]:
    time_s = np.arange(length) / sample_rate
    rise = np.sin(np.pi * np.arange(length) / length) ** 0.7
    if rng.random() < 0.2:  # a consonant
        noise = rng.standard_normal(length)
        return np.diff(noise, prepend=0.0) * rise * 0.05
    pitch_hz = rng.uniform(90, 180) * 2.0 ** (rng.uniform(-0.3, 0.3) * time_s / max(time_s[-1], 1 / sample_rate))
    phase = 2.0 * np.pi * np.cumsum(pitch_hz) / sample_rate
    voice = np.zeros(length)
    formants_hz = rng.uniform((300, 900, 2200), (800, 2000, 3000))
    for harmonic in range(1, int(0.45 * sample_rate / pitch_hz.max())):
        resonance = np.sum(1.0 / (1.0 + ((harmonic * pitch_hz.mean() - formants_hz) / 100.0) ** 2))
        voice += (0.01 + resonance) / harmonic**0.5 * np.sin(harmonic * phase)
    return voice * rise
