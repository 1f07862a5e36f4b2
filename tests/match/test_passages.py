"""Passages and channels of a pair that no gain explains: silence in one recording, another polarity."""

from pathlib import Path

import numpy as np
import pytest

from rtgain.audio.sources.synthetic_speech import synthetic_speech
from rtgain.match.pair import match_pair
from rtgain.match.result import MatchResult
from tests.match.recordings import demo, write

RATE = 16_000
SECONDS = 6
HALF = SECONDS * RATE // 2


@pytest.fixture(scope="module")
def stereo() -> np.ndarray:
    """Two unlike channels, (frames, 2)."""
    music, speech = demo(SECONDS, RATE), synthetic_speech(RATE, SECONDS * RATE)
    return np.stack([music + speech, 0.7 * music - speech], axis=1)


def match(folder: Path, dry: np.ndarray, target: np.ndarray) -> MatchResult:
    details = match_pair(write(folder / "dry.wav", dry, RATE), write(folder / "target.wav", target, RATE))
    assert details is not None
    return details.result


def test_silent_channel_is_a_finding_in_either_direction(tmp_path, stereo):
    left = 0.5 * stereo * [1, 0]
    result = match(tmp_path, stereo, left)
    assert result.state == "tracking"
    assert result.gain_db == pytest.approx(-6.02, abs=0.01)
    (finding,) = result.findings
    assert (finding["kind"], finding["silent_file"]) == ("channel-balance", "target")
    assert finding["gains_db"] == [pytest.approx(-6.02, abs=0.01), None]
    assert finding["text"] == "The right channel of the target is silent; the dry recording has sound there."
    result = match(tmp_path, left, stereo)
    assert result.state == "converging"
    assert result.gain_db == pytest.approx(6.02, abs=0.01)
    (finding,) = result.findings
    assert (finding["kind"], finding["silent_file"]) == ("channel-balance", "dry")


@pytest.mark.parametrize("silent", ["target", "dry"])
def test_recording_that_falls_silent_has_the_gain_before_and_its_time(tmp_path, stereo, silent):
    fallen = 0.5 * stereo
    fallen[HALF:] = 0.0
    result = match(tmp_path, stereo, fallen) if silent == "target" else match(tmp_path, fallen, stereo)
    assert result.state == "converging"
    assert result.gain_db == pytest.approx(-6.02 if silent == "target" else 6.02, abs=0.01)
    (finding,) = result.findings
    assert (finding["kind"], finding["silent_file"]) == ("moving-gain", silent)
    assert finding["silent_from_s"] == [pytest.approx(3.0, abs=0.035)]  # half a hop
    assert finding["silent_to_s"] == [pytest.approx(6.0, abs=0.035)]
    assert finding["text"].endswith("goes on.")


def test_polarity_that_changes_in_the_middle_is_a_finding_with_its_time(tmp_path, stereo):
    target = 0.5 * stereo
    target[HALF:] *= -1
    result = match(tmp_path, stereo, target)
    assert result.state == "converging"
    assert result.gain_db == pytest.approx(-6.02, abs=0.01)
    (finding,) = result.findings
    assert finding["kind"] == "channel-polarity"
    assert finding["change_times_s"] == [pytest.approx(3.0, abs=0.07)]  # a hop
    assert finding["text"].startswith("The target is turned upside down (inverted polarity) in the middle of the")
