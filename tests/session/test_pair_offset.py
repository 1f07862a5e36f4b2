"""Delay of long recordings: followed in their first part before they are played, and over the whole afterwards."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rtgain.audio.sources.synthetic_speech import synthetic_speech
from rtgain.config.session_config import SessionConfig, make_session_config, with_changes
from rtgain.session.pair_offset import FIRST_PART_S, follow_offset, search_offset
from tests.match.drifting import with_clock
from tests.match.recordings import write

RATE = 8000
LENGTH_S = 50
LATE = 800
JUMP_S = 40.0
INSERTED = 400
PPM = 40.0


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> SessionConfig:
    """Speech of 50 s, and the same 0.1 s later, with a clock that is 40 ppm fast and an edit at 40 s."""
    folder: Path = tmp_path_factory.mktemp("long")
    speech = synthetic_speech(RATE, LENGTH_S * RATE)[:, None]
    cut = round(JUMP_S * RATE)
    edited = np.concatenate([np.zeros((LATE, 1)), speech[:cut], np.zeros((INSERTED, 1)), speech[cut:]])
    files = {"input": write(folder / "dry.wav", speech, RATE)}
    files["target"] = write(folder / "target.wav", 0.5 * with_clock(edited, PPM), RATE)
    return make_session_config(**{name: str(path) for name, path in files.items()})


def test_first_part_of_long_recordings_is_followed_before_the_whole(config):
    first = search_offset(config, first_part=True)
    whole = search_offset(config)
    assert first is not None
    assert whole is not None
    assert not first.is_followed
    assert first.curve is not None
    assert first.curve.jumps == ()
    assert first.drift_ppm == pytest.approx(PPM, abs=2.0)
    for time_s in (0.0, FIRST_PART_S):
        expected_s = LATE / RATE * (1 + 1e-6 * PPM) + 1e-6 * PPM * time_s
        assert first.curve.delay_at_s(time_s) == pytest.approx(expected_s, abs=0.1 / RATE)
    assert follow_offset(config, first) == whole
    assert whole.is_followed
    assert whole.curve is not None
    (jump,) = whole.curve.jumps
    assert jump.jump_s == pytest.approx(INSERTED / RATE, abs=0.1 / RATE)
    assert jump.time_s == pytest.approx(JUMP_S, abs=0.1)


def test_first_part_begins_with_the_section(config):
    """Behind the edit, the delay of the first seconds of the recording does not hold."""
    first = search_offset(with_changes(config, start=JUMP_S + 1.0), first_part=True)
    whole = search_offset(config)
    assert first is not None
    assert first.curve is not None
    assert whole is not None
    assert whole.curve is not None
    assert first.curve.delay_at_s(LENGTH_S - 2.0) == pytest.approx(whole.curve.delay_at_s(LENGTH_S - 2.0), abs=1e-5)


def test_short_recordings_are_followed_as_a_whole(config, tmp_path):
    noise = np.random.default_rng(3).standard_normal((10 * RATE, 1))
    files = {"input": write(tmp_path / "dry.wav", noise, RATE), "target": write(tmp_path / "late.wav", noise, RATE)}
    short = make_session_config(**{name: str(path) for name, path in files.items()}, start=2.0, end=4.0)
    first = search_offset(short, first_part=True)
    assert first == search_offset(with_changes(short, start=None, end=None))
    assert first is not None
    assert first.is_followed
    assert first.curve is None


def test_cancelled_follow_returns_none(config):
    first = search_offset(config, first_part=True)
    assert first is not None
    assert follow_offset(config, replace(first, curve=None), cancelled=lambda: True) is None
