"""Another target in a running session: heard in time and at one level, and estimated from then on."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from rtgain.audio.engine.engine import Engine
from rtgain.audio.sources.demo import DemoSource
from rtgain.config.session_config import SessionConfig, with_changes
from rtgain.records.level_match import LevelDifference
from rtgain.records.recording_offset import RecordingOffset
from rtgain.session.pair_offset import search_offset
from rtgain.session.session import Session
from tests.polling import wait_until

pytestmark = pytest.mark.realtime

RATE = 48_000
LENGTH_S = 12
GAINS_DB = {"louder": 4.0, "softer": -8.0}
DELAYS_FRAMES = {"louder": 300, "softer": -700}


class CapturingEngine(Engine):
    """Engine that stores its output, as a device would play it."""

    outputs: list[NDArray[np.float32]]

    def process_source(self, out: NDArray[np.float32]) -> None:
        super().process_source(out)
        self.outputs.append(out.copy())


@pytest.fixture(scope="module")
def music() -> NDArray[np.float32]:
    """Stereo music of 12 s close to full scale, (frames, channels)."""
    music = DemoSource(RATE, 2).read(LENGTH_S * RATE).T
    return music * np.float32(0.9 / np.abs(music).max())


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory, music: NDArray[np.float32]) -> dict[str, Path]:
    """The music; 4 dB louder and 300 frames later; 8 dB softer, and 700 frames earlier."""
    folder = tmp_path_factory.mktemp("targets")
    sounds = {
        "dry": music,
        "louder": np.pad(10 ** (4 / 20) * music, ((300, 0), (0, 0))),
        "softer": 10 ** (-8 / 20) * music[700:],
        "mono": music[:, :1],
    }
    for name, sound in sounds.items():
        soundfile.write(folder / f"{name}.wav", sound, RATE, subtype="FLOAT")
    return {name: folder / f"{name}.wav" for name in sounds}


@pytest.fixture(scope="module")
def offsets(paths: dict[str, Path]) -> dict[str, RecordingOffset]:
    offsets = {name: search_offset(config_of(paths, name)) for name in GAINS_DB}
    return {name: offset for name, offset in offsets.items() if offset is not None}


def config_of(paths: dict[str, Path], target: str) -> SessionConfig:
    return SessionConfig(
        input=str(paths["dry"]), target=str(paths[target]), level_match="estimate", clock="timer", block=256
    )


@pytest.fixture
def session(
    paths: dict[str, Path], offsets: dict[str, RecordingOffset], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:
    monkeypatch.setattr(Session, "engine_type", CapturingEngine)
    CapturingEngine.outputs = []
    with Session(config_of(paths, "louder"), clock="timer", offset=offsets["louder"]) as session:
        set_level(session, "louder")
        session.start(wait=True)
        yield session


def differences(target: str) -> tuple[float, tuple[LevelDifference, ...]]:
    others = tuple(LevelDifference(gain_db) for name, gain_db in GAINS_DB.items() if name != target)
    return GAINS_DB[target], others


def set_level(session: Session, target: str) -> None:
    gain_db, others = differences(target)
    session.set_level_differences(gain_db=gain_db, loudness_lu=np.nan, others=others)


def switch_to(session: Session, paths: dict[str, Path], offsets: dict[str, RecordingOffset], target: str) -> None:
    config = config_of(paths, target)
    opened = session.open_target(config, offsets[target])
    assert opened is not None
    gain_db, others = differences(target)
    session.play_target(config, offsets[target], opened, gain_db=gain_db, loudness_lu=np.nan, others=others)


def test_targets_are_switched_in_time_at_one_level_and_estimated(session, paths, offsets, music):
    """Only level and delay differ between the targets, so that a perfect switch changes nothing at the output."""

    def estimate_of(target: str) -> None:
        wait_until(lambda: session.advance() is not None and session.history.count > 20)
        last = session.history.last
        assert last.gain_est_db == pytest.approx(GAINS_DB[target], abs=0.02)
        assert last.delay_frames == pytest.approx(DELAYS_FRAMES[target], abs=0.05)
        played = session.history.to_array()
        assert np.abs(played[:, 3] - GAINS_DB[target]).max() < 0.1  # no window holds two targets

    estimate_of("louder")
    for target in ("softer", "louder", "softer"):
        switch_to(session, paths, offsets, target)
        assert session.snapshot().state == "waiting"
        estimate_of(target)
        assert session.snapshot().start_s == pytest.approx(max(0, -DELAYS_FRAMES[target]) / RATE)
    session.drain()
    output = np.concatenate(CapturingEngine.outputs)
    expected = 10 ** (-8 / 20) * music[: len(output)]
    assert session.dropped_frames == 0
    np.testing.assert_allclose(output, expected, atol=1e-5)


def test_seek_drops_no_frames(session):
    for time_s in (2.0, 9.0, 1.0):
        session.seek(time_s)
        played = session.frames
        wait_until(lambda played=played: session.frames > played + 1.5 * RATE)  # more than is read at the seek
    assert session.dropped_frames == 0


def test_another_number_of_channels_needs_a_new_session(session, paths, offsets, tmp_path):
    config = with_changes(config_of(paths, "mono"), input=str(paths["mono"]))
    assert session.open_target(config, RecordingOffset(0.0, is_found=True, common_s=1.0)) is None
    limited = with_changes(config_of(paths, "softer"), duration=5.0)
    assert session.open_target(limited, offsets["softer"]) is None
