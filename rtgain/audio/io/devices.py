"""The audio devices of this machine, and the choice among them. PortAudio is loaded when first needed."""

import ctypes.util
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from rtgain.audio.io.portaudio_reload import set_jack_client_name
from rtgain.errors import DeviceError

Kind = Literal["input", "output"]

_lock = threading.RLock()
"""PortAudio is not made for several threads."""


@dataclass(frozen=True)
class Device:
    """An audio device as PortAudio lists it."""

    index: int
    name: str
    host_api: str
    input_channels: int
    output_channels: int
    default_sample_rate: float
    """In Hz."""
    default_latency_s: float
    """The shortest latency that the device itself suggests; for JACK, its period."""

    def channels(self, kind: Kind) -> int:
        """How many channels it has in one direction."""
        return self.input_channels if kind == "input" else self.output_channels

    def __str__(self) -> str:
        return f"{self.name} ({self.host_api})"


@dataclass(frozen=True)
class DeviceSetup:
    """Devices, channels and rate that a stream can be opened with; what an `Engine` has to be made for."""

    input: Device | None
    output: Device | None
    in_channels: int
    out_channels: int
    sample_rate: int

    def __str__(self) -> str:
        return " and ".join(dict.fromkeys(str(device) for device in (self.input, self.output) if device))


@contextmanager
def portaudio() -> Iterator[Any]:
    """The `sounddevice` module, with PortAudio initialized inside the `with` statement and no longer.

    PortAudio looks for devices and servers when it is initialized, and at no other time. And it aborts
    the program when it is terminated after a JACK server that it had found has gone: so it is not left
    initialized while nothing plays. It counts: while a stream holds it, nothing is looked for anew.

    Raises `DeviceError` when PortAudio is missing or does not start.
    """
    with _lock:
        sounddevice = initialize()
        try:
            yield sounddevice
        finally:
            terminate(sounddevice)


def initialize() -> Any:
    """Initialize PortAudio until `terminate` is given the module that this returns. Raises `DeviceError`."""
    with _lock:
        is_first = "sounddevice" not in sys.modules
        if is_first:
            set_jack_client_name(ctypes.util.find_library("portaudio"))
        try:
            import sounddevice

            if not is_first:  # the import has done it
                sounddevice._initialize()
        except OSError:
            raise DeviceError(
                "PortAudio is not installed; get it with: sudo apt-get install libportaudio2 "
                "(macOS: brew install portaudio), or run without a sound card: --clock timer"
            ) from None
        except Exception as error:  # PortAudioError, whose class may be lost with the import
            raise DeviceError(f"PortAudio does not start ({error}); run without it: --clock timer") from None
        return sounddevice


def terminate(sounddevice: Any) -> None:
    """Undo one `initialize`."""
    with _lock:
        sounddevice._terminate()


def devices() -> list[Device]:
    """Every device there is now; those that came or went while a stream is open are not noticed.

    Raises `DeviceError` without PortAudio.
    """
    with portaudio() as sounddevice:
        return listed_devices(sounddevice)


def listed_devices(sounddevice: Any) -> list[Device]:
    """The devices that PortAudio knew when it was initialized."""
    apis = [api["name"] for api in sounddevice.query_hostapis()]
    return [
        Device(
            index=int(info["index"]),
            name=info["name"],
            host_api=apis[info["hostapi"]],
            input_channels=info["max_input_channels"],
            output_channels=info["max_output_channels"],
            default_sample_rate=float(info["default_samplerate"]),
            default_latency_s=max(info["default_low_input_latency"], info["default_low_output_latency"]),
        )
        for info in sounddevice.query_devices()
    ]


def find_device(spec: str | int, kind: Kind, among: list[Device]) -> Device:
    """The device of `among` that `spec` means: its index, or some of the words of its name and host API.

    A name that is given in full wins over others that contain it. Raises `DeviceError` that lists
    the candidates when there is none or more than one.
    """
    candidates = [device for device in among if device.channels(kind) > 0]
    text = str(spec).strip()
    if text.isdecimal():
        found = [device for device in candidates if device.index == int(text)]
    else:
        words = text.casefold().split()
        found = [device for device in candidates if all(word in str(device).casefold() for word in words)]
        exact = [device for device in found if text.casefold() in (device.name.casefold(), str(device).casefold())]
        found = exact if len(exact) == 1 else found
    if len(found) == 1:
        return found[0]
    if not candidates:
        raise _no_device(kind)
    problem = f"{len(found)} {kind} devices match" if found else f"no {kind} device matches"
    choice = ", ".join(f"{device.index}: {device}" for device in found or candidates)
    raise DeviceError(f"{problem} {text!r}; choose --{kind}-device by index or more of the name: {choice}")


