"""List and select PortAudio devices. PortAudio is loaded on first use."""

import ctypes.util
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rtgain.audio.io.portaudio_reload import set_jack_client_name
from rtgain.config.names import Target
from rtgain.errors import DeviceError
from rtgain.records.device import DeviceInfo, Kind

_lock = threading.RLock()
"""PortAudio is not thread-safe."""


@dataclass(frozen=True)
class DeviceSetup:
    """Devices, channels and sample rate of a stream; the `Engine` must be created for the same values."""

    input: DeviceInfo | None
    output: DeviceInfo | None
    in_channels: int
    out_channels: int
    sample_rate: int

    def __str__(self) -> str:
        return " and ".join(dict.fromkeys(str(device) for device in (self.input, self.output) if device))


@contextmanager
def portaudio() -> Iterator[Any]:
    """Provide the `sounddevice` module, with PortAudio initialized only inside the `with` statement.

    PortAudio detects devices and servers only when it is initialized. If a detected JACK server has exited,
    terminating PortAudio aborts the program. PortAudio therefore stays initialized only while a stream is open.
    Initializations are counted: while a stream is open, PortAudio does not detect devices again.

    Raises `DeviceError` if PortAudio is missing or fails to initialize.
    """
    with _lock:
        sounddevice = initialize()
        try:
            yield sounddevice
        finally:
            terminate(sounddevice)


def initialize() -> Any:
    """Initialize PortAudio and return the `sounddevice` module, to be passed to `terminate`. Raises `DeviceError`."""
    with _lock:
        is_first = "sounddevice" not in sys.modules
        if is_first:
            set_jack_client_name(ctypes.util.find_library("portaudio"))
        try:
            import sounddevice

            if not is_first:  # the first import initializes PortAudio itself
                sounddevice._initialize()
        except OSError:
            raise DeviceError(
                "PortAudio is not installed; install it with: sudo apt-get install libportaudio2 "
                "(macOS: brew install portaudio), or run without a sound card: --clock timer"
            ) from None
        except Exception as error:  # PortAudioError; its class is not available if the import failed
            raise DeviceError(
                f"PortAudio failed to initialize ({error}); to run without a sound card use --clock timer"
            ) from None
        return sounddevice


def terminate(sounddevice: Any) -> None:
    """Reverse one call of `initialize`."""
    with _lock:
        sounddevice._terminate()


def list_devices() -> list[DeviceInfo]:
    """List the devices of this machine. Changes while a stream is open are not detected.

    Raises `DeviceError` if PortAudio is missing or fails to initialize.
    """
    with portaudio() as sounddevice:
        return query_devices(sounddevice)


