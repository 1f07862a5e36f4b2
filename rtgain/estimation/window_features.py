"""Features of windows: level, alignment, spectra, noise weights, and the states that need no descent."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.dsp.closed_form import cramer_rao_std_db
from rtgain.dsp.delay_estimation import CrossSpectrum
from rtgain.dsp.loss_registry import get_loss
from rtgain.dsp.losses import FeatureLoss, SpectralLoss
from rtgain.dsp.noise_estimation import NoiseEstimate, estimate_noise, subtract_rician_bias
from rtgain.dsp.response import ResponseAverage
from rtgain.dsp.spectra import (
    Spectra,
    SpectraPair,
    fractional_shift,
    hann_spectra,
    mean_square_of_power,
    temporal_moments,
)
from rtgain.estimation.clipping import clipped_windows
from rtgain.estimation.delay_tracker import Alignment
from rtgain.records.estimate import State
from rtgain.records.response import Response

SILENCE_RMS = 1e-8
"""RMS (−160 dBFS) of either signal below which a window is silent."""

FORGETTING_DB_S = 30.0
"""Decay of the recent peak level in dB per second: faster than rooms, slower than filters (20 Hz: 100 dB/s)."""

PAUSE_POWER_RATIO = 1e3
"""Ratio of recent to present power above which a window without a significant band is a pause, and thus silent."""

MIN_OPTIMUM_GAIN = 1e-6
"""Gain (−120 dB, times the ratio of the levels) that replaces a closed-form gain of zero or below."""

RESPONSE_MEMORY_S = 2.0
"""Time constant of the live response in seconds."""

RESPONSE_BANDS_PER_OCTAVE = 3

TINY = torch.finfo(torch.float32).tiny


@dataclass(frozen=True)
class Windows:
    """Batch of B aligned windows of C channels.

    Attributes:
        dry: ``(B, C, W)``.
        target: ``(B, C, W)``.
        center_frames: ``(B,)``, centers in the dry signal.
        available_frames: ``(B,)``, frame counter at which each window was complete.
        gain_true_db: ``(B,)``, reference gain over each window, NaN if unknown.
    """

    dry: NDArray[np.float32]
    target: NDArray[np.float32]
    center_frames: NDArray[np.float64]
    available_frames: NDArray[np.float64]
    gain_true_db: NDArray[np.float64]


@dataclass(frozen=True)
class LossCurveInput:
    """One window's features and samples, for the loss over gain.

    Shape: features ``(1, K)``; `weights` the same, or None; samples ``(1, C · W)``. Channels are side by side.

    `level_ratio` is the gain of the signals that corresponds to gain 1 of the features: target level over dry level,
    negative if the features of all channels of the target were inverted. `optimum` is the closed-form gain.
    """

    loss_name: str
    loss: FeatureLoss
    dry: Tensor
    target: Tensor
    weights: Tensor | None
    level_ratio: float
    dry_samples: Tensor
    target_samples: Tensor
    optimum: float
    center_frame: float


@dataclass(frozen=True)
class WindowFeatures:
    """Features of B pairs of windows of C channels, each window scaled to level 1.

    The K features of a window are those of all its channels, side by side.

    Attributes:
        loss: loss whose features these are.
        dry: ``(B, K)``.
        target: ``(B, K)``.
        weights: ``(B, K)``, or None for equal weights.
        noise: noise of each window.
        optimum_log: ``(B,)``, closed-form log gain of the features.
        channel_optimum_log: ``(B, C)``, closed-form log gain of each channel's features.
        least_squares_log: ``(B,)``, least-squares log gain of the features.
        bound_db: ``(B,)``, Cramér–Rao bound for white noise as strong as the incoherent part of the target.
        level_ratio_log: ``(B,)``, log of target level over dry level.
        dry_level: ``(B,)``, RMS level of the dry signal.
        lag_hops: ``(B,)``, mean time of the window's sound, from the window's center.
        spread_hops: ``(B,)``, RMS spread of the sound around that time.
    """

    loss: FeatureLoss
    dry: Tensor
    target: Tensor
    weights: Tensor | None
    noise: NoiseEstimate
    optimum_log: Tensor
    channel_optimum_log: Tensor
    least_squares_log: Tensor
    bound_db: Tensor
    level_ratio_log: Tensor
    dry_level: Tensor
    lag_hops: Tensor
    spread_hops: Tensor

    @property
    def least_loss(self) -> Tensor:
        """The loss at the closed-form gain, ``(B,)``, which no gain can reduce."""
        return self.loss.distance_at(self.optimum_log, self.dry, self.target, self.weights)

    def at(self, index: int) -> "WindowFeatures":
        """Select one pair, as a batch of one."""
        one = slice(index, None if index == -1 else index + 1)
        return WindowFeatures(
            self.loss,
            self.dry[one],
            self.target[one],
            None if self.weights is None else self.weights[one],
            self.noise.at(index),
            self.optimum_log[one],
            self.channel_optimum_log[one],
            self.least_squares_log[one],
            self.bound_db[one],
            self.level_ratio_log[one],
            self.dry_level[one],
            self.lag_hops[one],
            self.spread_hops[one],
        )


def find_silent_channels(mean_square: Tensor) -> Tensor:
    """Return True for each channel that is silent in the dry signal or in the target.

    Shape:
        - `mean_square`: ``(2, B, C)``, the dry signal first; output: ``(B, C)``.
    """
    return (mean_square.sqrt() < SILENCE_RMS).any(0)


class FeatureExtractor:
    """Feature extraction in the order of the windows; holds the recent peak level and the newest usable window."""

    def __init__(self) -> None:
        self._recent_peak_db = -math.inf
        self._newest: tuple[str, WindowFeatures, Tensor, Tensor, float] | None = None
        self._response: ResponseAverage | None = None

    def enable_response(self, settings: EstimatorSettings) -> None:
        """Average the response of the target from now on, over the last `RESPONSE_MEMORY_S`. Idempotent."""
        self._response = self._response or ResponseAverage(
            RESPONSE_MEMORY_S * settings.sample_rate / settings.hop_frames
        )

    def response(self, settings: EstimatorSettings) -> Response | None:
        """Response of the target over the dry signal in thirds of an octave; None before any sound, or if disabled."""
        if self._response is None or not self._response.has_windows:
            return None
        return self._response.response(settings.sample_rate, RESPONSE_BANDS_PER_OCTAVE)

    def extract(
        self, windows: Windows, alignment: Alignment, settings: EstimatorSettings, cross: CrossSpectrum | None = None
    ) -> tuple[WindowFeatures, list[State | None]]:
        """Level, align, transform and weight the windows, and classify silent and clipped ones.

        Returns the features, and one state per window: SILENT, CLIPPED, or None for a usable window. The spectra of
        windows that are not silent are added to `cross`. The level is that of all channels together. A channel that is
        silent in one of the signals is muted in both, so that the other channels alone count.
        """
        channels, window_frames = windows.dry.shape[1:]
        dry, target = torch.from_numpy(windows.dry), torch.from_numpy(windows.target)
        dry = fractional_shift(dry, alignment.fractions_frames(channels))
        spectra = hann_spectra(torch.stack([dry, target]))
        mean_square = spectra.mean_square
        silent_channels = find_silent_channels(mean_square)
        silent = silent_channels.all(-1)
        audible = (~silent_channels | silent.unsqueeze(-1)).float()
        level = (mean_square * audible).mean(-1).sqrt().clamp_min(SILENCE_RMS)
        spectra = spectra.scaled(level.reciprocal().unsqueeze(-1) * audible)
        pair, (dry_level, target_level) = SpectraPair(spectra[0], spectra[1]), level
        decay_ratio = self._decay_ratio(dry_level, settings)
        noise = estimate_noise(pair, decay_ratio)
        clipped = torch.zeros_like(silent)
        if settings.reject_clipped:
            clipped_channels = torch.from_numpy(clipped_windows(windows.dry, windows.target, dry.numpy()))
            clipped = (clipped_channels & (audible > 0.0)).any(-1)
        rejected = silent | clipped
        if bool(rejected.any()):
            noise = replace(
                noise,
                std_log=torch.where(rejected, torch.inf, noise.std_log),
                channel_std_log=torch.where(rejected.unsqueeze(-1), torch.inf, noise.channel_std_log),
            )
        uninformative = noise.uninformative
        silent |= uninformative & ~clipped & (decay_ratio > PAUSE_POWER_RATIO)
        if cross is not None:  # weighted by the dry level, which does not depend on the gain
            cross.add(pair, torch.where(silent, 0.0, dry_level))
        if self._response is not None and alignment.is_known and not bool(silent.all()):
            usable = ~silent
            signals = (
                Spectra(signal.bins[usable] * level[usable].view(-1, 1, 1))
                for signal, level in ((pair.dry, dry_level), (pair.target, target_level))
            )
            self._response.add(SpectraPair(*signals))
        loss = get_loss(settings.loss)
        channel_level = (level.unsqueeze(-1) / audible).unsqueeze(-1)
        leveled = dry / channel_level[0]
        if isinstance(loss, SpectralLoss):
            denoised = subtract_rician_bias(pair.target.magnitude.flatten(1), noise.noise_power)
            features = loss.of_magnitude(pair.dry.magnitude.flatten(1)), loss.of_magnitude(denoised)
            weights: Tensor | None = noise.weights
        else:
            target = torch.where(noise.inverted.unsqueeze(-1), -target, target)
            dry_features = loss.features(leveled)
            inverse_noise = noise.weights.view(pair.cross.shape) / pair.dry.magnitude.clamp_min(TINY)
            channel_weights = loss.weights(inverse_noise, dry_features)
            features = dry_features.flatten(1), loss.features(target / channel_level[1]).flatten(1)
            weights = None if channel_weights is None else channel_weights.flatten(1)
        lag, spread = temporal_moments(leveled, pair.dry, noise.weights)
        hop_frames = settings.hop_frames
        optimum_log, channel_optimum_log = (
            gain.clamp_min(MIN_OPTIMUM_GAIN).log() for gain in loss.optima(*features, weights, channels)
        )
        optimum = optimum_log.exp()
        if cross is not None:
            cross.add_gains(optimum, torch.where(uninformative, 0.0, dry_level))
        least_squares_log = loss.least_squares(*features).clamp_min(MIN_OPTIMUM_GAIN).log()
        noise_std = mean_square_of_power(noise.noise_power.view(pair.cross.shape)).mean(-1).sqrt()
        bound_db = cramer_rao_std_db(noise_std, optimum, math.sqrt(channels * window_frames))
        window_features = WindowFeatures(
            loss, *features, weights, noise, optimum_log, channel_optimum_log, least_squares_log, bound_db,
            (target_level / dry_level).log(), dry_level, lag / hop_frames, spread / hop_frames,
        )  # fmt: skip
        gate_states = [
            State.SILENT if is_silent else State.CLIPPED if is_clipped else None
            for is_silent, is_clipped in zip(silent.tolist(), clipped.tolist(), strict=True)
        ]
        if gate_states[-1] is None:
            samples = dry[-1:].flatten(1), torch.from_numpy(windows.target[-1:]).flatten(1)
            self._newest = settings.loss, window_features, *samples, float(windows.center_frames[-1])
        return window_features, gate_states

    @property
    def loss_curve_input(self) -> LossCurveInput | None:
        """The newest window that is neither silent nor clipped, for the loss over gain; None before any."""
        if self._newest is None:
            return None
        loss_name, features, dry, target, center_frame = self._newest
        pair = features.at(-1)
        level_ratio = math.exp(float(pair.level_ratio_log))
        inverted = pair.loss.sees_phase and bool(pair.noise.inverted.all())
        return LossCurveInput(
            loss_name,
            pair.loss,
            pair.dry,
            pair.target,
            pair.weights,
            level_ratio=-level_ratio if inverted else level_ratio,
            dry_samples=dry,
            target_samples=target,
            optimum=level_ratio * math.exp(float(pair.optimum_log)),
            center_frame=center_frame,
        )

    def _decay_ratio(self, dry_level: Tensor, settings: EstimatorSettings) -> Tensor:
        """Compute recent peak power over present power of each window; the peak decays by `FORGETTING_DB_S`."""
        decay_db = FORGETTING_DB_S * settings.hop_frames / settings.sample_rate
        decay_ratio = []
        for level in dry_level.tolist():
            level_db = 20.0 * math.log10(level)
            self._recent_peak_db = max(level_db, self._recent_peak_db - decay_db)
            decay_ratio.append(10.0 ** ((self._recent_peak_db - level_db) / 10.0))
        return torch.tensor(decay_ratio)
