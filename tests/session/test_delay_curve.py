"""Sessions over two recordings whose delay moves: they follow it, as ``rtgain match`` does."""

from pathlib import Path

import numpy as np
import pytest

from rtgain.audio.sources.synthetic_speech import synthetic_speech
from rtgain.config.session_config import make_session_config
from rtgain.records.delay_curve import DelayCurve, DelaySegment
from rtgain.records.estimate import Estimate, State
from rtgain.records.recording_offset import RecordingOffset
from rtgain.session.offline import run_offline
from rtgain.session.pair_offset import search_offset
from rtgain.session.session import Session
from rtgain.session.source_position import SourcePosition
from tests.ffmpeg_filters import ffmpeg_filtered
from tests.match.drifting import with_clock, without_frames
from tests.match.recordings import demo, write
from tests.polling import wait_until

RATE = 16_000
GAIN_DB = -6.0
GAIN = 10 ** (GAIN_DB / 20)
LATE = 1_600
JUMP_S = 4.0
INSERTED = 4_000


@pytest.fixture(scope="module")
def music() -> np.ndarray:
    """Music with a voice, which does not repeat."""
    return (demo(8, RATE) + synthetic_speech(RATE, 8 * RATE))[:, None]


def target_of(music: np.ndarray, kind: str) -> np.ndarray:
    late = np.pad(music, ((LATE, 0), (0, 0)))
    if kind.endswith("ppm"):
        return with_clock(late, float(kind.removesuffix(" ppm")))
    if kind == "edit":
        cut = LATE + round(JUMP_S * RATE)
        return np.concatenate([late[:cut], np.zeros((INSERTED, 1)), late[cut:]])
    lost_at = np.random.default_rng(2).integers(RATE // 2, len(music) - RATE // 2, 5)
    return without_frames(late, np.sort(lost_at), 256)


def write_pair(folder: Path, music: np.ndarray, kind: str) -> dict[str, str]:
    return {
        "input": str(write(folder / "dry.wav", music, RATE)),
        "target": str(write(folder / "target.wav", GAIN * target_of(music, kind), RATE)),
    }


def test_no_estimate_of_a_stretched_recording_is_tracking(tmp_path, music):
    """FFmpeg repeats pieces of the sound: within each of them, the target agrees with the dry recording."""
    stretched = ffmpeg_filtered([("atempo", "0.97")], (GAIN * music[:, 0]).astype(np.float64), RATE)
    files = {"input": str(write(tmp_path / "dry.wav", music, RATE))}
    files["target"] = str(write(tmp_path / "target.wav", stretched[:, None], RATE))
    estimates: list[Estimate] = []
    run_offline(make_session_config(**files), on_estimates=lambda session, batch: estimates.extend(batch))
    states = {estimate.state for estimate in estimates}
    assert State.INCOHERENT in states
    assert not states & {State.TRACKING, State.CONVERGING}


@pytest.mark.parametrize("kind", ["60 ppm", "300 ppm", "edit", "lost buffers"])
def test_every_tracking_estimate_has_the_gain_and_the_polarity(tmp_path, music, kind):
    estimates: list[Estimate] = []
    config = make_session_config(**write_pair(tmp_path, music, kind))
    summary = run_offline(config, on_estimates=lambda session, batch: estimates.extend(batch)).summary
    tracking = [estimate for estimate in estimates if estimate.state is State.TRACKING]
    assert len(tracking) > 0.8 * len(estimates)
    for estimate in tracking:
        assert abs(estimate.gain_est_db - GAIN_DB) <= max(0.05, 2.0 * estimate.std_db), estimate
        assert estimate.polarity == 1
    ppm = {"60 ppm": 60, "300 ppm": 300}.get(kind, 0)
    assert summary.drift_ppm == pytest.approx(ppm, abs=0.1)
    jumped = {"edit": INSERTED, "lost buffers": -5 * 256}.get(kind, 0)
    for estimate, jump in ((estimates[0], 0), (estimates[-1], jumped)):
        moved = 1e-6 * ppm * (LATE + estimate.center_frame)
        assert estimate.delay_frames == pytest.approx(LATE + moved + jump, abs=0.01)


def test_without_alignment_no_delay_is_followed(tmp_path, music):
    config = make_session_config(**write_pair(tmp_path, music, "edit"), align="off")
    offset = search_offset(config)
    assert offset is not None
    assert offset.is_found
    assert offset.curve is None


def test_delay_is_that_of_the_position_after_a_seek_and_in_a_loop(tmp_path, music):
    pair = write_pair(tmp_path, music, "edit")
    segments = DelaySegment(-np.inf, JUMP_S, LATE / RATE), DelaySegment(JUMP_S, np.inf, (LATE + INSERTED) / RATE)
    offset = RecordingOffset(LATE / RATE, is_found=True, common_s=8.0, curve=DelayCurve(segments))
    config = make_session_config(**pair, start=3.0, end=5.0, loop=True, duration=8.0)
    with Session(config, clock="offline", offset=offset) as session:
        session.start()
        estimates = session.advance()
        sought = session.frames
        session.seek(1.5)
        estimates += [estimate for _ in range(4) for estimate in session.advance()]
    for estimate in estimates:
        played = estimate.center_frame - 3.0 * RATE
        position_s = 3.0 + (played if played < sought else (played - sought + 1.5 * RATE) % (2.0 * RATE)) / RATE
        expected = LATE + (INSERTED if position_s >= JUMP_S else 0)
        assert estimate.delay_frames == pytest.approx(expected, abs=0.01), position_s


@pytest.mark.realtime
def test_live_session_follows_the_delay(tmp_path, music):
    config = make_session_config(**write_pair(tmp_path, music, "edit"), loop=True)
    with Session(config, clock="timer") as session:
        session.start(wait=True)
        wait_until(lambda: session.snapshot().state == "tracking")
        snapshot = session.snapshot()
        assert (snapshot.polarity, snapshot.drift_ppm) == (1, 0.0)
        assert snapshot.gain_db == pytest.approx(GAIN_DB, abs=0.05)
        assert snapshot.delay_ms == pytest.approx(1e3 * LATE / RATE, abs=0.1)
        session.seek(5.0)
        wait_until(lambda: session.snapshot().delay_ms == pytest.approx(1e3 * (LATE + INSERTED) / RATE, abs=0.1))
        assert session.snapshot().gain_db == pytest.approx(GAIN_DB, abs=0.05)
        session.seek(1.0)
        wait_until(lambda: session.snapshot().delay_ms == pytest.approx(1e3 * LATE / RATE, abs=0.1))


def test_position_of_the_source_follows_seeks_loops_and_underruns():
    position = SourcePosition(None, is_live=False)
    position.update(1_000, 1_000)
    position.update(2_000, 9_000)
    assert [position.source_frame_at(frame) for frame in (0, 999, 1_000, 2_000, 2_500)] == [0, 999, 8_000, 9_000, 9_500]
    looped = SourcePosition(300, is_live=False)
    assert looped.source_frame_at(1_000) == 100
    live = SourcePosition(None, is_live=True)
    live.update(1_000, 900)  # between the updates of both counters
    assert live.source_frame_at(500) == 500
    live.update(1_100, 1_100)
    live.update(2_000, 1_990)
    live.update(2_100, 2_090)
    assert [live.source_frame_at(frame) for frame in (1_100, 2_050)] == [1_100, 2_040]
