"""Arguments of functions on one pair of signals: arrays as tensors, and losses by name."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from rtgain.config.api_arguments import finite_array
from rtgain.dsp.loss_registry import LOSS_FACTORIES, get_loss
from rtgain.dsp.losses import FeatureLoss
from rtgain.dsp.processors import Processor
from rtgain.errors import InputError

Loss = Callable[[Tensor, Tensor], Tensor]
"""Function of estimate and target, ``(1, N)`` each, that returns a scalar.

It is a `FeatureLoss`, or any function that torch can differentiate.
"""


def tensor_pair(
    caller: str, dry: ArrayLike | Tensor, target: ArrayLike | Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Convert dry signal and target, ``(N,)`` each, to tensors ``(1, N)``.

    Raises `InputError` in the name of the function `caller` if their shapes differ or are not ``(N,)``, and for
    anything but finite numbers.
    """
    signals = {"dry": dry, "target": target}
    x, y = (
        torch.as_tensor(finite_array(f"{caller}: {name}", signal).astype(np.float64), dtype=dtype)
        for name, signal in signals.items()
    )
    if x.ndim != 1 or x.shape != y.shape or len(x) == 0:
        shapes = f"{tuple(x.shape)} and {tuple(y.shape)}"
        raise InputError(
            f"{caller}: dry and target must be one-dimensional and of the same length, not of shapes {shapes}"
        )
    return x.unsqueeze(0), y.unsqueeze(0)


def check_processor(caller: str, processor: Processor) -> torch.dtype:
    """Return the data type of a processor's parameters. Raises `InputError` for a class instead of a processor."""
    if not isinstance(processor, torch.nn.Module):
        raise InputError(f"{caller}: expected a processor such as rtgain.LinearGain(), not {processor!r}")
    return next(processor.parameters()).dtype


def loss_by_name(caller: str, name: str) -> FeatureLoss:
    """Make the loss `name` of the registry. Raises `InputError` for an unknown name."""
    try:
        return get_loss(name)
    except KeyError:
        raise InputError(f"{caller}: loss {name!r} is not one of {', '.join(LOSS_FACTORIES)}") from None


def resolved_loss(caller: str, loss: str | Loss) -> Loss:
    """Return the loss, or make it by its name.

    Raises `InputError` for an unknown name, and for an object that cannot be called.
    """
    if isinstance(loss, str):
        return loss_by_name(caller, loss)
    if not callable(loss):
        raise InputError(f"{caller}: loss must be a name or a function of estimate and target, not {loss!r}")
    return loss


def evaluated_loss(caller: str, loss: Loss, estimate: Tensor, target: Tensor) -> Tensor:
    """Compute the loss, a scalar. Raises `InputError` for a function that returns anything else."""
    value: object = loss(estimate, target)
    if not (isinstance(value, Tensor) and value.numel() == 1):
        found = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else repr(value)
        raise InputError(f"{caller}: loss must return a tensor with one number, not {found}")
    return value
