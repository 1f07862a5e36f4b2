"""Gradient descent on the log gain of a batch of windows with any of torch's optimizers, in few steps."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rtgain.config.estimator_settings import StepSchedule
from rtgain.dsp.losses import FeatureLoss
from rtgain.dsp.noise_estimation import NoiseEstimate
from rtgain.dsp.optimizers import make_optimizer, step_optimizer, zero_grad
from rtgain.dsp.processors import MAX_LOG_GAIN, MIN_LOG_GAIN, LogGain

TOLERANCE_LOG = 2e-5
"""Step length in nepers (0.0002 dB) below which the descent ends."""

MAX_STEP_LOG = 3.0
"""Limit of a step in nepers (26 dB)."""

TOLERANCE_SHARE = 0.01
"""Step length relative to the noise floor loss below which the descent ends: about a fifth of a window's deviation."""

MAX_TOLERANCE_LOG = 5e-4
"""Limit of that tolerance in nepers (0.004 dB): a result must not depend on the start of the descent."""

NOISE_MARGIN = 1.3
"""Ratio of the loss to the noise floor loss up to which Polyak's step is 0."""

EASY_STEPS = 4
"""Number of Rprop's steps from which the loss at the closed form bounds Polyak's step and the tolerance.

A descent without noise ends before. Behind a filter no gain reduces the loss to the noise floor loss. Measured on pink
noise behind three filters: 10 steps instead of 27. Other optimizers, whose steps also become short by their decaying
learning rate, would end too early.
"""

OPTIONS: dict[str, dict[str, Any]] = {
    "Rprop": {"etas": (0.4, 1.6), "step_sizes": (0.0, MAX_STEP_LOG)},
    "AdamW": {"weight_decay": 0.0},  # weight decay would pull the gain toward 0 dB
}
"""Options of the optimizers other than the learning rate."""

SETTLED_LOG = 0.003
"""Distance to the closed form in nepers (0.026 dB) within which a descent has settled."""

SETTLED_SHARE = 0.15
"""The same distance relative to the noise floor loss, for noisy windows: about a window's deviation."""


class WindowDescent(NamedTuple):
    """Result of one window's descent: log gain in nepers, loss, whether it settled, number of steps."""

    log_gain: float
    loss: float
    settled: bool
    steps: int


@dataclass(frozen=True)
class Descent:
    """Results of a batch of descents.

    Attributes:
        log_gain: ``(B,)``, nepers.
        loss: ``(B,)``, at the start of the last step.
        settled: ``(B,)``, True if the descent converged to within 0.026 dB of the closed form (`SETTLED_LOG`), or to
            within a window's deviation (`SETTLED_SHARE`).
        steps: ``(B,)``, number of steps.
    """

    log_gain: Tensor
    loss: Tensor
    settled: Tensor
    steps: Tensor

    @property
    def windows(self) -> list[WindowDescent]:
        """The result of each window."""
        columns = (self.log_gain.tolist(), self.loss.tolist(), self.settled.tolist(), self.steps.tolist())
        return [WindowDescent(*row) for row in zip(*columns, strict=True)]