def query_devices(sounddevice: Any) -> list[DeviceInfo]:
    """List the devices that PortAudio detected when it was initialized."""
    apis = [api["name"] for api in sounddevice.query_hostapis()]
    return [
        DeviceInfo(
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


def find_device(spec: str | int, kind: Kind, devices: list[DeviceInfo]) -> DeviceInfo:
    """Return the one of `devices` that matches `spec`: its index, or words of its name and host API.

    A complete name takes precedence over longer names that contain it. Raises `DeviceError` with the list of
    candidates if no device or more than one device matches.
    """
    candidates = [device for device in devices if device.channels(kind) > 0]
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
    target: Target = "reference",
    dry_channels: tuple[int, ...] = (1,),
    target_channels: tuple[int, ...] = (1,),
    output_channels: tuple[int, ...] | None = None,
    input_device: str | None = None,
    output_device: str | None = None,
    sample_rate: int | None = None,
    preferred_rate: int | None = None,
) -> DeviceSetup:
    """Select devices, channels and sample rate for the stream of a session; None selects the system default.

    With `mic` the dry signal is the input channels `dry_channels` (from 1). For the target ``channel`` the target is
    the input channels `target_channels`. Without `mic`, an input is used only for the target ``return``, which is the
    channels `target_channels`. A microphone without any output device runs input-only, unless `output_device` is
    given. Output channels are opened up to the last of `output_channels`; None opens the first two, or one if the
    device has only one.

    The devices must support `sample_rate` (in Hz) if it is given. Otherwise the rate is `preferred_rate` (that of the
    file) if the devices support it, else the default rate of the devices.

    Raises `DeviceError`.
    """
    in_channels = max(dry_channels) if mic else 0
    if target == "return" or (mic and target == "channel"):
        in_channels = max(in_channels, *target_channels)
    with portaudio() as sounddevice:
        devices = query_devices(sounddevice)
        source = output = None
        if in_channels:
            source = _find_or_default(sounddevice, input_device, "input", devices, near=None)
            _require_channels(source, "input", in_channels)
        try:
            output = _find_or_default(sounddevice, output_device, "output", devices, near=source)
        except DeviceError:
            if not mic or output_device is not None:
                raise
        last_output = max(output_channels) if output_channels else None
        if output and last_output is not None:
            _require_channels(output, "output", last_output)
        out_channels = (last_output or min(2, output.output_channels)) if output else 0
        defaults = [round(device.default_sample_rate) for device in (output, source) if device]
        rates = [sample_rate] if sample_rate else [preferred_rate, *defaults]
        setups = [DeviceSetup(source, output, in_channels, out_channels, rate) for rate in rates if rate]
        refusals: dict[str, None] = {}  # ordered, without duplicates
        for setup in setups:
            refusal = _refusal(sounddevice, setup)
            if refusal is None:
                return setup
            refusals[f"{setup.sample_rate} Hz: {refusal}"] = None
    remedy = "leave out --sample-rate, or choose other devices" if sample_rate else "choose other devices"
    raise DeviceError(f"{setups[0]}: cannot run at {', '.join(refusals)}; {remedy} (rtgain devices lists them)")


def portaudio_error_text(error: Exception) -> str:
    """Return the text of a `sounddevice.PortAudioError`, with the message of the host API if there is one."""
    text = str(error.args[0])
    return f"{text}, {error.args[2][2]}" if len(error.args) > 2 else text


def _find_or_default(
    sounddevice: Any, spec: str | None, kind: Kind, devices: list[DeviceInfo], near: DeviceInfo | None
) -> DeviceInfo:
    if spec is not None:
        return find_device(spec, kind, devices)
    apis = sounddevice.query_hostapis()
    # One stream cannot span two host APIs.
    index = next((api[f"default_{kind}_device"] for api in apis if near and api["name"] == near.host_api), -1)
    if near is None:
        index = sounddevice.default.device[kind]
    default = next((device for device in devices if device.index == index and device.channels(kind) > 0), None)
    if default is None:
        raise _no_device(kind)
    return default


def _require_channels(device: DeviceInfo, kind: Kind, channel: int) -> None:
    if (count := device.channels(kind)) < channel:
        available = f"one {kind} channel" if count == 1 else f"{count} {kind} channels"
        options = "--dry-channel and --target-channel" if kind == "input" else "--output-channel"
        raise DeviceError(
            f"{device}: has {available}, but channel {channel} was requested; choose others with {options}, "
            f"or another --{kind}-device"
        )


def _no_device(kind: Kind) -> DeviceError:
    remedy = "choose a file with --input" if kind == "input" else "run without one: --clock timer"
    return DeviceError(f"no audio {kind} device was found; connect one, or {remedy}")


def _refusal(sounddevice: Any, setup: DeviceSetup) -> str | None:
    """Return the reason why PortAudio cannot open `setup`, or None if it can."""
    try:
        if setup.input:
            sounddevice.check_input_settings(setup.input.index, setup.in_channels, "float32", None, setup.sample_rate)
        if setup.output:
            sounddevice.check_output_settings(
                setup.output.index, setup.out_channels, "float32", None, setup.sample_rate
            )
    except sounddevice.PortAudioError as error:
        return portaudio_error_text(error)
    return None
