"""Loss of one pair of signals as a function of one parameter, and the gain of least loss."""

import copy
import math

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from rtgain.config.api_arguments import real_array
from rtgain.dsp.losses import FeatureLoss
from rtgain.dsp.processors import Processor
from rtgain.dsp.signal_pair import Loss, check_processor, evaluated_loss, resolved_loss, tensor_pair
from rtgain.errors import InputError


@torch.no_grad()
def loss_curve(
    processor: Processor,
    parameter: str,
    values: ArrayLike,
    dry: ArrayLike | Tensor,
    target: ArrayLike | Tensor,
    *,
    loss: str | Loss = "spectral",
) -> NDArray[np.float64]:
    """Compute the loss between the processed `dry` signal and `target`, ``(N,)`` each, at each of `values`, ``(K,)``.

    `parameter` is the name of the parameter that takes the values; the others keep theirs. `processor` is not changed.
    Raises `InputError` for an unknown name, signals of different shapes or with values that are not finite, `values` of
    another shape, and a loss that is not one number.
    """
    dtype = check_processor("loss_curve", processor)
    if parameter not in processor.info:
        raise InputError(f"loss_curve: parameter {parameter!r} is not one of {', '.join(processor.info)}")
    x, y = tensor_pair("loss_curve", dry, target, dtype)
    parameter_values = real_array("loss_curve: values", values)
    if parameter_values.ndim != 1:
        raise InputError(f"loss_curve: values must have the shape (K,), not {parameter_values.shape}")
    loss_fn = resolved_loss("loss_curve", loss)
    processor = copy.deepcopy(processor)
    losses = []
    for value in parameter_values:
        getattr(processor, parameter).fill_(float(value))
        losses.append(evaluated_loss("loss_curve", loss_fn, processor(x), y).item())
    return np.array(losses)


def closed_form_gain(
    dry: ArrayLike | Tensor, target: ArrayLike | Tensor, *, loss: str | FeatureLoss = "spectral"
) -> float:
    """Compute the linear gain, at least 0, of least loss between gain · `dry` and `target`, ``(N,)`` each.

    It is the loss's closed form (`FeatureLoss.optimum`). Raises `InputError` for an unknown name, for a loss without
    a closed form, and for signals of different shapes.
    """
    x, y = tensor_pair("closed_form_gain", dry, target, torch.float64)
    loss_fn = resolved_loss("closed_form_gain", loss)
    gain = math.nan
    if isinstance(loss_fn, FeatureLoss):
        gain = float(loss_fn.optimum(loss_fn.features(x), loss_fn.features(y)))
    if math.isnan(gain):
        raise InputError("closed_form_gain: this loss has no closed form; use loss_curve or fit")
    return gain
