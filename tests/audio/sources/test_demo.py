"""Demo loop: level, spectrum, seam, and equality at all sample rates."""

import numpy as np
import pytest

from rtgain.audio.sources.demo import LOOP_S, DemoSource

SAMPLE_RATES = (4_000, 8_000, 44_100, 48_000, 96_000)


def one_pass(sample_rate: int) -> np.ndarray:
    return DemoSource(sample_rate).read(LOOP_S * sample_rate)[0].astype(np.float64)


def band_power_db(signal: np.ndarray, sample_rate: int, low_hz: float, high_hz: float) -> float:
    """Return the power of a periodic signal between two frequencies in dB re full scale (Parseval)."""
    power = 2 * np.abs(np.fft.rfft(signal) / len(signal)) ** 2
    hz = np.fft.rfftfreq(len(signal), 1 / sample_rate)
    return float(10 * np.log10(power[(hz >= low_hz) & (hz < high_hz)].sum()))


@pytest.mark.parametrize("sample_rate", SAMPLE_RATES)
def test_level_leaves_headroom(sample_rate: int) -> None:
    loop = one_pass(sample_rate)
    assert 10 * np.log10(np.mean(loop**2)) == pytest.approx(-18, abs=0.1)
    assert 20 * np.log10(np.abs(loop).max()) < -1
    assert abs(loop.mean()) < 1e-3


def test_spectrum_covers_bass_to_hi_hats() -> None:
    loop = one_pass(48_000)
    bands = {
        (band_hz, 2 * band_hz): band_power_db(loop, 48_000, band_hz, 2 * band_hz)
        for band_hz in (40, 80, 160, 320, 640, 1250, 2500, 5000, 10_000)
    }
    assert min(bands.values()) > -45, bands
    assert max(bands.values()) - min(bands.values()) < 25, bands
    assert band_power_db(loop, 48_000, 40, 50) > -35  # F1, the lowest note of the bass, is 43.7 Hz


def test_loop_has_no_seam() -> None:
    """No step around the seam is larger than the largest step between notes."""
    source = DemoSource(48_000)
    two_passes = source.read(2 * LOOP_S * 48_000)[0]
    np.testing.assert_array_equal(two_passes[: LOOP_S * 48_000], two_passes[LOOP_S * 48_000 :])
    around = two_passes[LOOP_S * 48_000 - 20 : LOOP_S * 48_000 + 2]
    assert np.abs(np.diff(around)).max() < 1e-3


def test_mean_of_the_stereo_demo_is_the_mono_demo() -> None:
    stereo = DemoSource(48_000, 2).read(LOOP_S * 48_000).astype(np.float64)
    np.testing.assert_allclose(stereo.mean(axis=0), one_pass(48_000), rtol=0, atol=1e-7)


def test_channels_of_the_stereo_demo_differ_at_equal_level() -> None:
    stereo = DemoSource(48_000, 2).read(LOOP_S * 48_000).astype(np.float64)
    left_db, right_db = 10 * np.log10(np.mean(stereo**2, axis=1))
    assert left_db == pytest.approx(-18, abs=1)
    assert right_db == pytest.approx(left_db, abs=0.5)
    assert 20 * np.log10(np.abs(stereo).max()) < -1
    assert 0.5 < np.corrcoef(stereo)[0, 1] < 0.9


def test_demo_has_one_or_two_channels() -> None:
    with pytest.raises(ValueError, match="the demo has one or two channels, not 3"):
        DemoSource(48_000, 3)


def test_only_the_last_beat_of_the_loop_is_silent() -> None:
    loop = one_pass(48_000)
    tenths = np.sqrt(np.mean(loop.reshape(-1, 4_800) ** 2, axis=1))
    level_db = 20 * np.log10(tenths + 1e-12)
    quiet = level_db < -60
    assert 3 <= quiet.sum() <= 6
    assert (level_db[-3:] < -100).all()
    assert not quiet[:94].any()


def test_loop_is_reproducible_and_equal_at_all_rates() -> None:
    np.testing.assert_array_equal(one_pass(48_000), one_pass(48_000))
    # Every second frame at 96 kHz is a frame at 48 kHz of the same band-limited signal.
    np.testing.assert_allclose(one_pass(96_000)[::2], one_pass(48_000), atol=2e-4)


@pytest.mark.parametrize("channels", [1, 2])
def test_read_sizes_and_seeks_do_not_change_the_demo(channels: int) -> None:
    whole = DemoSource(8_000, channels).read(170_000)
    source = DemoSource(8_000, channels)
    pieces = [source.read(size) for size in (1, 63, 0, 480, 79_999, 80_001, 9_456)]
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), whole)
    source.seek(80_123)
    np.testing.assert_array_equal(source.read(1000), whole[:, 80_123:81_123])
