"""Loudness of two recordings over the section that a session plays."""

from collections.abc import Callable
from dataclasses import dataclass

from rtgain.config.session_config import SessionConfig, with_changes
from rtgain.metering.file_loudness import LOWEST_RATE, STANDARD_RATE
from rtgain.metering.loudness import LoudnessMeter
from rtgain.records.levels import Loudness
from rtgain.records.recording_offset import RecordingOffset
from rtgain.session.io_setup import count_channels, open_source, read_file_format


@dataclass(frozen=True)
class PairLoudness:
    """Loudness of the dry recording and of the target over the same section, without momentary values."""

    dry: Loudness
    target: Loudness

    @property
    def difference_lu(self) -> float:
        """Integrated loudness of the target minus that of the dry recording, in LU."""
        return self.target.integrated_lufs - self.dry.integrated_lufs


def measure_loudness(
    config: SessionConfig, offset: RecordingOffset, *, cancelled: Callable[[], bool] = lambda: False
) -> PairLoudness:
    """Measure both recordings of `config` over its section, in the channels that the session plays.

    The loudness so far is returned if it was `cancelled`. Raises `InputError`.
    """
    file_format = read_file_format(config)
    assert file_format is not None, "two recordings are files"
    rate = file_format.sample_rate if file_format.sample_rate >= LOWEST_RATE else STANDARD_RATE
    channels = count_channels(config, file_format, file_format.channels)
    once = with_changes(config, sample_rate=rate, loop=False)
    source = open_source(once, None, channels, offset).source
    assert source is not None
    meters = LoudnessMeter(rate, channels), LoudnessMeter(rate, channels)
    try:
        while not cancelled():
            block = source.read(rate)
            for meter, signal in zip(meters, (block[:channels], block[channels:]), strict=True):
                meter.push(signal)
            if block.shape[1] < rate:
                break
    finally:
        source.close()
    dry, target = (
        Loudness(integrated_lufs=meter.integrated_lufs, range_lu=meter.range_lu, true_peak_dbtp=meter.true_peak_dbtp)
        for meter in meters
    )
    return PairLoudness(dry, target)
