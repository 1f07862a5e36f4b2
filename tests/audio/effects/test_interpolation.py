"""Values between frames: exact up to nine tenths of the Nyquist frequency, for any rate of change of the delay."""

import numpy as np
import pytest

from rtgain.audio.effects.interpolation import interpolate

FRAMES = np.arange(4_000)


@pytest.mark.parametrize("step", [1.0, 1.0003, 0.9997, 1.05])
@pytest.mark.parametrize("frequency", [0.01, 0.3, 0.44])
def test_sine_is_interpolated_at_any_positions(frequency, step):
    samples = np.stack([np.sin(2 * np.pi * frequency * FRAMES), np.cos(2 * np.pi * frequency * FRAMES)])
    position = 100.123 + step * np.arange(3_000)
    expected = np.stack([np.sin(2 * np.pi * frequency * position), np.cos(2 * np.pi * frequency * position)])
    error = interpolate(samples, 100.123, step, 3_000) - expected
    assert 10 * np.log10(np.mean(error**2) / 0.5) < -85


def test_whole_frames_are_copied_and_outside_is_silence():
    samples = np.random.default_rng(0).standard_normal((2, 300))
    np.testing.assert_array_equal(interpolate(samples, 5.0, 1.0, 290), samples[:, 5:295])
    np.testing.assert_array_equal(interpolate(samples, -10.0, 1.0, 400), np.pad(samples, ((0, 0), (10, 90))))
