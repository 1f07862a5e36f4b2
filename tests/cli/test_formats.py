"""Input files of the commands: any format that FFmpeg decodes, and the first of several audio streams."""

import json
from pathlib import Path

import numpy as np
import pytest

from rtgain.audio.sources.demo import DemoSource
from tests.commands import rtgain
from tests.encoded_files import encode

RATE = 48_000


@pytest.fixture(scope="module")
def demo() -> np.ndarray:
    return DemoSource(RATE).read(4 * RATE)


def test_headless_session_plays_the_first_audio_stream_of_a_video_with_a_notice(
    tmp_path: Path, demo: np.ndarray
) -> None:
    encode(tmp_path / "video.mkv", np.tile(demo, (2, 1)), RATE, "aac", tracks=2)
    process = rtgain("run", "--headless", "--input", "video.mkv", "--gain-db", "-12", "--json", "-", cwd=tmp_path)
    assert process.returncode == 0
    assert process.stderr == "rtgain: video.mkv: plays the first of 2 audio streams (48 kHz stereo AAC)\n"
    result = json.loads(process.stdout)
    assert result["gain_db"] == pytest.approx(-12, abs=0.01)
    assert result["frames"] == pytest.approx(4 * RATE, abs=1024)


def test_match_of_lossy_files_with_several_streams_gives_gain_and_delay(tmp_path: Path, demo: np.ndarray) -> None:
    encode(tmp_path / "dry.m4a", demo, RATE, bit_rate=256_000)
    encode(tmp_path / "target.mp4", demo / 2, RATE, bit_rate=256_000, tracks=3)
    process = rtgain("match", "dry.m4a", "target.mp4", "--json", "-", cwd=tmp_path)
    assert process.returncode == 0
    assert process.stderr == "rtgain: target.mp4: plays the first of 3 audio streams (48 kHz mono AAC)\n"
    result = json.loads(process.stdout)
    assert abs(result["gain_db"] + 20 * np.log10(2)) < max(0.01, 2 * result["std_db"])
    assert result["delay_samples"] == pytest.approx(0, abs=0.5)
    assert result["lufs_dry"] - result["lufs_target"] == pytest.approx(20 * np.log10(2), abs=0.05)
