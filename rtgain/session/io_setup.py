"""Source, devices, engine and driver for the options of a session."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtgain.audio.engine.engine import Engine
from rtgain.audio.io.devices import DeviceSetup, select_devices
from rtgain.audio.io.driver import Driver
from rtgain.audio.io.offline_driver import OfflineDriver
from rtgain.audio.io.portaudio_driver import PortAudioDriver
from rtgain.audio.io.timer_driver import TimerDriver
from rtgain.audio.sources.demo import DemoSource
from rtgain.audio.sources.section import SectionSource
from rtgain.audio.sources.source import Source
from rtgain.audio.sources.synthetic import PinkSource, SineSource
from rtgain.config.automation import load_automation
from rtgain.config.names import CHANNEL_OPTIONS, MAX_CHANNEL, Clock
from rtgain.config.session_config import SessionConfig, with_changes
from rtgain.errors import DeviceError, InputError
from rtgain.records.delay_curve import DelayCurve
from rtgain.records.recording_offset import RecordingOffset
from rtgain.records.reference_equalizer import reference_filters

if TYPE_CHECKING:
    from rtgain.audio.sources.file_pair import FilePairSource
    from rtgain.audio.sources.file_source import FileSource

DEFAULT_SAMPLE_RATE = 48000
"""Sample rate, in Hz, of a synthetic source without a device."""


@dataclass(frozen=True)
class FileFormat:
    """Sample rate in Hz and number of channels of a sound file, or of two recordings that are compared."""

    sample_rate: int
    channels: int


@dataclass(frozen=True)
class SessionSource:
    """Source of a session's frames, and the `recording` that it plays, if it plays one.

    Frame 0 of the source is frame `start_frame` of the dry recording, and `offset_frames` later in a second one.
    `loop_frames` is the length of one pass if the recording, or a section of it, is repeated. `selectable_channels` is
    the number of channels that a file has to choose from. `notices` are lines for the user. With a `curve`, the second
    recording is read along it, and `offset_frames` is 0.
    """

    source: Source | None
    recording: "FileSource | FilePairSource | None" = None
    start_frame: int = 0
    offset_frames: int = 0
    loop_frames: int | None = None
    selectable_channels: int = 0
    notices: tuple[str, ...] = ()
    curve: DelayCurve | None = None

    def delay_frames_at(self, dry_frame: float) -> float:
        """Return the delay at which the second recording is read, at a frame of the dry one."""
        if self.curve is None or self.recording is None:
            return self.offset_frames
        rate = self.recording.sample_rate
        return self.curve.delay_at_s(dry_frame / rate) * rate


def read_file_format(config: SessionConfig) -> FileFormat | None:
    """Read the format of the session's files; None for other inputs. Raises `InputError` for an unreadable file."""
    if not config.is_file:
        return None
    from rtgain.audio.io.decoded import open_recording  # FFmpeg takes 17 MB, which other sources do not need

    with open_recording(Path(config.input)) as decoder:
        if not config.is_pair:
            return FileFormat(decoder.sample_rate, decoder.channels)
        from rtgain.audio.sources.file_pair import compared_channels

        with open_recording(Path(config.target)) as target:
            return FileFormat(decoder.sample_rate, compared_channels(decoder.channels, target.channels))


def count_channels(config: SessionConfig, file_format: FileFormat | None, max_channels: int) -> int:
    """Return the number of channels of the session. Raises `InputError` for stereo of a file with one channel.

    Of two recordings, at most `max_channels` are compared.
    """
    file_channels = min(file_format.channels, max_channels if config.is_pair else MAX_CHANNEL) if file_format else 0
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
        target=config.target_kind,
        dry_channels=config.resolved_dry_channels(channels) or (1,),
        target_channels=config.resolved_target_channels(channels) or (1,),
        output_channels=config.output_channel,
        input_device=config.input_device,
        output_device=config.output_device,
        sample_rate=config.sample_rate,
        preferred_rate=preferred_rate,
    )


