"""Echoes and rooms: what is later than a window is no noise, no jump of the delay, and no one gain if it is loud."""

import numpy as np
import pytest

from rtgain.audio.sources.synthetic_speech import synthetic_speech
from rtgain.match.long_coherence import LongCoherence
from rtgain.match.pair import match_pair
from tests.match.recordings import demo, write

RATE = 8_000
SECONDS = 12


def explained(dry: np.ndarray, target: np.ndarray) -> float:
    coherence = LongCoherence(RATE, 1)
    for start in range(0, len(dry), 5_000):
        coherence.add(dry[None, start : start + 5_000], target[None, start : start + 5_000])
    return coherence.explained


def test_long_windows_explain_an_echo_and_no_noise():
    dry = np.random.default_rng(1).standard_normal(SECONDS * RATE)
    noise = np.random.default_rng(2).standard_normal(len(dry))
    late = np.pad(dry, (1_600, 0))[: len(dry)]
    assert explained(dry, 0.5 * dry) == pytest.approx(1.0, abs=1e-6)
    assert explained(dry, dry + 0.5 * late) > 0.95
    assert explained(dry, dry + 0.5 * noise) == pytest.approx(0.8, abs=0.03)  # 1 / (1 + 0.5²)
    assert explained(dry, noise) == pytest.approx(0.0, abs=0.05)
    assert np.isnan(explained(dry[: 3 * RATE], dry[: 3 * RATE]))


@pytest.mark.parametrize(("level_db", "state"), [(-6, "converging"), (-12, "converging"), (-20, "tracking")])
def test_late_echo_is_no_noise_and_a_loud_one_is_not_one_gain(tmp_path, level_db, state):
    dry = synthetic_speech(RATE, SECONDS * RATE, seed=3)
    target = 0.5 * (dry + 10 ** (level_db / 20) * np.pad(dry, (1_600, 0))[: len(dry)])
    details = match_pair(write(tmp_path / "dry.wav", dry, RATE), write(tmp_path / "target.wav", target, RATE))
    assert details is not None
    result = details.result
    assert result.state == state
    assert result.gain_db == pytest.approx(-6.02, abs=0.1)
    (finding,) = result.findings
    assert finding["kind"] == "distortion"
    assert finding["text"].startswith("The target has an echo, or the reverberation of a room, ")
    assert finding["level_db"] == pytest.approx(level_db, abs=0.6)


def bell(samples: np.ndarray, frequency_hz: float, q: float, boost_db: float) -> np.ndarray:
    """Peaking equalizer: the analog prototype, applied to the spectrum."""
    root = 10 ** (boost_db / 40)
    s = 1j * np.fft.rfftfreq(2 * len(samples), 1 / RATE) / frequency_hz
    response = (s * s + s * root / q + 1) / (s * s + s / (root * q) + 1)
    return np.fft.irfft(np.fft.rfft(samples, 2 * len(samples)) * response)[: len(samples)]


@pytest.mark.parametrize(("frequency_hz", "q", "boost_db"), [(120, 4, 12), (100, 3, 10), (150, 2, 9), (90, 4, -12)])
def test_bass_bell_that_rings_is_no_echo(tmp_path, frequency_hz, q, boost_db):
    dry = demo(SECONDS, RATE) + synthetic_speech(RATE, SECONDS * RATE, seed=4)
    target = 0.2 * bell(dry, frequency_hz, q, boost_db)
    details = match_pair(write(tmp_path / "dry.wav", dry, RATE), write(tmp_path / "target.wav", target, RATE))
    assert details is not None
    assert [finding["kind"] for finding in details.result.findings] == ["equalization"]
