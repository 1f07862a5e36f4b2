"""Difference in loudness of two recordings: sampled at once in excerpts, and measured over the whole section."""

import math
from pathlib import Path

import numpy as np
import pytest

from rtgain.audio.sources.file_source import FileSource
from rtgain.audio.sources.synthetic_speech import synthetic_speech
from rtgain.config.session_config import SessionConfig, make_session_config
from rtgain.records.recording_offset import RecordingOffset
from rtgain.session.pair_loudness import EXCERPT_S, EXCERPTS, measure_loudness, sample_difference_lu
from tests.ffmpeg_filters import ffmpeg_filtered
from tests.match.recordings import write

RATE = 8000
LENGTH_S = 240
LATE = 4000
GAIN_DB = -6.0


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """Speech of 4 minutes, whose level falls by 30 dB."""
    fade = 10 ** (-1.5 * np.linspace(0.0, 1.0, LENGTH_S * RATE))
    return np.asarray(synthetic_speech(RATE, LENGTH_S * RATE) * fade)


def pair(folder: Path, dry: np.ndarray, target: np.ndarray, **options: float) -> SessionConfig:
    late = np.concatenate([np.zeros(LATE), target])
    files = {"input": write(folder / "dry.wav", dry, RATE), "target": write(folder / "target.wav", late, RATE)}
    return make_session_config(**{name: str(path) for name, path in files.items()}, **options)


OFFSET = RecordingOffset(LATE / RATE, is_found=True, common_s=LENGTH_S)


def test_excerpts_have_the_gain_as_their_difference(tmp_path, speech, monkeypatch):
    decoded = []
    decode = FileSource._decode
    monkeypatch.setattr(FileSource, "_decode", lambda self, frames: decoded.append(frames) or decode(self, frames))
    config = pair(tmp_path, speech, 10 ** (GAIN_DB / 20) * speech)
    assert sample_difference_lu(config, OFFSET) == pytest.approx(GAIN_DB, abs=0.01)
    assert sum(decoded) < 0.75 * 2 * LENGTH_S * RATE
    assert measure_loudness(config, OFFSET).difference_lu == pytest.approx(GAIN_DB, abs=0.01)


@pytest.mark.parametrize(
    "filters",
    [
        [("lowshelf", "g=6:f=300")],
        [("acompressor", "threshold=0.05:ratio=4:attack=5:release=50")],
    ],
    ids=lambda filters: filters[0][0],
)
def test_excerpts_are_near_the_whole_if_the_gain_moves(tmp_path, speech, filters):
    config = pair(tmp_path, speech, ffmpeg_filtered(filters, speech, RATE)[: len(speech)])
    whole_lu = measure_loudness(config, OFFSET).difference_lu
    assert abs(whole_lu) > 0.3
    assert sample_difference_lu(config, OFFSET) == pytest.approx(whole_lu, abs=0.3)


def test_section_that_is_shorter_than_all_excerpts_is_measured_as_a_whole(tmp_path, speech):
    config = pair(tmp_path, speech, ffmpeg_filtered([("tremolo", "f=0.5:d=0.8")], speech, RATE), start=3.0, end=11.5)
    assert config.end - config.start < EXCERPTS * EXCERPT_S  # type: ignore[operator]
    whole_lu = measure_loudness(config, OFFSET).difference_lu
    assert sample_difference_lu(config, OFFSET) == pytest.approx(whole_lu, abs=0.001)


def test_difference_to_silence_is_unknown(tmp_path, speech):
    assert math.isnan(sample_difference_lu(pair(tmp_path, speech, 0.0 * speech), OFFSET))
