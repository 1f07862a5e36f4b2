"""What an estimator is told to do. Free of torch, so that the window's process can build it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """An optimizer's learning rate on log gain, and the most steps it takes a hop."""

    lr: float
    steps: int


RATES = {
    "Rprop": Rate(0.3, 32),
    "Adam": Rate(0.1, 24),
    "AdamW": Rate(0.1, 24),
    "NAdam": Rate(0.1, 24),
    "RAdam": Rate(0.3, 24),
    "Adamax": Rate(0.1, 24),
    "Adagrad": Rate(0.3, 24),
    "Adadelta": Rate(10.0, 24),
    "RMSprop": Rate(0.03, 24),
    "SGD": Rate(0.1, 24),
    "ASGD": Rate(0.1, 24),
}
"""Defaults on the normalized losses, whose gradients lie in ±1."""


@dataclass(frozen=True)
class EstimatorSettings:
    """Names out of the registries, rates and lengths.

    With `clip_gate` a window that is cut off at full scale tells nothing; a target made from the dry signal is exempt.
    `lr` and `steps` of None mean the optimizer's measured defaults (`RATES`).
    """

    sample_rate: int
    window_frames: int
    hop_frames: int
    loss: str = "spectral"
    optimizer: str = "Rprop"
    lr: float | None = None
    steps: int | None = None
    align: bool = True
    clip_gate: bool = False

    @property
    def rate(self) -> Rate:
        """The rate and the steps in force."""
        default = RATES[self.optimizer]
        return Rate(self.lr or default.lr, self.steps or default.steps)
