"""Gradient descent on the log gain of a batch of windows, by any of torch's optimizers, as few steps as it takes."""

from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from rtgain.config.estimator_settings import StepSchedule
from rtgain.dsp.losses import FeatureLoss
from rtgain.dsp.noise_estimation import NoiseEstimate
from rtgain.dsp.optimizers import make_optimizer, step_optimizer, zero_grad
from rtgain.dsp.processors import MAX_LOG_GAIN, MIN_LOG_GAIN, LogGain

TOLERANCE_LOG = 2e-5
"""Steps shorter than this (0.0002 dB) end the descent."""

MAX_STEP_LOG = 3.0
"""No step changes the gain by more than this (26 dB)."""

TOLERANCE_SHARE = 0.01
"""So do steps shorter than this share of the loss that noise leaves: about a fifth of a reading's deviation."""

MAX_TOLERANCE_LOG = 5e-4
"""But never longer ones (0.004 dB): a result must not show where the descent began."""

NOISE_MARGIN = 1.3
"""A loss this many times what noise is expected to leave is no reason for a long step yet."""

OPTIONS: dict[str, dict[str, Any]] = {
    "Rprop": {"etas": (0.4, 1.6), "step_sizes": (0.0, MAX_STEP_LOG)},
    "AdamW": {"weight_decay": 0.0},  # it would draw the gain to 0 dB
}
"""What optimizers are given besides their rate."""

SETTLED_LOG = 0.003
"""A descent that ends this near to the closed form (0.026 dB) has settled for all that a user can tell …"""

SETTLED_SHARE = 0.15
"""… and in noise one that ends within this share of the loss that noise leaves: about a reading's deviation."""


@dataclass(frozen=True)
class Descent:
    """Where a batch of descents ended.

    Attributes:
        log_gain: ``(B,)``, nepers.
        loss: ``(B,)``, at the start of the last step.
        settled: ``(B,)``, whether it came to the closed-form optimum, within what a user can tell.
        steps: ``(B,)``, how many steps it took.
    """

    log_gain: Tensor
    loss: Tensor
    settled: Tensor
    steps: Tensor

    def at(self, index: int) -> "Descent":
        """One window's descent, as a batch of its own."""
        return Descent(*(getattr(self, field.name)[index : index + 1] for field in fields(self)))


