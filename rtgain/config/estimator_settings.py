"""What an estimator is told to do. Free of torch, so that the window's process can build it."""

import zlib
from dataclasses import dataclass, replace
from typing import NamedTuple


@dataclass(frozen=True)
class StepSchedule:
    """An optimizer's learning rate on log gain, and the most steps it takes a hop."""

    lr: float
    steps: int


DEFAULT_SCHEDULES = {
    "Rprop": StepSchedule(0.3, 32),
    "Adam": StepSchedule(0.1, 24),
    "AdamW": StepSchedule(0.1, 24),
    "NAdam": StepSchedule(0.1, 24),
    "RAdam": StepSchedule(0.3, 24),
    "Adamax": StepSchedule(0.1, 24),
    "Adagrad": StepSchedule(0.3, 24),
    "Adadelta": StepSchedule(10.0, 24),
    "RMSprop": StepSchedule(0.03, 24),
    "SGD": StepSchedule(0.1, 24),
    "ASGD": StepSchedule(0.1, 24),
}
"""Defaults on the normalized losses, whose gradients lie in ±1."""


MIN_REFERENCE_GAIN = 1e-6
"""A gain that passes through zero, where its polarity turns over, counts as −120 dB."""

MAX_DELAY_S = 1.0
"""The longest delay that is found, either way."""

WINDOW_FRAMES_MAX = 1 << 17
"""The longest window (2 s at 48 kHz, 0.17 s at 768), and the most frames in a batch of shorter ones: what is made of
each takes memory."""


class ComparisonSpec(NamedTuple):
    """An entry of the race: ``loss/optimizer``, or ``loss/optimizer@rate`` for the optimizer as torch has it.

    That one descends at its fixed rate, without a bound on its steps, an early stop or an average over time.
    """

    loss: str
    optimizer: str
    lr: float | None

    @classmethod
    def of(cls, entry: str) -> "ComparisonSpec":
        """Read an entry. Raises `ValueError` for what is none."""
        loss, slash, rest = entry.partition("/")
        optimizer, at, rate = rest.partition("@")
        lr = float(rate) if at else None
        if not (slash and loss and optimizer) or (lr is not None and not 0.0 < lr <= 1000.0):
            raise ValueError(f"{entry!r} is no loss/optimizer")
        return cls(loss, optimizer, lr)


@dataclass(frozen=True)
class EstimatorSettings:
    """Names out of the registries, rates and lengths.

    With `reject_clipped` a window clipped at full scale is not used; a target made from the dry signal is exempt.
    With `plain` the optimizer runs as torch has it, for better or worse. `compare` names other estimators on the same
    windows, each an entry that `ComparisonSpec` reads.
    `lr` and `steps` of None mean the optimizer's measured defaults (`DEFAULT_SCHEDULES`).
    """

    sample_rate: int
    window_frames: int
    hop_frames: int
    loss: str = "spectral"
    optimizer: str = "Rprop"
    lr: float | None = None
    steps: int | None = None
    align: bool = True
    reject_clipped: bool = False
    plain: bool = False
    compare: tuple[str, ...] = ()

    @property
    def comparisons(self) -> dict[str, "EstimatorSettings"]:
        """What those in the race are told to do, by their entries: the same, but for loss and optimizer."""
        racers = {entry: ComparisonSpec.of(entry) for entry in self.compare}
        return {
            entry: replace(self, loss=spec.loss, optimizer=spec.optimizer, lr=spec.lr, steps=None,
                           plain=spec.lr is not None, compare=())
            for entry, spec in racers.items()
        }  # fmt: skip

    @property
    def rate(self) -> StepSchedule:
        """The rate and the steps in force."""
        default = DEFAULT_SCHEDULES[self.optimizer]
        return StepSchedule(self.lr or default.lr, self.steps or default.steps)


def name_crc(name: str) -> int:
    """The number by which a loss, or an entry of the race, is known in a ring."""
    return zlib.crc32(name.encode())
