"""Source, devices, engine and driver for the options of a session."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtgain.audio.engine.engine import Engine
from rtgain.audio.io.devices import DeviceSetup, select_devices
from rtgain.audio.io.driver import Driver
from rtgain.audio.io.offline_driver import OfflineDriver
from rtgain.audio.io.portaudio_driver import PortAudioDriver
from rtgain.audio.io.timer_driver import TimerDriver
from rtgain.audio.sources.demo import DemoSource
from rtgain.audio.sources.source import Source
from rtgain.audio.sources.synthetic import PinkSource, SineSource
from rtgain.config.automation import load_automation
from rtgain.config.names import CHANNEL_OPTIONS, Clock
from rtgain.config.session_config import SessionConfig, with_changes
from rtgain.errors import DeviceError, InputError

DEFAULT_SAMPLE_RATE = 48000
"""Sample rate, in Hz, of a synthetic source without a device."""


@dataclass(frozen=True)
class FileFormat:
    """Sample rate in Hz and number of channels of a sound file."""

    sample_rate: int
    channels: int


def read_file_format(config: SessionConfig) -> FileFormat | None:
    """Read the format of the session's file; None for other inputs. Raises `InputError` for an unreadable file."""
    if not config.is_file:
        return None
    from rtgain.audio.io.decoder import Decoder  # FFmpeg takes 17 MB, which other sources do not need

    with Decoder(Path(config.input)) as decoder:
        return FileFormat(decoder.sample_rate, decoder.channels)


def count_channels(config: SessionConfig, file_format: FileFormat | None) -> int:
    """Return the number of channels of the session. Raises `InputError` for stereo of a file with one channel."""
    file_channels = file_format.channels if file_format else 0
    channels = config.resolved_channels(file_channels)
    if file_channels == 1 and channels > 1:
        raise InputError(
            f"{config.input}: has one channel, but a stereo session needs two; use --channels 1 or a stereo file"
        )
    return channels


def select_device_setup(config: SessionConfig, channels: int, preferred_rate: int | None) -> tuple[DeviceSetup, int]:
    """Select the devices that `config` names, and return them with the number of channels of the session.

    This is `channels`, or 1 if stereo was not requested and a return would need a second input that does not exist.
    `preferred_rate` is the sample rate in Hz of the file. Raises `DeviceError`.
    """
    is_automatic = all(getattr(config, name) == default for name, default in CHANNEL_OPTIONS.items())
    try:
        return _select_devices(config, channels, preferred_rate), channels
    except DeviceError:
        if config.target != "return" or not is_automatic:
            raise
        return _select_devices(config, 1, preferred_rate), 1


def _select_devices(config: SessionConfig, channels: int, preferred_rate: int | None) -> DeviceSetup:
    return select_devices(
        mic=config.input == "mic",
        target=config.target,
        dry_channels=config.resolved_dry_channels(channels) or (1,),
        target_channels=config.resolved_target_channels(channels) or (1,),
        output_channels=config.output_channel,
        input_device=config.input_device,
        output_device=config.output_device,
        sample_rate=config.sample_rate,
        preferred_rate=preferred_rate,
    )


def open_source(config: SessionConfig, setup: DeviceSetup | None, channels: int) -> Source | None:
    """Open the source at the session's sample rate; None for the microphone. Raises `InputError`.

    It has `channels` channels, or twice as many if it contains the target.
    """
    if config.input == "mic":
        return None
    sample_rate = setup.sample_rate if setup else config.sample_rate
    if config.is_file:
        from rtgain.audio.sources.file_source import FileSource  # see above

        channel_map = config.resolved_dry_channels(channels)
        if config.target == "channel":
            channel_map += config.resolved_target_channels(channels)
        return FileSource(config.input, sample_rate=sample_rate, channel_map=channel_map, loop=config.loop)
    rate = sample_rate or DEFAULT_SAMPLE_RATE
    if config.input == "sine":
        return SineSource(rate, channels)
    return PinkSource(rate, channels, seed=config.seed) if config.input == "pink" else DemoSource(rate, channels)


def make_engine(
    config: SessionConfig,
    setup: DeviceSetup | None,
    sample_rate: int,
    channels: int,
    engine_type: type[Engine] = Engine,
) -> Engine:
    """Make the engine with its reference path, automation and monitor. Raises `InputError` for the automation."""
    automation = load_automation(Path(config.automation), sample_rate) if config.automation else None
    engine = engine_type(
        sample_rate,
        channels=channels,
        seed=config.seed,
        target=config.target,
        in_channels=setup.in_channels if setup else 0,
        out_channels=setup.out_channels if setup else 2,
        dry_channels=config.resolved_dry_channels(channels),
        target_channels=config.resolved_target_channels(channels),
        output_channels=config.output_channel if setup else None,
    )
    engine.reference.set(**config.reference_parameters())
    if automation is not None:
        engine.reference.set_automation(*automation)
    engine.set_monitor(config.resolved_monitor())
    return engine


def make_driver(
    config: SessionConfig, clock: Clock, setup: DeviceSetup | None, engine: Engine, source: Source | None
) -> Driver:
    """Make the driver of `clock`. `setup` is given for the device clock, `source` for every other clock."""
    if setup is not None:
        return PortAudioDriver(engine, setup, source, block=config.block or 0)
    assert source is not None
    driver = OfflineDriver if clock == "offline" else TimerDriver
    return driver(engine, source) if config.block is None else driver(engine, source, config.block)


def without_device(config: SessionConfig) -> SessionConfig:
    """Return the session that replaces `config` if no device can be opened: timer clock, demo instead of a live input.

    A target that needs a device becomes the reference path.
    """
    live = config.input == "mic" or config.target == "return"
    changes: dict[str, Any] = {"clock": "timer"}
    if live:
        changes |= {"target": "reference", **CHANNEL_OPTIONS}
    if config.input == "mic":
        changes |= {"input": "demo"}
    return with_changes(config, **changes)
