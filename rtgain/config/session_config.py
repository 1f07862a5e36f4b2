"""One validated description of a session: the command line, the window, presets and lessons all build this."""

import math
import reprlib
from importlib.util import find_spec
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rtgain.config.comparison_spec import ComparisonSpec
from rtgain.config.names import (
    AURALOSSES,
    DEFAULT_GAIN_DB,
    LOSSES,
    OPTIMIZERS,
    PRESET_ONLY,
    SYNTHETIC_INPUTS,
    Channel,
    Clock,
    FileName,
    Monitor,
    Polarity,
    Target,
)
from rtgain.errors import InputError


class SessionConfig(BaseModel):
    """Everything that makes a session what it is; the same names as the command line's options.

    Times end in `_ms` or `_s`, levels in `_db` (re unity) or `_dbfs` (re full scale). A value of
    None stands for "the default that depends on the rest", which the properties below resolve.

    Raises `pydantic.ValidationError`; `make_session_config` turns that into one line for the user.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    input: FileName = "demo"
    input_device: str | None = None
    output_device: str | None = None
    clock: Clock | None = None
    block: Annotated[int, Field(ge=1, le=65536)] | None = None
    sample_rate: Annotated[int, Field(ge=4000, le=768000)] | None = None
    duration: Annotated[float, Field(gt=0, le=1e7)] | None = None
    loop: bool = False
    gain_db: Annotated[float, Field(ge=-120, le=60)] = DEFAULT_GAIN_DB
    automation: FileName | None = None
    polarity: Polarity = "normal"
    phase_deg: Annotated[float, Field(ge=-360, le=360)] = 0.0
    delay_ms: Annotated[float, Field(ge=0, le=1000)] = 0.0
    noise_dbfs: Annotated[float, Field(ge=-200, le=0)] | None = None
    target: Target = "reference"
    dry_channel: Channel | None = None
    target_channel: Channel | None = None
    output_channel: Channel | None = None
    monitor: Monitor | None = None
    loss: str = "spectral"
    optimizer: str = "Rprop"
    lr: Annotated[float, Field(gt=0, le=1000)] | None = None
    steps: Annotated[int, Field(ge=1, le=10000)] | None = None
    window_ms: Annotated[float, Field(gt=0, le=2000)] = 85.0
    hop_ms: Annotated[float, Field(gt=0, le=2000)] = 21.0
    align: Literal["on", "off"] = "on"
    compare: Annotated[tuple[str, ...], Field(max_length=2)] = ()
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        _check_names("loss", self.loss, "optimizer", self.optimizer)
        for entry in self.compare:
            try:
                spec = ComparisonSpec.parse(entry)
            except ValueError:
                raise ValueError(f"race: {entry!r} is no loss/optimizer; write it like waveform/SGD") from None
            _check_names("compare", spec.loss, "compare", spec.optimizer)
        if len(set(self.compare)) < len(self.compare):
            raise ValueError(f"race: {self.compare[0]!r} is in it twice; it would run beside itself")
        if self.hop_ms > self.window_ms:
            raise ValueError("hop_ms: the hop is longer than the window; use a hop of at most window_ms")
        if self.input == "mic" and self.clock in ("timer", "offline"):
            raise ValueError(f"clock: a microphone runs on the device's clock, not on {self.clock!r}")
        if self.target == "return" and self.input == "mic":
            raise ValueError("target: 'return' plays a file or a synthetic source; choose an input other than mic")
        if self.target == "return" and self.clock in ("timer", "offline"):
            raise ValueError("target: 'return' needs a device's input and output; use clock 'device'")
        if self.target == "channel" and self.input in SYNTHETIC_INPUTS:
            raise ValueError("target: 'channel' needs a two-channel file or mic; synthetic sources have one channel")
        self._check_channels()
        if self.target != "reference" and self.automation is not None:
            raise ValueError("automation: drives the reference gain, so it needs target 'reference'")
        return self

    def _check_channels(self) -> None:
        if self.dry_channel is not None and self.input in SYNTHETIC_INPUTS:
            raise ValueError("dry_channel: synthetic sources have one channel; it is for a file or mic")
        if self.target_channel is not None and self.target == "reference":
            raise ValueError("target_channel: the target is made of the dry signal; use target 'channel' or 'return'")
        if self.target == "channel" and self.resolved_dry_channel == self.resolved_target_channel:
            channel = self.resolved_dry_channel
            raise ValueError(f"target_channel: channel {channel} is dry already; choose two that differ")
        if self.output_channel is not None and self.target != "return":
            raise ValueError("output_channel: is where the dry signal leaves for target 'return'; use that target")

    @property
    def resolved_dry_channel(self) -> int | None:
        """The channel that is dry; None for the mean of all that a file has, and for a synthetic source."""
        return self.dry_channel or (1 if self.input == "mic" or self.target == "channel" else None)

    @property
    def resolved_target_channel(self) -> int | None:
        """The channel that is the target; None where it is made of the dry signal."""
        return self.target_channel or {"reference": None, "channel": 2, "return": 1}[self.target]

    @property
    def is_file(self) -> bool:
        """Whether `input` names a file rather than the microphone or a synthetic source."""
        return self.input != "mic" and self.input not in SYNTHETIC_INPUTS

    def resolved_clock(self, *, window: bool) -> Clock:
        """The clock that the session runs on; the window's default is the device's."""
        if self.clock is not None:
            return self.clock
        return "device" if window or self.input == "mic" or self.target == "return" else "offline"

    def resolved_monitor(self) -> Monitor:
        """What is played unless the user chose: the target, or the dry signal that is to return."""
        return self.monitor or ("dry" if self.target == "return" else "target")

    def window_frames(self, sample_rate: int) -> int:
        """Analysis window: the power of two of frames nearest to `window_ms` (by ratio), at least 64."""
        return nearest_power_of_two(self.window_ms * 1e-3 * sample_rate, minimum=64)

    def hop_frames(self, sample_rate: int) -> int:
        """Hop between windows: a power of two of frames nearest to `hop_ms`, 16 to the window's length."""
        hop = nearest_power_of_two(self.hop_ms * 1e-3 * sample_rate, minimum=16)
        return min(hop, self.window_frames(sample_rate))


