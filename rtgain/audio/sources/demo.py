"""Built-in demo: a synthesized loop of four bars, so that rtgain has music without any setup.

Electric piano, bass and a small drum kit at 96 beats per minute, ten seconds per pass: D minor, G, C, F to A.
The last beat is silent, so that every pass also shows the estimate during silence.

In stereo, the electric piano moves from side to side, the hi-hats are on the right, and bass, kick and snare are in the
middle. The left channel is the mono demo plus a side signal, the right channel the mono demo minus that signal.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.sources.source import Block
from rtgain.audio.sources.synthetic import SyntheticSource
from rtgain.config.api_arguments import checked_count, checked_sample_rate

Wave = NDArray[np.float64]
"""Mono samples, shape (frames,), at `_RATE`."""

LOOP_S = 10
"""Duration of one pass. An integer, so that a pass is a whole number of frames at every sample rate."""

_RATE = 48_000
_BEAT_S = 60 / 96
_BEATS = 16
_RMS = 10 ** (-18 / 20)

# (beat, MIDI note, duration in beats); 29 is F1, 43.7 Hz.
_BASS = (
    (0.0, 38, 0.9), (1.5, 38, 0.4), (2.0, 45, 0.4), (2.5, 36, 0.4), (3.0, 38, 0.4), (3.5, 41, 0.4),
    (4.0, 31, 0.9), (5.5, 31, 0.4), (6.0, 38, 0.4), (6.5, 41, 0.4), (7.0, 31, 0.4), (7.5, 35, 0.4),
    (8.0, 36, 0.9), (9.5, 36, 0.4), (10.0, 43, 0.4), (10.5, 33, 0.4), (11.0, 31, 0.4), (11.5, 31, 0.4),
    (12.0, 29, 1.4), (13.5, 33, 0.4), (14.0, 33, 0.9),
)  # fmt: skip

# (beat, duration in beats, MIDI notes): Dm9, G13, Cmaj9, Fmaj7, A7.
_CHORDS = (
    (0.0, 2.3, (53, 57, 60, 64)), (2.5, 1.3, (53, 57, 60, 64)),
    (4.0, 2.3, (53, 57, 59, 64)), (6.5, 1.3, (53, 55, 59, 64)),
    (8.0, 2.3, (52, 55, 59, 62)), (10.5, 1.3, (52, 55, 59, 62)),
    (12.0, 1.3, (53, 57, 60, 64)), (13.5, 1.3, (52, 55, 57, 61)),
)  # fmt: skip

_KICKS = (0, 1.75, 2.5, 4, 5.75, 6.5, 8, 9.75, 10.5, 12, 13.75)
_SNARES = (1, 3, 5, 7, 9, 11, 13, 14.5)
_OPEN_HATS = (3.5, 11.5)
_LAST_HAT_BEAT = 14.5

_PIANO_SIDE = 0.9
"""Side signal of the electric piano, at the ends of its movement, as a share of its sound."""

_PIANO_PAN_S = 2.0
"""Period in seconds of the electric piano's movement; the loop is a whole number of periods."""

_HAT_SIDE = -0.6
"""Side signal of the hi-hats as a share of their sound; negative is right."""


class DemoSource(SyntheticSource):
    """Endless demo loop in mono or stereo. Its spectrum up to 24 kHz is the same at every sample rate.

    The mono demo has an RMS of −18 dBFS. The mean of both stereo channels is the mono demo. Raises `ValueError` for
    more than two channels.
    """

    def __init__(self, sample_rate: int, channels: int = 1) -> None:
        if channels not in (1, 2):
            raise ValueError(f"the demo has one or two channels, not {channels}")
        super().__init__(sample_rate, channels, block_frames=LOOP_S * sample_rate)
        mono, side = _mix()
        middle = _resampled_loop(mono, self._block_frames)
        if channels == 1:
            self._loop = middle[np.newaxis]
        else:
            wide = _resampled_loop(side, self._block_frames)
            self._loop = np.stack([middle + wide, middle - wide])

    def _render(self, block: int) -> Block:
        return self._loop


def demo_music(sample_rate: int, frames: int) -> NDArray[np.float32]:
    """Make the start of the demo loop, mono, ``(frames,)``; it repeats after ten seconds. Raises `InputError`."""
    sample_rate = checked_sample_rate("demo_music", sample_rate)
    frames = checked_count("demo_music: frames", frames)
    samples: NDArray[np.float32] = DemoSource(sample_rate).read(frames)[0].copy()
    return samples


def _mix() -> tuple[Wave, Wave]:
    """Mix the mono demo and the side signal of the stereo demo."""
    rng = np.random.default_rng(96)
    loop = np.zeros(LOOP_S * _RATE)
    for beat, beats, notes in _CHORDS:
        for strum, note in enumerate(notes):
            _mix_in(loop, beat + 0.02 * strum, 0.16 * _electric_piano(note, beats * _BEAT_S))
    side = _PIANO_SIDE * np.sin(2 * np.pi / _PIANO_PAN_S * _seconds(LOOP_S)) * loop
    for beat, note, beats in _BASS:
        _mix_in(loop, beat, 0.26 * _bass(note, beats * _BEAT_S))
    kick, snare = _kick(), _snare(rng)
    for beat in _KICKS:
        _mix_in(loop, beat, 0.60 * kick)
    for beat in _SNARES:
        _mix_in(loop, beat, 0.60 * snare)
    for eighth in range(int(2 * _LAST_HAT_BEAT) + 1):
        is_open = eighth / 2 in _OPEN_HATS
        accent = 0.17 if eighth % 2 else 0.11
        hat = accent * _hat(rng, 0.12 if is_open else 0.03)
        _mix_in(loop, eighth / 2, hat)
        _mix_in(side, eighth / 2, _HAT_SIDE * hat)
    loop = np.tanh(loop)
    level = _RMS / np.sqrt(np.mean(loop**2))
    return level * loop, level * side


