"""The sine that the lessons begin with, and descents on it."""

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from rtgain.dsp.fit import FitHistory, fit
from rtgain.dsp.losses import FeatureLoss, SpectralLoss, WaveformLoss
from rtgain.dsp.processors import LinearGain
from rtgain.lessons.experiments.experiment import AudioClip

Wave = NDArray[np.float64]

RATE = 16_000
GAIN = 0.15
GAIN_DB = 20.0 * np.log10(GAIN)
STEPS = 300
LR = 0.01

PHASE: Wave = np.linspace(0.0, 2.0 * np.pi * 300.0, RATE // 2)
"""300 cycles in half a second: 600 Hz."""

DRY: Wave = np.sin(PHASE)

PLAIN_WAVEFORM = WaveformLoss(normalize=False)
PLAIN_SPECTRAL = SpectralLoss(window=False, normalize=False)
"""The losses of the lesson: means over samples or bins, of the signal as it is."""

PLAYED = 0.5
"""Sines are played at half of full scale; all of a lesson's sounds alike, so that their levels compare."""


def phase_shifted(degrees: float) -> Wave:
    """The target: `DRY` at the gain, turned in phase. Exactly the inverted one at 180°."""
    radians = np.deg2rad(degrees)
    return GAIN * (np.round(np.cos(radians), 12) * np.sin(PHASE) + np.round(np.sin(radians), 12) * np.cos(PHASE))


def descend(
    target: Wave, loss: FeatureLoss, optimizer: str = "SGD", lr: float = LR, steps: int = STEPS, dry: Wave = DRY
) -> FitHistory:
    """The lesson's loop from a gain of one, in double precision."""
    one = torch.ones(1, dtype=torch.float64)
    return fit(LinearGain(gain=one), dry, target, loss=loss, optimizer=optimizer, lr=lr, steps=steps)


def losses_at(gains: Wave, target: Wave, loss: FeatureLoss, dry: Wave = DRY) -> Wave:
    """The loss at each of `gains`, ``(K,)``."""
    wanted = loss.features(torch.from_numpy(target).unsqueeze(0))
    guesses = loss.features(torch.from_numpy(gains[:, np.newaxis] * dry))
    return cast(Wave, loss.distance(guesses, wanted).numpy())


def optimum(target: Wave, loss: FeatureLoss, dry: Wave = DRY) -> float:
    """The gain, not below 0, where the loss is least: the closed form."""
    x, y = (loss.features(torch.from_numpy(signal).unsqueeze(0)) for signal in (dry, target))
    return float(loss.optimum(x, y))


def off_db(gain: Wave) -> Wave:
    """How far from the true gain, in decibels."""
    return 20.0 * np.log10(np.abs(gain) / GAIN)


def played(samples: Wave) -> AudioClip:
    """A sine as a sound, with ends of 5 ms that do not click."""
    fade = np.clip(np.arange(len(samples)) / (0.005 * RATE), 0.0, 1.0)
    return AudioClip(PLAYED * samples * fade * fade[::-1], RATE)
