"""One pair of signals, one processor, offline: the loop that a notebook or a lesson shows step by step."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from rtgain.config.names import OPTIMIZERS
from rtgain.dsp.loss_registry import LOSSES, get_loss
from rtgain.dsp.optimizers import make_optimizer, step_optimizer, zero_grad
from rtgain.dsp.processors import Processor
from rtgain.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Loss = Callable[[Tensor, Tensor], Tensor]
"""Estimate and target, ``(1, N)`` each, to a scalar: a `FeatureLoss`, or any function that torch can differentiate."""


@dataclass(frozen=True)
class FitHistory:
    """A descent, step by step: the value at index i is the one after i steps, so there is one more than steps.

    Attributes:
        loss: ``(steps + 1,)``.
        parameters: by name, ``(steps + 1,)`` each, in the processor's units.
    """

    loss: NDArray[np.float64]
    parameters: dict[str, NDArray[np.float64]]

    @property
    def end(self) -> dict[str, float]:
        """Where the parameters came to, by name."""
        return {name: float(values[-1]) for name, values in self.parameters.items()}

    def plot(self) -> "Figure":
        """A figure of the loss and of each parameter over the steps; a notebook shows it."""
        from rtgain.output.figures import descent_figure

        return descent_figure(self.loss, self.parameters)


def fit(
    processor: Processor,
    dry: ArrayLike | Tensor,
    target: ArrayLike | Tensor,
    *,
    loss: str | Loss = "spectral",
    optimizer: str = "SGD",
    lr: float = 0.01,
    steps: int = 300,
) -> FitHistory:
    """Descend from where `processor` is to where it makes `target` out of `dry`, ``(N,)`` each, and leave it there.

    `loss` is a name of the registry, or a `Loss`. `optimizer` is one of torch's by name, with the fixed rate
    `lr` and torch's other defaults. Parameters are kept within the ranges of `processor.info`.

    Raises `InputError` for an unknown name, a class in place of a processor, a rate or a number of steps that is none,
    for signals that do not fit each other, and where the loss is not finite.
    """
    if not isinstance(processor, torch.nn.Module):
        raise InputError(f"fit: a processor is expected, like rtgain.LinearGain(), not {processor!r}")
    if not (0.0 < lr < math.inf and steps >= 0):
        raise InputError(f"fit: lr must be above 0, and steps 0 or more, not {lr!r} and {steps!r}")
    pair = _pair(processor, dry, target)
    measure = _loss(loss) if isinstance(loss, str) else loss
    if optimizer not in OPTIMIZERS:
        raise InputError(f"fit: optimizer {optimizer!r} is none of {', '.join(OPTIMIZERS)}")
    stepper = make_optimizer(optimizer, processor.parameters(), lr=lr)
    losses = np.empty(steps + 1)
    places = {name: np.empty(steps + 1) for name in processor.info}
    for step in range(steps + 1):
        zero_grad(stepper)
        value = measure(processor(pair[0]), pair[1])
        losses[step] = value.item()
        for name, place in places.items():
            place[step] = getattr(processor, name).item()
        if not np.isfinite(losses[step]):
            raise InputError(
                f"fit: the loss is {losses[step]} after {step} steps; give a smaller lr, or finite signals"
            )
        if step < steps:
            torch.autograd.backward(value)
            step_optimizer(stepper)
            processor.clamp_parameters()
    return FitHistory(losses, places)


def _pair(processor: Processor, dry: ArrayLike | Tensor, target: ArrayLike | Tensor) -> tuple[Tensor, Tensor]:
    dtype = next(processor.parameters()).dtype
    x, y = (torch.as_tensor(np.asarray(signal), dtype=dtype) for signal in (dry, target))
    if x.ndim != 1 or x.shape != y.shape or len(x) == 0:
        shapes = f"{tuple(x.shape)} and {tuple(y.shape)}"
        raise InputError(f"fit: dry and target are one signal each, of one length, not of shapes {shapes}")
    return x.unsqueeze(0), y.unsqueeze(0)


def _loss(name: str) -> Loss:
    try:
        return get_loss(name)
    except KeyError:
        raise InputError(f"fit: loss {name!r} is none of {', '.join(LOSSES)}") from None