def descend(
    loss: FeatureLoss,
    dry: Tensor,
    target: Tensor,
    weights: Tensor | None,
    noise: NoiseEstimate,
    start_log: Tensor,
    optimum_log: Tensor,
    *,
    optimizer: str,
    schedule: StepSchedule,
) -> Descent:
    """Minimize `loss` over the log gain of each window, from `start_log`; `optimum_log` is the closed form.

    `dry` and `target` are the loss's features and `weights` their weights, ``(B, K)``. Two measures prevent limit
    cycles. Every step is limited by the distance that the loss implies (Polyak's step). Every optimizer other than
    Rprop, which shortens its steps by itself, has a learning rate that decays to zero.
    """
    processor = LogGain(log_gain=start_log)
    parameter = processor.log_gain
    floor, noise_step = NOISE_MARGIN * noise.noise_floor_loss, TOLERANCE_SHARE * noise.noise_floor_loss
    tolerance = noise_step.clamp(TOLERANCE_LOG, MAX_TOLERANCE_LOG)
    least_limit = 3.0 * noise_step
    ones = torch.ones_like(start_log)
    is_rprop = optimizer == "Rprop"
    torch_optimizer = make_optimizer(
        optimizer, [parameter], lr=schedule.lr, foreach=False, **OPTIONS.get(optimizer, {})
    )
    losses = torch.zeros_like(start_log)
    moved = torch.full_like(start_log, torch.inf)
    longest = torch.full_like(start_log, MAX_STEP_LOG)
    steps = torch.zeros_like(start_log, dtype=torch.int64)
    for step_index in range(schedule.steps):
        steps += moved > tolerance
        zero_grad(torch_optimizer)
        losses = loss.distance(loss.apply_gain(dry, processor), target, weights)
        torch.autograd.backward(losses, ones)  # the gradient of their sum
        gradient = parameter.grad
        assert gradient is not None
        if is_rprop and step_index == EASY_STEPS:
            least = loss.distance_at(optimum_log, dry, target, weights)
            least = torch.where(least < losses.detach(), least, 0.0)
            floor = torch.maximum(floor, least)
            tolerance = torch.maximum(tolerance, (TOLERANCE_SHARE * least).clamp_max(MAX_TOLERANCE_LOG))
        excess = (losses.detach() - floor).clamp_min(0.0)
        reach = polyak_step(excess, gradient, loss.power)
        limit = torch.maximum(reach, least_limit)
        before = parameter.detach().clone()
        if is_rprop:
            longest = torch.minimum(longest, limit)
            if step_index == 0:
                torch_optimizer.state[parameter] = _rprop_start(longest, gradient)
            torch_optimizer.state[parameter]["step_size"].clamp_(max=longest)
        else:
            torch_optimizer.param_groups[0]["lr"] = schedule.lr * (1.0 - step_index / schedule.steps) ** 2
        step_optimizer(torch_optimizer)
        with torch.no_grad():
            farthest = MAX_STEP_LOG if is_rprop else limit
            parameter.clamp_(before - farthest, before + farthest).clamp_(MIN_LOG_GAIN, MAX_LOG_GAIN)
            step = (parameter - before).abs()
            if not is_rprop:
                # Far below the optimum the slope is small and steps are short, although the descent has not ended.
                step = torch.maximum(step, reach)
            # Rprop pauses for one step after a sign change of the gradient. The descent goes on, but longer steps
            # than the present one are no longer needed.
            sign_changed = (step == 0.0) & (gradient != 0.0)
            moved = torch.where(sign_changed, moved, step)
            if is_rprop:
                longest = torch.where(sign_changed, torch_optimizer.state[parameter]["step_size"], longest)
        if bool((moved <= tolerance).all()):
            break
    log_gain = parameter.detach()
    # Without a closed form, a descent that has ended by its tolerance has settled.
    optimum_log = torch.where(optimum_log.isnan() & (moved <= tolerance), log_gain, optimum_log)
    near = (SETTLED_SHARE * noise.noise_floor_loss).clamp_min(SETTLED_LOG)
    return Descent(log_gain, losses.detach(), (log_gain - optimum_log).abs() <= near, steps)


def descend_stock(
    loss: FeatureLoss,
    dry: Tensor,
    target: Tensor,
    weights: Tensor | None,
    start_log: Tensor,
    optimum_log: Tensor,
    *,
    optimizer: str,
    schedule: StepSchedule,
) -> Descent:
    """Minimize with an unmodified torch optimizer at a fixed learning rate, without `descend`'s safeguards.

    It serves comparisons. All steps of the schedule are taken. Only the range of the gain is limited.
    """
    processor = LogGain(log_gain=start_log)
    parameter = processor.log_gain
    torch_optimizer = make_optimizer(optimizer, [parameter], lr=schedule.lr, foreach=False)
    losses = torch.zeros_like(start_log)
    for _ in range(schedule.steps):
        zero_grad(torch_optimizer)
        losses = loss.distance(loss.apply_gain(dry, processor), target, weights)
        torch.autograd.backward(losses.sum())
        step_optimizer(torch_optimizer)
        with torch.no_grad():
            parameter.clamp_(MIN_LOG_GAIN, MAX_LOG_GAIN)
    log_gain = parameter.detach()
    settled = (log_gain - optimum_log).abs() <= SETTLED_LOG
    return Descent(log_gain, losses.detach(), settled, torch.full_like(start_log, schedule.steps, dtype=torch.int64))


def polyak_step(excess: Tensor, gradient: Tensor, power: float) -> Tensor:
    """Compute the distance in nepers along the slope over which the loss falls by `excess`; at most `MAX_STEP_LOG`.

    It is Polyak's step on the gain, in which L1 losses are piecewise linear, converted to the log gain. Without noise
    it reaches the optimum in one step from any distance.
    """
    fall = excess / torch.where(gradient == 0.0, torch.inf, gradient)
    if power == 0.0:  # features are logarithms; the loss is piecewise linear in the log gain
        return fall.abs().clamp_max(MAX_STEP_LOG)
    ratio = 1.0 - power * fall
    return (ratio.clamp_min(1e-6).log().abs() / power).clamp_max(MAX_STEP_LOG)


def _rprop_start(reach: Tensor, gradient: Tensor) -> dict[str, Tensor]:
    """Return Rprop's state before its first step, with one step size per window."""
    return {"step": torch.zeros(()), "prev": torch.zeros_like(gradient), "step_size": reach.clone()}
