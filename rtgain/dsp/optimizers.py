"""torch's optimizers by name, without torch's compiler.

Constructing a torch optimizer loads the tracer of `torch.compile`, which takes more than a second and 70 MB. Each step
then queries that tracer, which takes up to as long as the step itself. rtgain traces nothing. Both queries come from
decorators around torch's own functions (`torch._compile._disable_dynamo`,
`torch.optim.optimizer._use_grad_for_differentiable`). This module calls the undecorated functions; a function without
a decorator is called as it is.
"""

import inspect
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

_CACHED = "__dynamo_disable"
"""Attribute in which the decorator of a function looks for the tracer's answer before it queries the tracer."""


def make_optimizer(name: str, parameters: Iterable[Tensor], **options: Any) -> Optimizer:
    """Make the optimizer `name` of `torch.optim` over `parameters`. Wrong options raise as its class does."""
    decorated = inspect.unwrap(Optimizer.add_param_group)
    is_ours = _CACHED not in vars(decorated)
    if is_ours:
        setattr(decorated, _CACHED, decorated)
    try:
        optimizer: Optimizer = getattr(torch.optim, name)(parameters, **options)
    finally:
        if is_ours and _CACHED in vars(decorated):  # another thread may have removed it
            delattr(decorated, _CACHED)
    return optimizer


def step_optimizer(optimizer: Optimizer) -> None:
    """Move the parameters by their gradients, bit for bit as ``optimizer.step()`` does."""
    with torch.no_grad():
        inspect.unwrap(type(optimizer).step)(optimizer)


def zero_grad(optimizer: Optimizer) -> None:
    """Discard the gradients, as ``optimizer.zero_grad()`` does."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None
