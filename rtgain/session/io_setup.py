"""Opens what a session plays, and where: the source and the devices that a config names."""

from rtgain.audio.io.devices import DeviceSetup, select_devices
from rtgain.audio.sources.demo import DemoSource
from rtgain.audio.sources.file_source import FileSource
from rtgain.audio.sources.source import Source
from rtgain.audio.sources.synthetic import PinkSource, SineSource
from rtgain.config.session_config import SessionConfig

DEFAULT_SAMPLE_RATE = 48000


def device_setup(config: SessionConfig) -> DeviceSetup:
    """The devices that `config` asks for. Raises `DeviceError`, or `InputError` for a file that cannot be read."""
    preferred_rate = None
    if config.is_file:
        file = FileSource(config.input)
        preferred_rate = file.sample_rate
        file.close()
    return select_devices(
        mic=config.input == "mic",
        target=config.target,
        dry_channel=config.resolved_dry_channel or 1,
        target_channel=config.resolved_target_channel or 1,
        output_channel=config.output_channel,
        input_device=config.input_device,
        output_device=config.output_device,
        sample_rate=config.sample_rate,
        preferred_rate=preferred_rate,
    )


def open_source(config: SessionConfig, setup: DeviceSetup | None) -> Source | None:
    """The source that is played, at the session's rate; None for the microphone."""
    if config.input == "mic":
        return None
    sample_rate = setup.sample_rate if setup else config.sample_rate
    if config.is_file:
        of_file = (config.resolved_dry_channel, config.resolved_target_channel if config.target == "channel" else None)
        channel_map = tuple(channel for channel in of_file if channel is not None)
        return FileSource(config.input, sample_rate=sample_rate, channel_map=channel_map, loop=config.loop)
    rate = sample_rate or DEFAULT_SAMPLE_RATE
    if config.input == "sine":
        return SineSource(rate)
    return PinkSource(rate, seed=config.seed) if config.input == "pink" else DemoSource(rate)
