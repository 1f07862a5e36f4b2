"""All lessons in the window, at real speed, with the real session: every outcome comes about as the panel judges it."""

from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QPushButton

from gui.control.session_controller import create_session
from gui.main_window import MainWindow
from gui.theme import LIGHT, apply_theme
from rtgain.config.session_config import SessionConfig
from rtgain.lessons.catalogue import LESSONS
from rtgain.lessons.lesson import Lesson

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(900)]  # up to five steps at real speed, and their experiments

TIMEOUT_MS = 180_000
"""Far beyond what a start or an experiment takes; how long an outcome may take, the lesson says."""


@pytest.fixture(scope="module")
def window(x_display: str) -> Iterator[MainWindow]:
    """The window as it opens without a sound card, with the Learn panel shown."""
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


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_every_outcome_comes_about_in_the_window(qtbot: Any, window: MainWindow, lesson: Lesson) -> None:
    learn = window.learn
    learn.menu.activated.emit(LESSONS.index(lesson))
    for step in lesson.steps:
        if step is not lesson.steps[0]:
            qtbot.mouseClick(learn.next, Qt.MouseButton.LeftButton)
        assert learn.step is step
        qtbot.waitUntil(lambda: window.host.state == "running", timeout=TIMEOUT_MS)
        if step.action == "xrun":
            qtbot.waitUntil(learn.xrun.isEnabled, timeout=TIMEOUT_MS)
            qtbot.mouseClick(learn.xrun, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: learn.outcome in ("passed", "failed"), timeout=TIMEOUT_MS)
        assert learn.outcome == "passed", learn.outcome_line.text()
        if step.has_results:
            qtbot.mouseClick(learn.experiment, Qt.MouseButton.LeftButton)
            qtbot.waitUntil(lambda: learn.check_outcome in ("passed", "failed"), timeout=TIMEOUT_MS)
            assert learn.check_outcome == "passed", learn.experiment.text()
    window.exhibits.close()
    assert window.host.state == "running"


def test_a_sound_of_the_experiment_plays_over_and_over_until_the_controls_are_set_again(
    qtbot: Any, window: MainWindow
) -> None:
    learn = window.learn
    learn.menu.activated.emit(0)
    qtbot.mouseClick(learn.experiment, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: learn.check_outcome == "passed", timeout=TIMEOUT_MS)
    play = next(b for b in window.exhibits.findChildren(QPushButton) if b.accessibleName() == "Play: The dry sine.")
    qtbot.mouseClick(play, Qt.MouseButton.LeftButton)

    def plays_for(seconds: float) -> bool:
        """The sound is half a second long; its reference gain is 0 dB."""
        snapshot = window.host.snapshot()
        return snapshot is not None and snapshot.time_s > seconds and abs(snapshot.gain_db) < 0.01

    qtbot.waitUntil(lambda: plays_for(1.5), timeout=TIMEOUT_MS)
    assert window.host.config.input.endswith("dry.wav")
    qtbot.mouseClick(learn.again, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: learn.outcome in ("passed", "failed"), timeout=TIMEOUT_MS)
    assert learn.outcome == "passed", learn.outcome_line.text()
    window.exhibits.close()