def descend(
    loss: FeatureLoss,
    dry: Tensor,
    target: Tensor,
    weights: Tensor | None,
    evidence: NoiseEstimate,
    start_log: Tensor,
    optimum_log: Tensor,
    *,
    optimizer: str,
    rate: StepSchedule,
) -> Descent:
    """Move the log gain of each window from `start_log` to where `loss` is least; `optimum_log` is the closed form.

    `dry` and `target` are the loss's features, `weights` what each counts, ``(B, K)``. No optimizer steps farther
    than the loss says the way is, and all but Rprop, which shortens its steps by itself, are given a rate that falls
    to nothing: so that none ends in a limit cycle.
    """
    processor = LogGain(log_gain=start_log)
    parameter = processor.log_gain
    noise_step = TOLERANCE_SHARE * evidence.noise_floor_loss
    tolerance = noise_step.clamp(TOLERANCE_LOG, MAX_TOLERANCE_LOG)
    rprop = optimizer == "Rprop"
    stepper = make_optimizer(optimizer, [parameter], lr=rate.lr, foreach=False, **OPTIONS.get(optimizer, {}))
    values = torch.zeros_like(start_log)
    moved = torch.full_like(start_log, torch.inf)
    longest = torch.full_like(start_log, MAX_STEP_LOG)
    steps = torch.zeros_like(start_log, dtype=torch.int64)
    for taken in range(rate.steps):
        steps += moved > tolerance
        zero_grad(stepper)
        values = loss.distance(loss.apply_gain(dry, processor), target, weights)
        torch.autograd.backward(values.sum())
        gradient = parameter.grad
        assert gradient is not None
        excess = (values.detach() - NOISE_MARGIN * evidence.noise_floor_loss).clamp_min(0.0)
        reach = polyak_step(excess, gradient, loss.power)
        limit = torch.maximum(reach, 3.0 * noise_step)
        before = parameter.detach().clone()
        if rprop:
            longest = torch.minimum(longest, limit)
            if taken == 0:
                stepper.state[parameter] = _rprop_start(longest, gradient)
            stepper.state[parameter]["step_size"].clamp_(max=longest)
        else:
            stepper.param_groups[0]["lr"] = rate.lr * (1.0 - taken / rate.steps) ** 2
        step_optimizer(stepper)
        with torch.no_grad():
            farthest = MAX_STEP_LOG if rprop else limit
            parameter.clamp_(before - farthest, before + farthest).clamp_(MIN_LOG_GAIN, MAX_LOG_GAIN)
            step = (parameter - before).abs()
            if not rprop:
                # Far below the optimum there is hardly a slope, and a step along it is short: that is no rest.
                step = torch.maximum(step, reach)
            # Rprop stands still for one step where the slope turned: that is no end, but no step need grow again.
            turned = (step == 0.0) & (gradient != 0.0)
            moved = torch.where(turned, moved, step)
            if rprop:
                longest = torch.where(turned, stepper.state[parameter]["step_size"], longest)
        if bool((moved <= tolerance).all()):
            break
    log_gain = parameter.detach()
    # Where no closed form is known, whoever came to rest has settled.
    optimum_log = torch.where(optimum_log.isnan() & (moved <= tolerance), log_gain, optimum_log)
    near = (SETTLED_SHARE * evidence.noise_floor_loss).clamp_min(SETTLED_LOG)
    return Descent(log_gain, values.detach(), (log_gain - optimum_log).abs() <= near, steps)


def descend_stock(
    loss: FeatureLoss,
    dry: Tensor,
    target: Tensor,
    weights: Tensor | None,
    start_log: Tensor,
    optimum_log: Tensor,
    *,
    optimizer: str,
    rate: StepSchedule,
) -> Descent:
    """`descend` with nothing of ours: all of the steps, at one rate, wherever they lead. To compare with."""
    processor = LogGain(log_gain=start_log)
    parameter = processor.log_gain
    stepper = make_optimizer(optimizer, [parameter], lr=rate.lr, foreach=False)
    values = torch.zeros_like(start_log)
    for _ in range(rate.steps):
        zero_grad(stepper)
        values = loss.distance(loss.apply_gain(dry, processor), target, weights)
        torch.autograd.backward(values.sum())
        step_optimizer(stepper)
        with torch.no_grad():
            parameter.clamp_(MIN_LOG_GAIN, MAX_LOG_GAIN)
    log_gain = parameter.detach()
    settled = (log_gain - optimum_log).abs() <= SETTLED_LOG
    return Descent(log_gain, values.detach(), settled, torch.full_like(start_log, rate.steps, dtype=torch.int64))


def polyak_step(excess: Tensor, gradient: Tensor, power: float) -> Tensor:
    """How far, in nepers, the slope must be followed until the loss has fallen by `excess`; at most `MAX_STEP_LOG`.

    Polyak's step on the gain itself, where L1 losses are straight lines, carried over to its logarithm: without
    noise it ends on the optimum at once, from any distance.
    """
    fall = excess / torch.where(gradient == 0.0, torch.inf, gradient)
    if power == 0.0:  # features are logarithms, and the lines straight on that scale
        return fall.abs().clamp_max(MAX_STEP_LOG)
    ratio = 1.0 - power * fall
    return (ratio.clamp_min(1e-6).log().abs() / power).clamp_max(MAX_STEP_LOG)


def _rprop_start(reach: Tensor, gradient: Tensor) -> dict[str, Tensor]:
    """Rprop's state before its first step, with a step size for each window."""
    return {"step": torch.zeros(()), "prev": torch.zeros_like(gradient), "step_size": reach.clone()}
