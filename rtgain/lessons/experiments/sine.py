"""Sine of the first lessons, and gradient descent on it."""

import numpy as np
from numpy.typing import NDArray

from rtgain.dsp.fit import FitHistory, fit
from rtgain.dsp.loss_curve import loss_curve
from rtgain.dsp.losses import FeatureLoss, SpectralLoss, WaveformLoss
from rtgain.dsp.processors import LinearGain
from rtgain.lessons.experiments.experiment import AudioClip
from rtgain.output.animation import Animation
from rtgain.output.descent_plots import descent_animation

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
"""Losses of lessons 1 to 4: means over samples or bins, without window and without normalization."""

CLIP_SCALE = 0.5
"""Linear factor of all clips of sines. It is the same for all, so that their levels can be compared."""


def phase_shifted(degrees: float) -> Wave:
    """Make the target: `DRY` times `GAIN`, shifted in phase. At 180° it is exactly the inverted sine."""
    radians = np.deg2rad(degrees)
    return GAIN * (np.round(np.cos(radians), 12) * np.sin(PHASE) + np.round(np.sin(radians), 12) * np.cos(PHASE))


def descend(
    target: Wave, loss: FeatureLoss, optimizer: str = "SGD", lr: float = LR, steps: int = STEPS, dry: Wave = DRY
) -> FitHistory:
    """Fit a linear gain, starting at one, in double precision."""
    return fit(LinearGain(gain=1.0), dry, target, loss=loss, optimizer=optimizer, lr=lr, steps=steps)


def losses_at(gains: Wave, target: Wave, loss: FeatureLoss) -> Wave:
    """Compute the loss at each of `gains`, ``(K,)``."""
    return loss_curve(LinearGain(gain=1.0), "gain", gains, DRY, target, loss=loss)


def animate(gains: Wave, losses: Wave, path: Wave, target: Wave, *, first_step: int = 0) -> Animation:
    """Animate a descent on the sine, with its loss over `gains`; `path` starts at `first_step`."""
    return descent_animation(
        gains,
        losses,
        {"gain": path},
        DRY,
        target,
        lambda index: path[index] * DRY,
        reference=GAIN,
        first_step=first_step,
    )


def error_db(gain: Wave) -> Wave:
    """Compute the error of a linear gain relative to `GAIN` in dB."""
    return 20.0 * np.log10(np.abs(gain) / GAIN)


def as_clip(samples: Wave) -> AudioClip:
    """Make a clip of a sine, with fades of 5 ms against clicks."""
    fade = np.clip(np.arange(len(samples)) / (0.005 * RATE), 0.0, 1.0)
    return AudioClip(CLIP_SCALE * samples * fade * fade[::-1], RATE)
