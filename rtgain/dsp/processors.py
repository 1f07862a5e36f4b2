"""Processor base class with parameter descriptions, and gains as differentiable processors on three scales."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from rtgain.config.api_arguments import finite_array
from rtgain.errors import InputError

DB_PER_NEPER = 20.0 / torch.log(torch.tensor(10.0, dtype=torch.float64)).item()
"""Decibels per unit of natural log gain: 20 / ln 10 = 8.686."""

MIN_LOG_GAIN = -120.0 / DB_PER_NEPER
MAX_LOG_GAIN = 120.0 / DB_PER_NEPER


@dataclass(frozen=True)
class ParameterInfo:
    """Description of a processor's parameter for users: unit, sensible range, default."""

    unit: str
    minimum: float
    maximum: float
    default: float


class Processor(nn.Module):
    """Differentiable audio effect whose parameters are learned.

    `info` describes the parameters by name. Each is an `nn.Parameter` of that name, shape ``(B,)``, one value per
    signal.

    Shape:
        - input and output ``(B, N)``.
    """

    info: ClassVar[dict[str, ParameterInfo]]

    def __init__(self, **values: Tensor | float) -> None:
        """Start from `values` by name: shape ``(B,)`` each, or one number, in double precision.

        A parameter without a value starts at its default.
        """
        super().__init__()
        unknown = values.keys() - self.info.keys()
        if unknown:
            raise TypeError(
                f"{type(self).__name__} has no parameter {sorted(unknown)[0]!r}; it has {', '.join(self.info)}"
            )
        tensors = {
            name: value if isinstance(value, Tensor) else torch.tensor([float(value)], dtype=torch.float64)
            for name, value in values.items()
        }
        size = max((value.shape[0] for value in tensors.values()), default=1)
        dtype = next((value.dtype for value in tensors.values()), None)
        for name, info in self.info.items():
            value = tensors[name] if name in tensors else torch.full((size,), info.default, dtype=dtype)
            self.register_parameter(name, nn.Parameter(value.detach().clone()))

    def forward(self, x: Tensor) -> Tensor:
        """Process `x` with the present parameters."""
        raise NotImplementedError

    @torch.no_grad()
    def process(self, signal: ArrayLike) -> NDArray[np.float64]:
        """Process one signal, ``(N,)``, as an array, with the present parameters. Raises `InputError` for others."""
        samples = finite_array("process: signal", signal).astype(np.float64)
        if samples.ndim != 1:
            raise InputError(f"process: signal must have the shape (N,), not {samples.shape}")
        x = torch.as_tensor(samples, dtype=next(self.parameters()).dtype).unsqueeze(0)
        processed: NDArray[np.float64] = self(x)[0].double().numpy()
        return processed

    @torch.no_grad()
    def clamp_parameters(self) -> None:
        """Clamp every parameter to the range in `info`."""
        for name, info in self.info.items():
            getattr(self, name).clamp_(info.minimum, info.maximum)


class LinearGain(Processor):
    """Linear gain ``y = gain · x``, as in the lessons.

    Negative gains invert. A step of fixed size is a smaller ratio at a larger gain.
    """

    info: ClassVar = {"gain": ParameterInfo("", -1000.0, 1000.0, 1.0)}
    gain: nn.Parameter

    def forward(self, x: Tensor) -> Tensor:
        """Multiply `x` by the gain."""
        return x * self.gain.unsqueeze(-1)


class DecibelGain(Processor):
    """Gain in decibels ``y = 10^(gain_db / 20) · x``, as on a fader. It cannot invert."""

    info: ClassVar = {"gain_db": ParameterInfo("dB", -120.0, 60.0, 0.0)}
    gain_db: nn.Parameter

    def forward(self, x: Tensor) -> Tensor:
        """Multiply `x` by the gain."""
        return x * torch.exp(self.gain_db / DB_PER_NEPER).unsqueeze(-1)


class LogGain(Processor):
    """Gain in nepers ``y = exp(log_gain) · x``, as the estimator uses it.

    On this scale the gradient of a normalized loss of power p lies between −p and p · (1 + loss). An optimizer's step
    is the same ratio at every level, and the gain cannot pass through zero. Polarity is determined outside of the
    optimizer.
    """

    info: ClassVar = {"log_gain": ParameterInfo("Np", MIN_LOG_GAIN, MAX_LOG_GAIN, 0.0)}
    log_gain: nn.Parameter

    def forward(self, x: Tensor, degree: float = 1.0) -> Tensor:
        """Multiply `x` by the gain to the power `degree`, for features that scale with ``gain ** degree``."""
        exponent = self.log_gain if degree == 1.0 else degree * self.log_gain
        return x * torch.exp(exponent).unsqueeze(-1)
