"""torch's optimizers without its compiler: equal steps, and no tracer."""

import subprocess
import sys

import pytest
import torch

from rtgain.config.names import OPTIMIZERS
from rtgain.dsp.optimizers import make_optimizer, step_optimizer, zero_grad


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_equal_torchs_to_the_last_bit(name: str) -> None:
    ends = []
    for untraced in (True, False):
        parameter = torch.linspace(-1.0, 1.0, 7, requires_grad=True)
        make = (
            make_optimizer if untraced else lambda name, *args, **options: getattr(torch.optim, name)(*args, **options)
        )
        optimizer = make(name, [parameter], lr=0.01, foreach=False)
        for _ in range(20):
            zero_grad(optimizer) if untraced else optimizer.zero_grad()
            assert parameter.grad is None
            (parameter**2 - 0.3 * parameter).sum().backward()
            step_optimizer(optimizer) if untraced else optimizer.step()
        ends.append(parameter.detach())
    assert torch.equal(*ends)
    assert not torch.equal(ends[0], torch.linspace(-1.0, 1.0, 7))


LOADS = """
import sys, torch
from rtgain.dsp.optimizers import zero_grad, make_optimizer, step_optimizer
parameter = torch.ones(3, requires_grad=True)
optimizer = make_optimizer("Rprop", [parameter], lr=0.01)
zero_grad(optimizer)
parameter.sum().backward()
step_optimizer(optimizer)
assert "torch._dynamo" not in sys.modules, "before"
torch.optim.SGD([parameter])
assert "torch._dynamo" in sys.modules, "torch's own way is as it was"
"""


def test_torchs_tracer_is_not_loaded_and_torch_stays_unchanged() -> None:
    run = subprocess.run([sys.executable, "-c", LOADS], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
