"""torch's optimizers by name, without torch's compiler.

Every one of them loads the tracer of `torch.compile` when it is made, which takes more than a second and 70 MB, and
asks it at each step, which takes up to as long again as the step. Nothing is traced here. Both are decorations of
torch's own functions (`torch._compile._disable_dynamo`, `torch.optim.optimizer._use_grad_for_differentiable`); the
functions inside are called, and where there is no decoration the function itself.
"""

import inspect
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

_CACHED = "__dynamo_disable"
"""Where the decoration of a function looks for what it would ask the tracer for."""


def make_optimizer(name: str, parameters: Iterable[Tensor], **options: Any) -> Optimizer:
    """The optimizer `name` of `torch.optim` over `parameters`. Raises what its class raises for wrong options."""
    decorated = inspect.unwrap(Optimizer.add_param_group)
    is_ours = _CACHED not in vars(decorated)
    if is_ours:
        setattr(decorated, _CACHED, decorated)
    try:
        optimizer: Optimizer = getattr(torch.optim, name)(parameters, **options)
    finally:
        if is_ours and _CACHED in vars(decorated):  # or another thread was here
            delattr(decorated, _CACHED)
    return optimizer


def step_optimizer(optimizer: Optimizer) -> None:
    """``optimizer.step()``: moves its parameters by their gradients, to the same bits."""
    with torch.no_grad():
        inspect.unwrap(type(optimizer).step)(optimizer)


def zero_grad(optimizer: Optimizer) -> None:
    """``optimizer.zero_grad()``."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None
