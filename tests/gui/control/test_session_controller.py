"""Sessions are started, stopped and replaced in another thread than the GUI."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from gui.control.session_controller import SessionController, create_session, with_input
from rtgain.config.session_config import SessionConfig
from rtgain.errors import DeviceError, InputError
from rtgain.records.recording_offset import RecordingOffset
from rtgain.session.io_setup import without_device
from tests.gui.conftest import Sessions
from tests.gui.fake_session import FakeSession
from tests.polling import TIMEOUT_S


@pytest.fixture
def controller(qtbot: Any, sessions: Sessions) -> Iterator[SessionController]:
    controller = SessionController(SessionConfig(), sessions)
    yield controller
    controller.close()


def start(qtbot: Any, controller: SessionController) -> None:
    controller.start("target")
    qtbot.waitUntil(lambda: controller.state != "starting")


def test_session_starts_and_stops_in_another_thread(qtbot: Any) -> None:
    threads = []

    class Session(FakeSession):
        def start(self) -> None:
            threads.append(threading.current_thread())
            super().start()

        def stop(self) -> None:
            threads.append(threading.current_thread())

    controller = SessionController(SessionConfig(), Session)
    start(qtbot, controller)
    controller.close()
    assert len(threads) == 2
    assert threading.main_thread() not in threads


def test_start_replaces_the_running_session(qtbot: Any, controller: SessionController, sessions: Sessions) -> None:
    start(qtbot, controller)
    controller.set_input("pink")
    start(qtbot, controller)
    first, second = sessions.made
    assert first.stopped
    assert not second.stopped
    assert second.config.input == "pink"


def test_only_the_last_of_many_start_requests_keeps_running(
    qtbot: Any, controller: SessionController, sessions: Sessions
) -> None:
    for source in ("sine", "pink", "demo", "sine", "pink"):
        controller.set_input(source)
        controller.start("target")
    qtbot.waitUntil(lambda: controller.state == "running")
    assert sessions.last.config.input == "pink"
    assert all(session.stopped for session in sessions.made[:-1])
    assert controller.snapshot() is not None


def test_stop_during_a_start_leaves_no_session_running(qtbot: Any, sessions: Sessions) -> None:
    may_start = threading.Event()

    def slow(config: SessionConfig, offset: RecordingOffset | None) -> Any:
        may_start.wait(TIMEOUT_S)
        return sessions(config, offset)

    controller = SessionController(SessionConfig(), slow)
    controller.start("target")
    controller.stop()
    assert controller.state == "stopped"
    may_start.set()
    controller.close()
    assert all(session.stopped for session in sessions.made)
    assert controller.snapshot() is None


def test_no_session_starts_after_close(qtbot: Any, sessions: Sessions) -> None:
    controller = SessionController(SessionConfig(), sessions)
    controller.close()
    controller.start("target")
    controller.close()
    assert controller.state == "stopped"
    assert not sessions.made


def test_changes_during_a_start_are_applied_to_the_session(qtbot: Any, sessions: Sessions) -> None:
    may_start = threading.Event()

    def slow(config: SessionConfig, offset: RecordingOffset | None) -> Any:
        may_start.wait(TIMEOUT_S)
        return sessions(config, offset)

    controller = SessionController(SessionConfig(), slow)
    controller.start("target")
    controller.set_reference(gain_db=-3.0)
    may_start.set()
    qtbot.waitUntil(lambda: controller.state == "running")
    assert sessions.last.calls == [("set_reference", {"gain_db": -3.0})]
    controller.close()


def test_session_without_a_device_runs_on_the_timer_clock(
    qtbot: Any, controller: SessionController, sessions: Sessions
) -> None:
    sessions.start_errors = [DeviceError("No output device was found.")]
    with qtbot.waitSignal(controller.fell_back) as fell_back:
        controller.start("target")
    assert fell_back.args == ["No output device was found."]
    assert sessions.last.config.clock == "timer"
    assert sessions.made[0].stopped
    assert controller.state == "running"


def test_each_start_tries_the_device_again(qtbot: Any, controller: SessionController, sessions: Sessions) -> None:
    sessions.start_errors = [DeviceError("No output device was found.")]
    start(qtbot, controller)
    start(qtbot, controller)
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
def test_fallback_replaces_only_options_that_need_a_device(options: dict[str, Any], source: str, target: str) -> None:
    fallback = without_device(SessionConfig(gain_db=-7, **options))
    assert (fallback.clock, fallback.input, fallback.target) == ("timer", source, target)
    assert fallback.gain_db == -7


def test_source_without_the_target_uses_the_reference_path() -> None:
    config = with_input(SessionConfig(input="stereo.wav", target="channel", gain_db=-7), "pink")
    assert (config.input, config.target, config.gain_db) == ("pink", "reference", -7)


def test_microphone_resets_the_timer_clock() -> None:
    assert with_input(SessionConfig(clock="timer"), "mic").clock is None


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (InputError("x.wav: no such file"), "x.wav: no such file"),
        (RuntimeError("odd"), "The session did not start: RuntimeError: odd"),
    ],
)
def test_failed_start_reports_the_reason_and_stops(
    qtbot: Any, controller: SessionController, sessions: Sessions, error: Exception, message: str
) -> None:
    sessions.start_errors = [error]
    with qtbot.waitSignal(controller.failed) as failed:
        controller.start("target")
    assert failed.args == [message]
    assert controller.state == "stopped"
    assert sessions.last.stopped


def test_session_with_an_error_is_stopped(qtbot: Any, controller: SessionController, sessions: Sessions) -> None:
    start(qtbot, controller)
    sessions.last.snapshot_error = InputError("x.wav: truncated")
    with qtbot.waitSignal(controller.failed) as failed:
        assert controller.snapshot() is None
    assert failed.args == ["x.wav: truncated"]
    qtbot.waitUntil(lambda: sessions.last.stopped)


def test_offline_clock_is_rejected_in_the_gui() -> None:
    with pytest.raises(InputError, match="--clock offline"):
        create_session(SessionConfig(clock="offline"), None)


def test_offset_that_is_followed_over_the_whole_stays(controller: SessionController) -> None:
    """The search for the first part may end after the analysis."""
    config = SessionConfig(input="dry.wav", target="target.wav")
    followed = RecordingOffset(0.5, is_found=True, common_s=60.0)
    first_part = replace(followed, is_followed=False)
    for offset, expected in ((first_part, first_part), (followed, followed), (first_part, followed)):
        controller.keep_offset(config, offset)
        assert controller.offset_of(config) == expected
