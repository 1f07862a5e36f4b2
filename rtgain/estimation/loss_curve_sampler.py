"""Loss against gain on one window, with the estimator's own loss, features and weights."""

import math
import time

import torch
from torch import Tensor

from rtgain.audio.engine.ring_buffer import RingBuffer
from rtgain.config.estimator_settings import name_crc
from rtgain.dsp.loss_registry import get_loss
from rtgain.dsp.losses import FeatureLoss
from rtgain.estimation.estimator import Estimator
from rtgain.records.loss_curves import CURVE_POINTS, LossCurves, gain_grid

PERIOD_S = 0.1
"""Least interval between two sets of curves, in seconds."""

MAX_LOAD = 0.05
"""Largest share of the estimator's time for curves: a slow loss is sampled less often."""

MARGIN = 1.5
"""Least headroom factor of the gain axis above the largest of estimate, closed form and level ratio."""

SHRINK_MARGIN = 1.25
"""Hysteresis factor: additional headroom that a shorter axis must have, so that the axis does not flutter."""


class DiagnosticsPublisher:
    """Writes an estimator's loss curves and response to ring buffers for the GUI, at most ten times per second."""

    def __init__(self, curves: RingBuffer, responses: RingBuffer) -> None:
        self._curves = curves
        self._responses = responses
        self._sampler = LossCurveSampler()
        self._next_s = 0.0

    def publish_if_due(self, estimator: Estimator) -> None:
        """Write the curves of the newest window, and the response, if the interval has passed."""
        begin_s = time.monotonic()
        if begin_s < self._next_s:
            return
        curves = self._sampler.sample(estimator)
        if curves is not None:
            self._curves.write(curves.to_row().reshape(-1, 1))
        response = estimator.response
        if response is not None:
            self._responses.write(response.to_row().reshape(-1, 1))
        now_s = time.monotonic()
        self._next_s = max(begin_s + PERIOD_S, now_s + (now_s - begin_s) / MAX_LOAD)


class LossCurveSampler:
    """Samples loss curves over a grid of gains; holds the range of the grid from one call to the next."""

    def __init__(self) -> None:
        self._largest = 0.0

    def sample(self, estimator: Estimator) -> LossCurves | None:
        """Sample the curves of the newest window that is neither silent nor clipped; None before any."""
        window, gain_est = estimator.extractor.loss_curve_input, estimator.gain
        if window is None:
            return None
        gains_of_interest = (gain_est, window.optimum, window.level_ratio)
        largest_gain = max(abs(gain) for gain in gains_of_interest if math.isfinite(gain))
        self._largest = gain_range(self._largest, largest_gain)
        gain = gain_grid(self._largest)
        gains = torch.tensor([*gain.tolist(), gain_est])
        selected = _loss_relative_to_zero_gain(
            window.loss, window.dry, window.target, window.weights, gains / window.level_ratio
        )
        waveform = _loss_relative_to_zero_gain(
            get_loss("waveform"), window.dry_samples, window.target_samples, None, gains
        )
        if not bool((selected[:CURVE_POINTS].isfinite() & waveform[:CURVE_POINTS].isfinite()).all()):
            return None
        (*loss_curve, loss_est), (*waveform_curve, waveform_est) = selected.tolist(), waveform.tolist()
        return LossCurves(
            gain=gain,
            loss=torch.tensor(loss_curve).double().numpy(),
            waveform=torch.tensor(waveform_curve).double().numpy(),
            gain_est=gain_est,
            loss_est=loss_est,
            waveform_est=waveform_est,
            center_frame=window.center_frame,
            loss_key=name_crc(window.loss_name),
        )


def gain_range(previous: float, largest_gain: float) -> float:
    """Choose the largest gain of the grid from 1, 2, 5, 10 …; `previous` is the present choice."""
    if previous < MARGIN * largest_gain:
        return _next_125_step(MARGIN * largest_gain)
    return min(previous, _next_125_step(SHRINK_MARGIN * MARGIN * largest_gain))


def _next_125_step(gain: float) -> float:
    decade = 10.0 ** math.floor(math.log10(gain))
    return next(decade * step for step in (1.0, 2.0, 5.0, 10.0) if decade * step >= gain)


@torch.no_grad()
def _loss_relative_to_zero_gain(
    loss: FeatureLoss, dry: Tensor, target: Tensor, weights: Tensor | None, gains: Tensor
) -> Tensor:
    """Compute the loss at each of `gains`, ``(G,)``, relative to its value at gain 0; NaN for unknown gains."""
    zero = CURVE_POINTS // 2
    if loss.power == 0.0:  # logarithms: there is no value at 0
        gains = gains.clone()
        gains[zero] = gains[zero + 1]
    magnitude, finite = gains.abs(), gains.isfinite()
    if loss.sees_phase:
        distances = _distances(
            loss, torch.where(gains < 0.0, -1.0, 1.0).unsqueeze(-1) * dry, target, weights, magnitude
        )
    else:  # the loss is independent of polarity: half of the gains are enough
        half = _distances(loss, dry, target, weights, magnitude[zero:])
        distances = torch.cat([half[1 : zero + 1].flip(0), half])
    return torch.where(finite, distances / distances[zero], torch.nan)


def _distances(loss: FeatureLoss, dry: Tensor, target: Tensor, weights: Tensor | None, gains: Tensor) -> Tensor:
    # One target and one set of weights for all gains: whatever depends on them alone is computed once.
    return loss.distance_at(gains.log(), dry, target, weights)
