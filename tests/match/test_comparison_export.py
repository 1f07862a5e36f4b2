"""Export of a comparison: sounds at one level, their difference, and a page that needs nothing else."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtgain.config.session_config import make_session_config
from rtgain.match.comparison_export import Comparison, write_comparison
from rtgain.output import comparison_report
from rtgain.records.level_match import LevelMatch
from rtgain.records.recording_offset import RecordingOffset
from rtgain.session.overview import OUTLINE_POINTS, read_overview
from rtgain.session.pair_loudness import measure_loudness

RATE = 48_000
DELAY_FRAMES = 300.4
GAIN_DB = 4.0
SECTION_S = (0.5, 2.0)


def tones(frames: np.ndarray) -> np.ndarray:
    """Sum of tones at any, also fractional, frames: left and right, shape (frames, 2)."""
    left = sum(0.1 * np.sin(2 * np.pi * hz / RATE * frames + hz) for hz in (110.0, 700.0, 3000.0))
    right = sum(0.1 * np.sin(2 * np.pi * hz / RATE * frames) for hz in (90.0, 1234.0, 5000.0))
    return np.stack([left, right], axis=1)


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """A target 4 dB louder and 300.4 frames later, its right channel inverted."""
    folder = tmp_path_factory.mktemp("pair")
    frames = np.arange(3 * RATE)
    target = 10 ** (GAIN_DB / 20) * tones(frames - DELAY_FRAMES) * [1, -1]
    soundfile.write(folder / "dry.wav", tones(frames), RATE, subtype="FLOAT")
    soundfile.write(folder / "target <1>.wav", target, RATE, subtype="FLOAT")
    config = make_session_config(
        input=str(folder / "dry.wav"),
        target=str(folder / "target <1>.wav"),
        start=SECTION_S[0],
        end=SECTION_S[1],
        loop=True,
    )
    offset = RecordingOffset(DELAY_FRAMES / RATE, is_found=True, common_s=2.9)
    delay_ms = 1e3 * DELAY_FRAMES / RATE
    match = {
        "gain_db": GAIN_DB, "std_db": 0.001, "delay_ms": delay_ms, "polarity": 0, "state": "tracking",
        "channels": [
            {"gain_db": GAIN_DB, "polarity": polarity, "delay_ms": delay_ms} for polarity in (1, -1)
        ],
        "findings": [{"kind": "channel-polarity", "text": "right channel inverted & louder"}],
        "response": {"frequency_hz": [100.0, 1000.0], "gain_db": [4.0, None], "coherence": [1.0, 0.0]},
    }  # fmt: skip
    return Comparison(
        config,
        offset,
        (read_overview(config.input), read_overview(config.target)),
        measure_loudness(config, offset),
        LevelMatch("estimate", GAIN_DB, GAIN_DB),
        match,
        tests=('{"test": "abx", "sentence": "12 of 16 right: a guess does as well in 4 % of cases."}',),
    )


@pytest.fixture(scope="module")
def folder(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    write_comparison(comparison, folder, lambda: False)
    return folder


def test_sounds_are_the_section_at_one_level_and_cancel_each_other(folder: Path) -> None:
    dry, target, difference = (soundfile.read(folder / f"{name}.flac")[0] for name in ("dry", "target", "difference"))
    frames = np.arange(round(SECTION_S[0] * RATE), round(SECTION_S[1] * RATE))
    np.testing.assert_allclose(dry, tones(frames), atol=1e-6)
    np.testing.assert_allclose(target, tones(frames - 0.4) * [1, -1], atol=1e-6)  # aligned to the frame, 4 dB softer
    inner = difference[64:-64]  # the filter of a fractional delay reaches beyond the section
    assert np.abs(inner).max() < 1e-4
    assert len(difference) == len(dry) == len(target)


def test_page_contains_all_that_it_shows_and_plays(folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) == 4  # three sounds and the response
    assert all(source.startswith("data:") for source in sources)
    assert base64.b64decode(sources[0].partition(",")[2]) == (folder / "dry.flac").read_bytes()
    for text in (
        "target &lt;1&gt;.wav compared with dry.wav",
        "The target is 4.00 dB louder than the dry recording, and 6.3 ms later.",
        "After matching the gain, both have the same loudness.",
        "right channel inverted &amp; louder",
        "Target, attenuated by 4.00 dB",
        "from 0:00.500 to 0:02.000",
        "48 kHz 32 bit float stereo WAV",
        "ABX test: 12 of 16 right",
        "The keys 1 2 3 switch between the sounds",
    ):
        assert text in page
    assert json.loads((folder / "match.json").read_text())["gain_db"] == GAIN_DB
    assert (folder / "listening test 1.json").exists()


def test_long_sounds_are_played_from_their_files(
    comparison: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison_report, "EMBEDDED_BYTES", 1000)
    without_match = Comparison(**(vars(comparison) | {"match": None, "tests": ()}))
    write_comparison(without_match, tmp_path, lambda: False)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert re.findall(r'<audio controls loop src="([^"]*)"', page) == ["dry.flac", "target.flac"]
    assert "Gain and findings are missing: the two were not compared before this report was written." in page


def test_cancelled_export_has_no_page(comparison: Comparison, tmp_path: Path) -> None:
    write_comparison(comparison, tmp_path, lambda: True)
    assert not (tmp_path / "report.html").exists()


def test_outline_has_the_extremes_of_its_part(comparison: Comparison) -> None:
    overview = comparison.overviews[0]
    samples = tones(np.arange(3 * RATE)).reshape(OUTLINE_POINTS, -1).astype(np.float32)  # 72 frames, two channels
    np.testing.assert_array_equal(overview.low, samples.min(axis=1))
    np.testing.assert_array_equal(overview.high, samples.max(axis=1))
    assert overview.duration_s == 3.0


def test_outline_of_a_sound_shorter_than_its_points(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", np.array([0.5, -0.25]), RATE, subtype="FLOAT")
    overview = read_overview(str(tmp_path / "short.wav"))
    assert (overview.high[0], overview.low[OUTLINE_POINTS // 2]) == (0.5, -0.25)
    assert np.count_nonzero(overview.low) == 2
