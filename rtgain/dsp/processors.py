"""Gains as differentiable processors, on three scales; and what every processor says about its parameters."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

DB_PER_NEPER = 20.0 / torch.log(torch.tensor(10.0, dtype=torch.float64)).item()
"""Decibels in one unit of natural log gain: 20 / ln 10 = 8.686."""

MIN_LOG_GAIN = -120.0 / DB_PER_NEPER
MAX_LOG_GAIN = 120.0 / DB_PER_NEPER


@dataclass(frozen=True)
class ParameterInfo:
    """A processor's parameter as a user meets it: its unit, the range that makes sense, where it starts."""

    unit: str
    minimum: float
    maximum: float
    default: float


class Processor(nn.Module):
    """A differentiable effect: audio in, audio out, its parameters learned.

    `info` names the parameters; each is an `nn.Parameter` of that name, shape ``(B,)``, one value a signal.

    Shape:
        - input and output ``(B, N)``.
    """

    info: ClassVar[dict[str, ParameterInfo]]

    def __init__(self, **values: Tensor) -> None:
        """Start from `values`, shape ``(B,)`` each, by name; a parameter that is not given starts at its default."""
        super().__init__()
        unknown = values.keys() - self.info.keys()
        if unknown:
            raise TypeError(
                f"{type(self).__name__} has no parameter {sorted(unknown)[0]!r}; it has {', '.join(self.info)}"
            )
        size = max((value.shape[0] for value in values.values()), default=1)
        for name, info in self.info.items():
            value = values[name] if name in values else torch.full((size,), info.default)
            self.register_parameter(name, nn.Parameter(value.detach().clone()))

    def forward(self, x: Tensor) -> Tensor:
        """`x` as the parameters are now."""
        raise NotImplementedError

    @torch.no_grad()
    def clamp_parameters(self) -> None:
        """Move every parameter that has left its range to the end that it has passed."""
        for name, info in self.info.items():
            getattr(self, name).clamp_(info.minimum, info.maximum)


class LinearGain(Processor):
    """``y = gain · x``: the lesson's processor. Negative gains invert; steps mean less the larger the gain is."""

    info: ClassVar = {"gain": ParameterInfo("", -1000.0, 1000.0, 1.0)}
    gain: nn.Parameter

    def forward(self, x: Tensor) -> Tensor:
        """`x` times the gain."""
        return x * self.gain.unsqueeze(-1)


class DecibelGain(Processor):
    """``y = 10^(gain_db / 20) · x``: a gain as a fader has it. It cannot invert."""

    info: ClassVar = {"gain_db": ParameterInfo("dB", -120.0, 60.0, 0.0)}
    gain_db: nn.Parameter

    def forward(self, x: Tensor) -> Tensor:
        """`x` at the gain."""
        return x * torch.exp(self.gain_db / DB_PER_NEPER).unsqueeze(-1)


class LogGain(Processor):
    """``y = exp(log_gain) · x``, the estimator's: on the natural logarithm gradients of normalized losses lie in ±1.

    A step of the optimizer means the same ratio at every level, and the gain cannot pass through zero. Polarity is
    decided beside the optimizer, never by it.
    """

    info: ClassVar = {"log_gain": ParameterInfo("Np", MIN_LOG_GAIN, MAX_LOG_GAIN, 0.0)}
    log_gain: nn.Parameter

    def forward(self, x: Tensor, degree: float = 1.0) -> Tensor:
        """`x` at the present gain. Features that scale with ``gain ** degree`` are given their `degree`."""
        return x * torch.exp(degree * self.log_gain).unsqueeze(-1)
