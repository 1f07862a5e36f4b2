"""Validated options of a session, shared by the command line, the GUI, presets and lessons."""

import math
import reprlib
from importlib.util import find_spec
from typing import Annotated, Any, Self, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from rtgain.config.comparison_spec import ComparisonSpec
from rtgain.config.names import (
    AURALOSSES,
    CHANNEL_OPTIONS,
    DEFAULT_GAIN_DB,
    DEFAULT_HOP_MS,
    DEFAULT_LOSS,
    DEFAULT_OPTIMIZER,
    DEFAULT_WINDOW_MS,
    GAIN_RANGE_DB,
    LOSSES,
    MAX_BLOCK_FRAMES,
    MAX_CHANNEL,
    MAX_COMPARISONS,
    MAX_DELAY_S,
    MAX_DURATION_S,
    MAX_LR,
    MAX_STEPS,
    MAX_TARGETS,
    MAX_WINDOW_MS,
    NOISE_RANGE_DBFS,
    OPTIMIZERS,
    PHASE_RANGE_DEG,
    PRESET_ONLY,
    SAMPLE_RATE_RANGE_HZ,
    SYNTHETIC_INPUTS,
    TARGETS,
    ChannelCount,
    Clock,
    LevelMatchMode,
    Monitor,
    Polarity,
    ProcessorName,
    Switch,
    Target,
)
from rtgain.config.reference_equalizer import ReferenceEqualizer
from rtgain.errors import InputError

Channel = Annotated[int, Field(ge=1, le=MAX_CHANNEL)]
Channels = Annotated[tuple[Channel, ...], BeforeValidator(lambda value: (value,) if isinstance(value, int) else value)]
"""Channel numbers, counted from 1; a single number may stand for a tuple of one."""

FileName = Annotated[str, Field(min_length=1, pattern=r"^[^\x00]*$")]
Milliseconds = Annotated[float, Field(gt=0, le=MAX_WINDOW_MS)]


def _within(limits: tuple[float, float]) -> Any:
    """A pydantic field whose value lies between `limits`, both ends included."""
    return Field(ge=limits[0], le=limits[1])


