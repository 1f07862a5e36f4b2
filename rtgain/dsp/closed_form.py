"""Closed forms and bounds: the oracles that the optimizers are held to."""

import numpy as np
import torch
from torch import Tensor

from rtgain.dsp.processors import DB_PER_NEPER


def weighted_median(values: Tensor, weights: Tensor) -> Tensor:
    """The weighted median along the last axis: least of ``Σ weights · |v − values|`` over v.

    Shape: values and weights (not negative) ``(B, K)``; result ``(B,)``. Where no weight is positive, the
    smallest value is returned.
    """
    # NumPy sorts 2,049 numbers ten times faster than torch does.
    order = torch.from_numpy(np.argsort(values.detach().numpy(), axis=-1))
    cumulative = weights.gather(-1, order).cumsum(-1)
    index = torch.searchsorted(cumulative, cumulative[..., -1:] / 2).clamp_max(values.shape[-1] - 1)
    return values.gather(-1, order.gather(-1, index)).squeeze(-1)


def least_squares(dry: Tensor, target: Tensor) -> Tensor:
    """The gain that is least in ``Σ (g·dry − target)²``: ``⟨X, Y⟩ / ⟨X, X⟩``, ``(B, K)`` to ``(B,)``. 0 for silence."""
    energy = dry.square().sum(-1)
    return torch.where(energy > 0, (dry * target).sum(-1) / energy.clamp_min(torch.finfo(energy.dtype).tiny), 0.0)


def cramer_rao_std_db(noise_std: Tensor, gain: Tensor | float, norm: Tensor | float) -> Tensor:
    """The least standard deviation, in dB, of any unbiased estimate of `gain` in white noise.

    ``20 / ln 10 · σ / (g ‖x‖)``: Kay, *Estimation Theory*, example 3.4 scaled to decibels (to first order). `norm` is
    ‖x‖, the root of the dry signal's energy. Each is one number, or one a window, ``(B,)``.
    """
    return DB_PER_NEPER * noise_std / (gain * norm)
