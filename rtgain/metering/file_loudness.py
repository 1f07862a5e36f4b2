"""Loudness of a whole sound file."""

from pathlib import Path

import numpy as np
import soxr

from rtgain.audio.io.decoded import open_recording
from rtgain.metering.loudness import LoudnessMeter

LOWEST_RATE = 44_100
STANDARD_RATE = 48_000
"""Below `LOWEST_RATE`, in Hz, a file is resampled to the rate at which BS.1770 specifies the K-weighting.

There, the bilinear transform moves its shelf: pink noise reads 0.18 LU too loud at 16 kHz, and 0.35 LU at 8 kHz.
"""


def measure_file(path: Path) -> LoudnessMeter:
    """Measure all channels of a file, with the weights of its layout. Raises `InputError`."""
    with open_recording(path) as decoder:
        rate = decoder.sample_rate
        meter_rate = rate if rate >= LOWEST_RATE else STANDARD_RATE
        meter = LoudnessMeter(meter_rate, decoder.channels, decoder.channel_names)
        resampler = soxr.ResampleStream(rate, meter_rate, decoder.channels, dtype="float32", quality="HQ")
        while decoder.position < decoder.frames:
            block = decoder.read(rate)
            if rate != meter_rate:
                is_last = decoder.position == decoder.frames
                block = resampler.resample_chunk(np.ascontiguousarray(block.T), last=is_last).T
            meter.push(block)
    return meter