class SessionConfig(BaseModel):
    """All options of a session, under the names of the command line's options.

    Times end in `_ms` or `_s`, levels in `_db` (re unity) or `_dbfs` (re full scale). None stands for a default
    that depends on other options; the properties below resolve it. The file `eq` replaces `equalizer`.

    Raises `pydantic.ValidationError`; `make_session_config` converts it to one line for the user.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    input: FileName = "demo"
    input_device: str | None = None
    output_device: str | None = None
    clock: Clock | None = None
    block: Annotated[int, Field(ge=1, le=MAX_BLOCK_FRAMES)] | None = None
    sample_rate: Annotated[int, _within(SAMPLE_RATE_RANGE_HZ)] | None = None
    duration: Annotated[float, Field(gt=0, le=MAX_DURATION_S)] | None = None
    start: Annotated[float, Field(ge=0, le=MAX_DURATION_S)] | None = None
    end: Annotated[float, Field(gt=0, le=MAX_DURATION_S)] | None = None
    loop: bool = False
    gain_db: Annotated[float, _within(GAIN_RANGE_DB)] = DEFAULT_GAIN_DB
    automation: FileName | None = None
    polarity: Polarity = "normal"
    phase_deg: Annotated[float, _within(PHASE_RANGE_DEG)] = 0.0
    delay_ms: Annotated[float, _within((0.0, 1000.0 * MAX_DELAY_S))] = 0.0
    noise_dbfs: Annotated[float, _within(NOISE_RANGE_DBFS)] | None = None
    eq: FileName | None = None
    equalizer: ReferenceEqualizer | None = None
    channels: ChannelCount = "auto"
    target: FileName = "reference"
    target_files: Annotated[tuple[FileName, ...], Field(max_length=MAX_TARGETS)] = ()
    dry_channel: Channels | None = None
    target_channel: Channels | None = None
    output_channel: Channels | None = None
    monitor: Monitor | None = None
    level_match: LevelMatchMode = "off"
    processor: ProcessorName = "gain"
    loss: str = DEFAULT_LOSS
    optimizer: str = DEFAULT_OPTIMIZER
    lr: Annotated[float, Field(gt=0, le=MAX_LR)] | None = None
    steps: Annotated[int, Field(ge=1, le=MAX_STEPS)] | None = None
    window_ms: Milliseconds = DEFAULT_WINDOW_MS
    hop_ms: Milliseconds = DEFAULT_HOP_MS
    align: Switch = "on"
    compare: Annotated[tuple[str, ...], Field(max_length=MAX_COMPARISONS)] = ()
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        _check_names("loss", self.loss, "optimizer", self.optimizer)
        for entry in self.compare:
            try:
                spec = ComparisonSpec.parse(entry)
            except ValueError:
                raise ValueError(f"compare: {entry!r} is not loss/optimizer; use, for example, waveform/SGD") from None
            _check_names("compare", spec.loss, "compare", spec.optimizer)
        if len(set(self.compare)) < len(self.compare):
            raise ValueError(f"compare: {self.compare[0]!r} is listed twice; remove one")
        if self.hop_ms > self.window_ms:
            raise ValueError("hop_ms: the hop is longer than the window; use at most --window-ms")
        if self.input == "mic" and self.clock in ("timer", "offline"):
            raise ValueError(f"clock: {self.clock!r} is not valid for a microphone; use --clock device")
        if self.target == "return" and self.input == "mic":
            raise ValueError("target: 'return' expects a file or a synthetic source; choose an --input other than mic")
        if self.target == "return" and self.clock in ("timer", "offline"):
            raise ValueError("target: 'return' needs an audio device; use --clock device")
        if self.target == "channel" and self.input in SYNTHETIC_INPUTS:
            raise ValueError("target: 'channel' needs a two-channel file or mic; synthetic sources contain no target")
        if self.is_pair and not self.is_file:
            raise ValueError("target: a recording is compared with another one; give that with --input FILE")
        self._check_target_files()
        self._check_section()
        self._check_channels()
        if self.target != "reference" and self.automation is not None:
            raise ValueError("automation: only valid with --target reference")
        if self.target != "reference" and self.eq is not None:
            raise ValueError("eq: only valid with --target reference")
        return self

    def _check_target_files(self) -> None:
        repeated = [name for name in self.target_files if self.target_files.count(name) > 1]
        if repeated:
            raise ValueError(f"target_files: {repeated[0]!r} is listed twice; remove one")
        if self.target_files and (not self.is_pair or self.target not in self.target_files):
            raise ValueError(f"target_files: they do not contain the target {self.target!r}; add it")

    def _check_section(self) -> None:
        for option, value in (("start", self.start), ("end", self.end)):
            if value is not None and not self.is_file:
                raise ValueError(f"{option}: only valid for a file; give one with --input")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError(f"end: {self.end:g} s is not after --start {self.start:g} s; give a later time")

    def _check_channels(self) -> None:
        if self.dry_channel is not None and self.input in SYNTHETIC_INPUTS:
            raise ValueError("dry_channel: only valid for a file or mic; for a synthetic source use --channels")
        if self.dry_channel is not None and self.is_pair:
            raise ValueError("dry_channel: not valid with a second recording, which is compared in all channels")
        if self.target_channel is not None and self.target not in ("channel", "return"):
            raise ValueError("target_channel: only valid with --target channel or return")
        if self.output_channel is not None and self.target != "return":
            raise ValueError("output_channel: only valid with --target return")
        for option, selected in self._selected_channels.items():
            self._check_selection(option, selected)
        if self.target == "channel":
            channels = self.resolved_channels()
            shared = set(self.resolved_dry_channels(channels)) & set(self.resolved_target_channels(channels))
            if shared:
                raise ValueError(f"target_channel: channel {min(shared)} is already the dry channel; choose another")

    def _check_selection(self, option: str, selected: tuple[int, ...]) -> None:
        if len(selected) not in (1, 2):
            raise ValueError(f"{option}: {len(selected)} channels are given; give one, or two as 1,2")
        if len(set(selected)) < len(selected):
            raise ValueError(f"{option}: channel {selected[0]} is given twice; give two different channels")
        if self.channels != "auto" and len(selected) > self.channels:
            raise ValueError(f"{option}: two channels are given, but --channels is 1; give one, or use --channels 2")
        if self.channels != "auto" and len(selected) < self.channels:
            raise ValueError(f"{option}: one channel is given, but --channels is 2; give two as 1,2")
        first = next(iter(self._selected_channels))
        if len(selected) != len(self._selected_channels[first]):
            count, other = ("one channel", "two") if len(selected) == 1 else ("two channels", "one")
            label = _option_label(first)
            raise ValueError(f"{option}: selects {count}, but {label} selects {other}; give as many for both")

    @property
    def _selected_channels(self) -> dict[str, tuple[int, ...]]:
        """The channels that are selected explicitly, by option."""
        options = ((name, getattr(self, name)) for name in CHANNEL_OPTIONS if name != "channels")
        return {name: channels for name, channels in options if channels is not None}

    def resolved_channels(self, file_channels: int = 0) -> int:
        """Return the number of channels of the session.

        `file_channels` are those of the file, or those that two recordings are compared in; 0 for other inputs.
        """
        if self.channels != "auto":
            return self.channels
        for selected in self._selected_channels.values():
            return len(selected)
        if self.is_pair:
            return max(file_channels, 1)
        if self.target == "channel":
            return 2 if file_channels >= 4 else 1
        return 2 if self.input == "demo" or file_channels >= 2 else 1

    def resolved_dry_channels(self, channels: int) -> tuple[int, ...]:
        """Return the channels of the dry signal in a session of `channels`.

        They are empty for the mono mix of a file, and for a synthetic source.
        """
        if self.dry_channel is not None:
            return self.dry_channel
        is_selected = self.input == "mic" or self.target == "channel" or (self.is_file and channels > 1)
        return tuple(range(1, channels + 1)) if is_selected else ()

    def resolved_target_channels(self, channels: int) -> tuple[int, ...]:
        """Return the channels of the target in a session of `channels`; empty if the reference path makes it."""
        if self.target_channel is not None:
            return self.target_channel
        first = {"reference": 0, "channel": channels + 1, "return": 1}[self.target_kind]
        return tuple(range(first, first + channels)) if first else ()

    @property
    def is_file(self) -> bool:
        """True if `input` is a file, neither the microphone nor a synthetic source."""
        return self.input != "mic" and self.input not in SYNTHETIC_INPUTS

    @property
    def is_pair(self) -> bool:
        """True if `target` is a file: the target is a second recording."""
        return self.target not in TARGETS

    @property
    def second_recordings(self) -> tuple[str, ...]:
        """All target recordings, in the order of their slots; `target` is the one that is played."""
        return self.target_files or ((self.target,) if self.is_pair else ())

    @property
    def target_kind(self) -> Target:
        """Origin of the target for the engine: a second recording arrives with the dry one, as other channels."""
        return "channel" if self.is_pair else cast("Target", self.target)

    @property
    def section_s(self) -> tuple[float, float]:
        """First and last time of the section in the dry signal's own time, in s; infinite without an end."""
        return self.start or 0.0, math.inf if self.end is None else self.end

    @property
    def files(self) -> tuple[str, ...]:
        """All files that the session reads."""
        recordings = (self.input if self.is_file else None, self.target if self.is_pair else None)
        return tuple(name for name in (*recordings, self.automation, self.eq) if name is not None)

    def resolved_clock(self, *, headless: bool) -> Clock:
        """Clock of the session; by default the GUI uses ``device``, and a headless run ``offline`` if it can."""
        if self.clock is not None:
            return self.clock
        return "device" if not headless or self.input == "mic" or self.target == "return" else "offline"

    def resolved_monitor(self) -> Monitor:
        """Monitored signal; by default the target, or with target ``return`` the dry signal."""
        return self.monitor or ("dry" if self.target == "return" else "target")

    def window_frames(self, sample_rate: int) -> int:
        """Length of the analysis window: the power of two nearest to `window_ms` by ratio, at least 64."""
        return nearest_power_of_two(self.window_ms * 1e-3 * sample_rate, minimum=64)

    def hop_frames(self, sample_rate: int) -> int:
        """Hop between windows: the power of two nearest to `hop_ms` by ratio, from 16 to the window's length."""
        hop = nearest_power_of_two(self.hop_ms * 1e-3 * sample_rate, minimum=16)
        return min(hop, self.window_frames(sample_rate))

    def reference_parameters(self) -> dict[str, Any]:
        """Parameters of the reference path: `polarity` as 1 or −1, `noise_dbfs` −inf for none, the others unchanged."""
        return {
            "gain_db": self.gain_db,
            "polarity": -1 if self.polarity == "invert" else 1,
            "phase_deg": self.phase_deg,
            "delay_ms": self.delay_ms,
            "noise_dbfs": -math.inf if self.noise_dbfs is None else self.noise_dbfs,
        }


