"""Starting, stopping and replacing sessions away from the window's thread."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gui.session_host import SessionHost, real_session, with_input, without_device
from rtgain.config import SessionConfig
from rtgain.errors import DeviceError, InputError
from tests.gui.conftest import Sessions
from tests.gui.fake_session import FakeSession
from tests.waiting import PATIENCE_S


@pytest.fixture
def host(qtbot: Any, sessions: Sessions) -> Iterator[SessionHost]:
    host = SessionHost(SessionConfig(), sessions)
    yield host
    host.close()


def start(qtbot: Any, host: SessionHost) -> None:
    host.start("target")
    qtbot.waitUntil(lambda: host.state != "starting")


def test_a_session_is_started_and_stopped_on_another_thread(qtbot: Any) -> None:
    threads = []

    class Session(FakeSession):
        def start(self) -> None:
            threads.append(threading.current_thread())
            super().start()

        def stop(self) -> None:
            threads.append(threading.current_thread())

    host = SessionHost(SessionConfig(), Session)
    start(qtbot, host)
    host.close()
    assert len(threads) == 2
    assert threading.main_thread() not in threads


def test_a_start_replaces_what_runs(qtbot: Any, host: SessionHost, sessions: Sessions) -> None:
    start(qtbot, host)
    host.set_input("pink")
    start(qtbot, host)
    first, second = sessions.made
    assert first.stopped
    assert not second.stopped
    assert second.config.input == "pink"


def test_of_many_hasty_wishes_only_the_last_is_left_running(qtbot: Any, host: SessionHost, sessions: Sessions) -> None:
    for source in ("sine", "pink", "demo", "sine", "pink"):
        host.set_input(source)
        host.start("target")
    qtbot.waitUntil(lambda: host.state == "running")
    assert sessions.last.config.input == "pink"
    assert all(session.stopped for session in sessions.made[:-1])
    assert host.snapshot() is not None


def test_a_stop_during_a_start_leaves_nothing_running(qtbot: Any, sessions: Sessions) -> None:
    may_start = threading.Event()

    def slow(config: SessionConfig) -> Any:
        may_start.wait(PATIENCE_S)
        return sessions(config)

    host = SessionHost(SessionConfig(), slow)
    host.start("target")
    host.stop()
    assert host.state == "stopped"
    may_start.set()
    host.close()
    assert all(session.stopped for session in sessions.made)
    assert host.snapshot() is None


def test_nothing_starts_after_the_end(qtbot: Any, sessions: Sessions) -> None:
    host = SessionHost(SessionConfig(), sessions)
    host.close()
    host.start("target")
    host.close()
    assert host.state == "stopped"
    assert not sessions.made


def test_what_is_changed_during_a_start_reaches_the_session(qtbot: Any, sessions: Sessions) -> None:
    may_start = threading.Event()

    def slow(config: SessionConfig) -> Any:
        may_start.wait(PATIENCE_S)
        return sessions(config)

    host = SessionHost(SessionConfig(), slow)
    host.start("target")
    host.set_reference(gain_db=-3.0)
    may_start.set()
    qtbot.waitUntil(lambda: host.state == "running")
    assert sessions.last.calls == [("set_reference", {"gain_db": -3.0})]
    host.close()


def test_without_a_device_the_session_runs_in_real_time(qtbot: Any, host: SessionHost, sessions: Sessions) -> None:
    sessions.start_errors = [DeviceError("No output device was found.")]
    with qtbot.waitSignal(host.fell_back) as fell_back:
        host.start("target")
    assert fell_back.args == ["No output device was found."]
    assert sessions.last.config.clock == "realtime"
    assert sessions.made[0].stopped
    assert host.state == "running"


def test_each_start_tries_the_device_again(qtbot: Any, host: SessionHost, sessions: Sessions) -> None:
    sessions.start_errors = [DeviceError("No output device was found.")]
    start(qtbot, host)
    start(qtbot, host)
    assert sessions.last.config.clock is None


@pytest.mark.parametrize(
    ("options", "source", "target"),
    [
        ({"input": "mic"}, "demo", "reference"),
        ({"input": "mic", "target": "channel"}, "demo", "reference"),
        ({"input": "demo", "target": "return"}, "demo", "reference"),
        ({"input": "stereo.wav", "target": "channel"}, "stereo.wav", "channel"),
        ({"input": "music.flac"}, "music.flac", "reference"),
    ],
)
def test_only_what_needs_a_device_is_replaced_without_one(options: dict[str, Any], source: str, target: str) -> None:
    fallback = without_device(SessionConfig(gain_db=-7, **options))
    assert (fallback.clock, fallback.input, fallback.target) == ("realtime", source, target)
    assert fallback.gain_db == -7


def test_a_source_that_cannot_have_the_target_gets_the_reference_path() -> None:
    config = with_input(SessionConfig(input="stereo.wav", target="channel", gain_db=-7), "pink")
    assert (config.input, config.target, config.gain_db) == ("pink", "reference", -7)


def test_a_microphone_is_not_tied_to_the_real_time_clock() -> None:
    assert with_input(SessionConfig(clock="realtime"), "mic").clock is None


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (InputError("x.wav: no such file"), "x.wav: no such file"),
        (RuntimeError("odd"), "The session did not start: RuntimeError: odd"),
    ],
)
def test_a_start_that_fails_says_why_and_leaves_nothing(
    qtbot: Any, host: SessionHost, sessions: Sessions, error: Exception, said: str
) -> None:
    sessions.start_errors = [error]
    with qtbot.waitSignal(host.failed) as failed:
        host.start("target")
    assert failed.args == [said]
    assert host.state == "stopped"
    assert sessions.last.stopped


def test_a_session_that_fails_while_it_runs_is_stopped(qtbot: Any, host: SessionHost, sessions: Sessions) -> None:
    start(qtbot, host)
    sessions.last.snapshot_error = InputError("x.wav: cut short")
    with qtbot.waitSignal(host.failed) as failed:
        assert host.snapshot() is None
    assert failed.args == ["x.wav: cut short"]
    qtbot.waitUntil(lambda: sessions.last.stopped)


def test_the_fast_clock_is_not_for_a_window() -> None:
    with pytest.raises(InputError, match="--clock fast"):
        real_session(SessionConfig(clock="fast"))
