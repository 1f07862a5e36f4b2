"""All lessons in the GUI, in real time, with a real session: every check passes."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QPushButton

from gui.control.session_controller import create_session
from gui.main_window import MainWindow
from gui.theme import LIGHT, apply_theme
from rtgain.config.session_config import SessionConfig
from rtgain.lessons.catalogue import LESSONS
from rtgain.lessons.check_state import ExpectationTracker
from rtgain.lessons.checks import Expectation
from rtgain.lessons.lesson import Lesson
from tests.polling import TIMEOUT_MS

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(900)]  # up to five steps at real speed, and their experiments


class PatientTracker(ExpectationTracker):
    """Tracker without the deadline of its check, within which a busy machine need not come to an estimate.

    `tests.lessons` runs the steps on the offline clock, where every check passes before its deadline.
    """

    def __init__(self, expectation: Expectation) -> None:
        super().__init__(replace(expectation, deadline_s=math.inf))


@pytest.fixture(autouse=True)
def _no_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gui.panels.lesson_panel.ExpectationTracker", PatientTracker)


@pytest.fixture(scope="module")
def window(x_display: str) -> Iterator[MainWindow]:
    """Main window on the timer clock, with the lessons shown."""
    app = QApplication.instance() or QApplication(["rtgain"])
    assert isinstance(app, QApplication)
    app.setStyle("Fusion")
    apply_theme(app, LIGHT)
    window = MainWindow(SessionConfig(clock="timer"), create_session, LIGHT)
    window.painted.connect(window.start)
    window.show()
    window.lessons_button.click()
    yield window
    window.close()
    window.deleteLater()


def answer_blind_test(qtbot: Any, window: MainWindow, trials: int) -> None:
    """Do the blind test of the step as a student would: listen to X, then say that it is A."""
    test = window.blind_panel
    qtbot.mouseClick(window.lesson_panel.blind_test_button, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(test.begin, Qt.MouseButton.LeftButton)
    for _ in range(trials):
        qtbot.mouseClick(test.buttons["X"], Qt.MouseButton.LeftButton)
        qtbot.mouseClick(test.answers["A"], Qt.MouseButton.LeftButton)
    qtbot.mouseClick(test.close_button, Qt.MouseButton.LeftButton)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_every_check_of_every_lesson_passes_in_the_gui(
    qtbot: Any, window: MainWindow, lesson: Lesson, thorough: bool
) -> None:
    """The experiments of all lessons pass in `tests.lessons`. The GUI runs the others in the same way as the first."""
    panel = window.lesson_panel
    panel.lesson_box.activated.emit(LESSONS.index(lesson))
    for step in lesson.steps:
        if step is not lesson.steps[0]:
            qtbot.mouseClick(panel.next_button, Qt.MouseButton.LeftButton)
        assert panel.step is step
        qtbot.waitUntil(lambda: window.controller.state == "running", timeout=TIMEOUT_MS)
        if step.action == "xrun":
            qtbot.waitUntil(panel.xrun_button.isEnabled, timeout=TIMEOUT_MS)
            qtbot.mouseClick(panel.xrun_button, Qt.MouseButton.LeftButton)
        if step.blind_trials:
            answer_blind_test(qtbot, window, step.blind_trials)
        qtbot.waitUntil(lambda: panel.outcome in ("passed", "failed"), timeout=TIMEOUT_MS)
        assert panel.outcome == "passed", panel.outcome_line.text()
        if step.has_results and (thorough or lesson is LESSONS[0]):
            qtbot.mouseClick(panel.experiment_button, Qt.MouseButton.LeftButton)
            qtbot.waitUntil(lambda: panel.check_outcome in ("passed", "failed"), timeout=TIMEOUT_MS)
            assert panel.check_outcome == "passed", panel.experiment_button.text()
    window.experiment_window.close()
    assert window.controller.state == "running"


def test_sound_of_the_experiment_loops_until_controls_are_reset(qtbot: Any, window: MainWindow) -> None:
    panel = window.lesson_panel
    panel.lesson_box.activated.emit(0)
    qtbot.mouseClick(panel.experiment_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.check_outcome == "passed", timeout=TIMEOUT_MS)
    play = next(
        b for b in window.experiment_window.findChildren(QPushButton) if b.accessibleName() == "Play: The dry sine."
    )
    qtbot.mouseClick(play, Qt.MouseButton.LeftButton)

    def plays_for(seconds: float) -> bool:
        """True if the sound, half a second long with a reference gain of 0 dB, has played for `seconds`."""
        snapshot = window.controller.snapshot()
        return snapshot is not None and snapshot.time_s > seconds and abs(snapshot.gain_db) < 0.01

    qtbot.waitUntil(lambda: plays_for(1.5), timeout=TIMEOUT_MS)
    assert window.controller.config.input.endswith("dry.wav")
    qtbot.mouseClick(panel.reset_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.outcome in ("passed", "failed"), timeout=TIMEOUT_MS)
    assert panel.outcome == "passed", panel.outcome_line.text()
    window.experiment_window.close()
