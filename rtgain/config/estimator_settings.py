"""What an estimator is told to do. Free of torch, so that the window's process can build it."""

import math
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from rtgain.config.comparison_spec import ComparisonSpec
from rtgain.config.names import DEFAULT_LOSS, DEFAULT_OPTIMIZER
from rtgain.errors import InputError

if TYPE_CHECKING:  # pydantic takes a tenth of a second that the estimator process does not need
    from rtgain.config.session_config import SessionConfig


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

WINDOW_FRAMES_MAX = 1 << 17
"""The longest window (2 s at 48 kHz, 0.17 s at 768), and the most frames in a batch of shorter ones: what is made of
each takes memory."""


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
    loss: str = DEFAULT_LOSS
    optimizer: str = DEFAULT_OPTIMIZER
    lr: float | None = None
    steps: int | None = None
    align: bool = True
    reject_clipped: bool = False
    plain: bool = False
    compare: tuple[str, ...] = ()

    @classmethod
    def from_config(cls, config: "SessionConfig", sample_rate: int) -> Self:
        """Settings of a session at `sample_rate` (Hz). Raises `InputError` for a window beyond `WINDOW_FRAMES_MAX`."""
        window_frames = config.window_frames(sample_rate)
        if window_frames > WINDOW_FRAMES_MAX:
            raise InputError(
                f"--window-ms: {config.window_ms:g} ms at {sample_rate} Hz are {window_frames} frames, more than the "
                f"estimator can process; use at most {math.floor(1000 * WINDOW_FRAMES_MAX / sample_rate)} ms"
            )
        return cls(
            sample_rate=sample_rate,
            window_frames=window_frames,
            hop_frames=config.hop_frames(sample_rate),
            loss=config.loss,
            optimizer=config.optimizer,
            lr=config.lr,
            steps=config.steps,
            align=config.align == "on",
            reject_clipped=config.target != "reference",
            compare=config.compare,
        )

    @property
    def comparisons(self) -> dict[str, "EstimatorSettings"]:
        """What those in the race are told to do, by their entries: the same, but for loss and optimizer."""
        racers = {entry: ComparisonSpec.parse(entry) for entry in self.compare}
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
