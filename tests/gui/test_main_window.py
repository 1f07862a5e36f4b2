"""Main window: key and mouse events on a real display, with fake sessions."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import QElapsedTimer, QSize, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QFileDialog,
    QLabel,
    QScrollBar,
    QStyle,
    QWidget,
)

from gui.background.device_list import Device
from gui.dialogs.shortcuts import KEYS
from gui.main_window import MainWindow
from gui.panels.lesson_panel import HEIGHT
from gui.theme import text_width
from rtgain.config.names import MONITORS
from rtgain.errors import DeviceError, DeviceLostError
from rtgain.records.snapshot import CLOCK_NOTICE
from tests.gui.conftest import Sessions

OpenWindow = Callable[..., MainWindow]


def press(qtbot: Any, window: MainWindow, key: Qt.Key) -> None:
    qtbot.keyClick(window, key)


def choose(window: MainWindow, label: str) -> None:
    """Choose an item of the source menu as its popup does."""
    menu = window.transport.source
    index = menu.findText(label)
    menu.setCurrentIndex(index)
    menu.activated.emit(index)


def notice_button(window: MainWindow, subject: str) -> QAbstractButton:
    notice = window.notices.notice(subject)
    assert notice is not None
    return notice.button


def test_session_runs_on_the_demo_after_opening(open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    assert window.controller.state == "running"
    assert sessions.last.config.input == "demo"
    assert window.notices.texts() == []


def test_session_starts_after_the_first_paint(qtbot: Any, sessions: Sessions) -> None:
    from gui.theme import LIGHT
    from rtgain.config.session_config import SessionConfig

    window = MainWindow(SessionConfig(), sessions, LIGHT)
    window.painted.connect(window.start)
    qtbot.wait(50)
    assert sessions.made == []
    window.show()
    qtbot.waitUntil(lambda: len(sessions.made) == 1)
    window.close()


def test_readout_shows_the_estimate(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    sessions.last.faults.update(gain_db=-16.478, gain_linear=0.15, std_db=0.0031, state="tracking")
    qtbot.waitUntil(lambda: window.readout.gain_db.text() == "−16.48")
    assert window.readout.linear.text() == "×0.150"
    assert window.readout.std.text() == "± 0.003 dB"
    assert window.readout.state.text() == "● tracking"


def test_readout_shows_that_delay_compensation_is_off(qtbot: Any, open_window: OpenWindow) -> None:
    window = open_window(align="off")
    qtbot.waitUntil(lambda: window.readout.delay.text() == "delay ignored")
    window.lesson_controller.apply_controls({"align": "on"})
    qtbot.waitUntil(lambda: window.readout.delay.text().endswith(" ms"))


def test_estimate_without_a_successor_is_shown_as_stale(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions
) -> None:
    window = open_window()
    sessions.last.faults.update(gain_db=-16.478, state="tracking", estimate_age_s=2.0)
    qtbot.waitUntil(lambda: window.readout.state.text() == "▲ stale")
    assert window.readout.gain_db.text() == "−16.48"
    assert window.readout.meaning.text() == "no new estimates: the last is shown"
    sessions.last.faults.update(estimate_age_s=0.02)
    qtbot.waitUntil(lambda: window.readout.state.text() == "● tracking")


def test_numbers_of_the_readout_do_not_move(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    widgets = [window.readout.gain_db, window.readout.linear, window.readout.std, window.readout.state]

    def geometries(**fields: Any) -> list[Any]:
        sessions.last.faults.update(fields)
        shown = sessions.last.faults["state"]
        qtbot.waitUntil(lambda: window.readout.state.text().endswith(shown))
        window.readout.layout().activate()
        return [widget.geometry() for widget in widgets]

    small = geometries(gain_db=0.0, gain_linear=1.0, std_db=0.001, polarity=1, state="silent")
    large = geometries(gain_db=-59.99, gain_linear=0.0010, std_db=12.3, polarity=-1, state="incoherent")
    assert small == large


def test_starting_session_clears_the_readout(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    sessions.last.faults.update(gain_db=-12.0)
    qtbot.waitUntil(lambda: window.readout.gain_db.text() == "−12.00")
    choose(window, "Sine")
    assert window.readout.gain_db.text() == "–"
    assert window.readout.state.text() == "○ starting"


def test_space_stops_and_starts(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    press(qtbot, window, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: sessions.last.stopped)
    assert window.controller.state == "stopped"
    assert "Start" in window.transport.start_button.text()
    assert window.readout.state.text() == "■ stopped"
    press(qtbot, window, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: window.controller.state == "running")
    assert len(sessions.made) == 2


def test_space_activates_the_focused_control(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    window.reference.invert.setFocus(Qt.FocusReason.TabFocusReason)
    press(qtbot, window, Qt.Key.Key_Space)
    assert window.reference.invert.isChecked()
    assert window.controller.state == "running"


def test_space_starts_and_stops_after_a_click(qtbot: Any, open_window: OpenWindow) -> None:
    window = open_window()
    qtbot.mouseClick(window.transport.monitor.buttons["dry"], Qt.MouseButton.LeftButton)
    press(qtbot, window, Qt.Key.Key_Space)
    assert window.controller.state == "stopped"


@pytest.mark.parametrize(("key", "monitor"), list(zip("12345", MONITORS, strict=True)))
def test_digits_select_the_monitor(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions, key: str, monitor: str
) -> None:
    window = open_window(monitor="dry" if monitor != "dry" else "mute")
    qtbot.keyClick(window, key)
    assert sessions.last.calls[-1] == ("set_monitor", monitor)
    assert window.transport.monitor.buttons[monitor].isChecked()


def test_r_resets_and_f_freezes_the_estimate(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    for key in (Qt.Key.Key_R, Qt.Key.Key_F, Qt.Key.Key_F):
        press(qtbot, window, key)
    assert sessions.last.calls == [("reset_estimate", 0.0), ("set_frozen", True), ("set_frozen", False)]


def test_frozen_estimate_is_shown_as_frozen(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    sessions.last.faults.update(state="tracking")
    qtbot.waitUntil(lambda: window.readout.state.text() == "● tracking")
    press(qtbot, window, Qt.Key.Key_F)
    qtbot.waitUntil(lambda: window.readout.state.text() == "■ frozen")
    press(qtbot, window, Qt.Key.Key_F)
    qtbot.waitUntil(lambda: window.readout.state.text() == "● tracking")


def test_tab_focuses_the_monitor_and_arrow_keys_change_it(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions
) -> None:
    window = open_window()
    buttons = window.transport.monitor.buttons
    window.transport.output.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.keyClick(window.transport.output, Qt.Key.Key_Tab)
    assert window.focusWidget() is buttons["target"]
    qtbot.keyClick(buttons["target"], Qt.Key.Key_Right)
    assert window.focusWidget() is buttons["matched"]
    assert sessions.last.calls == [("set_monitor", "matched")]


def test_new_session_is_not_frozen(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    press(qtbot, window, Qt.Key.Key_F)
    choose(window, "Sine")
    qtbot.waitUntil(lambda: len(sessions.made) == 2 and window.controller.state == "running")
    assert not window.estimator.freeze.isChecked()


def test_f1_lists_every_shortcut(qtbot: Any, open_window: OpenWindow) -> None:
    window = open_window()
    press(qtbot, window, Qt.Key.Key_F1)
    keys = window.help_actions.shortcut_sheet
    qtbot.waitUntil(keys.isVisible)
    words = " ".join(label.text() for label in keys.findChildren(QLabel))
    assert all(key.description in words for key in KEYS)
    qtbot.waitUntil(keys.isActiveWindow)
    qtbot.keyClick(keys, Qt.Key.Key_Escape)
    qtbot.waitUntil(window.isActiveWindow)  # there is no window manager that would return the keyboard to it


def test_ctrl_q_closes_the_window_and_ends_the_session(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    qtbot.keyClick(window, Qt.Key.Key_Q, Qt.KeyboardModifier.ControlModifier)
    assert not window.isVisible()
    assert sessions.last.stopped


def test_reference_path_changes_without_a_restart(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    panel = window.reference
    panel.gain.slider.setValue(-65)
    qtbot.mouseClick(panel.invert, Qt.MouseButton.LeftButton, pos=panel.invert.rect().center() / 4)
    panel.phase.slider.setValue(90)
    panel.delay.box.setValue(5.25)
    panel.noise.slider.setValue(-40)
    panel.noise.slider.setValue(panel.noise.slider.minimum())
    assert [changes for name, changes in sessions.last.calls if name == "set_reference"] == [
        {"gain_db": -6.5},
        {"polarity": -1},
        {"phase_deg": 90.0},
        {"delay_ms": 5.25},
        {"noise_dbfs": -40.0},
        {"noise_dbfs": -math.inf},
    ]


def test_another_source_keeps_the_reference_path(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window(gain_db=-30)
    window.reference.gain.box.setValue(-6.5)
    window.reference.phase.slider.setValue(90)
    choose(window, "Pink noise")
    qtbot.waitUntil(lambda: len(sessions.made) == 2 and window.controller.state == "running")
    config = sessions.last.config
    assert (config.input, config.gain_db, config.phase_deg) == ("pink", -6.5, 90)
    assert sessions.made[0].stopped


def test_showing_a_gain_does_not_round_it(open_window: OpenWindow, sessions: Sessions) -> None:
    open_window(gain_db=-16.478174818886377)
    assert sessions.last.config.gain_db == -16.478174818886377
    assert sessions.last.calls == []


def test_selected_file_is_opened(qtbot: Any, open_window: OpenWindow, sessions: Sessions, tmp_path: Path) -> None:
    path = tmp_path / "a very long name of a recording, take 12, final.wav"
    soundfile.write(path, np.zeros(800), 8000)
    window = open_window()
    choose(window, "Open file…")
    assert window.transport.source.currentText() == "Demo"
    dialog = window.findChild(QFileDialog)
    dialog.filesSelected.emit([str(path)])
    dialog.close()
    qtbot.waitUntil(lambda: len(sessions.made) == 2 and window.controller.state == "running")
    assert sessions.last.config.input == str(path)
    menu = window.transport.source
    assert text_width(menu.font(), menu.currentText()) < menu.width() - 30
    assert menu.toolTip() == str(path)


def test_microphone_is_muted_until_the_user_confirms_once(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions
) -> None:
    window = open_window()
    choose(window, "Microphone")
    qtbot.waitUntil(lambda: len(sessions.made) == 2 and window.controller.state == "running")
    assert sessions.last.config.monitor == "mute"
    assert window.transport.monitor.buttons["mute"].isChecked()

    qtbot.keyClick(window, "1")
    assert ("set_monitor", "dry") not in sessions.last.calls
    assert "feedback" in window.notices.texts()[0]

    qtbot.mouseClick(notice_button(window, "feedback"), Qt.MouseButton.LeftButton)
    assert sessions.last.calls[-1] == ("set_monitor", "dry")
    assert window.transport.monitor.buttons["dry"].isChecked()
    assert window.notices.texts() == []

    choose(window, "Demo")
    qtbot.waitUntil(lambda: len(sessions.made) == 3 and window.controller.state == "running")
    choose(window, "Microphone")
    qtbot.waitUntil(lambda: len(sessions.made) == 4 and window.controller.state == "running")
    assert sessions.last.config.monitor == "dry"


def test_session_without_a_device_runs_and_shows_a_notice(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions
) -> None:
    sessions.start_errors = [DeviceError("no output device was found; use --clock timer")]
    window = open_window()
    assert window.controller.state == "running"
    assert sessions.last.config.clock == "timer"
    assert window.notices.texts() == ["No output device was found. Running silently at normal speed."]
    qtbot.mouseClick(notice_button(window, "device"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(sessions.made) == 3 and window.controller.state == "running")
    assert window.notices.texts() == []


JACK = Device("system", "JACK Audio Connection Kit", 2, 2)


def lose(window: MainWindow, sessions: Sessions) -> None:
    """Let the session lose its device."""
    sessions.last.snapshot_error = DeviceLostError("system: stopped; device disconnected", [JACK.spec, JACK.spec])
    sessions.last.faults.update(gain_db=-12.0)


def test_estimate_resumes_when_a_lost_device_returns(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window(output_device=JACK.spec)
    qtbot.waitUntil(lambda: window.readout.gain_db.text() not in ("–", ""))
    shown = window.readout.gain_db.text()
    refreshes = []
    monkeypatch.setattr(window.session_events.device_list, "refresh", lambda: refreshes.append(window.controller.state))
    lose(window, sessions)
    qtbot.waitUntil(lambda: window.controller.state == "reconnecting")
    assert window.notices.texts() == [
        f"{JACK.spec} disconnected (device unplugged or audio server stopped). Waiting for it to return…"
    ]
    assert window.transport.start_button.text() == "Reconnecting…"
    assert window.readout.gain_db.text() == shown
    qtbot.waitUntil(lambda: len(refreshes) >= 2)
    window.session_events.device_list.listed.emit([Device("USB", "ALSA", 1, 2)])
    assert window.controller.state == "reconnecting"
    window.session_events.device_list.listed.emit([Device("USB", "ALSA", 1, 2), JACK])
    qtbot.waitUntil(lambda: window.controller.state == "running")
    assert sessions.last.config.output_device == JACK.spec
    (call,) = sessions.last.calls
    assert call[0] == "reset_estimate"
    assert call[1] == pytest.approx(float(shown.replace("−", "-")), abs=1.0)
    assert window.notices.texts() == []
    qtbot.waitUntil(lambda: refreshes[-1] == "running")


def test_system_default_can_be_used_while_reconnecting(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window(output_device=JACK.spec)
    lose(window, sessions)
    qtbot.waitUntil(lambda: window.controller.state == "reconnecting")
    qtbot.mouseClick(notice_button(window, "device"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.controller.state == "running")
    assert sessions.last.config.output_device is None
    assert window.notices.texts() == []


def test_reconnecting_can_be_stopped(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    lose(window, sessions)
    qtbot.waitUntil(lambda: window.controller.state == "reconnecting")
    window.transport.start_button.click()
    assert window.controller.state == "stopped"
    assert window.notices.texts() == []
    window.session_events.device_list.listed.emit([JACK])
    window.transport.start_button.click()
    qtbot.waitUntil(lambda: window.controller.state == "running")
    assert len(sessions.made) == 2
    assert sessions.last.calls == [], "a start by the user does not resume"


def test_missing_microphone_is_replaced_by_the_demo(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    sessions.start_errors = [DeviceError("no input device was found")]
    window = open_window(input="mic")
    assert sessions.last.config.input == "demo"
    assert window.transport.source.currentText() == "Demo"
    assert window.transport.monitor.buttons["target"].isChecked()
    assert len(window.notices.texts()) == 1


def test_notices_of_the_session_are_shown_once(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    restarted = "The estimator stopped and was started again; the sound went on."
    sessions.last.notices.append(restarted)
    qtbot.waitUntil(lambda: window.notices.texts() == [restarted])
    notice = window.notices.notice("session")
    qtbot.mouseClick(notice.close_button, Qt.MouseButton.LeftButton)
    assert window.notices.texts() == []
    sessions.last.notices.append("The input is clipped.")
    qtbot.waitUntil(lambda: window.notices.texts() == ["The input is clipped."])


def test_later_notice_of_the_session_replaces_none_of_the_newest_three(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions
) -> None:
    window = open_window()
    for count in range(1, 5):
        sessions.last.notices.append(f"Notice {count}.")
        newest = "\n".join(f"Notice {number}." for number in range(max(1, count - 2), count + 1))
        qtbot.waitUntil(lambda newest=newest: window.notices.texts() == [newest])


def test_notices_of_one_moment_are_all_shown_and_that_of_a_right_clock_goes_away(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions
) -> None:
    window = open_window()
    slow = f"{CLOCK_NOTICE} 50 % of the nominal 48000 Hz, too slow."
    sessions.last.faults.update(time_s=10.0, frames_per_second=24_000.0)
    sessions.last.notices += ["The first.", slow, "The second."]
    qtbot.waitUntil(lambda: window.notices.texts() == ["The first.\nThe second.", slow])
    sessions.last.faults.update(time_s=11.0, frames_per_second=48_000.0)
    qtbot.wait(100)
    assert window.notices.notice("clock") is not None
    sessions.last.faults.update(time_s=13.5)
    qtbot.waitUntil(lambda: window.notices.texts() == ["The first.\nThe second."])


def test_position_that_is_selected_before_start_is_played_from(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions
) -> None:
    window = open_window(input="/sounds/a.wav")
    qtbot.waitUntil(window.position.isVisible)
    sessions.last.faults.update(is_finished=True, running=False)
    qtbot.waitUntil(lambda: window.controller.state == "stopped")
    window.position.slider.setValue(420)
    window.start()
    qtbot.waitUntil(lambda: window.controller.state == "running")
    assert sessions.last.calls[-1] == ("seek", 42.0)


def test_end_of_playback_offers_to_play_again(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    sessions.last.faults.update(is_finished=True, running=False, gain_db=-12.0)
    qtbot.waitUntil(lambda: window.notices.texts() == ["Playback finished."])
    assert window.controller.state == "stopped"
    assert window.readout.gain_db.text() == "−12.00"
    qtbot.mouseClick(notice_button(window, "end"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.controller.state == "running")
    assert window.notices.texts() == []


def test_changing_the_gain_ends_the_automation(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window(automation="some/curve.csv")
    words = [label for label in window.reference.findChildren(QLabel) if "curve.csv" in label.text()]
    assert [label.text() for label in words] == ["The gain follows curve.csv until you change it."]
    window.reference.gain.slider.setValue(-65)
    assert sessions.last.calls == [("set_reference", {"gain_db": -6.5})]
    assert not words[0].isVisible()
    choose(window, "Sine")
    qtbot.waitUntil(lambda: len(sessions.made) == 2 and window.controller.state == "running")
    assert sessions.last.config.automation is None


def test_channel_target_disables_the_reference_path(open_window: OpenWindow) -> None:
    window = open_window(input="stereo.wav", target="channel")
    assert not window.reference.gain.isEnabled()
    assert not window.reference.phase.isEnabled()


def test_every_control_has_an_accessible_name(open_window: OpenWindow) -> None:
    window = open_window()
    kinds = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox)
    controls: list[QWidget] = [control for kind in kinds for control in window.findChildren(kind)]
    assert len(controls) > 15
    for control in controls:
        if not isinstance(control, QScrollBar) and not control.objectName().startswith("qt_"):  # Qt's own parts
            assert control.accessibleName() or control.text(), control


@pytest.mark.parametrize("size", [(1280, 800), (1040, 600)])
def test_no_text_is_cut(qtbot: Any, open_window: OpenWindow, sessions: Sessions, size: tuple[int, int]) -> None:
    sessions.start_errors = [DeviceError("no output device was found; use --clock timer")]
    window = open_window()
    window.resize(*size)
    sessions.last.faults.update(xruns=12, estimate_age_s=1.4, frames_per_second=25100.0, dropped_frames=40960)
    qtbot.waitUntil(lambda: window.status_strip.labels["xruns"].text() == "xruns 12")
    assert window.size().toTuple() == size
    qtbot.waitUntil(lambda: window.status_strip.labels["format"].width() > 100)
    cut = ["not checked"]

    def nothing_is_cut() -> bool:
        """True if no visible label is cut; the layout adapts to longer texts when events are processed."""
        shown = [label for label in window.findChildren(QLabel) if label.isVisible() and not label.wordWrap()]
        cut[:] = [label.text() for label in shown if text_width(label.font(), label.text()) - 2 > label.width()]
        return not cut

    qtbot.waitUntil(nothing_is_cut)
    assert cut == []
    for button in window.findChildren(QAbstractButton):
        if button.isVisible():
            assert button.sizeHint().width() <= max(button.width(), button.minimumWidth()), button.text()


@pytest.mark.parametrize("running", [True, False])
def test_step_sets_a_learning_rate_equal_to_the_previous_one(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions, running: bool
) -> None:
    window = open_window()
    window.lesson_controller.apply_controls({"optimizer": "SGD", "lr": 0.01, "steps": 1})
    if not running:
        window.controller.stop()
    window.lesson_controller.apply_controls({"optimizer": "Adam", "lr": 0.01, "steps": 1})
    config = window.controller.config
    assert (config.optimizer, config.lr, config.steps) == ("Adam", 0.01, 1)


def test_estimate_resets_when_no_window_contains_the_previous_step(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions
) -> None:
    """Otherwise an average, or an optimizer with a fixed learning rate, would contain the transition."""
    window = open_window()
    window.lessons_button.click()
    qtbot.waitUntil(lambda: window.controller.state == "running")
    since_start = QElapsedTimer()
    since_start.start()
    qtbot.mouseClick(window.lesson_panel.next_button, Qt.MouseButton.LeftButton)
    assert ("set_reference", {"gain_db": -6.0}) in sessions.last.calls
    qtbot.waitUntil(lambda: ("reset_estimate", 0.0) in sessions.last.calls)
    assert since_start.elapsed() >= window.controller.config.window_ms


def test_several_notices_are_not_cut(qtbot: Any, open_window: OpenWindow) -> None:
    notices = open_window().notices
    for number in range(3):
        notices.show_notice(f"subject {number}", "A text of one line.", "A button", lambda: None)
    shown = [notices.notice(f"subject {number}") for number in range(3)]
    assert all(notice is not None and notice.height() >= notice.sizeHint().height() for notice in shown)
    assert notices.geometry().bottom() <= notices.parentWidget().height()


def test_information_goes_away_by_itself_but_warnings_and_progress_stay(
    qtbot: Any, open_window: OpenWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gui.panels.notices.INFORMATION_S", 0.01)
    notices = open_window().notices
    notices.show_notice("session", "A warning.")
    notices.show_progress("export", "Writing… 1 %", lambda: None)
    notices.show_notice("preset", "Preset saved.", is_warning=False)
    focused = notices.notice("preset")
    assert focused is not None
    focused.close_button.setFocus()  # the user is about to press it
    notices.show_notice("equalizer", "Equalizer saved.", is_warning=False)
    qtbot.waitUntil(lambda: notices.notice("equalizer") is None)
    assert notices.texts() == ["A warning.", "Writing… 1 %", "Preset saved."]
    notices.show_progress("export", "Writing… 2 %", lambda: None)
    assert notices.texts() == ["A warning.", "Writing… 2 %", "Preset saved."]
    focused.close_button.clearFocus()
    qtbot.waitUntil(lambda: notices.notice("preset") is None)


def test_notices_move_nothing(qtbot: Any, open_window: OpenWindow) -> None:
    window = open_window()
    window.resize(1280, 800)
    qtbot.mouseClick(window.lessons_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.lesson_panel.height() >= HEIGHT)
    parts = (*window.plots, window.lesson_panel, window.status_strip, window.transport)

    def boxes() -> list[Any]:
        return [(part.mapTo(window, part.rect().topLeft()), part.size()) for part in parts]

    before = boxes()
    for subject in ("session", "device", "export"):
        window.notices.show_notice(subject, "Something happened.")
    qtbot.waitUntil(lambda: all(label.isVisible() for label in window.notices.findChildren(QLabel)))
    window.position.show()  # as for a file
    QApplication.processEvents()  # updates the layouts
    assert boxes() == before
    bottom = window.notices.mapTo(window, window.notices.rect().bottomLeft()).y()
    assert bottom < window.status_strip.mapTo(window, window.status_strip.rect().topLeft()).y()


def test_next_button_does_not_move_between_steps(qtbot: Any, open_window: OpenWindow) -> None:
    window = open_window()
    window.resize(1280, 800)
    qtbot.mouseClick(window.lessons_button, Qt.MouseButton.LeftButton)
    panel = window.lesson_panel
    qtbot.waitUntil(lambda: panel.height() >= HEIGHT)
    positions = set()
    while panel.next_button.isEnabled():
        positions.add(panel.next_button.mapTo(window, panel.next_button.rect().topLeft()).toTuple())
        qtbot.mouseClick(panel.next_button, Qt.MouseButton.LeftButton)
        QApplication.processEvents()  # updates the layouts
    assert len(positions) == 1


def test_first_window_fits_on_the_screen_with_its_title_bar(
    open_window: OpenWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gui.main_window.OPENING_SIZE", QSize(9000, 9000))
    window = open_window()
    screen = window.screen().availableSize()
    title_bar = window.style().pixelMetric(QStyle.PixelMetric.PM_TitleBarHeight)
    assert window.size().toTuple() == (screen.width(), screen.height() - title_bar)
    assert title_bar > 0