def _check_names(loss_option: str, loss: str, optimizer_option: str, optimizer: str) -> None:
    if loss not in LOSSES + AURALOSSES:
        raise ValueError(f"{loss_option}: {loss!r} is not one of {', '.join(LOSSES + AURALOSSES)}")
    if loss in AURALOSSES and find_spec("auraloss") is None:
        raise ValueError(f"{loss_option}: {loss!r} needs auraloss; pip install 'rtgain[auraloss]'")
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"{optimizer_option}: {optimizer!r} is not one of {', '.join(OPTIMIZERS)}")


def nearest_power_of_two(frames: float, *, minimum: int) -> int:
    """Power of two whose ratio to `frames` is nearest to one, at least `minimum` (a power of two)."""
    return max(minimum, 1 << round(math.log2(max(frames, 1.0))))


def make_session_config(**values: Any) -> SessionConfig:
    """Build a `SessionConfig`. Raises `InputError` with the first problem in one line that names the option."""
    try:
        return SessionConfig(**values)
    except ValidationError as error:
        raise InputError(first_problem(error)) from None


def with_changes(config: SessionConfig, **changes: Any) -> SessionConfig:
    """Copy `config` with some options changed. A new optimizer resets `lr` and `steps` to its defaults.

    A target that is not one of `target_files` replaces them. Raises `InputError`.
    """
    if changes.get("target", config.target) not in config.target_files:
        changes = {"target_files": ()} | changes
    if changes.get("optimizer", config.optimizer) != config.optimizer:
        changes = {"lr": None, "steps": None} | changes
    return make_session_config(**(config.model_dump() | changes))


def first_problem(error: ValidationError) -> str:
    """Describe the first problem of `error` in one line that names the option."""
    problem = error.errors()[0]
    if not problem["loc"]:
        option, _, message = str(problem["ctx"]["error"]).partition(": ")
        return f"{_option_label(option)}: {message}"
    option = str(problem["loc"][0])
    name = ".".join(map(str, problem["loc"])) if option in PRESET_ONLY else _option_label(option)
    if problem["type"] == "extra_forbidden":
        return f"'{'.'.join(map(str, problem['loc']))}' is not a session option; remove it"
    if problem["type"] == "string_unicode":
        return f"{name}: {problem['input']!r} is not valid UTF-8; rename the file"
    if problem["type"] == "string_too_short":
        return f"{name}: is empty; give the name of a file"
    if problem["type"] == "string_pattern_mismatch":
        return f"{name}: {problem['input']!r} contains a NUL character; choose another name"
    message = problem["msg"].removeprefix("Input ")  # "input" is an option's name too
    return f"{name}: {message[0].lower()}{message[1:]}, not {reprlib.repr(problem['input'])}"


def _option_label(option: str) -> str:
    return option if option in PRESET_ONLY else f"--{option.replace('_', '-')}"
