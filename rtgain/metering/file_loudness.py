"""Loudness of a whole sound file."""

from pathlib import Path

from rtgain.audio.io.decoder import Decoder
from rtgain.metering.loudness import LoudnessMeter


def measure_file(path: Path) -> LoudnessMeter:
    """Measure all channels of a file at its own sample rate, with the weights of its layout. Raises `InputError`."""
    with Decoder(path) as decoder:
        meter = LoudnessMeter(decoder.sample_rate, decoder.channels, decoder.channel_names)
        while (block := decoder.read(decoder.sample_rate)).shape[1]:
            meter.push(block)
    return meter
