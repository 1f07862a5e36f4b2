"""A session gives one gain trace on three clocks, obeys while it runs, and outlives its estimator."""

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

from rtgain.audio.demo import DemoSource
from rtgain.bench.servers import JackServer
from rtgain.config import SessionConfig
from rtgain.errors import InputError
from rtgain.estimation.estimate import Estimate
from rtgain.session import Session
from tests.commands import rows, start_rtgain
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.realtime

RATE = 48_000


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of the built-in demo."""
    path = tmp_path_factory.mktemp("song") / "song.wav"
    soundfile.write(path, DemoSource(RATE).read(4 * RATE)[0], RATE, subtype="FLOAT")
    return path


# --- three clocks ---------------------------------------------------------------------------------


def test_three_clocks_give_one_gain_trace(song: Path, tmp_path: Path, jack_server: JackServer) -> None:
    moves = tmp_path / "moves.csv"
    moves.write_text("time_s,gain_db\n0,-12\n1.5,-12\n3,-6\n")
    clocks = ("fast", "realtime", "device")
    processes = [
        start_rtgain(
            *("run", "--headless", "--clock", clock, "--input", song, "--automation", moves, "--delay-ms", "2"),
            *("--noise-dbfs", "-70", "--csv", tmp_path / f"{clock}.csv", "--json", tmp_path / f"{clock}.json"),
        )
        for clock in clocks
    ]
    for process in processes:
        assert process.communicate(timeout=PATIENCE_S) == ("", "")
        assert process.returncode == 0
    results = {clock: json.loads((tmp_path / f"{clock}.json").read_text()) for clock in clocks}
    traces = {clock: {row["time_s"]: row for row in rows(tmp_path / f"{clock}.csv")} for clock in clocks}
    fast = traces.pop("fast")
    assert (results["fast"]["frames"], results["fast"]["dropped_frames"]) == (4 * RATE, 0)
    for clock, trace in traces.items():
        assert results[clock]["frames"] == 4 * RATE, clock
        assert results[clock]["dropped_frames"] == 0, clock
        assert list(trace) == list(fast), clock  # every hop, at the same moments
        assert [row["gain_true_db"] for row in trace.values()] == [row["gain_true_db"] for row in fast.values()]
        both = [at for at in fast if fast[at]["state"] == trace[at]["state"] == "tracking"]
        assert len(both) > 0.6 * len(fast), clock
        off_db = [abs(float(fast[at]["gain_est_db"]) - float(trace[at]["gain_est_db"])) for at in both]
        assert max(off_db) <= 0.01, clock
        assert results[clock]["gain_db"] == pytest.approx(results["fast"]["gain_db"], abs=0.01)


def test_the_fast_clock_gives_the_same_bits_every_time(song: Path) -> None:
    def all_estimates() -> list[Estimate]:
        config = SessionConfig(input=str(song), gain_db=-12.0, delay_ms=5.0, noise_dbfs=-60.0)
        with Session(config, clock="fast") as session:
            session.start()
            estimates: list[Estimate] = []
            while not session.ended:
                estimates += session.advance()
            return estimates + session.finish()

    one, other = ([estimate.to_row() for estimate in all_estimates()] for _ in range(2))
    np.testing.assert_array_equal(one, other)  # to the last bit; NaN is NaN
    assert len(one) > 150


# --- what it shows, and how it obeys --------------------------------------------------------------


@pytest.fixture
def fast() -> Callable[..., Session]:
    """Started sessions on the fast clock, ten minutes of demo long; `for_s` plays them."""
    return lambda **values: Session(SessionConfig(duration=600, gain_db=-12.0, **values), clock="fast")


def for_s(session: Session, seconds: float) -> list[Estimate]:
    """Play at least so much of it, and return its estimates."""
    until = session.frames + seconds * RATE
    estimates: list[Estimate] = []
    while session.frames < until:
        estimates += session.advance()
    return estimates


def test_reference_is_changed_while_it_plays_and_the_estimate_follows(fast: Callable[..., Session]) -> None:
    with fast() as session:
        session.start()
        for_s(session, 2)
        assert session.trace.last
        assert session.trace.last.gain_est_db == pytest.approx(-12.0, abs=0.01)
        session.set_reference(gain_db=-20.0, polarity=-1)
        last = for_s(session, 2)[-1]
        assert (last.gain_est_db, last.polarity) == (pytest.approx(-20.0, abs=0.01), -1)
        session.set_reference(delay_ms=3.0)
        last = for_s(session, 6)[-1]
        assert last.delay_frames == pytest.approx(144.0, abs=0.02)
        assert last.gain_est_db == pytest.approx(-20.0, abs=0.01)
        with pytest.raises(ValueError, match="60"):
            session.set_reference(gain_db=61.0)


def test_gain_set_by_hand_ends_an_automation(fast: Callable[..., Session], tmp_path: Path) -> None:
    moves = tmp_path / "moves.csv"
    moves.write_text("time_s,gain_db\n0,-30\n1000,-31\n")
    with fast(automation=str(moves)) as session:
        session.start()
        assert for_s(session, 1)[-1].gain_true_db == pytest.approx(-30.0, abs=0.01)
        session.set_reference(polarity=-1)  # this does not
        assert for_s(session, 1)[-1].gain_true_db == pytest.approx(-30.0, abs=0.01)
        session.set_reference(gain_db=-5.0)
        assert for_s(session, 2)[-1].gain_true_db == pytest.approx(-5.0, abs=1e-6)


def test_frozen_estimate_stands_still_and_a_reset_one_forgets(fast: Callable[..., Session]) -> None:
    with fast() as session:
        session.start()
        held_db = for_s(session, 2)[-1].gain_est_db
        session.freeze(True)
        session.set_reference(gain_db=-3.0)
        assert {estimate.gain_est_db for estimate in for_s(session, 2)} == {held_db}
        session.freeze(False)
        assert for_s(session, 2)[-1].gain_est_db == pytest.approx(-3.0, abs=0.01)
        session.set_estimator(optimizer="SGD", lr=1e-6, steps=1)
        session.reset_estimate(gain_db=-40.0)
        assert for_s(session, 1)[0].gain_est_db == pytest.approx(-40.0, abs=0.01)  # one tiny step from there


def test_a_new_optimizer_brings_its_own_rate_and_another_loss_does_not(fast: Callable[..., Session]) -> None:
    with fast() as session:
        session.start()
        session.set_estimator(steps=2)
        assert max(estimate.steps for estimate in for_s(session, 1)) == 2
        session.set_estimator(loss="waveform")
        session.reset_estimate(20.0)
        assert max(estimate.steps for estimate in for_s(session, 1)) == 2
        session.set_estimator(optimizer="SGD")
        session.reset_estimate(20.0)
        assert max(estimate.steps for estimate in for_s(session, 2)) > 2


def test_snapshot_shows_how_things_stand(fast: Callable[..., Session]) -> None:
    with fast() as session:
        before = session.snapshot()
        assert (before.running, before.ended, before.state, before.frames) == (False, False, "waiting", 0)
        assert math.isnan(before.gain_db)
        assert math.isnan(before.estimate_age_s)
        assert math.isnan(before.gain_now_db)
        session.start()
        for_s(session, 3)
        now = session.snapshot()
        assert (now.running, now.ended, now.clock, now.description) == (True, False, "fast", "fast clock, no device")
        assert now.frames == session.frames
        assert now.time_s == now.frames / RATE
        assert (now.state, now.polarity) == ("tracking", 1)
        assert now.gain_db == pytest.approx(-12.0, abs=0.01)
        assert now.gain_linear == pytest.approx(10 ** (now.gain_db / 20))
        assert now.gain_now_db == pytest.approx(-12.0, abs=1e-5)
        assert len(now.history.time_s) == session.trace.estimates
        assert (now.xruns, now.dropped_frames, now.estimator_restarts, now.notices) == (0, 0, 0, ())


def test_levels_and_scope_show_what_plays(fast: Callable[..., Session]) -> None:
    with fast() as session:
        assert session.snapshot(scope=True).scope is None
        session.start()
        for_s(session, 3)
        now = session.snapshot(scope=True)
        dry = DemoSource(RATE).read(now.frames)[0].astype(np.float64)
        assert now.levels["dry"].peak_dbfs == pytest.approx(20 * np.log10(np.abs(dry).max()), abs=1e-4)
        rms = np.sqrt(np.mean(dry[-round(0.3 * RATE) :] ** 2))
        assert now.levels["dry"].rms_dbfs == pytest.approx(20 * np.log10(rms), abs=1e-4)
        assert now.levels["target"].rms_dbfs == pytest.approx(20 * np.log10(rms) - 12.0, abs=0.01)
        assert now.levels["matched"].rms_dbfs == pytest.approx(20 * np.log10(rms) - 12.0, abs=0.01)
        assert now.scope is not None
        np.testing.assert_array_equal(now.scope.dry, dry[-4096:].astype(np.float32))
        np.testing.assert_allclose(now.scope.matched, now.scope.target, atol=1e-4)
        heard = now.scope.dry_db > now.scope.dry_db.max() - 60
        np.testing.assert_allclose((now.scope.target_db - now.scope.dry_db)[heard], -12.0, atol=0.01)
        assert session.snapshot().scope is None


def test_curves_show_the_window_and_the_estimate_on_it(fast: Callable[..., Session]) -> None:
    with fast(polarity="invert") as session:
        assert session.snapshot().curves is None
        session.start()
        for_s(session, 2)
        curves = session.snapshot().curves
        assert curves is not None
        gain = -(10 ** (-12 / 20))
        assert curves.gain_est == pytest.approx(gain, rel=1e-3)
        assert curves.center_frame == session.trace.last.center_frame  # type: ignore[union-attr]
        step = curves.gain[1] - curves.gain[0]
        assert curves.gain[np.argmin(curves.waveform)] == pytest.approx(gain, abs=step)
        assert abs(curves.gain[np.argmin(curves.loss)]) == pytest.approx(-gain, abs=step)
        assert curves.loss_est < 0.02


def test_rivals_run_beside_the_estimator_and_show_why_the_loss_matters(fast: Callable[..., Session]) -> None:
    """At 90° waveforms have their least at no gain at all, and spectra where they always had it."""
    with fast(phase_deg=90.0, race=("waveform/SGD", "spectral/SGD@0.1")) as session:
        assert [(rival.name, rival.state) for rival in session.snapshot().rivals] == [
            ("waveform/SGD", "waiting"),
            ("spectral/SGD@0.1", "waiting"),
        ]
        session.start()
        for_s(session, 4)
        now = session.snapshot()
        waveform, circling = now.rivals
        assert now.gain_db == pytest.approx(-12.0, abs=0.03)
        assert waveform.gain_db < -20.0
        assert 0.05 < np.abs(circling.history.gain_est_db[-50:] + 12.0).max() < 1.0
        assert (circling.loss, circling.optimizer) == ("spectral", "SGD")
        for rival in now.rivals:
            np.testing.assert_array_equal(rival.history.time_s, now.history.time_s)

        session.set_estimator(
            race=(
                "spectral/SGD@0.1",
                "stft/Adam",
            )
        )
        for_s(session, 1)
        stayed, new = session.snapshot().rivals
        assert len(stayed.history.time_s) > len(new.history.time_s) > 40
        assert session.config.race == ("spectral/SGD@0.1", "stft/Adam")
        with pytest.raises(InputError, match=r"^race: 'louder' is not one of "):
            session.set_estimator(race=("louder/SGD",))
        session.set_estimator(race=())
        assert session.snapshot().rivals == ()


def test_window_hop_and_alignment_are_changed_while_it_plays(fast: Callable[..., Session]) -> None:
    with fast(delay_ms=2.0) as session:
        session.start()
        for_s(session, 3)
        session.set_estimator(window_ms=170.0, hop_ms=43.0)
        later = for_s(session, 1)
        assert set(np.diff([estimate.center_frame for estimate in later])) == {2048.0}
        assert later[-1].available_frame - later[-1].center_frame == pytest.approx(8192 / 2 + 96, abs=1)
        assert session.snapshot(scope=True).scope.dry.shape == (8192,)  # type: ignore[union-attr]
        session.set_estimator(align="off")
        assert {estimate.delay_frames for estimate in for_s(session, 1)} == {0.0}
        with pytest.raises(InputError, match="the hop is longer than the window"):
            session.set_estimator(window_ms=10.0)
        assert session.config.window_ms == 170.0


# --- where a file is ------------------------------------------------------------------------------


def test_a_file_tells_its_position_and_goes_where_it_is_told(song: Path) -> None:
    with Session(SessionConfig(input=str(song)), clock="fast") as session:
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
        dry = session.snapshot(scope=True).scope.dry  # type: ignore[union-attr]
        end = round(session.snapshot().position_s * RATE)
        np.testing.assert_array_equal(dry, whole[end - len(dry) : end])
        session.seek(99.0)
        assert session.snapshot().position_s == 4.0
        session.advance()
        assert session.ended


def test_a_file_that_is_repeated_has_a_position_in_it_and_a_synthetic_source_no_length(song: Path) -> None:
    with Session(SessionConfig(input=str(song), loop=True, duration=None), clock="realtime") as session:
        session.start()
        session.seek(3.9)
        until(lambda: session.frames > RATE // 2)
        now = session.snapshot()
        assert now.length_s == 4.0
        assert 0.0 < now.position_s < 3.0
    with Session(SessionConfig(), clock="realtime") as session:
        assert session.snapshot().length_s is None


def test_automation_that_cannot_be_used_leaves_no_file_open(song: Path, tmp_path: Path) -> None:
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(InputError, match="No such file"):
        Session(SessionConfig(input=str(song), automation=str(tmp_path / "none.csv")), clock="fast")
    assert set(Path("/proc/self/fd").iterdir()) == before


# --- its estimator --------------------------------------------------------------------------------


def estimator_of(session: Session) -> int:
    """The number of the process that estimates for a live session."""
    worker = session._estimation._worker  # type: ignore[union-attr]
    assert worker is not None
    assert worker.pid is not None
    return int(worker.pid)


def until_estimates(session: Session, since_frame: int, timeout_s: float) -> Estimate:
    """Wait for an estimate of sound that was played after `since_frame`."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        for estimate in session.advance():
            if estimate.center_frame > since_frame:
                return estimate
        assert time.monotonic() < deadline_s, f"no estimate within {timeout_s} s"