def _check_names(loss_option: str, loss: str, optimizer_option: str, optimizer: str) -> None:
    if loss not in LOSSES + AURALOSSES:
        raise ValueError(f"{loss_option}: {loss!r} is not one of {', '.join(LOSSES + AURALOSSES)}")
    if loss in AURALOSSES and find_spec("auraloss") is None:
        raise ValueError(f"{loss_option}: {loss!r} needs auraloss; pip install 'rtgain[auraloss]'")
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"{optimizer_option}: {optimizer!r} is not one of {', '.join(OPTIMIZERS)}")


def nearest_power_of_two(frames: float, *, minimum: int) -> int:
    """The power of two whose ratio to `frames` is nearest to one, not below `minimum` (itself one)."""
    return max(minimum, 1 << round(math.log2(max(frames, 1.0))))


def make_session_config(**values: Any) -> SessionConfig:
    """Build a `SessionConfig`, with the first problem as one line that names the option.

    Raises `InputError`.
    """
    try:
        return SessionConfig(**values)
    except ValidationError as error:
        raise InputError(_first_problem(error)) from None


def with_changes(config: SessionConfig, **changes: Any) -> SessionConfig:
    """`config` with some options changed, checked anew; a new optimizer brings its own rate and steps.

    Raises `InputError`.
    """
    if changes.get("optimizer", config.optimizer) != config.optimizer:
        changes = {"lr": None, "steps": None} | changes
    return make_session_config(**(config.model_dump() | changes))


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    if not problem["loc"]:
        option, _, message = str(problem["ctx"]["error"]).partition(": ")
        return f"{_option_label(option)}: {message}"
    option = str(problem["loc"][0])
    name = _option_label(option)
    if problem["type"] == "extra_forbidden":
        return f"'{option}' is no session option; remove it"
    if problem["type"] == "string_unicode":
        return f"{name}: {problem['input']!r} is not written in UTF-8; rename the file"
    if problem["type"] == "string_too_short":
        return f"{name}: a name is expected; give a file"
    if problem["type"] == "string_pattern_mismatch":
        return f"{name}: {problem['input']!r} holds a NUL, which no file's name can; choose another"
    message = problem["msg"].removeprefix("Input ")  # "input" is an option's name too
    return f"{name}: {message[0].lower()}{message[1:]}, not {reprlib.repr(problem['input'])}"


def _option_label(option: str) -> str:
    return option if option in PRESET_ONLY else f"--{option.replace('_', '-')}"
