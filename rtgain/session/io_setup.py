"""Source, devices, engine and driver for the options of a session."""

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

DEFAULT_SAMPLE_RATE = 48000
"""Sample rate, in Hz, of a synthetic source without a device."""


def select_device_setup(config: SessionConfig) -> DeviceSetup:
    """Select the devices that `config` names. Raises `DeviceError`, or `InputError` for an unreadable file."""
    preferred_rate = None
    if config.is_file:
        from rtgain.audio.sources.file_source import FileSource  # FFmpeg takes 17 MB, which other sources do not need

        file = FileSource(config.input)
        preferred_rate = file.sample_rate
        file.close()
    return select_devices(
        mic=config.input == "mic",
        target=config.target,
        dry_channels=(config.resolved_dry_channel or 1,),
        target_channels=(config.resolved_target_channel or 1,),
        output_channels=None if config.output_channel is None else (config.output_channel,),
        input_device=config.input_device,
        output_device=config.output_device,
        sample_rate=config.sample_rate,
        preferred_rate=preferred_rate,
    )


def open_source(config: SessionConfig, setup: DeviceSetup | None) -> Source | None:
    """Open the source at the session's sample rate; None for the microphone. Raises `InputError`."""
    if config.input == "mic":
        return None
    sample_rate = setup.sample_rate if setup else config.sample_rate
    if config.is_file:
        from rtgain.audio.sources.file_source import FileSource  # see above

        of_file = (config.resolved_dry_channel, config.resolved_target_channel if config.target == "channel" else None)
        channel_map = tuple(channel for channel in of_file if channel is not None)
        return FileSource(config.input, sample_rate=sample_rate, channel_map=channel_map, loop=config.loop)
    rate = sample_rate or DEFAULT_SAMPLE_RATE
    if config.input == "sine":
        return SineSource(rate)
    return PinkSource(rate, seed=config.seed) if config.input == "pink" else DemoSource(rate)


def make_engine(
    config: SessionConfig, setup: DeviceSetup | None, sample_rate: int, engine_type: type[Engine] = Engine
) -> Engine:
    """Make the engine with its reference path, automation and monitor. Raises `InputError` for the automation."""
    automation = load_automation(Path(config.automation), sample_rate) if config.automation else None
    engine = engine_type(
        sample_rate,
        seed=config.seed,
        target=config.target,
        in_channels=setup.in_channels if setup else 0,
        out_channels=setup.out_channels if setup else 2,
        dry_channels=(config.resolved_dry_channel or 1,),
        target_channels=(config.resolved_target_channel or 1,),
        output_channels=(config.output_channel,) if setup and config.output_channel else None,
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
        changes |= {"target": "reference"} | dict.fromkeys(CHANNEL_OPTIONS)
    if config.input == "mic":
        changes |= {"input": "demo"}
    return with_changes(config, **changes)
