"""Loudness of two recordings over the section that a session plays, and its difference in excerpts of it."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rtgain.audio.sources.source import Source
from rtgain.config.session_config import SessionConfig, with_changes
from rtgain.metering.file_loudness import LOWEST_RATE, STANDARD_RATE
from rtgain.metering.loudness import LoudnessMeter
from rtgain.records.levels import Loudness
from rtgain.records.recording_offset import RecordingOffset
from rtgain.session.io_setup import count_channels, open_source, read_file_format

EXCERPTS = 24
EXCERPT_S = 2.0
"""Number and duration in seconds of the excerpts in which a difference is sampled."""

GOLDEN_RATIO = (math.sqrt(5.0) - 1.0) / 2.0


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
    with _open_section(config, offset) as (source, channels):
        rate = source.sample_rate
        meters = LoudnessMeter(rate, channels), LoudnessMeter(rate, channels)
        while not cancelled():
            block = source.read(rate)
            for meter, signal in zip(meters, (block[:channels], block[channels:]), strict=True):
                meter.push(signal)
            if block.shape[1] < rate:
                break
    dry, target = (
        Loudness(integrated_lufs=meter.integrated_lufs, range_lu=meter.range_lu, true_peak_dbtp=meter.true_peak_dbtp)
        for meter in meters
    )
    return PairLoudness(dry, target)


def sample_difference_lu(config: SessionConfig, offset: RecordingOffset) -> float:
    """Measure the difference in loudness of two recordings in excerpts of the section; NaN if one of them is silent.

    The excerpts are spread over it by multiples of the golden ratio, so that they do not fall on one beat of the bars.
    A section that is shorter than all excerpts is measured as a whole. Raises `InputError`.
    """
    with _open_section(config, offset) as (source, channels):
        assert source.frames is not None
        frames = round(EXCERPT_S * source.sample_rate)
        starts = sorted(round(index * GOLDEN_RATIO % 1.0 * (source.frames - frames)) for index in range(EXCERPTS))
        if source.frames <= EXCERPTS * frames:
            starts = list(range(0, source.frames, frames))
        meters = [LoudnessMeter(source.sample_rate, channels) for _ in range(2)]
        for start in starts:
            source.seek(start)
            block = source.read(frames)
            for meter, signal in zip(meters, (block[:channels], block[channels:]), strict=True):
                meter.push(signal)
    difference_lu = meters[1].integrated_lufs - meters[0].integrated_lufs
    return difference_lu if math.isfinite(difference_lu) else math.nan


@contextmanager
def _open_section(config: SessionConfig, offset: RecordingOffset) -> Iterator[tuple[Source, int]]:
    """Open the section of two recordings, without its repetition, with the number of channels of each.

    The sample rate is one at which loudness is exact.
    """
    file_format = read_file_format(config)
    assert file_format is not None, "two recordings are files"
    rate = file_format.sample_rate if file_format.sample_rate >= LOWEST_RATE else STANDARD_RATE
    channels = count_channels(config, file_format, file_format.channels)
    once = with_changes(config, sample_rate=rate, loop=False)
    source = open_source(once, None, channels, offset).source
    assert source is not None
    try:
        yield source, channels
    finally:
        source.close()
