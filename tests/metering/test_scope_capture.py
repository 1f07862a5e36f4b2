"""Scope: the newest window of an audio ring, and its spectra on logarithmic bins."""

import numpy as np
import pytest

from rtgain.audio.engine.audio_ring import AudioRing
from rtgain.audio.engine.ring_buffer import RingBuffer
from rtgain.metering.scope_capture import MAX_BINS, capture_scope

RATE, WINDOW = 48_000, 4096
TONE_HZ = 128 * RATE / WINDOW
"""On a spectral line, where the Hann window has no scalloping loss."""


def ring_of(rows: np.ndarray, *, capacity: int = 8192) -> AudioRing:
    memory = memoryview(bytearray(RingBuffer.nbytes(len(rows), capacity, np.float32)))
    ring = AudioRing(memory, len(rows) // 3, capacity)
    ring.write(rows.astype(np.float32))
    return ring


def tone(frames: int, *, hz: float = TONE_HZ) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(frames) / RATE)


def test_scope_is_none_before_a_whole_window() -> None:
    assert capture_scope(ring_of(np.zeros((4, WINDOW - 1))), WINDOW, RATE) is None


def test_scope_signals_are_the_newest_window() -> None:
    rows = np.random.default_rng(0).standard_normal((4, 6000)).astype(np.float32)
    scope = capture_scope(ring_of(rows), WINDOW, RATE)
    assert scope is not None
    for signal, row in ((scope.dry, 0), (scope.target, 1), (scope.matched, 2)):
        np.testing.assert_array_equal(signal, rows[[row], -WINDOW:])


def test_channels_are_captured_side_by_side() -> None:
    left, right = tone(WINDOW), 0.1 * tone(WINDOW)
    silence = np.zeros(WINDOW)
    scope = capture_scope(ring_of(np.stack([left, right, right, left, silence, left, silence])), WINDOW, RATE)
    assert scope is not None
    np.testing.assert_array_equal(scope.dry, np.stack([left, right]).astype(np.float32))
    assert scope.target_db.max(axis=1) == pytest.approx([-20.0, 0.0], abs=0.001)
    assert scope.matched_db.max(axis=1) == pytest.approx([-200.0, 0.0], abs=0.001)


@pytest.mark.parametrize(("window", "rate"), [(4096, 48_000), (64, 8_000), (65_536, 44_100), (512, 192_000)])
def test_bins_are_few_ascend_and_reach_from_20_hz_to_nyquist(window: int, rate: int) -> None:
    scope = capture_scope(ring_of(np.zeros((4, window)), capacity=2 * window), window, rate)
    assert scope is not None
    assert scope.dry_db.shape == (1, len(scope.frequency_hz))
    assert len(scope.frequency_hz) <= MAX_BINS
    assert np.all(np.diff(scope.frequency_hz) > 0)
    spacing_hz = rate / window
    assert abs(scope.frequency_hz[0] - max(20.0, spacing_hz)) <= spacing_hz / 2
    assert scope.frequency_hz[-1] == pytest.approx(rate / 2, rel=0.02)


def test_a_sine_of_full_scale_is_at_0_db_and_its_copies_at_their_levels() -> None:
    sine = tone(WINDOW)
    scope = capture_scope(ring_of(np.stack([sine, 0.1 * sine, 0.0 * sine, sine])), WINDOW, RATE)
    assert scope is not None
    peak = int(np.argmax(scope.dry_db[0]))
    assert scope.dry_db[0, peak] == pytest.approx(0.0, abs=0.001)
    assert scope.target_db[0, peak] == pytest.approx(-20.0, abs=0.001)
    assert scope.frequency_hz[peak] == pytest.approx(TONE_HZ, rel=0.01)
    assert set(scope.matched_db[0]) == {-200.0}


def test_every_spectral_line_is_in_a_bin() -> None:
    """A sine of −6 dB is visible at any frequency, at most 1.42 dB lower between two lines (Harris, 1978, table 1)."""
    for hz in np.geomspace(30, 23_000, 41):
        scope = capture_scope(ring_of(np.stack([0.5 * tone(WINDOW, hz=hz)] * 4)), WINDOW, RATE)
        assert scope is not None
        assert -6.03 - 1.45 <= scope.dry_db.max() <= -5.9
        assert scope.frequency_hz[np.argmax(scope.dry_db)] == pytest.approx(hz, rel=0.02, abs=RATE / WINDOW)
