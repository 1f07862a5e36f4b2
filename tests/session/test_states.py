"""States behind processors that are not a gain: their targets are not tracking, and one with noise is."""

import numpy as np
import pytest
import scipy.signal

from rtgain.audio.sources.synthetic_speech import synthetic_speech
from rtgain.session.offline import estimate
from tests.match.recordings import demo

RATE = 16_000
SECONDS = 4
RESAMPLED = np.arange(SECONDS * RATE)


def chorus(sound: np.ndarray) -> np.ndarray:
    """The sound and a voice of 90 % whose delay moves between 14 and 26 ms."""
    delay = RATE * (0.02 + 0.006 * np.sin(2 * np.pi * 0.7 * RESAMPLED / RATE))
    return 0.5 * (sound + 0.9 * np.interp(RESAMPLED - delay, RESAMPLED, sound))


def stretched(sound: np.ndarray) -> np.ndarray:
    """Faster by 3 %, in grains of 40 ms that keep the pitch."""
    grain, hop = 1_280, 640
    window = np.hanning(grain + 1)[:-1]
    result = np.zeros(len(sound) + 2 * grain)
    for start in range(0, len(sound) - 2 * grain, hop):
        begin = min(round(1.03 * start), len(sound) - grain)
        result[start : start + grain] += window * sound[begin : begin + grain]
    return result[: len(sound)]


def amp_simulator(sound: np.ndarray) -> np.ndarray:
    band = scipy.signal.butter(2, [100, 4_000], "band", fs=RATE, output="sos")
    return 0.5 * np.tanh(10 ** (23 / 20) * scipy.signal.sosfilt(band, sound))


def with_noise(sound: np.ndarray) -> np.ndarray:
    """20 dB of signal-to-noise ratio."""
    return 0.5 * sound + 0.5 * 10 ** (-20 / 20) * sound.std() * np.random.default_rng(1).standard_normal(len(sound))


@pytest.fixture(scope="module")
def sounds() -> dict[str, np.ndarray]:
    frames = SECONDS * RATE
    return {"music": demo(SECONDS, RATE), "speech": synthetic_speech(RATE, frames)}


@pytest.mark.parametrize("name", ["music", "speech"])
def test_only_targets_that_one_gain_explains_are_tracking(sounds, name):
    other = sounds["speech" if name == "music" else "music"]
    sound = sounds[name]
    shares = {}
    targets = [chorus(sound), stretched(sound), amp_simulator(sound), other, with_noise(sound)]
    for kind, target in zip(("chorus", "stretch", "amp", "other", "noise"), targets, strict=True):
        result = estimate(sound, target, RATE)
        later = result.states[result.history.time_s > 1.0]
        shares[kind] = float(np.mean(later[later != "silent"] == "tracking"))
    assert shares.pop("noise") > 0.7, shares
    assert max(shares.values()) == 0.0, shares
