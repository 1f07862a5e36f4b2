"""Sessions on two recordings: aligned first, in the dry recording's own time, and sections of recordings."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from rtgain.audio.sources.demo import DemoSource
from rtgain.config.session_config import SessionConfig, make_session_config
from rtgain.errors import InputError
from rtgain.records.estimate import Estimate
from rtgain.session.offline import run_offline
from rtgain.session.session import Session
from tests.commands import rows, rtgain
from tests.polling import wait_until

RATE = 48_000


@pytest.fixture(scope="module")
def music() -> np.ndarray:
    return DemoSource(RATE, 1).read(9 * RATE)[0].copy()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, music: np.ndarray) -> tuple[Path, Path]:
    """Stereo music, and its copy at another rate from 2 s on, 6.02 dB quieter, with the right channel inverted."""
    folder = tmp_path_factory.mktemp("pair")
    stereo = np.stack([music[: 7 * RATE], 0.5 * music[2 * RATE :]], axis=1)
    dry, target = folder / "dry.wav", folder / "target.flac"
    soundfile.write(dry, stereo, RATE, subtype="FLOAT")
    copy = soxr.resample(0.5 * stereo[2 * RATE :] * [1, -1], RATE, 44_100, quality="VHQ")
    soundfile.write(target, copy, 44_100, subtype="PCM_24")
    return dry, target


def estimates_of(config: SessionConfig) -> list[Estimate]:
    estimates: list[Estimate] = []
    run_offline(config, on_estimates=lambda session, batch: estimates.extend(batch))
    return estimates


def times_s(estimates: list[Estimate]) -> list[float]:
    return [estimate.center_frame / RATE for estimate in estimates]


def test_second_recording_is_aligned_and_compared_in_all_channels(pair):
    dry, target = pair
    config = make_session_config(input=str(dry), target=str(target))
    estimates: list[Estimate] = []
    result = run_offline(config, on_estimates=lambda session, batch: estimates.extend(batch))
    summary = result.summary
    assert (summary.target, summary.channels, summary.state) == (str(target), 2, "tracking")
    assert summary.gain_db == pytest.approx(-6.02, abs=0.01)
    assert summary.channel_gains_db == pytest.approx([-6.02, -6.02], abs=0.01)
    assert summary.channel_polarities == [1, -1]
    assert summary.delay_ms == pytest.approx(-2000, abs=0.002)
    assert summary.duration_s == pytest.approx(5, abs=0.001)
    assert summary.rmse_db is None
    assert times_s(estimates)[0] == pytest.approx(2 + 2048 / RATE)
    assert times_s(estimates)[-1] < 7
    np.testing.assert_array_equal(result.history.time_s, times_s(estimates))


def test_first_estimate_of_a_pair_is_aligned_already(pair):
    dry, target = pair
    first = estimates_of(make_session_config(input=str(dry), target=str(target)))[1]
    assert first.gain_est_db == pytest.approx(-6.02, abs=0.02)
    assert first.delay_frames == pytest.approx(-2 * RATE, abs=0.1)


def test_without_alignment_both_are_still_read_at_the_offset(pair):
    dry, target = pair
    estimates = estimates_of(make_session_config(input=str(dry), target=str(target), align="off"))
    assert estimates[-1].delay_frames == -2 * RATE
    assert estimates[-1].gain_est_db == pytest.approx(-6.02, abs=0.05)


@pytest.mark.parametrize(("start", "end", "first_s", "last_s"), [(3, 5, 3, 5), (None, 4, 2, 4), (6, None, 6, 7)])
def test_section_is_in_the_dry_recordings_own_time(pair, start, end, first_s, last_s):
    dry, target = pair
    config = make_session_config(input=str(dry), target=str(target), start=start, end=end)
    with Session(config, clock="offline") as session:
        assert session.total_frames == pytest.approx((last_s - first_s) * RATE, abs=1)
    found = times_s(estimates_of(config))
    assert found[0] == pytest.approx(first_s + 2048 / RATE)
    assert last_s - 0.1 < found[-1] < last_s


def test_section_of_one_file_has_the_times_of_the_file_and_of_the_automation(tmp_path, pair):
    automation = tmp_path / "gain.csv"
    automation.write_text("time_s,gain_db\n0,-12\n3,-12\n3,-6\n")
    options = {"input": str(pair[0]), "automation": str(automation), "start": 2.0, "end": 4.0}
    section = estimates_of(make_session_config(**options))
    assert times_s(section)[0] == pytest.approx(2 + 2048 / RATE)
    assert times_s(section)[-1] < 4
    assert section[0].gain_true_db == pytest.approx(-12)
    assert section[-1].gain_true_db == pytest.approx(-6)
    step_s = [estimate.center_frame / RATE for estimate in section if -11.9 < estimate.gain_true_db < -6.1]
    assert min(step_s) < 3 < max(step_s)


def test_loop_repeats_the_section_of_both_recordings(pair):
    dry, target = pair
    options = {"input": str(dry), "target": str(target), "start": 3.0, "end": 4.0, "loop": True}
    with Session(make_session_config(**options), clock="timer") as session:
        assert session.total_frames is None
    with pytest.raises(InputError, match="give a --duration"):
        run_offline(make_session_config(**options))
    estimates = estimates_of(make_session_config(**options, duration=3.5))
    assert len(estimates) == (round(3.5 * RATE) - 4096) // 1024 + 1
    steady = [estimate.gain_opt_db for estimate in estimates if np.isfinite(estimate.opt_std_db)]
    assert np.median(steady) == pytest.approx(-6.02, abs=0.01)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": 7.5}, r"--start 7\.5: .*dry\.wav has no sound to play there; choose times from 2\.000 to 7\.000 s"),
        ({"end": 1.0}, r"--end 1: .* choose times from 2\.000 to 7\.000 s"),
        ({"start": 3.0, "end": 3.01}, r"dry\.wav and .*target\.flac: their common part lasts 480 frames"),
    ],
)
def test_section_without_enough_sound_is_rejected(pair, options, message):
    dry, target = pair
    with (
        pytest.raises(InputError, match=message),
        Session(make_session_config(input=str(dry), target=str(target), **options), clock="offline") as session,
    ):
        session.check()


@pytest.mark.realtime
def test_pair_plays_live_and_can_be_positioned(pair):
    dry, target = pair
    config = make_session_config(input=str(dry), target=str(target), loop=True, start=2.5, end=6.5)
    with Session(config, clock="timer") as session:
        session.start(wait=True)
        wait_until(lambda: session.snapshot().state == "tracking")
        snapshot = session.snapshot()
        assert snapshot.gain_db == pytest.approx(-6.02, abs=0.01)
        assert snapshot.delay_ms == pytest.approx(-2000, abs=0.01)
        assert snapshot.channel_polarities == (1, -1)
        assert snapshot.length_s == 4.0
        session.seek(3.0)
        wait_until(lambda: 3.0 <= session.snapshot().position_s < 4.0)
        wait_until(lambda: session.snapshot().position_s < 2.0)  # around the end of the loop
        assert session.snapshot().state == "tracking"


def test_command_line_compares_two_recordings(tmp_path, pair):
    dry, target = pair
    outputs = {name: tmp_path / name for name in ("t.csv", "s.json", "m.wav")}
    run = rtgain(
        *("run", "--headless", "--input", dry, "--target", target, "--start", "3", "--csv", outputs["t.csv"]),
        *("--json", outputs["s.json"], "--record", outputs["m.wav"]),
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    table = rows(outputs["t.csv"])
    assert float(table[0]["time_s"]) == pytest.approx(3 + 2048 / RATE)
    assert float(table[-1]["delay_ms"]) == pytest.approx(-2000, abs=0.002)
    assert float(table[-1]["gain_right_db"]) == pytest.approx(-6.02, abs=0.01)
    assert table[-1]["polarity_right"] == "-1"
    assert json.loads(outputs["s.json"].read_text())["target"] == str(target)
    matched, _ = soundfile.read(outputs["m.wav"])
    expected = 0.5 * soundfile.read(dry)[0][3 * RATE :] * [1, -1]
    np.testing.assert_allclose(matched[RATE:], expected[RATE : len(matched)], atol=1e-3)


@pytest.mark.realtime
def test_pair_plays_on_a_device(jack_server, pair):
    dry, target = pair
    run = rtgain("run", "--headless", "--clock", "device", "--input", dry, "--target", target, "--json", "-")
    assert (run.returncode, run.stderr) == (0, "")
    summary = json.loads(run.stdout)
    assert (summary["channels"], summary["state"], summary["channel_polarities"]) == (2, "tracking", [1, -1])
    assert summary["gain_db"] == pytest.approx(-6.02, abs=0.01)
    assert summary["delay_ms"] == pytest.approx(-2000, abs=0.01)
    assert summary["dropped_frames"] == 0