def test_sound_outlives_an_estimator_that_is_killed_and_one_that_hangs() -> None:
    with Session(SessionConfig(gain_db=-12.0), clock="realtime") as session:
        session.start(wait=True)
        until_estimates(session, 2 * RATE, 10)

        start_s, start_frame = time.monotonic(), session.frames
        os.kill(estimator_of(session), signal.SIGKILL)
        back = until_estimates(session, start_frame, 5)
        assert session.take_notices() == ["The estimator was ended from outside and was started again (1)."]
        assert back.gain_est_db == pytest.approx(-12.0, abs=0.01)  # it went on from the last estimate

        os.kill(estimator_of(session), signal.SIGSTOP)
        notices: list[str] = []
        while not notices:
            session.advance()
            notices = session.take_notices()
            assert time.monotonic() < start_s + 30
        assert notices == ["The estimator did not answer and was started again (2)."]
        back = until_estimates(session, session.frames, 5)
        assert back.gain_est_db == pytest.approx(-12.0, abs=0.01)

        rate = (session.frames - start_frame) / (time.monotonic() - start_s)
        assert rate == pytest.approx(RATE, rel=0.02)
        assert session.snapshot().estimator_restarts == 2


def test_estimator_that_dies_every_time_is_given_up_and_the_sound_goes_on() -> None:
    with Session(SessionConfig(gain_db=-12.0), clock="realtime") as session:
        session.start()
        notices: list[str] = []
        for _ in range(3):
            os.kill(estimator_of(session), signal.SIGKILL)
            while not (said := session.take_notices()):
                session.advance()
            notices += said
        assert [notice.split(" (")[0] for notice in notices] == [
            "The estimator was ended from outside and was started again",
            "The estimator was ended from outside and was started again",
            "The estimator cannot run",
        ]
        start_frame = session.frames
        session.advance()
        assert session.frames > start_frame
        assert session.finish() == []


def test_a_live_session_shows_curves_loudness_and_rivals_of_its_estimator_s_process() -> None:
    config = SessionConfig(gain_db=-12.0, race=("waveform/SGD",))
    with Session(config, clock="realtime") as session:
        session.start(wait=True)

        def everything_is_there() -> bool:
            now = session.snapshot()
            return now.curves is not None and all(math.isfinite(level.lufs) for level in now.levels.values())

        until(everything_is_there)
        until(lambda: session.snapshot().state == "tracking")
        now = session.snapshot()
        assert now.curves is not None
        assert abs(now.curves.gain_est) == pytest.approx(10 ** (-12 / 20), rel=0.01)
        assert now.levels["target"].lufs == pytest.approx(now.levels["dry"].lufs - 12.0, abs=0.1)

        def little_is_left() -> bool:
            levels = session.snapshot().levels
            return levels["difference"].lufs < levels["target"].lufs - 40.0

        until(little_is_left)
        (rival,) = now.rivals
        assert rival.gain_db == pytest.approx(-12.0, abs=0.1)
        assert len(rival.history.time_s) > 0
        assert np.isin(rival.history.time_s, now.history.time_s).all()  # late, a live race leaves windows out
