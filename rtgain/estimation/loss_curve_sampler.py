"""Draws loss against gain on one window, with the very losses, features and weights that the estimator descends on."""

import math
import time

import torch
from torch import Tensor

from rtgain.audio.engine.shared_memory import EngineSharedMemory
from rtgain.config.estimator_settings import name_crc
from rtgain.dsp.loss_registry import get_loss
from rtgain.dsp.losses import FeatureLoss
from rtgain.dsp.processors import LogGain
from rtgain.estimation.estimator import Estimator
from rtgain.records.loss_curves import GAINS, LossCurves, gain_grid

PERIOD_S = 0.1

MOST_LOAD = 0.05
"""The most of the estimator's time that drawing may take: a slow loss is drawn less often."""

MARGIN = 1.5
"""The gains reach at least this far beyond what there is to see."""

SLACK = 1.25
"""They draw in again only when a shorter range would do with this to spare, so that an axis never flutters."""


class LossCurvePublisher:
    """Draws the curves of an estimator into the ring that the window reads, ten times a second and not more."""

    def __init__(self, memory: EngineSharedMemory) -> None:
        self._ring = memory.curves
        self._landscape = LossCurveSampler()
        self._next_s = 0.0

    def paint(self, estimator: Estimator) -> None:
        """Draw the newest window, if that is due."""
        begin_s = time.monotonic()
        if begin_s < self._next_s:
            return
        curves = self._landscape.draw(estimator)
        if curves is not None:
            self._ring.write(curves.to_row().reshape(-1, 1))
        now_s = time.monotonic()
        self._next_s = max(begin_s + PERIOD_S, now_s + (now_s - begin_s) / MOST_LOAD)


class LossCurveSampler:
    """Keeps the range of gains from one drawing to the next."""

    def __init__(self) -> None:
        self._largest = 0.0

    def draw(self, estimator: Estimator) -> LossCurves | None:
        """The curves of the newest window that is neither silent nor clipped; None before there is one."""
        ground, gain_est = estimator.ground, estimator.gain
        if ground is None:
            return None
        seen = [abs(gain) for gain in (gain_est, ground.optimum, ground.likely) if math.isfinite(gain)]
        self._largest = gain_range(self._largest, max(seen))
        gain = gain_grid(self._largest)
        asked = torch.tensor([*gain.tolist(), gain_est])
        used = _loss_relative_to_zero_gain(ground.loss, ground.dry, ground.target, ground.weights, asked / ground.level)
        waveform = _loss_relative_to_zero_gain(
            get_loss("waveform"), ground.dry_samples, ground.target_samples, None, asked
        )
        if not bool((used[:GAINS].isfinite() & waveform[:GAINS].isfinite()).all()):
            return None
        (*loss, loss_est), (*wave, waveform_est) = used.tolist(), waveform.tolist()
        return LossCurves(
            gain, torch.tensor(loss).double().numpy(), torch.tensor(wave).double().numpy(),
            gain_est, loss_est, waveform_est, ground.center_frame, name_crc(ground.loss_name),
        )  # fmt: skip


def gain_range(before: float, most: float) -> float:
    """How far the gains of a curve reach, on the ladder 1, 2, 5, 10 …; `before` is how far they did."""
    if before < MARGIN * most:
        return _next_125_step(MARGIN * most)
    return min(before, _next_125_step(SLACK * MARGIN * most))


def _next_125_step(gain: float) -> float:
    decade = 10.0 ** math.floor(math.log10(gain))
    return next(decade * step for step in (1.0, 2.0, 5.0, 10.0) if decade * step >= gain)


@torch.no_grad()
def _loss_relative_to_zero_gain(
    loss: FeatureLoss, dry: Tensor, target: Tensor, weights: Tensor | None, gains: Tensor
) -> Tensor:
    """The loss at each of `gains`, ``(G,)``, over its value at 0; gains that are not known give NaN."""
    zero = GAINS // 2
    if loss.power == 0.0:  # logarithms: there is no value at 0
        gains = gains.clone()
        gains[zero] = gains[zero + 1]
    size, known = gains.abs(), gains.isfinite()
    if loss.sees_phase:
        distances = _at(loss, torch.where(gains < 0.0, -1.0, 1.0).unsqueeze(-1) * dry, target, weights, size)
    else:  # a polarity makes no difference: half is enough
        half = _at(loss, dry, target, weights, size[zero:])
        distances = torch.cat([half[1 : zero + 1].flip(0), half])
    return torch.where(known, distances / distances[zero], torch.nan)


def _at(loss: FeatureLoss, dry: Tensor, target: Tensor, weights: Tensor | None, gains: Tensor) -> Tensor:
    # One target and one set of weights for all gains: what depends on them alone is computed once.
    return loss.distance(loss.apply_gain(dry, LogGain(log_gain=gains.log())), target, weights)
