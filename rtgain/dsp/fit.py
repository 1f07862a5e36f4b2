"""Offline gradient descent of one processor on one pair of signals, for notebooks and lessons."""

import copy
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from rtgain.config.api_arguments import checked_count
from rtgain.config.names import OPTIMIZERS
from rtgain.dsp.loss_curve import loss_curve
from rtgain.dsp.optimizers import make_optimizer, step_optimizer, zero_grad
from rtgain.dsp.processors import Processor
from rtgain.dsp.signal_pair import Loss, check_processor, evaluated_loss, resolved_loss, tensor_pair
from rtgain.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rtgain.output.animation import Animation

CURVE_POINTS = 101
"""Number of parameter values at which the loss of an animation is computed."""

CURVE_MARGIN = 0.2
"""Range of an animated loss beyond the lowest and highest value of the descent, relative to their distance."""


@dataclass(frozen=True)
class FitInputs:
    """Processor after the descent, signals ``(1, N)`` and loss of a descent."""

    processor: Processor
    dry: Tensor
    target: Tensor
    loss: Loss


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
    _inputs: FitInputs = field(repr=False)

    @property
    def final(self) -> dict[str, float]:
        """The parameters after the last step, by name."""
        return {name: float(values[-1]) for name, values in self.parameters.items()}

    def plot(self) -> "Figure":
        """Draw the loss and each parameter over the steps; a notebook displays the figure."""
        from rtgain.output.figures import descent_figure

        return descent_figure(self.loss, self.parameters)

    def animate(self) -> "Animation":
        """Animate the descent on its loss, next to the waveforms; a notebook displays the animation.

        The loss of one parameter is shown against this parameter, the loss of several against the steps.
        """
        from rtgain.output.descent_plots import descent_animation

        inputs, names = self._inputs, list(self.parameters)
        dry, target = inputs.dry[0].numpy(), inputs.target[0].numpy()
        if len(names) == 1:
            path = self.parameters[names[0]]
            margin = CURVE_MARGIN * max(np.ptp(path), 1e-3)
            x, label = np.linspace(path.min() - margin, path.max() + margin, CURVE_POINTS), names[0]
            losses = loss_curve(inputs.processor, names[0], x, dry, target, loss=inputs.loss)
        else:
            x, losses, label = np.arange(len(self.loss), dtype=np.float64), self.loss, "step"
        return descent_animation(x, losses, self.parameters, dry, target, self._processed, label=label)

    def _processed(self, step: int) -> NDArray[np.float64]:
        """Process the dry signal with the parameters after `step` steps, ``(N,)``."""
        processor = copy.deepcopy(self._inputs.processor)
        with torch.no_grad():
            for name, values in self.parameters.items():
                getattr(processor, name).fill_(float(values[step]))
        return processor.process(self._inputs.dry[0])


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
    steps. It also does so for signals of different shapes or with values that are not finite, and for a loss that is
    not one finite number.
    """
    dtype = check_processor("fit", processor)
    checked_count("fit: steps", steps)
    if not (isinstance(lr, Real) and 0.0 < lr <= torch.finfo(dtype).max):
        raise InputError(f"fit: lr must be a finite number above 0, not {lr!r}")
    x, y = tensor_pair("fit", dry, target, dtype)
    loss_fn = resolved_loss("fit", loss)
    if optimizer not in OPTIMIZERS:
        raise InputError(f"fit: optimizer {optimizer!r} is not one of {', '.join(OPTIMIZERS)}")
    torch_optimizer = make_optimizer(optimizer, processor.parameters(), lr=lr)
    losses = np.empty(steps + 1)
    parameter_history = {name: np.empty(steps + 1) for name in processor.info}
    for step in range(steps + 1):
        zero_grad(torch_optimizer)
        loss_value = evaluated_loss("fit", loss_fn, processor(x), y)
        losses[step] = loss_value.item()
        for name, values in parameter_history.items():
            values[step] = getattr(processor, name).item()
        if not np.isfinite(losses[step]):
            raise InputError(f"fit: the loss is {losses[step]} after {step} steps; use a smaller lr")
        if step < steps:
            torch.autograd.backward(loss_value)
            step_optimizer(torch_optimizer)
            processor.clamp_parameters()
    return FitHistory(losses, parameter_history, FitInputs(copy.deepcopy(processor), x, y, loss_fn))
