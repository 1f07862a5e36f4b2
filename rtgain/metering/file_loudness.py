"""Loudness and plateaus of a whole sound file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from rtgain.audio.io.decoded import open_recording
from rtgain.metering.loudness import LoudnessMeter
from rtgain.metering.plateaus import PlateauCounter

LOWEST_RATE = 44_100
STANDARD_RATE = 48_000
"""Below `LOWEST_RATE`, in Hz, a file is resampled to the rate at which BS.1770 specifies the K-weighting.

There, the bilinear transform moves its shelf: pink noise reads 0.18 LU too loud at 16 kHz, and 0.35 LU at 8 kHz.
"""


@dataclass(frozen=True)
class FileMeasurement:
    """Loudness of a file, and the number of plateaus at its extremes."""

    loudness: LoudnessMeter
    plateaus: int


def measure_file(path: Path) -> FileMeasurement:
    """Measure all channels of a file, with the weights of its layout. Raises `InputError`."""
    with open_recording(path) as decoder:
        rate = decoder.sample_rate
        meter_rate = rate if rate >= LOWEST_RATE else STANDARD_RATE
        meter = LoudnessMeter(meter_rate, decoder.channels, decoder.channel_names)
        plateaus = PlateauCounter(decoder.channels)
        resampler = soxr.ResampleStream(rate, meter_rate, decoder.channels, dtype="float32", quality="HQ")
        while decoder.position < decoder.frames:
            block = decoder.read(rate)
            plateaus.push(block)
            if rate != meter_rate:
                is_last = decoder.position == decoder.frames
                block = resampler.resample_chunk(np.ascontiguousarray(block.T), last=is_last).T
            meter.push(block)
    return FileMeasurement(meter, plateaus.count)
