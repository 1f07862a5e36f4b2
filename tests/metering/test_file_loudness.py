"""Loudness of files: all channels at their own sample rate, with the weights of their layout."""

import math
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile
import soxr

from rtgain.audio.sources.synthetic import PinkSource
from rtgain.metering.file_loudness import measure_file
from tests.encoded_files import encode

RATE = 48_000


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("sample_rate", [44_100, 48_000])
def test_file_has_the_loudness_of_the_reference_implementation(tmp_path: Path, sample_rate: int, channels: int) -> None:
    noise = [PinkSource(sample_rate, seed=seed).read(23 * sample_rate + 777)[0] for seed in range(channels)]
    loud = np.where(np.arange(len(noise[0])) // (4 * sample_rate) % 2, 1.0, 0.03)
    samples = (np.stack(noise, axis=1) * loud[:, None]).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", samples, sample_rate, subtype="FLOAT")
    expected = pyloudnorm.Meter(sample_rate).integrated_loudness(samples.astype(np.float64))
    assert measure_file(tmp_path / "a.wav").loudness.integrated_lufs == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_surround_excludes_the_low_frequency_channel_and_weights_the_surrounds(tmp_path: Path, name: str) -> None:
    """Tones of Tech 3341, case 6, in a file of 5.1 channels; the low-frequency channel is not silent."""
    tone = np.sin(2 * np.pi * 1000 * np.arange(10 * RATE) / RATE)
    levels_dbfs = np.array([-28, -28, -24, -10, -30, -30])
    path = encode(tmp_path / name, 10 ** (levels_dbfs[:, None] / 20) * tone, RATE)
    assert measure_file(path).loudness.integrated_lufs == pytest.approx(-23, abs=0.1)


def test_sine_of_full_scale_at_1_khz_is_at_minus_3_lufs(tmp_path: Path) -> None:
    """BS.1770-5: 0 dBFS at 997 Hz on one channel reads −3.01 LKFS; EBU Tech 3341 allows a meter 0.1."""
    soundfile.write(tmp_path / "a.wav", np.sin(2 * np.pi * 997 * np.arange(5 * RATE) / RATE), RATE, subtype="FLOAT")
    assert measure_file(tmp_path / "a.wav").loudness.integrated_lufs == pytest.approx(-3.01, abs=0.1)


def test_nine_channels_are_weighted_equally(tmp_path: Path) -> None:
    noise = PinkSource(RATE).read(2 * RATE)[0]
    soundfile.write(tmp_path / "nine.wav", np.tile(noise, (9, 1)).T, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "one.wav", noise, RATE, subtype="FLOAT")
    nine, one = (measure_file(tmp_path / name).loudness.integrated_lufs for name in ("nine.wav", "one.wav"))
    assert nine - one == pytest.approx(10 * math.log10(9), abs=0.01)


def test_loudness_is_minus_infinity_for_silence_and_nan_for_short_files(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    soundfile.write(tmp_path / "short.wav", np.ones(4_800), RATE)
    assert measure_file(tmp_path / "silent.wav").loudness.integrated_lufs == -math.inf
    assert math.isnan(measure_file(tmp_path / "short.wav").loudness.integrated_lufs)


@pytest.mark.parametrize("sample_rate", [8_000, 11_025, 16_000, 44_100, 96_000])
def test_loudness_does_not_depend_on_the_sample_rate(tmp_path: Path, sample_rate: int) -> None:
    """The noise has no content above 3 kHz, where low sample rates would cut it."""
    noise = soxr.resample(PinkSource(6_000).read(60_000)[0], 6_000, RATE, quality="VHQ")
    expected = write_and_measure(tmp_path / "a.wav", noise, RATE)
    resampled = soxr.resample(noise, RATE, sample_rate, quality="VHQ")
    assert write_and_measure(tmp_path / "b.wav", resampled, sample_rate) == pytest.approx(expected, abs=0.03)


def write_and_measure(path: Path, samples: np.ndarray, sample_rate: int) -> float:
    soundfile.write(path, samples, sample_rate, subtype="FLOAT")
    return measure_file(path).loudness.integrated_lufs
