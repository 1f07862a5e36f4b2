"""Loudness and plateaus of a whole sound file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from rtgain.audio.io.decoded import open_recording
from rtgain.metering.loudness import LoudnessMeter
from rtgain.metering.plateaus import PlateauCounter

SILENT_CHANNEL = 1e-4
"""Largest sample of a channel, relative to that of the loudest channel, below which it is silent."""

LOWEST_RATE = 44_100
STANDARD_RATE = 48_000
"""Below `LOWEST_RATE`, in Hz, a file is resampled to the rate at which BS.1770 specifies the K-weighting.

There, the bilinear transform moves its shelf: pink noise reads 0.18 LU too loud at 16 kHz, and 0.35 LU at 8 kHz.
"""


@dataclass(frozen=True)
class FileMeasurement:
    """Loudness of a file, number of plateaus at its extremes, and the largest sample of each channel, ``(C,)``."""

    loudness: LoudnessMeter
    plateaus: int
    channel_peaks: NDArray[np.float32]

    @property
    def is_silent_channel(self) -> NDArray[np.bool_]:
        """True for channels that are 80 dB softer than the loudest one, ``(C,)``; False if all channels are silent."""
        silent: NDArray[np.bool_] = self.channel_peaks < SILENT_CHANNEL * self.channel_peaks.max()
        return silent


def measure_file(path: Path) -> FileMeasurement:
    """Measure all channels of a file, with the weights of its layout. Raises `InputError`."""
    with open_recording(path) as decoder:
        rate = decoder.sample_rate
        meter_rate = rate if rate >= LOWEST_RATE else STANDARD_RATE
        meter = LoudnessMeter(meter_rate, decoder.channels, decoder.channel_names)
        plateaus = PlateauCounter(decoder.channels)
        peaks = np.zeros(decoder.channels, np.float32)
        resampler = soxr.ResampleStream(rate, meter_rate, decoder.channels, dtype="float32", quality="HQ")
        while decoder.position < decoder.frames:
            block = decoder.read(rate)
            plateaus.push(block)
            if block.shape[1]:
                peaks = np.fmax(peaks, np.abs(block).max(axis=1))
            if rate != meter_rate:
                is_last = decoder.position == decoder.frames
                block = resampler.resample_chunk(np.ascontiguousarray(block.T), last=is_last).T
            meter.push(block)
    return FileMeasurement(meter, plateaus.count, peaks)
