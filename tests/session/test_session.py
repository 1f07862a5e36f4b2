"""Sessions: the same estimates on three clocks, changes while running, restarts of the estimator."""

import json
import math
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtgain.audio.sources.demo import DemoSource
from rtgain.bench.servers import JackServer
from rtgain.config.session_config import SessionConfig
from rtgain.errors import InputError
from rtgain.estimation.supervisor import Supervisor
from rtgain.records.estimate import Estimate
from rtgain.session.session import Session
from tests.commands import rows, rtgain
from tests.estimation.scripted_worker import ScriptedWorker
from tests.polling import wait_until

pytestmark = pytest.mark.realtime

RATE = 48_000


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of the built-in demo."""
    path = tmp_path_factory.mktemp("song") / "song.wav"
    soundfile.write(path, DemoSource(RATE).read(4 * RATE)[0], RATE, subtype="FLOAT")
    return path


# --- three clocks ---------------------------------------------------------------------------------


def test_three_clocks_give_the_same_estimates(song: Path, tmp_path: Path, jack_server: JackServer) -> None:
    automation = tmp_path / "automation.csv"
    automation.write_text("time_s,gain_db\n0,-12\n1.5,-12\n3,-6\n")
    clocks = ("offline", "timer", "device")
    for clock in clocks:  # one after the other, because each loads a whole core for a moment
        ran = rtgain(
            *("run", "--headless", "--clock", clock, "--input", song, "--automation", automation, "--delay-ms", "2"),
            *("--noise-dbfs", "-70", "--csv", tmp_path / f"{clock}.csv", "--json", tmp_path / f"{clock}.json"),
        )
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    results = {clock: json.loads((tmp_path / f"{clock}.json").read_text()) for clock in clocks}
    runs = {clock: {row["time_s"]: row for row in rows(tmp_path / f"{clock}.csv")} for clock in clocks}
    offline = runs.pop("offline")
    assert (results["offline"]["frames"], results["offline"]["dropped_frames"]) == (4 * RATE, 0)
    for clock, estimates in runs.items():
        assert results[clock]["frames"] == 4 * RATE, clock
        assert results[clock]["dropped_frames"] == 0, clock
        assert list(estimates) == list(offline), clock  # every hop, at the same moments
        assert [row["gain_true_db"] for row in estimates.values()] == [row["gain_true_db"] for row in offline.values()]
        both = [at for at in offline if offline[at]["state"] == estimates[at]["state"] == "tracking"]
        assert len(both) > 0.6 * len(offline), clock
        off_db = [abs(float(offline[at]["gain_est_db"]) - float(estimates[at]["gain_est_db"])) for at in both]
        assert max(off_db) <= 0.01, clock
        assert results[clock]["gain_db"] == pytest.approx(results["offline"]["gain_db"], abs=0.01)


def test_offline_clock_is_deterministic_to_the_last_bit(song: Path) -> None:
    def all_estimates() -> list[Estimate]:
        config = SessionConfig(input=str(song), gain_db=-12.0, delay_ms=5.0, noise_dbfs=-60.0)
        with Session(config, clock="offline") as session:
            session.start()
            estimates: list[Estimate] = []
            while not session.is_finished:
                estimates += session.advance()
            return estimates + session.drain()

    one, other = ([estimate.to_row() for estimate in all_estimates()] for _ in range(2))
    np.testing.assert_array_equal(one, other)  # to the last bit; NaN equals NaN
    assert len(one) > 150


# --- snapshots and changes -----------------------------------------------------------------------


@pytest.fixture
def make_session() -> Callable[..., Session]:
    """Function that makes sessions on the offline clock with ten minutes of demo; `play` runs them."""
    return lambda **values: Session(SessionConfig(duration=600, gain_db=-12.0, **values), clock="offline")


def play(session: Session, seconds: float) -> list[Estimate]:
    """Play at least `seconds` of it, and return the estimates."""
    until = session.frames + seconds * RATE
    estimates: list[Estimate] = []
    while session.frames < until:
        estimates += session.advance()
    return estimates


def test_estimate_follows_changes_of_the_reference_path(make_session: Callable[..., Session]) -> None:
    with make_session() as session:
        session.start()
        play(session, 2)
        assert session.history.last
        assert session.history.last.gain_est_db == pytest.approx(-12.0, abs=0.01)
        session.set_reference(gain_db=-20.0, polarity=-1)
        last = play(session, 2)[-1]
        assert (last.gain_est_db, last.polarity) == (pytest.approx(-20.0, abs=0.01), -1)
        session.set_reference(delay_ms=3.0)
        last = play(session, 6)[-1]
        assert last.delay_frames == pytest.approx(144.0, abs=0.02)
        assert last.gain_est_db == pytest.approx(-20.0, abs=0.01)
        with pytest.raises(ValueError, match="60"):
            session.set_reference(gain_db=61.0)


def test_setting_the_gain_ends_an_automation(make_session: Callable[..., Session], tmp_path: Path) -> None:
    automation = tmp_path / "gain.csv"
    automation.write_text("time_s,gain_db\n0,-30\n1000,-31\n")
    with make_session(automation=str(automation)) as session:
        session.start()
        assert play(session, 1)[-1].gain_true_db == pytest.approx(-30.0, abs=0.01)
        session.set_reference(polarity=-1)  # this keeps it
        assert play(session, 1)[-1].gain_true_db == pytest.approx(-30.0, abs=0.01)
        session.set_reference(gain_db=-5.0)
        assert play(session, 2)[-1].gain_true_db == pytest.approx(-5.0, abs=1e-6)


def test_frozen_estimate_is_constant_and_reset_starts_from_the_given_gain(make_session: Callable[..., Session]) -> None:
    with make_session() as session:
        session.start()
        frozen_db = play(session, 2)[-1].gain_est_db
        session.set_frozen(True)
        session.set_reference(gain_db=-3.0)
        assert {estimate.gain_est_db for estimate in play(session, 2)} == {frozen_db}
        session.set_frozen(False)
        assert play(session, 2)[-1].gain_est_db == pytest.approx(-3.0, abs=0.01)
        session.set_estimator(optimizer="SGD", lr=1e-6, steps=1)
        session.reset_estimate(gain_db=-40.0)
        assert play(session, 1)[0].gain_est_db == pytest.approx(-40.0, abs=0.01)  # one tiny step from there


def test_new_optimizer_resets_the_steps_and_another_loss_does_not(make_session: Callable[..., Session]) -> None:
    with make_session() as session:
        session.start()
        session.set_estimator(steps=2)
        assert max(estimate.steps for estimate in play(session, 1)) == 2
        session.set_estimator(loss="waveform")
        session.reset_estimate(20.0)
        assert max(estimate.steps for estimate in play(session, 1)) == 2
        session.set_estimator(optimizer="SGD")
        session.reset_estimate(20.0)
        assert max(estimate.steps for estimate in play(session, 2)) > 2


def test_snapshot_shows_the_state_of_the_session(make_session: Callable[..., Session]) -> None:
    with make_session() as session:
        before = session.snapshot()
        assert (before.running, before.is_finished, before.state, before.frames) == (False, False, "waiting", 0)
        assert math.isnan(before.gain_db)
        assert math.isnan(before.estimate_age_s)
        assert math.isnan(before.reference_gain_db)
        assert np.isnan(before.channel_gains_db).all()
        assert before.channel_polarities == (0, 0)
        session.start()
        play(session, 3)
        now = session.snapshot()
        assert (now.running, now.is_finished, now.clock, now.description) == (
            True,
            False,
            "offline",
            "offline clock, no device",
        )
        assert now.frames == session.frames
        assert now.time_s == now.frames / RATE
        assert (now.state, now.polarity) == ("tracking", 1)
        assert now.channels == 2
        assert now.channel_gains_db == pytest.approx((-12.0, -12.0), abs=0.01)
        assert now.channel_polarities == (1, 1)
        assert now.gain_db == pytest.approx(-12.0, abs=0.01)
        assert now.gain_linear == pytest.approx(10 ** (now.gain_db / 20))
        assert now.reference_gain_db == pytest.approx(-12.0, abs=1e-5)
        assert len(now.history.time_s) == session.history.count
        assert (now.xruns, now.dropped_frames, now.estimator_restarts, now.notices) == (0, 0, 0, ())


def test_levels_and_scope_show_the_played_signals(make_session: Callable[..., Session]) -> None:
    with make_session() as session:
        assert session.snapshot(scope=True).scope is None
        session.start()
        play(session, 3)
        now = session.snapshot(scope=True)
        dry = DemoSource(RATE, channels=2).read(now.frames).astype(np.float64)
        assert now.levels["dry"].peak_dbfs == pytest.approx(20 * np.log10(np.abs(dry).max(axis=1)), abs=1e-4)
        rms = np.sqrt(np.mean(dry[:, -round(0.3 * RATE) :] ** 2, axis=1))
        assert now.levels["dry"].rms_dbfs == pytest.approx(20 * np.log10(rms), abs=1e-4)
        assert now.levels["target"].rms_dbfs == pytest.approx(20 * np.log10(rms) - 12.0, abs=0.01)
        assert now.levels["matched"].rms_dbfs == pytest.approx(20 * np.log10(rms) - 12.0, abs=0.01)
        assert now.scope is not None
        np.testing.assert_array_equal(now.scope.dry, dry[:, -4096:].astype(np.float32))
        np.testing.assert_allclose(now.scope.matched, now.scope.target, atol=1e-4)
        audible = now.scope.dry_db > now.scope.dry_db.max() - 60
        np.testing.assert_allclose((now.scope.target_db - now.scope.dry_db)[audible], -12.0, atol=0.01)
        assert session.snapshot().scope is None


def test_loss_curves_have_their_minimum_at_the_gain(
    make_session: Callable[..., Session],
) -> None:
    with make_session(polarity="invert") as session:
        assert session.snapshot().curves is None
        session.start()
        play(session, 2)
        curves = session.snapshot().curves
        assert curves is not None
        gain = -(10 ** (-12 / 20))
        assert curves.gain_est == pytest.approx(gain, rel=1e-3)
        assert curves.center_frame == session.history.last.center_frame  # type: ignore[union-attr]
        step = curves.gain[1] - curves.gain[0]
        assert curves.gain[np.argmin(curves.waveform)] == pytest.approx(gain, abs=step)
        assert abs(curves.gain[np.argmin(curves.loss)]) == pytest.approx(-gain, abs=step)
        assert curves.loss_est < 0.02


def test_comparisons_run_on_the_same_windows_with_their_own_losses(make_session: Callable[..., Session]) -> None:
    """At 90° the waveform loss has its minimum at gain 0; the minimum of the spectral loss does not move."""
    with make_session(phase_deg=90.0, compare=("waveform/SGD", "spectral/SGD@0.1")) as session:
        assert [(comparison.name, comparison.state) for comparison in session.snapshot().comparisons] == [
            ("waveform/SGD", "waiting"),
            ("spectral/SGD@0.1", "waiting"),
        ]
        session.start()
        play(session, 4)
        now = session.snapshot()
        waveform, circling = now.comparisons
        assert now.gain_db == pytest.approx(-12.0, abs=0.03)
        assert waveform.gain_db < -20.0
        assert 0.05 < np.abs(circling.history.gain_est_db[-50:] + 12.0).max() < 1.0
        assert (circling.loss, circling.optimizer) == ("spectral", "SGD")
        for comparison in now.comparisons:
            np.testing.assert_array_equal(comparison.history.time_s, now.history.time_s)

        session.set_estimator(
            compare=(
                "spectral/SGD@0.1",
                "stft/Adam",
            )
        )
        play(session, 1)
        stayed, new = session.snapshot().comparisons
        assert len(stayed.history.time_s) > len(new.history.time_s) > 40
        assert session.config.compare == ("spectral/SGD@0.1", "stft/Adam")
        with pytest.raises(InputError, match=r"^compare: 'louder' is not one of "):
            session.set_estimator(compare=("louder/SGD",))
        session.set_estimator(compare=())
        assert session.snapshot().comparisons == ()


def test_window_hop_and_alignment_change_while_the_session_runs(make_session: Callable[..., Session]) -> None:
    with make_session(delay_ms=2.0) as session:
        session.start()
        play(session, 3)
        session.set_estimator(window_ms=170.0, hop_ms=43.0)
        later = play(session, 1)
        assert set(np.diff([estimate.center_frame for estimate in later])) == {2048.0}
        assert later[-1].available_frame - later[-1].center_frame == pytest.approx(8192 / 2 + 96, abs=1)
        assert session.snapshot(scope=True).scope.dry.shape == (2, 8192)  # type: ignore[union-attr]
        session.set_estimator(align="off")
        assert {estimate.delay_frames for estimate in play(session, 1)} == {0.0}
        with pytest.raises(InputError, match="the hop is longer than the window"):
            session.set_estimator(window_ms=10.0)
        assert session.config.window_ms == 170.0


# --- position -------------------------------------------------------------------------------------


def test_file_reports_its_position_and_seeks(song: Path) -> None:
    with Session(SessionConfig(input=str(song)), clock="offline") as session:
        assert (session.snapshot().position_s, session.snapshot().length_s) == (0.0, 4.0)
        session.start()
        session.advance()
        played_s = session.frames / RATE
        assert session.snapshot().position_s == played_s
        session.seek(0.5)
        assert session.snapshot().position_s == 0.5
        session.advance()
        assert session.snapshot().position_s == pytest.approx(0.5 + session.frames / RATE - played_s)
        whole = DemoSource(RATE).read(4 * RATE)[0]
        (dry,) = session.snapshot(scope=True).scope.dry  # type: ignore[union-attr]
        end = round(session.snapshot().position_s * RATE)
        np.testing.assert_array_equal(dry, whole[end - len(dry) : end])
        session.seek(99.0)
        assert session.snapshot().position_s == 4.0
        session.advance()
        assert session.is_finished


def test_looped_file_has_a_position_and_a_synthetic_source_has_no_length(song: Path) -> None:
    with Session(SessionConfig(input=str(song), loop=True, duration=None), clock="timer") as session:
        session.start()
        session.seek(3.9)
        wait_until(lambda: session.frames > RATE // 2)
        now = session.snapshot()
        assert now.length_s == 4.0
        assert 0.0 < now.position_s < 3.0
    with Session(SessionConfig(), clock="timer") as session:
        assert session.snapshot().length_s is None


def test_invalid_automation_leaves_no_file_open(song: Path, tmp_path: Path) -> None:
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(InputError, match="No such file"):
        Session(SessionConfig(input=str(song), automation=str(tmp_path / "none.csv")), clock="offline")
    assert set(Path("/proc/self/fd").iterdir()) == before


# --- estimator ------------------------------------------------------------------------------------


def estimator_pid(session: Session) -> int:
    """Process id of the estimator of a live session."""
    worker = session._runner._worker  # type: ignore[union-attr]
    assert worker is not None
    assert worker.pid is not None
    return int(worker.pid)


def until_estimates(session: Session, since_frame: int) -> Estimate:
    """Wait for an estimate of sound after `since_frame`."""
    newer: list[Estimate] = []
    wait_until(lambda: bool(newer.extend(e for e in session.advance() if e.center_frame > since_frame) or newer))
    return newer[0]


def test_audio_continues_and_the_estimator_restarts_after_a_kill_and_a_hang() -> None:
    with Session(SessionConfig(gain_db=-12.0), clock="timer") as session:
        session.start(wait=True)
        until_estimates(session, 2 * RATE)

        start_s, start_frame = time.monotonic(), session.frames
        os.kill(estimator_pid(session), signal.SIGKILL)
        back = until_estimates(session, start_frame)
        assert session.pop_notices() == ["The estimator process was killed and has been restarted (1)."]
        assert back.gain_est_db == pytest.approx(-12.0, abs=0.01)  # it resumed from the last estimate

        os.kill(estimator_pid(session), signal.SIGSTOP)
        notices: list[str] = []
        wait_until(lambda: session.advance() is not None and bool(notices.extend(session.pop_notices()) or notices))
        assert notices == ["The estimator process stopped responding and has been restarted (2)."]
        back = until_estimates(session, session.frames)
        assert back.gain_est_db == pytest.approx(-12.0, abs=0.01)

        def rate() -> float:
            return (session.frames - start_frame) / (time.monotonic() - start_s)

        wait_until(lambda: rate() == pytest.approx(RATE, rel=0.02))  # at once, unless the clock is late just now
        assert session.snapshot().estimator_restarts == 2


def test_estimator_that_fails_repeatedly_is_not_restarted_and_audio_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a process: a real one may estimate before it is killed, and then it has not failed repeatedly."""
    monkeypatch.setattr(Supervisor, "worker_type", ScriptedWorker)
    with Session(SessionConfig(gain_db=-12.0), clock="timer") as session:
        session.start()
        for _ in range(3):
            session._runner._worker.alive = False  # type: ignore[union-attr]
            session.advance()
        notices = session.pop_notices()
        assert [notice.split(" (")[0] for notice in notices] == [
            "The estimator process was killed and has been restarted",
            "The estimator process was killed and has been restarted",
            "The estimator process was killed again and was not restarted. Audio continues; stop and start to retry.",
        ]
        start_frame = session.frames
        wait_until(lambda: session.frames > start_frame)
        assert session.drain() == []


