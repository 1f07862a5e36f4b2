"""Offline gradient descent of one processor on one pair of signals, for notebooks and lessons."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from rtgain.config.names import OPTIMIZERS
from rtgain.dsp.loss_registry import LOSS_FACTORIES, get_loss
from rtgain.dsp.optimizers import make_optimizer, step_optimizer, zero_grad
from rtgain.dsp.processors import Processor
from rtgain.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Loss = Callable[[Tensor, Tensor], Tensor]
"""Function of estimate and target, ``(1, N)`` each, that returns a scalar.

It is a `FeatureLoss`, or any function that torch can differentiate.
"""


@dataclass(frozen=True)
class FitHistory:
    """Loss and parameters of a descent, step by step.

    The value at index i is the one after i steps, so there is one more value than there are steps.

    Attributes:
        loss: ``(steps + 1,)``.
        parameters: by name, ``(steps + 1,)`` each, in the processor's units.
    """

    loss: NDArray[np.float64]
    parameters: dict[str, NDArray[np.float64]]

    @property
    def final(self) -> dict[str, float]:
        """The parameters after the last step, by name."""
        return {name: float(values[-1]) for name, values in self.parameters.items()}

    def plot(self) -> "Figure":
        """Draw the loss and each parameter over the steps; a notebook displays the figure."""
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
    """Fit the parameters of `processor` so that its output for `dry` approximates `target`, ``(N,)`` each.

    The descent starts from the present parameters and changes them in place. `loss` is a name of the registry, or a
    `Loss`. `optimizer` is one of torch's by name, with the fixed learning rate `lr` and torch's other defaults.
    Parameters are clamped to the ranges in `processor.info`.

    Raises `InputError` for an unknown name, a class instead of a processor, and an invalid learning rate or number of
    steps. It also does so for signals of different shapes, and a loss that is not finite.
    """
    if not isinstance(processor, torch.nn.Module):
        raise InputError(f"fit: expected a processor such as rtgain.LinearGain(), not {processor!r}")
    if not (0.0 < lr < math.inf and steps >= 0):
        raise InputError(f"fit: lr must be above 0, and steps 0 or more, not {lr!r} and {steps!r}")
    pair = _pair(processor, dry, target)
    loss_fn = _loss(loss) if isinstance(loss, str) else loss
    if optimizer not in OPTIMIZERS:
        raise InputError(f"fit: optimizer {optimizer!r} is not one of {', '.join(OPTIMIZERS)}")
    torch_optimizer = make_optimizer(optimizer, processor.parameters(), lr=lr)
    losses = np.empty(steps + 1)
    parameter_history = {name: np.empty(steps + 1) for name in processor.info}
    for step in range(steps + 1):
        zero_grad(torch_optimizer)
        loss_value = loss_fn(processor(pair[0]), pair[1])
        losses[step] = loss_value.item()
        for name, values in parameter_history.items():
            values[step] = getattr(processor, name).item()
        if not np.isfinite(losses[step]):
            raise InputError(f"fit: the loss is {losses[step]} after {step} steps; use a smaller lr, or finite signals")
        if step < steps:
            torch.autograd.backward(loss_value)
            step_optimizer(torch_optimizer)
            processor.clamp_parameters()
    return FitHistory(losses, parameter_history)


def _pair(processor: Processor, dry: ArrayLike | Tensor, target: ArrayLike | Tensor) -> tuple[Tensor, Tensor]:
    dtype = next(processor.parameters()).dtype
    x, y = (torch.as_tensor(np.asarray(signal), dtype=dtype) for signal in (dry, target))
    if x.ndim != 1 or x.shape != y.shape or len(x) == 0:
        shapes = f"{tuple(x.shape)} and {tuple(y.shape)}"
        raise InputError(f"fit: dry and target must be one-dimensional and of the same length, not of shapes {shapes}")
    return x.unsqueeze(0), y.unsqueeze(0)


def _loss(name: str) -> Loss:
    try:
        return get_loss(name)
    except KeyError:
        raise InputError(f"fit: loss {name!r} is not one of {', '.join(LOSS_FACTORIES)}") from None
