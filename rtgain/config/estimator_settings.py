"""Settings of an estimator, and its limits; free of torch, so that the GUI process can build them."""

import math
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from rtgain.config.comparison_spec import ComparisonSpec
from rtgain.config.names import DEFAULT_LOSS, DEFAULT_OPTIMIZER, ProcessorName
from rtgain.errors import InputError

if TYPE_CHECKING:  # pydantic takes a tenth of a second that the estimator process does not need
    from rtgain.config.session_config import SessionConfig


@dataclass(frozen=True)
class StepSchedule:
    """Learning rate of an optimizer on log gain, and the maximum number of steps per hop."""

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
"""Defaults by optimizer, measured on the normalized losses.

With respect to log gain, the gradient of a normalized loss of power p lies between −p and p · (1 + loss).
"""

MIN_REFERENCE_GAIN = 1e-6
"""Linear reference gain (−120 dB) that replaces smaller ones, as they occur where a gain passes through zero."""

WINDOW_FRAMES_MAX = 1 << 17
"""Longest analysis window (2 s at 48 kHz, 0.17 s at 768 kHz), and most frames in a batch of shorter ones.

It bounds the memory of a batch.
"""


@dataclass(frozen=True)
class EstimatorSettings:
    """Settings of an estimator: loss and optimizer by name, schedule, lengths in frames.

    Attributes:
        processor: ``gain``, or ``eq`` to learn an equalizer, too.
        lr: learning rate on log gain; None for the optimizer's measured default (`DEFAULT_SCHEDULES`).
        steps: maximum number of steps per hop; None for the optimizer's default.
        align: True to search for the delay; otherwise it is 0.
        reject_clipped: True to reject windows with one clipped signal; not for a target made from the dry signal.
        delay_frames: delay that is known beforehand; None if it must be searched for first.
        stock_optimizer: True for an unmodified torch optimizer at a fixed learning rate, without rtgain's safeguards.
        closed_form: True to use the closed form of each window, without gradient descent. It is set with the processor
            ``eq``, whose own descent gives the gain.
        compare: entries (`ComparisonSpec`) of additional estimators on the same windows.
    """

    sample_rate: int
    window_frames: int
    hop_frames: int
    processor: ProcessorName = "gain"
    loss: str = DEFAULT_LOSS
    optimizer: str = DEFAULT_OPTIMIZER
    lr: float | None = None
    steps: int | None = None
    align: bool = True
    reject_clipped: bool = False
    stock_optimizer: bool = False
    delay_frames: float | None = None
    closed_form: bool = False
    compare: tuple[str, ...] = ()

    @classmethod
    def from_config(cls, config: "SessionConfig", sample_rate: int) -> Self:
        """Derive the settings from a session's options. Raises `InputError` for a window that is too long."""
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
            processor=config.processor,
            loss=config.loss,
            optimizer=config.optimizer,
            lr=config.lr,
            steps=config.steps,
            align=config.align == "on",
            reject_clipped=config.target != "reference",
            closed_form=config.processor == "eq",
            compare=config.compare,
        )

    @property
    def comparisons(self) -> dict[str, "EstimatorSettings"]:
        """The settings of the comparisons by entry; they differ in loss, optimizer and schedule only."""
        specs = {entry: ComparisonSpec.parse(entry) for entry in self.compare}
        return {
            entry: replace(self, loss=spec.loss, optimizer=spec.optimizer, lr=spec.lr, steps=None,
                           stock_optimizer=spec.lr is not None, closed_form=False, compare=())
            for entry, spec in specs.items()
        }  # fmt: skip

    @property
    def schedule(self) -> StepSchedule:
        """The learning rate and the number of steps in effect."""
        default = DEFAULT_SCHEDULES[self.optimizer]
        return StepSchedule(self.lr or default.lr, self.steps or default.steps)


def name_crc(name: str) -> int:
    """Compute the CRC that identifies a loss or a comparison entry in a ring buffer."""
    return zlib.crc32(name.encode())
