"""The window as a user meets it: real key and mouse events on a real display, a session without sound."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QElapsedTimer, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QFileDialog,
    QLabel,
    QScrollBar,
    QWidget,
)

from gui.background.device_list import Device
from gui.control.feedback_guard import MONITOR_LABELS
from gui.dialogs.shortcuts import KEYS
from gui.main_window import MainWindow
from gui.panels.lesson_panel import HEIGHT
from gui.theme import text_width
from rtgain.errors import DeviceError, DeviceLostError
from tests.gui.conftest import Sessions

OpenWindow = Callable[..., MainWindow]


def press(qtbot: Any, window: MainWindow, key: Qt.Key) -> None:
    qtbot.keyClick(window, key)


def choose(window: MainWindow, label: str) -> None:
    """Choose an entry of the source menu as its popup does."""
    menu = window.transport.source
    index = menu.findText(label)
    menu.setCurrentIndex(index)
    menu.activated.emit(index)


def notice_button(window: MainWindow, subject: str) -> QAbstractButton:
    notice = window.notices.notice(subject)
    assert notice is not None
    return notice.action


def test_it_opens_running_with_nothing_to_set_up(open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    assert window.host.state == "running"
    assert sessions.last.config.input == "demo"
    assert window.notices.texts() == []


def test_the_session_starts_only_after_the_first_paint(qtbot: Any, sessions: Sessions) -> None:
    from gui.theme import LIGHT
    from rtgain.config.session_config import SessionConfig

    window = MainWindow(SessionConfig(), sessions, LIGHT)
    window.painted.connect(window.start)
    qtbot.wait(50)
    assert sessions.made == []
    window.show()
    qtbot.waitUntil(lambda: len(sessions.made) == 1)
    window.close()


def test_the_number_is_the_estimate_in_decibels(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    sessions.last.faults.update(gain_db=-16.478, gain_linear=0.15, std_db=0.0031, state="tracking")
    qtbot.waitUntil(lambda: window.readout.gain_db.text() == "−16.48")
    assert window.readout.linear.text() == "×0.150"
    assert window.readout.spread.text() == "± 0.003 dB"
    assert window.readout.state.text() == "● tracking"


def test_a_delay_that_nobody_looks_for_is_no_delay_of_0(qtbot: Any, open_window: OpenWindow) -> None:
    window = open_window(align="off")
    qtbot.waitUntil(lambda: window.readout.delay.text() == "delay not looked for")
    window.actions_.set_up({"align": "on"})
    qtbot.waitUntil(lambda: window.readout.delay.text().endswith(" ms"))


def test_an_estimate_that_no_other_follows_is_not_said_to_be_tracking(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions
) -> None:
    window = open_window()
    sessions.last.faults.update(gain_db=-16.478, state="tracking", estimate_age_s=2.0)
    qtbot.waitUntil(lambda: window.readout.state.text() == "▲ late")
    assert window.readout.gain_db.text() == "−16.48"
    assert window.readout.meaning.text() == "no new estimate comes; this is the last"
    sessions.last.faults.update(estimate_age_s=0.02)
    qtbot.waitUntil(lambda: window.readout.state.text() == "● tracking")


def test_numbers_keep_their_places(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    widgets = [window.readout.gain_db, window.readout.linear, window.readout.spread, window.readout.state]

    def places(**fields: Any) -> list[Any]:
        sessions.last.faults.update(fields)
        shown = sessions.last.faults["state"]
        qtbot.waitUntil(lambda: window.readout.state.text().endswith(shown))
        window.readout.layout().activate()
        return [widget.geometry() for widget in widgets]

    small = places(gain_db=0.0, gain_linear=1.0, std_db=0.001, polarity=1, state="silent")
    large = places(gain_db=-59.99, gain_linear=0.0010, std_db=12.3, polarity=-1, state="incoherent")
    assert small == large


def test_a_session_that_starts_shows_no_estimate_of_another(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions
) -> None:
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
    assert window.host.state == "stopped"
    assert "Start" in window.transport.start_button.text()
    assert window.readout.state.text() == "■ stopped"
    press(qtbot, window, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: window.host.state == "running")
    assert len(sessions.made) == 2


def test_space_works_the_control_that_tab_led_to(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    window.reference.invert.setFocus(Qt.FocusReason.TabFocusReason)
    press(qtbot, window, Qt.Key.Key_Space)
    assert window.reference.invert.isChecked()
    assert window.host.state == "running"


def test_the_mouse_leaves_space_to_start_and_stop(qtbot: Any, open_window: OpenWindow) -> None:
    window = open_window()
    qtbot.mouseClick(window.transport.monitor.buttons["dry"], Qt.MouseButton.LeftButton)
    press(qtbot, window, Qt.Key.Key_Space)
    assert window.host.state == "stopped"


@pytest.mark.parametrize(("key", "monitor"), list(zip("12345", MONITOR_LABELS, strict=True)))
def test_digits_choose_what_is_heard(
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


def test_a_frozen_estimate_is_not_called_tracking(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    sessions.last.faults.update(state="tracking")
    qtbot.waitUntil(lambda: window.readout.state.text() == "● tracking")
    press(qtbot, window, Qt.Key.Key_F)
    qtbot.waitUntil(lambda: window.readout.state.text() == "■ frozen")
    press(qtbot, window, Qt.Key.Key_F)
    qtbot.waitUntil(lambda: window.readout.state.text() == "● tracking")


def test_tab_leads_to_what_is_heard_and_the_arrow_keys_change_it(
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


def test_a_new_session_is_not_frozen(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    press(qtbot, window, Qt.Key.Key_F)
    choose(window, "Sine")
    qtbot.waitUntil(lambda: len(sessions.made) == 2 and window.host.state == "running")
    assert not window.estimator.freeze.isChecked()


def test_f1_lists_every_key(qtbot: Any, open_window: OpenWindow) -> None:
    window = open_window()
    press(qtbot, window, Qt.Key.Key_F1)
    keys = window.actions_.keys
    qtbot.waitUntil(keys.isVisible)
    words = " ".join(label.text() for label in keys.findChildren(QLabel))
    assert all(key.line in words for key in KEYS)


def test_ctrl_q_closes_the_window_and_ends_the_session(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    qtbot.keyClick(window, Qt.Key.Key_Q, Qt.KeyboardModifier.ControlModifier)
    assert not window.isVisible()
    assert sessions.last.stopped


def test_the_reference_path_is_changed_live(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
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
    qtbot.waitUntil(lambda: len(sessions.made) == 2 and window.host.state == "running")
    config = sessions.last.config
    assert (config.input, config.gain_db, config.phase_deg) == ("pink", -6.5, 90)
    assert sessions.made[0].stopped


def test_looking_does_not_touch_a_gain_finer_than_the_box_shows(open_window: OpenWindow, sessions: Sessions) -> None:
    open_window(gain_db=-16.478174818886377)
    assert sessions.last.config.gain_db == -16.478174818886377
    assert sessions.last.calls == []


def test_a_file_can_be_opened(qtbot: Any, open_window: OpenWindow, sessions: Sessions, tmp_path: Path) -> None:
    path = tmp_path / "a very long name of a recording, take 12, final.wav"
    path.touch()
    window = open_window()
    choose(window, "Open file…")
    assert window.transport.source.currentText() == "Demo"
    dialog = window.findChild(QFileDialog)
    dialog.fileSelected.emit(str(path))
    dialog.close()
    qtbot.waitUntil(lambda: len(sessions.made) == 2 and window.host.state == "running")
    assert sessions.last.config.input == str(path)
    menu = window.transport.source
    assert text_width(menu.font(), menu.currentText()) < menu.width() - 30
    assert menu.toolTip() == str(path)


def test_a_microphone_is_muted_until_the_user_agrees_once(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions
) -> None:
    window = open_window()
    choose(window, "Microphone")
    qtbot.waitUntil(lambda: len(sessions.made) == 2 and window.host.state == "running")
    assert sessions.last.config.monitor == "mute"
    assert window.transport.monitor.buttons["mute"].isChecked()

    qtbot.keyClick(window, "1")
    assert ("set_monitor", "dry") not in sessions.last.calls
    assert "howl" in window.notices.texts()[0]

    qtbot.mouseClick(notice_button(window, "feedback"), Qt.MouseButton.LeftButton)
    assert sessions.last.calls[-1] == ("set_monitor", "dry")
    assert window.transport.monitor.buttons["dry"].isChecked()
    assert window.notices.texts() == []

    choose(window, "Demo")
    qtbot.waitUntil(lambda: len(sessions.made) == 3 and window.host.state == "running")
    choose(window, "Microphone")
    qtbot.waitUntil(lambda: len(sessions.made) == 4 and window.host.state == "running")
    assert sessions.last.config.monitor == "dry"


def test_without_a_device_it_runs_anyway_and_says_so(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    sessions.start_errors = [DeviceError("no output device was found; use --clock timer")]
    window = open_window()
    assert window.host.state == "running"
    assert sessions.last.config.clock == "timer"
    assert window.notices.texts() == [
        "No output device was found. Running without a device, at real speed: everything is shown, nothing is heard."
    ]
    qtbot.mouseClick(notice_button(window, "device"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(sessions.made) == 3 and window.host.state == "running")
    assert window.notices.texts() == []


JACK = Device("system", "JACK Audio Connection Kit", 2, 2)


def lose(window: MainWindow, sessions: Sessions) -> None:
    """Let the device go that the session runs on."""
    sessions.last.snapshot_error = DeviceLostError("system: stopped; it was unplugged", [JACK.spec, JACK.spec])
    sessions.last.faults.update(gain_db=-12.0)


def test_a_device_that_is_lost_is_waited_for_and_the_estimate_goes_on(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window(output_device=JACK.spec)
    qtbot.waitUntil(lambda: window.readout.gain_db.text() not in ("–", ""))
    shown = window.readout.gain_db.text()
    asked = []
    monkeypatch.setattr(window.devices, "refresh", lambda: asked.append(window.host.state))
    lose(window, sessions)
    qtbot.waitUntil(lambda: window.host.state == "waiting")
    assert window.notices.texts() == [f"{JACK.spec} was unplugged, or its server ended. Waiting for it…"]
    assert window.transport.start_button.text() == "Waiting…"
    assert window.readout.gain_db.text() == shown
    qtbot.waitUntil(lambda: len(asked) >= 2)
    window.devices.listed.emit([Device("USB", "ALSA", 1, 2)])
    assert window.host.state == "waiting"
    window.devices.listed.emit([Device("USB", "ALSA", 1, 2), JACK])
    qtbot.waitUntil(lambda: window.host.state == "running")
    assert sessions.last.config.output_device == JACK.spec
    (call,) = sessions.last.calls
    assert call[0] == "reset_estimate"
    assert call[1] == pytest.approx(float(shown.replace("−", "-")), abs=1.0)
    assert window.notices.texts() == []
    assert asked[-1] == "running"


def test_another_device_can_be_taken_while_one_is_waited_for(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions
) -> None:
    window = open_window(output_device=JACK.spec)
    lose(window, sessions)
    qtbot.waitUntil(lambda: window.host.state == "waiting")
    qtbot.mouseClick(notice_button(window, "device"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.host.state == "running")
    assert sessions.last.config.output_device is None
    assert window.notices.texts() == []


def test_waiting_for_a_device_can_be_ended(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    lose(window, sessions)
    qtbot.waitUntil(lambda: window.host.state == "waiting")
    window.transport.start_button.click()
    assert window.host.state == "stopped"
    assert window.notices.texts() == []
    window.devices.listed.emit([JACK])
    window.transport.start_button.click()
    qtbot.waitUntil(lambda: window.host.state == "running")
    assert len(sessions.made) == 2
    assert sessions.last.calls == [], "a start by hand begins anew"


def test_a_missing_microphone_becomes_the_demo(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    sessions.start_errors = [DeviceError("no input device was found")]
    window = open_window(input="mic")
    assert sessions.last.config.input == "demo"
    assert window.transport.source.currentText() == "Demo"
    assert window.transport.monitor.buttons["target"].isChecked()
    assert len(window.notices.texts()) == 1


def test_what_the_session_reports_is_said_once(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    restarted = "The estimator stopped and was started again; the sound went on."
    sessions.last.notices.append(restarted)
    qtbot.waitUntil(lambda: window.notices.texts() == [restarted])
    notice = window.notices.notice("session")
    qtbot.mouseClick(notice.close_button, Qt.MouseButton.LeftButton)
    assert window.notices.texts() == []
    sessions.last.notices.append("The input is clipped.")
    qtbot.waitUntil(lambda: window.notices.texts() == ["The input is clipped."])


def test_the_end_of_the_sound_offers_to_play_it_again(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    sessions.last.faults.update(ended=True, running=False, gain_db=-12.0)
    qtbot.waitUntil(lambda: window.notices.texts() == ["The sound has ended."])
    assert window.host.state == "stopped"
    assert window.readout.gain_db.text() == "−12.00"
    qtbot.mouseClick(notice_button(window, "end"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.host.state == "running")
    assert window.notices.texts() == []


def test_a_gain_driven_by_a_file_is_taken_over_by_hand(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window(automation="some/curve.csv")
    words = [label for label in window.reference.findChildren(QLabel) if "curve.csv" in label.text()]
    assert [label.text() for label in words] == ["The gain follows curve.csv until it is moved."]
    window.reference.gain.slider.setValue(-65)
    assert sessions.last.calls == [("set_reference", {"gain_db": -6.5})]
    assert not words[0].isVisible()
    choose(window, "Sine")
    qtbot.waitUntil(lambda: len(sessions.made) == 2 and window.host.state == "running")
    assert sessions.last.config.automation is None


def test_a_second_channel_has_no_reference_path(open_window: OpenWindow) -> None:
    window = open_window(input="stereo.wav", target="channel")
    assert not window.reference.gain.isEnabled()
    assert not window.reference.phase.isEnabled()


def test_every_control_has_a_name_for_those_who_cannot_see_it(open_window: OpenWindow) -> None:
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
    qtbot.waitUntil(lambda: window.health.labels["xruns"].text() == "xruns 12")
    assert window.size().toTuple() == size
    qtbot.waitUntil(lambda: window.health.labels["format"].width() > 100)
    cut = ["not looked at yet"]

    def nothing_is_cut() -> bool:
        """The layout follows a text that has grown when the events are next worked off."""
        shown = [label for label in window.findChildren(QLabel) if label.isVisible() and not label.wordWrap()]
        cut[:] = [label.text() for label in shown if text_width(label.font(), label.text()) - 2 > label.width()]
        return not cut

    qtbot.waitUntil(nothing_is_cut)
    assert cut == []
    for button in window.findChildren(QAbstractButton):
        if button.isVisible():
            assert button.sizeHint().width() <= max(button.width(), button.minimumWidth()), button.text()


@pytest.mark.parametrize("running", [True, False])
def test_a_step_of_a_lesson_sets_its_rate_though_the_step_before_had_the_same(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions, running: bool
) -> None:
    window = open_window()
    window.actions_.set_up({"optimizer": "SGD", "lr": 0.01, "steps": 1})
    if not running:
        window.host.stop()
    window.actions_.set_up({"optimizer": "Adam", "lr": 0.01, "steps": 1})
    config = window.host.config
    assert (config.optimizer, config.lr, config.steps) == ("Adam", 0.01, 1)


def test_a_step_of_a_lesson_begins_when_no_window_holds_the_step_before(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions
) -> None:
    """An average, and an optimizer at a fixed rate, would remember what was in between."""
    window = open_window()
    window.lessons_button.click()
    qtbot.waitUntil(lambda: window.host.state == "running")
    qtbot.mouseClick(window.learn.next, Qt.MouseButton.LeftButton)
    assert ("set_reference", {"gain_db": -6.0}) in sessions.last.calls
    assert ("reset_estimate", 0.0) not in sessions.last.calls
    since_start = QElapsedTimer()
    since_start.start()
    qtbot.waitUntil(lambda: ("reset_estimate", 0.0) in sessions.last.calls)
    assert since_start.elapsed() >= window.host.config.window_ms


def test_notices_take_their_room_from_the_plots_and_leave_a_lesson_whole(qtbot: Any, open_window: OpenWindow) -> None:
    window = open_window()
    window.resize(1280, 800)
    qtbot.mouseClick(window.lessons_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.learn.height() >= HEIGHT)
    before = window.plots[0].height()
    for subject in ("session", "device", "export"):
        window.notices.show_notice(subject, "There is something to say.")
    qtbot.waitUntil(lambda: all(label.isVisible() for label in window.notices.findChildren(QLabel)))
    window.position.show()  # as a file's is
    qtbot.waitUntil(lambda: window.plots[0].height() < before)
    assert window.height() == 800
    assert window.learn.height() >= HEIGHT

    def bottom(part: QWidget) -> int:
        return part.mapTo(window, part.rect().bottomLeft()).y()

    qtbot.waitUntil(lambda: bottom(window.learn) < bottom(window.health) - window.health.height())


def test_the_way_from_step_to_step_stands_still(qtbot: Any, open_window: OpenWindow) -> None:
    window = open_window()
    window.resize(1280, 800)
    qtbot.mouseClick(window.lessons_button, Qt.MouseButton.LeftButton)
    learn = window.learn
    qtbot.waitUntil(lambda: learn.height() >= HEIGHT)
    places = set()
    while learn.next.isEnabled():
        places.add(learn.next.mapTo(window, learn.next.rect().topLeft()).toTuple())
        qtbot.mouseClick(learn.next, Qt.MouseButton.LeftButton)
        QApplication.processEvents()  # the layouts follow
    assert len(places) == 1
