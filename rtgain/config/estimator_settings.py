"""What an estimator is told to do. Free of torch, so that the window's process can build it."""

import zlib
from dataclasses import dataclass, replace
from typing import NamedTuple


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


LEAST_GAIN = 1e-6
"""A gain that passes through zero, where its polarity turns over, counts as −120 dB."""

MAX_DELAY_S = 1.0
"""The longest delay that is found, either way."""

WINDOW_FRAMES_MAX = 1 << 17
"""The longest window (2 s at 48 kHz, 0.17 s at 768), and the most frames in a batch of shorter ones: what is made of
each takes memory."""


class Racer(NamedTuple):
    """An entry of the race: ``loss/optimizer``, or ``loss/optimizer@rate`` for the optimizer as torch has it.

    That one descends at its fixed rate, without a bound on its steps, an early stop or an average over time.
    """

    loss: str
    optimizer: str
    lr: float | None

    @classmethod
    def of(cls, entry: str) -> "Racer":
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

    With `clip_gate` a window that is cut off at full scale tells nothing; a target made from the dry signal is exempt.
    With `plain` the optimizer runs as torch has it, for better or worse. `race` names other estimators on the same
    windows, each an entry that `Racer` reads.
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
    plain: bool = False
    race: tuple[str, ...] = ()

    @property
    def rivals(self) -> dict[str, "EstimatorSettings"]:
        """What those in the race are told to do, by their entries: the same, but for loss and optimizer."""
        racers = {entry: Racer.of(entry) for entry in self.race}
        return {
            entry: replace(self, loss=racer.loss, optimizer=racer.optimizer, lr=racer.lr, steps=None,
                           plain=racer.lr is not None, race=())
            for entry, racer in racers.items()
        }  # fmt: skip

    @property
    def rate(self) -> Rate:
        """The rate and the steps in force."""
        default = RATES[self.optimizer]
        return Rate(self.lr or default.lr, self.steps or default.steps)


def name_key(name: str) -> int:
    """The number by which a loss, or an entry of the race, is known in a ring."""
    return zlib.crc32(name.encode())