def test_live_session_shows_curves_loudness_and_comparisons_of_the_estimator_process() -> None:
    config = SessionConfig(gain_db=-12.0, compare=("waveform/SGD",))
    with Session(config, clock="timer") as session:
        session.start(wait=True)

        def diagnostics_are_complete() -> bool:
            now = session.snapshot()
            return now.curves is not None and all(
                math.isfinite(level.loudness.momentary_lufs) for level in now.levels.values()
            )

        wait_until(diagnostics_are_complete)
        wait_until(lambda: session.snapshot().state == "tracking")
        wait_until(lambda: math.isfinite(session.snapshot().comparisons[0].gain_db))
        now = session.snapshot()
        assert now.curves is not None
        assert abs(now.curves.gain_est) == pytest.approx(10 ** (-12 / 20), rel=0.01)
        dry, target = (now.levels[name].loudness for name in ("dry", "target"))
        assert target.momentary_lufs == pytest.approx(dry.momentary_lufs - 12.0, abs=0.1)
        assert target.integrated_lufs == pytest.approx(dry.integrated_lufs - 12.0, abs=0.1)
        assert target.true_peak_dbtp == pytest.approx(dry.true_peak_dbtp - 12.0, abs=0.1)

        def difference_is_small() -> bool:
            levels = session.snapshot().levels
            difference, target = (levels[name].loudness.momentary_lufs for name in ("difference", "target"))
            return difference < target - 40.0

        wait_until(difference_is_small)
        (comparison,) = now.comparisons
        assert comparison.gain_db == pytest.approx(-12.0, abs=0.1)
        assert len(comparison.history.time_s) > 0
        assert np.isin(comparison.history.time_s, now.history.time_s).all()  # late ones skip windows
