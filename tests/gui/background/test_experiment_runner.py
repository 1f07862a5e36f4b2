"""A lesson's experiment in the GUI: it runs in a child process, and its results are shown and played."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QMovie
from PySide6.QtWidgets import QApplication, QLabel, QPushButton

from gui.background.experiment_runner import NOT_RUN, ExperimentRunner, ExperimentStatus
from gui.dialogs.experiment_window import NO_MATERIAL_TEXT, ExperimentWindow
from gui.main_window import MainWindow
from gui.panels.lesson_panel import LessonPanel
from rtgain.lessons.catalogue import LESSONS
from rtgain.lessons.experiment_process import NUMBERS, run
from rtgain.lessons.lesson import Step
from rtgain.lessons.stored_results import stored_numbers
from tests.gui.conftest import Sessions
from tests.polling import TIMEOUT_MS

FIRST, LAST = LESSONS[0], LESSONS[-1]


@pytest.fixture
def runner(qapp: QApplication) -> Iterator[ExperimentRunner]:
    runner = ExperimentRunner(qapp)
    yield runner
    runner.close()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> ExperimentStatus:
    """Status of the experiment of lesson 1 after it has run."""
    folder = tmp_path_factory.mktemp(FIRST.name)
    run(FIRST.name, folder)
    return ExperimentStatus(numbers=json.loads((folder / NUMBERS).read_text()), folder=folder)


@pytest.fixture
def experiment_window(qtbot: Any, qapp: QApplication) -> ExperimentWindow:
    panel = LessonPanel()
    qtbot.addWidget(panel)
    window = ExperimentWindow(panel)
    window.show()
    return window


def is_finished(runner: ExperimentRunner, lesson: str) -> Callable[[], bool]:
    return lambda: bool(runner.status(lesson).folder or runner.status(lesson).error)


def texts(window: ExperimentWindow) -> str:
    return "\n".join(label.text() for label in window.pane.widget().findChildren(QLabel))


def pictures(window: ExperimentWindow) -> list[QLabel]:
    return [label for label in window.pane.widget().findChildren(QLabel) if not label.pixmap().isNull()]


@pytest.mark.timeout(600)  # ten seconds of processor time, at a lower priority than the rest
def test_experiment_reports_progress_and_writes_numbers_figures_and_sounds(
    qtbot: Any, runner: ExperimentRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")  # a line and its end arrive one after the other
    progress: list[str] = []
    runner.changed.connect(lambda lesson: progress.append(runner.status(lesson).progress))
    runner.run(FIRST.name)
    qtbot.waitUntil(is_finished(runner, FIRST.name), timeout=3 * TIMEOUT_MS)
    status = runner.status(FIRST.name)
    assert (progress[0], progress[-1]) == ("Starting the experiment…", "")
    assert "" not in progress[:-1]
    assert any(line.startswith("Drawing") for line in progress)
    assert status.numbers == pytest.approx(stored_numbers(FIRST.name))
    assert status.folder is not None
    files = {path.name for path in status.folder.iterdir()}
    assert files > {f"{name}.png" for step in FIRST.steps for name in step.figures}
    assert files > {f"{name}.wav" for step in FIRST.steps for name in step.sounds}
    runner.run(FIRST.name)
    assert runner.status(FIRST.name) == status, "it runs once"
    folder = status.folder.parent
    runner.close()
    assert not folder.exists()


def test_another_experiment_replaces_the_running_one(qtbot: Any, runner: ExperimentRunner) -> None:
    runner.run(LESSONS[4].name)
    assert runner.status(LESSONS[4].name).progress
    runner.run(FIRST.name)
    assert runner.status(LESSONS[4].name) == NOT_RUN
    assert runner.status(FIRST.name).progress
    with qtbot.waitSignal(runner.changed) as changed:
        runner.cancel()
    assert changed.args == [FIRST.name]
    assert runner.status(FIRST.name) == NOT_RUN


def test_failure_is_reported_in_one_line(qtbot: Any, runner: ExperimentRunner) -> None:
    runner.run("violin")
    qtbot.waitUntil(is_finished(runner, "violin"), timeout=TIMEOUT_MS)
    problem = runner.status("violin").error
    assert problem.startswith("The experiment failed: ")
    assert "violin" in problem
    assert "\n" not in problem


def test_panel_shows_how_many_checks_of_the_experiment_passed(qtbot: Any, finished: ExperimentStatus) -> None:
    panel = LessonPanel()
    qtbot.addWidget(panel)
    assert (panel.check_outcome, panel.experiment_button.text()) == ("pending", "Run the experiment")
    panel.show_experiment(ExperimentStatus(progress="Measuring…"))
    assert (panel.check_outcome, panel.experiment_button.text()) == ("holding", "Measuring…")
    panel.show_experiment(finished)
    assert (panel.check_outcome, panel.experiment_button.text()) == ("passed", "● Experiment: 2 of 2 ✓")
    panel.show_experiment(ExperimentStatus(numbers={**finished.numbers, "gain": 0.5}, folder=finished.folder))
    assert (panel.check_outcome, panel.experiment_button.text()) == ("failed", "▲ Experiment: 1 of 2 ✓")


def test_step_without_results_shows_its_explanation(qtbot: Any, experiment_window: ExperimentWindow) -> None:
    step = FIRST.steps[1]
    experiment_window.show_step(FIRST, step, NOT_RUN)
    assert texts(experiment_window) == step.why
    assert not experiment_window.cancel.isVisible()


def test_step_without_material_shows_a_note_and_escape_closes(qtbot: Any, experiment_window: ExperimentWindow) -> None:
    step = FIRST.steps[-1]
    assert (step.why, step.has_results) == ("", False)
    experiment_window.show_step(FIRST, step, NOT_RUN)
    assert [label.text() for label in experiment_window.pane.widget().findChildren(QLabel)] == [NO_MATERIAL_TEXT]
    experiment_window.activateWindow()
    qtbot.waitUntil(experiment_window.isActiveWindow)
    qtbot.keyClick(experiment_window, Qt.Key.Key_Escape)
    assert experiment_window.isHidden()


def test_explanation_is_shown_at_once_and_results_after_the_experiment(
    qtbot: Any, experiment_window: ExperimentWindow, finished: ExperimentStatus
) -> None:
    step = FIRST.steps[0]
    experiment_window.show_step(FIRST, step, ExperimentStatus(progress="Measuring…"))
    assert "The <em>gradient</em> is the slope of the loss" in texts(experiment_window)
    assert experiment_window.status.text().startswith("Measuring… This takes about ten seconds")
    assert (experiment_window.cancel.isVisible(), pictures(experiment_window)) == (True, [])
    with qtbot.waitSignal(experiment_window.cancel_requested):
        qtbot.mouseClick(experiment_window.cancel, Qt.MouseButton.LeftButton)
    experiment_window.show_step(FIRST, step, finished)
    assert "● After 300 steps of SGD the gain is 0.147 (expected 0.14 to 0.16)." in texts(experiment_window)
    assert [picture.accessibleName() for picture in pictures(experiment_window)][-3:] == list(step.figures.values())
    animation = experiment_window.pane.widget().findChild(QMovie)
    assert animation is not None
    with qtbot.waitSignal(animation.frameChanged):
        pass
    experiment_window.close()
    assert experiment_window.pane.widget().findChild(QMovie) is None


def test_session_plays_a_sound_and_reset_restores_the_step(
    qtbot: Any, open_window: Callable[..., MainWindow], sessions: Sessions, finished: ExperimentStatus
) -> None:
    window = open_window()
    window.lessons_button.click()
    window.session_actions.choose_monitor("mute")
    window.experiment_window.show()
    window.experiment_window.show_step(FIRST, FIRST.steps[0], finished)
    first = window.experiment_window.pane.widget().findChildren(QPushButton)[0]
    assert first.accessibleName() == "Play: The dry sine."
    qtbot.mouseClick(first, Qt.MouseButton.LeftButton)
    assert finished.folder is not None
    config = window.controller.config
    assert (config.input, config.loop, config.gain_db) == (str(finished.folder / "dry.wav"), True, 0.0)
    qtbot.waitUntil(lambda: sessions.last.config.input == config.input)
    assert sessions.last.config.monitor == "target", "a gain of 0 dB: as it is"
    assert window.lesson_panel.outcome_line.text().startswith("■ A sound of the experiment is playing")
    qtbot.mouseClick(window.lesson_panel.reset_button, Qt.MouseButton.LeftButton)
    step: Step = FIRST.steps[0]
    assert {name: getattr(window.controller.config, name) for name in step.all_controls} == step.all_controls


def test_experiment_button_opens_the_window_and_runs_the_experiment(
    qtbot: Any, open_window: Callable[..., MainWindow]
) -> None:
    window = open_window()
    window.lessons_button.click()
    qtbot.mouseClick(window.lesson_panel.experiment_button, Qt.MouseButton.LeftButton)
    assert window.experiment_window.isVisible()
    assert window.lesson_controller.experiment_runner.status(FIRST.name).progress
    qtbot.mouseClick(window.lesson_panel.next_button, Qt.MouseButton.LeftButton)
    assert window.experiment_window.windowTitle() == "1 · Change the reference gain"
    qtbot.mouseClick(window.experiment_window.cancel, Qt.MouseButton.LeftButton)
    assert window.lesson_controller.experiment_runner.status(FIRST.name) == NOT_RUN
    assert not window.experiment_window.cancel.isVisible()
    window.close()
    assert not window.experiment_window.isVisible()