def open_source(
    config: SessionConfig, setup: DeviceSetup | None, channels: int, offset: RecordingOffset | None = None
) -> SessionSource:
    """Open the source at the session's sample rate; the microphone has none. Raises `InputError`.

    It has `channels` channels, or twice as many if it contains the target. A second recording is read at `offset`, in
    whole frames, or along its curve.
    """
    if config.input == "mic":
        return SessionSource(None)
    sample_rate = setup.sample_rate if setup else config.sample_rate
    if config.is_file:
        return _open_recording(config, sample_rate, channels, offset)
    rate = sample_rate or DEFAULT_SAMPLE_RATE
    if config.input == "sine":
        return SessionSource(SineSource(rate, channels))
    if config.input == "pink":
        return SessionSource(PinkSource(rate, channels, seed=config.seed))
    return SessionSource(DemoSource(rate, channels))


def _open_recording(
    config: SessionConfig, sample_rate: int | None, channels: int, offset: RecordingOffset | None
) -> SessionSource:
    """Open one file or two, and the section of them that is played."""
    from rtgain.audio.sources.file_source import FileSource  # see above

    has_section = config.start is not None or config.end is not None
    if config.is_pair:
        from rtgain.audio.sources.file_pair import FilePairSource

        pair = FilePairSource(
            config.input,
            config.target,
            sample_rate=sample_rate,
            delay_s=offset.delay_s if offset else 0.0,
            curve=offset.curve if offset and config.align == "on" else None,
            channels=channels,
        )
        opened = SessionSource(pair, pair, pair.start_frame, pair.offset_frames, notices=pair.notices, curve=pair.curve)
        return _select_section(config, opened) if has_section or config.loop else opened
    channel_map = config.resolved_dry_channels(channels)
    if config.target == "channel":
        channel_map += config.resolved_target_channels(channels)
    loops = config.loop and not has_section  # a whole file is repeated through one resampler
    file = FileSource(config.input, sample_rate=sample_rate, channel_map=channel_map, loop=loops)
    opened = SessionSource(
        file,
        file,
        loop_frames=file.loop_frames if loops else None,
        selectable_channels=file.file_channels,
        notices=() if file.notice is None else (file.notice,),
    )
    return _select_section(config, opened) if has_section else opened


def _select_section(config: SessionConfig, opened: SessionSource) -> SessionSource:
    """Limit a recording to the section between `config.start` and `config.end`, in the dry recording's own time."""
    recording = opened.recording
    assert recording is not None
    assert recording.frames is not None
    rate, first, frames = recording.sample_rate, opened.start_frame, recording.frames
    start = max(0, round((config.start or 0.0) * rate) - first)
    end = frames if config.end is None else min(frames, round(config.end * rate) - first)
    if start >= end:
        recording.close()
        times = (("--start", config.start), ("--end", config.end))
        given = " ".join(f"{option} {time_s:g}" for option, time_s in times if time_s is not None)
        raise InputError(
            f"{given}: {config.input} has no sound to play there; choose times from {first / rate:.3f} "
            f"to {(first + frames) / rate:.3f} s"
        )
    try:
        section = SectionSource(recording, start, end, loop=config.loop)
    except InputError:  # a short loop is read at once
        recording.close()
        raise
    loop_frames = section.loop_frames if config.loop else None
    return replace(opened, source=section, start_frame=first + start, loop_frames=loop_frames)


def make_engine(
    config: SessionConfig,
    setup: DeviceSetup | None,
    sample_rate: int,
    channels: int,
    start_frame: int,
    engine_type: type[Engine] = Engine,
) -> Engine:
    """Make the engine with its reference path, automation, equalizer and monitor.

    Raises `InputError` for the files of automation and equalizer.

    The session begins at frame `start_frame` of the dry signal, in whose time the automation is.
    """
    automation = load_automation(Path(config.automation), sample_rate) if config.automation else None
    equalizer = reference_filters(config, sample_rate) if config.target == "reference" else None
    engine = engine_type(
        sample_rate,
        channels=channels,
        seed=config.seed,
        target=config.target_kind,
        in_channels=setup.in_channels if setup else 0,
        out_channels=setup.out_channels if setup else 2,
        dry_channels=config.resolved_dry_channels(channels),
        target_channels=config.resolved_target_channels(channels),
        output_channels=config.output_channel if setup else None,
    )
    engine.reference.set(**config.reference_parameters())
    if automation is not None:
        frames, gains_db = automation
        engine.reference.set_automation(frames - start_frame, gains_db)
    if equalizer is not None:
        engine.reference.set_equalizer(equalizer)
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
