"""Loudness measured in chunks equals the loudness of the whole file."""

import math

import numpy as np
import pyloudnorm
import pytest
import soundfile

from rtgain.audio.sources.synthetic import PinkSource
from rtgain.metering import loudness


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("sample_rate", [8000, 11025])
def test_a_long_file_has_the_loudness_of_the_reference_implementation(tmp_path, monkeypatch, sample_rate, channels):
    monkeypatch.setattr(loudness, "CHUNK_S", 5)
    noise = [PinkSource(sample_rate, seed=seed).read(23 * sample_rate + 777)[0] for seed in range(channels)]
    loud = np.where(np.arange(len(noise[0])) // (4 * sample_rate) % 2, 1.0, 0.03)
    samples = (np.stack(noise, axis=1) * loud[:, None]).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", samples, sample_rate, subtype="FLOAT")
    whole = pyloudnorm.Meter(sample_rate).integrated_loudness(samples.astype(np.float64))
    assert loudness.integrated_lufs(tmp_path / "a.wav") == pytest.approx(whole, abs=0.02)
    assert loudness.samples_lufs(samples, sample_rate) == pytest.approx(whole, abs=1e-9)


def test_a_sine_of_full_scale_at_1_khz_is_at_minus_3_lufs(tmp_path):
    """BS.1770-4: 0 dBFS at 997 Hz on one channel reads −3.01 LKFS; EBU Tech 3341 allows a meter 0.1."""
    time_s = np.arange(5 * 48_000) / 48_000
    soundfile.write(tmp_path / "a.wav", np.sin(2 * np.pi * 997 * time_s), 48_000, subtype="FLOAT")
    assert loudness.integrated_lufs(tmp_path / "a.wav") == pytest.approx(-3.01, abs=0.1)


def test_loudness_is_minus_infinity_for_silence_and_nan_for_short_files(tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(48_000), 48_000)
    soundfile.write(tmp_path / "short.wav", np.ones(4_800), 48_000)
    assert loudness.integrated_lufs(tmp_path / "silent.wav") == -math.inf
    assert math.isnan(loudness.integrated_lufs(tmp_path / "short.wav"))
