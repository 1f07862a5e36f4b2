"""Blind tests in the window: done with the keyboard, without a trace of the drawn signal, and saved."""

import json
import logging
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QPushButton, QWidget

import gui.main_window
import rtgain.session.pair_offset
from gui.background.device_list import Device
from gui.main_window import MainWindow
from rtgain.errors import DeviceLostError
from rtgain.listening.blind_test import Signal
from rtgain.records.level_match import LevelMatch
from rtgain.records.levels import Loudness
from rtgain.records.recording_offset import RecordingOffset
from rtgain.session.pair_loudness import PairLoudness
from tests.gui.conftest import Sessions

RATE = 8000

OpenWindow = Callable[..., MainWindow]

MATCH = {
    "gain_db": 0.0,
    "std_db": 0.02,
    "delay_ms": 0.0,
    "polarity": 1,
    "channels": [],
    "state": "tracking",
    "findings": [],
}
"""Part of the object of ``rtgain match --json``."""


@pytest.fixture
def window(
    qtbot: Any,
    qapp: QApplication,
    open_window: OpenWindow,
    sessions: Sessions,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[MainWindow]:
    """Window on two recordings, with its level matched by 4 dB, in which nothing changes by itself.

    The session's clock is stopped after its first estimate, the devices are listed, and no text cursor blinks.
    """
    flash_ms = qapp.cursorFlashTime()
    qapp.setCursorFlashTime(0)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    noise = 0.1 * np.random.default_rng(0).standard_normal(2 * RATE)
    for name, gain in (("dry", 1.0), ("target", 0.5)):
        soundfile.write(tmp_path / f"{name}.wav", gain * noise, RATE)
    monkeypatch.setattr("gui.background.pair_analysis.PairAnalysis.cover", lambda *_: None)  # no analysis
    offset = RecordingOffset(0.0, is_found=True, common_s=2.0)
    monkeypatch.setattr(rtgain.session.pair_offset, "search_offset", lambda *_, **__: offset)
    window = open_window(input=str(tmp_path / "dry.wav"), target=str(tmp_path / "target.wav"), level_match="estimate")
    qtbot.waitUntil(lambda: window.controller.state == "running")
    loudness = PairLoudness(Loudness(integrated_lufs=-20.0), Loudness(integrated_lufs=-16.1))
    window.compare_controller.analysis.store(
        window.controller.config, match=MATCH | {"gain_db": 4.0}, loudness=loudness
    )
    with qtbot.waitSignal(window.session_events.devices_listed):  # begins with the first estimate shown
        stopped_s = sessions.last.clock() + 5.0
        sessions.last.clock = lambda: stopped_s
    yield window
    qapp.setCursorFlashTime(flash_ms)


def draws(*signals: Signal) -> Callable[[], Signal]:
    return iter(signals).__next__


def monitored(sessions: Sessions) -> list[str]:
    return [value for name, value in sessions.last.calls if name == "set_monitor"]


def visible_texts(window: MainWindow) -> list[str]:
    """All texts that a screen reader finds, and the title."""
    texts = [window.windowTitle()]
    for widget in window.findChildren(QWidget):
        if widget.isVisible():
            texts += [widget.accessibleName(), widget.accessibleDescription(), widget.toolTip()]
            for name in ("text", "value", "isChecked"):
                texts.append(str(getattr(widget, name)()) if hasattr(widget, name) else "")
    return texts


def settled_picture(qtbot: Any, window: MainWindow) -> QImage:
    """Wait until two pictures in succession are equal: the position of a stopped session has been shown."""
    pictures = [window.grab().toImage()]

    def is_still() -> bool:
        pictures.append(window.grab().toImage())
        return pictures[-1] == pictures[-2]

    qtbot.wait(100)
    qtbot.waitUntil(is_still)
    return pictures[-1]


@pytest.mark.parametrize("kind", ["abx", "preference"])
def test_nothing_in_the_window_depends_on_the_drawn_signal(
    qtbot: Any, window: MainWindow, sessions: Sessions, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    seen = []
    caplog.set_level(logging.DEBUG)
    drawn: Signal
    for drawn in ("dry", "target"):
        window.blind.draw = draws(*[drawn] * 3)
        window.blind.show(kind)
        caplog.clear()
        window.blind.begin(2)
        qtbot.keyClick(window, Qt.Key.Key_X if kind == "abx" else Qt.Key.Key_1)
        assert monitored(sessions)[-1] == drawn
        picture = settled_picture(qtbot, window)
        seen.append((picture, visible_texts(window), [record.getMessage() for record in caplog.records]))
        qtbot.keyClick(window, Qt.Key.Key_Escape)
        qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert seen[0][0] == seen[1][0]
    assert seen[0][1:] == seen[1][1:]


def test_level_is_stated_as_soon_as_it_is_known(qtbot: Any, window: MainWindow, sessions: Sessions) -> None:
    level = window.blind_panel.level
    sessions.last.set_level_differences(gain_db=math.nan, loudness_lu=math.nan)
    window.blind.show("abx")
    assert level.text() == "The level is not matched yet."
    sessions.last.set_level_differences(gain_db=4.0, loudness_lu=math.nan)
    qtbot.waitUntil(lambda: level.text() == "Remaining differences: gain 0.00 dB.")
    sessions.last.set_level_differences(gain_db=4.0, loudness_lu=3.9)
    qtbot.waitUntil(lambda: level.text() == "Remaining differences: gain 0.00 dB, loudness −0.10 LU.")
    sessions.last.set_level_match("off")
    qtbot.waitUntil(lambda: level.text().startswith("Level match is off"))


class WorkCounter(QObject):
    """Event filter of the application: counts paint events by the class of the widget."""

    def __init__(self, app: QApplication) -> None:
        super().__init__()
        self.painted: Counter[str] = Counter()
        self._app = app

    def __enter__(self) -> "WorkCounter":
        self._app.installEventFilter(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._app.removeEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802, a method of Qt
        if event.type() == QEvent.Type.Paint:
            self.painted[type(watched).__name__] += 1
        return False


def test_work_of_a_frame_does_not_depend_on_the_drawn_signal(
    qtbot: Any, qapp: QApplication, window: MainWindow, sessions: Sessions
) -> None:
    """Every call of a function of the window, and every paint event, counted over 40 frames of a trial.

    The first trial is not compared: what happens once happens there.
    """
    folder = str(Path(gui.main_window.__file__).parent)
    window._timer.stop()
    began_s = sessions.last.clock()
    work = []
    drawn: Signal
    for drawn in ("dry", "dry", "target"):
        sessions.last.clock = lambda: began_s
        window.blind.draw = draws(*[drawn] * 3)
        window.blind.show("abx")
        window.blind.begin(2)
        qtbot.keyClick(window, Qt.Key.Key_X)
        assert monitored(sessions)[-1] == drawn
        settled_picture(qtbot, window)
        calls: Counter[str] = Counter()

        def count(frame: FrameType, event: str, _: object, calls: Counter[str] = calls) -> None:
            if event == "call" and frame.f_code.co_filename.startswith(folder):
                calls[f"{frame.f_code.co_filename}:{frame.f_code.co_qualname}"] += 1

        with WorkCounter(qapp) as counter:
            for number in range(40):
                sessions.last.clock = lambda number=number: began_s + 0.032 * number
                sys.setprofile(count)
                window._refresh()
                sys.setprofile(None)
                qapp.processEvents()
        assert calls[f"{gui.main_window.__file__}:MainWindow._refresh"] == 40
        work.append((counter.painted, calls))
        for _ in range(2):
            qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert work[1][0]["JumpSlider"] > 3  # the position moves
    assert work[1] == work[2]


def test_abx_test_is_done_with_the_keyboard_and_saved(
    qtbot: Any, window: MainWindow, sessions: Sessions, tmp_path: Path
) -> None:
    window.session_actions.choose_monitor("matched")
    window.blind.draw = draws("target", "dry", "dry")
    qtbot.keyClick(window, Qt.Key.Key_B)
    panel = window.blind_panel
    assert "Remaining differences: gain 0.00 dB, loudness −0.10 LU." in panel.level.text()
    panel.trials.setValue(3)
    panel.begin.setFocus()
    qtbot.keyClick(panel.begin, Qt.Key.Key_Return)
    assert not any(button.isChecked() for button in window.transport.monitor.buttons.values())
    qtbot.keyClick(window, Qt.Key.Key_3)  # would select the matched signal
    for key in (Qt.Key.Key_A, Qt.Key.Key_B, Qt.Key.Key_X):
        qtbot.keyClick(window, key)
    assert monitored(sessions)[-4:] == ["dry", "dry", "target", "target"]  # a trial begins with A
    qtbot.keyClick(window, Qt.Key.Key_Right)
    assert (panel.progress.text(), panel.feedback.text()) == ("Trial 2 of 3", "Right. 1 of 1 so far.")
    qtbot.keyClick(window, Qt.Key.Key_Right)
    assert panel.feedback.text() == "Wrong. 1 of 2 so far."
    qtbot.keyClick(window, Qt.Key.Key_Left)
    assert panel.result.text().startswith("2 of 3 right: a guess does as well in 50 % of cases.")
    assert monitored(sessions)[-1] == "matched"  # as before the test
    (path,) = (tmp_path / "rtgain" / "listening tests").glob("abx *.json")
    result = json.loads(path.read_text(encoding="utf-8"))
    assert (result["planned_trials"], result["correct"], result["level_match"]["gain_db"]) == (3, 2, 4.0)
    assert [trial["drawn"] for trial in result["trials"]] == ["target", "dry", "dry"]
    assert len(result["dry"]["sha256"]) == 64
    assert window.focusWidget() is panel.close_button
    qtbot.keyClick(panel.close_button, Qt.Key.Key_Return)
    assert not isinstance(window.focusWidget(), QPushButton)  # which the space bar would activate
    assert window.workspaces.currentWidget() is window.compare
    assert window.transport.monitor.buttons["matched"].isChecked()
    qtbot.keyClick(window, Qt.Key.Key_1)
    assert monitored(sessions)[-1] == "dry"


def test_session_that_restarts_during_a_trial_plays_the_selected_signal(
    qtbot: Any, window: MainWindow, sessions: Sessions
) -> None:
    window.blind.draw = draws("dry", "dry")
    window.blind.show("preference")
    window.blind.begin(2)
    window.blind.play("2")
    analysis = window.compare_controller.analysis
    analysis.store(window.controller.config, match=MATCH | {"gain_db": 1.0})  # it ends during the test
    made = len(sessions.made)
    window.start()
    qtbot.waitUntil(lambda: len(sessions.made) > made and window.controller.state == "running")
    assert monitored(sessions) == ["target"]
    assert sessions.last.calls[0] == ("set_level_differences", (4.0, pytest.approx(3.9)))  # as before, from the start
    assert sessions.last.level_match.target_trim_db == -4.0
    assert not any(button.isChecked() for button in window.transport.monitor.buttons.values())


@pytest.mark.parametrize("drawn", ["dry", "target"])
def test_trial_continues_with_its_signal_when_a_lost_device_returns(
    qtbot: Any, window: MainWindow, sessions: Sessions, monkeypatch: pytest.MonkeyPatch, drawn: Signal
) -> None:
    monkeypatch.setattr(window.session_events.device_list, "refresh", lambda: None)
    window.blind.draw = draws(drawn, drawn)
    window.blind.show("abx")
    window.blind.begin(2)
    qtbot.keyClick(window, Qt.Key.Key_X)
    sessions.last.snapshot_error = DeviceLostError("system: stopped; device disconnected", ["USB (ALSA)"])
    qtbot.waitUntil(lambda: window.controller.state == "reconnecting")
    assert window.blind_panel.progress.text() == "Trial 1 of 2"
    assert window.notices.texts() == [
        "USB (ALSA) disconnected (device unplugged or audio server stopped). Waiting for it to return…"
    ]
    window.session_events.device_list.listed.emit([Device("USB", "ALSA", 1, 2)])
    qtbot.waitUntil(lambda: window.controller.state == "running")
    assert monitored(sessions) == [drawn]
    assert not any(button.isChecked() for button in window.transport.monitor.buttons.values())
    qtbot.keyClick(window, Qt.Key.Key_A)
    assert monitored(sessions)[-1] == "dry"
    qtbot.keyClick(window, Qt.Key.Key_Left)
    assert window.blind_panel.progress.text() == "Trial 2 of 2"


def test_listening_test_needs_two_recordings(open_window: OpenWindow) -> None:
    window = open_window()
    window.blind.show("abx")
    assert "compares two recordings" in window.notices.texts()[0]
    assert not window.blind.is_open


def test_lesson_opens_a_blind_test_of_its_session_and_passes_with_any_score(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    window = open_window()
    panel, test = window.lesson_panel, window.blind_panel
    window.lessons_button.click()
    panel.choose_lesson(7)
    qtbot.waitUntil(lambda: window.controller.state == "running")
    sessions.last.level_match = LevelMatch(gain_db=2.0)
    window.blind.draw = draws(*["dry"] * 8)
    qtbot.mouseClick(panel.blind_test_button, Qt.MouseButton.LeftButton)
    assert (test.isVisible(), test.trials.value(), test.trials.isEnabled()) == (True, 8, False)
    qtbot.keyClick(window, Qt.Key.Key_L)  # would close the lessons, and with them the session of the test
    assert panel.checking
    qtbot.mouseClick(test.begin, Qt.MouseButton.LeftButton)
    assert "set_level_differences" not in [name for name, _ in sessions.last.calls]  # the match goes on
    for key in [Qt.Key.Key_Left] * 3 + [Qt.Key.Key_Right] * 5:
        qtbot.keyClick(window, key)
    first = "2 dB, blind – 3 of 8 right: a guess does as well in 86 % of cases."
    assert test.result.text().startswith("3 of 8 right: a guess does as well in 86 % of cases.\n")
    assert test.result.text().endswith(f"\nYour results:\n{first}")
    qtbot.mouseClick(test.close_button, Qt.MouseButton.LeftButton)
    assert panel.isVisible()
    qtbot.waitUntil(lambda: "3 of 8 right" in panel.outcome_line.text())
    assert not (tmp_path / "rtgain" / "listening tests").exists()
    assert window.blind.results == []
    panel.begin()  # another attempt
    assert "3 of 8 right" not in panel.outcome_line.text()

    panel.go(1)  # the results of the steps before are listed, too
    window.blind.draw = draws(*["target"] * 8)
    qtbot.mouseClick(panel.blind_test_button, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(test.begin, Qt.MouseButton.LeftButton)
    for _ in range(8):
        qtbot.keyClick(window, Qt.Key.Key_Right)
    second = "1 dB, blind – 8 of 8 right: a guess does as well in 0.4 % of cases."
    assert test.result.text().endswith(f"\nYour results:\n{first}\n{second}")


def test_blind_test_of_a_lesson_needs_a_running_session(open_window: OpenWindow) -> None:
    window = open_window()
    window.controller.stop()
    window.blind.show_lesson_test("2 dB, blind", 8)
    assert "press Space" in window.notices.texts()[0]