def select_devices(
    *,
    mic: bool,
    target: Literal["reference", "channel", "return"] = "reference",
    dry_channel: int = 1,
    target_channel: int = 1,
    output_channel: int | None = None,
    input_device: str | None = None,
    output_device: str | None = None,
    sample_rate: int | None = None,
    preferred_rate: int | None = None,
) -> DeviceSetup:
    """Choose what a session's stream is opened with; None stands for the system's own choice.

    `mic` says whether the dry signal comes from the input, out of `dry_channel` (from 1); for the target
    ``channel``, the target comes out of its `target_channel`. Without `mic`, the input is used for the target
    ``return`` only, likewise. A microphone without any output device runs input-only, unless an output was asked
    for. Outputs are opened up to `output_channel`; None is for the first two that there are.

    `sample_rate` in Hz is kept or refused. Without it, the rate is `preferred_rate` (the file's own)
    where the devices can run at it, else the devices' default.

    Raises `DeviceError`.
    """
    in_channels = dry_channel if mic else 0
    if target == "return" or (mic and target == "channel"):
        in_channels = max(in_channels, target_channel)
    with portaudio() as sounddevice:
        found = listed_devices(sounddevice)
        source = output = None
        if in_channels:
            source = _find_or_default(sounddevice, input_device, "input", found, near=None)
            _require_channels(source, "input", in_channels)
        try:
            output = _find_or_default(sounddevice, output_device, "output", found, near=source)
        except DeviceError:
            if not mic or output_device is not None:
                raise
        if output and output_channel is not None:
            _require_channels(output, "output", output_channel)
        out_channels = (output_channel or min(2, output.output_channels)) if output else 0
        defaults = [round(device.default_sample_rate) for device in (output, source) if device]
        rates = [sample_rate] if sample_rate else [preferred_rate, *defaults]
        setups = [DeviceSetup(source, output, in_channels, out_channels, rate) for rate in rates if rate]
        refusals: dict[str, None] = {}  # ordered, and each once
        for setup in setups:
            refusal = _refusal(sounddevice, setup)
            if refusal is None:
                return setup
            refusals[f"{setup.sample_rate} Hz: {refusal}"] = None
    cure = "leave out --sample-rate, or choose other devices" if sample_rate else "choose other devices"
    raise DeviceError(f"{setups[0]}: cannot run at {', '.join(refusals)}; {cure} (rtgain devices lists them)")


def reason(error: Exception) -> str:
    """What a `sounddevice.PortAudioError` says, with the host API's own words where there are any."""
    text = str(error.args[0])
    return f"{text}, {error.args[2][2]}" if len(error.args) > 2 else text


def _find_or_default(
    sounddevice: Any, spec: str | None, kind: Kind, found: list[Device], near: Device | None
) -> Device:
    if spec is not None:
        return find_device(spec, kind, found)
    apis = sounddevice.query_hostapis()
    # One stream cannot span two host APIs.
    index = next((api[f"default_{kind}_device"] for api in apis if near and api["name"] == near.host_api), -1)
    if near is None:
        index = sounddevice.default.device[kind]
    default = next((device for device in found if device.index == index and device.channels(kind) > 0), None)
    if default is None:
        raise _no_device(kind)
    return default


def _require_channels(device: Device, kind: Kind, channel: int) -> None:
    if (count := device.channels(kind)) < channel:
        there = f"one {kind} channel" if count == 1 else f"{count} {kind} channels"
        options = "--dry-channel and --target-channel" if kind == "input" else "--output-channel"
        raise DeviceError(
            f"{device}: has {there}, and channel {channel} is wanted; choose others with {options}, "
            f"or another --{kind}-device"
        )


def _no_device(kind: Kind) -> DeviceError:
    cure = "choose a file with --input" if kind == "input" else "run without one: --clock timer"
    return DeviceError(f"no audio {kind} device was found; connect one, or {cure}")


def _refusal(sounddevice: Any, setup: DeviceSetup) -> str | None:
    """Why PortAudio would not open `setup`, or None."""
    try:
        if setup.input:
            sounddevice.check_input_settings(setup.input.index, setup.in_channels, "float32", None, setup.sample_rate)
        if setup.output:
            sounddevice.check_output_settings(
                setup.output.index, setup.out_channels, "float32", None, setup.sample_rate
            )
    except sounddevice.PortAudioError as error:
        return reason(error)
    return None