def _mix_in(loop: Wave, beat: float, sound: Wave) -> None:
    """Add `sound` at `beat`. The part beyond the end of the loop continues at its start."""
    start = round(beat * _BEAT_S * _RATE)
    loop[np.arange(start, start + len(sound)) % len(loop)] += sound


def _resampled_loop(loop: Wave, frames: int) -> Block:
    """Resample a periodic signal by truncating or padding its spectrum, which is exact and has no seam.

    Each of the ten interleaved subsets of frames is a transform of its own: a single transform of all frames takes a
    gigabyte of memory if the rate is a prime.
    """
    spectrum = np.fft.rfft(loop) / len(loop)
    # Drop the bin at half the new rate: only bins below it have a conjugate counterpart.
    spectrum = spectrum[: min(len(spectrum), frames // 2 + 1) - 1]
    spectrum[1:] *= 2.0
    bins = np.arange(len(spectrum))
    resampled = np.empty(frames, np.float32)
    subset_frames = frames // LOOP_S
    for first in range(LOOP_S):
        shifted = spectrum * np.exp(2j * np.pi * (bins * first % frames) / frames)
        folded = np.zeros(subset_frames, complex)
        for start in range(0, len(shifted), subset_frames):
            folded[: len(shifted[start : start + subset_frames])] += shifted[start : start + subset_frames]
        resampled[first::LOOP_S] = np.fft.ifft(folded, norm="forward").real
    return resampled


def _seconds(seconds: float) -> Wave:
    return np.arange(int(seconds * _RATE)) / _RATE


def _hertz(note: int) -> float:
    return float(440.0 * 2 ** ((note - 69) / 12))


def _envelope(time_s: Wave, duration_s: float, attack_s: float, release_s: float) -> Wave:
    """Compute an envelope that rises within `attack_s` and, from `duration_s` on, falls within `release_s`."""
    rise = np.clip(time_s / attack_s, 0, 1)
    fall = np.clip((duration_s + release_s - time_s) / release_s, 0, 1)
    return np.square(np.sin(0.5 * np.pi * rise)) * np.square(np.sin(0.5 * np.pi * fall))


def _harmonics(hz: float, amplitudes: Iterable[float], time_s: Wave) -> Wave:
    tone = np.zeros_like(time_s)
    for harmonic, amplitude in enumerate(amplitudes, start=1):
        tone += amplitude * np.sin(2 * np.pi * harmonic * hz * time_s)
    return tone


def _bass(note: int, duration_s: float) -> Wave:
    time_s = _seconds(duration_s + 0.06)
    round_tone = _harmonics(_hertz(note), (1.0, 0.35, 0.12, 0.05), time_s)
    pluck = _harmonics(_hertz(note), (0.0, 0.2, 0.25, 0.2, 0.15, 0.1), time_s) * np.exp(-time_s / 0.05)
    return (round_tone * np.exp(-time_s / 0.9) + pluck) * _envelope(time_s, duration_s, 0.004, 0.06)


def _electric_piano(note: int, duration_s: float) -> Wave:
    """Synthesize a frequency-modulated sine and the decaying partial of a tine."""
    time_s = _seconds(duration_s + 0.25)
    hz = _hertz(note)
    bark = 0.5 + 2.0 * np.exp(-time_s / 0.25)
    body = np.sin(2 * np.pi * hz * time_s + bark * np.sin(2 * np.pi * hz * time_s))
    tine = 0.12 * np.exp(-time_s / 0.2) * np.sin(2 * np.pi * 7 * hz * time_s)
    tremolo = 1 + 0.12 * np.sin(2 * np.pi * 4.8 * time_s)
    return (body * np.exp(-time_s / 1.4) + tine) * tremolo * _envelope(time_s, duration_s, 0.006, 0.25)


def _kick() -> Wave:
    time_s = _seconds(0.32)
    # The pitch falls from 160 to 46 Hz; its integral is the phase.
    cycles = 46 * time_s + (160 - 46) * 0.035 * (1 - np.exp(-time_s / 0.035))
    click = 0.25 * np.exp(-time_s / 0.002) * np.sin(2 * np.pi * 1800 * time_s)
    return (np.sin(2 * np.pi * cycles) * np.exp(-time_s / 0.11) + click) * _envelope(time_s, 0.26, 0.001, 0.06)


def _snare(rng: np.random.Generator) -> Wave:
    time_s = _seconds(0.24)
    shell = np.sin(2 * np.pi * 186 * time_s) * np.exp(-time_s / 0.06)
    wires = _band(rng.standard_normal(len(time_s)), 600, 5000) * np.exp(-time_s / 0.07)
    return (0.6 * shell + 0.8 * wires) * _envelope(time_s, 0.18, 0.001, 0.06)


def _hat(rng: np.random.Generator, decay_s: float) -> Wave:
    time_s = _seconds(5 * decay_s)
    metal = _band(rng.standard_normal(len(time_s)), 6500, 14000)
    return metal * np.exp(-time_s / decay_s) * _envelope(time_s, 4 * decay_s, 0.0005, decay_s)


def _band(noise: Wave, low_hz: float, high_hz: float) -> Wave:
    """Filter `noise` to the band between two corner frequencies, with 12 dB per octave below and above."""
    hz = np.fft.rfftfreq(len(noise), 1 / _RATE)
    response = hz**2 / (low_hz**2 + hz**2) * high_hz**2 / (high_hz**2 + hz**2)
    return np.fft.irfft(np.fft.rfft(noise) * response, len(noise))
