"""A lesson's experiment from the window: it runs in a process of its own, and what it leaves is shown and played."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QMovie
from PySide6.QtWidgets import QApplication, QLabel, QPushButton

from gui.background.experiment_runner import NOT_RUN, ExperimentRunner, ExperimentStatus
from gui.dialogs.experiment_window import NOTHING_MORE, ExperimentWindow
from gui.main_window import MainWindow
from gui.panels.lesson_panel import LessonPanel
from rtgain.lessons.catalogue import LESSONS
from rtgain.lessons.experiment_process import NUMBERS, run
from rtgain.lessons.lesson import Step
from rtgain.lessons.stored_results import stored_numbers
from tests.gui.conftest import Sessions

FIRST, LAST = LESSONS[0], LESSONS[-1]
TIMEOUT_MS = 60_000


@pytest.fixture
def experiment(qapp: QApplication) -> Iterator[ExperimentRunner]:
    experiment = ExperimentRunner(qapp)
    yield experiment
    experiment.close()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> ExperimentStatus:
    """The experiment of lesson 1, when it was run."""
    folder = tmp_path_factory.mktemp(FIRST.name)
    run(FIRST.name, folder)
    return ExperimentStatus(numbers=json.loads((folder / NUMBERS).read_text()), folder=folder)


@pytest.fixture
def exhibits(qtbot: Any, qapp: QApplication) -> ExperimentWindow:
    panel = LessonPanel()
    qtbot.addWidget(panel)
    window = ExperimentWindow(panel)
    window.show()
    return window


def is_over(experiment: ExperimentRunner, lesson: str) -> Callable[[], bool]:
    return lambda: bool(
        experiment.isolated_environment(lesson).folder or experiment.isolated_environment(lesson).problem
    )


def texts(window: ExperimentWindow) -> str:
    return "\n".join(label.text() for label in window.pane.widget().findChildren(QLabel))


def pictures(window: ExperimentWindow) -> list[QLabel]:
    return [label for label in window.pane.widget().findChildren(QLabel) if not label.pixmap().isNull()]


def test_it_says_what_it_does_and_leaves_numbers_figures_and_sounds(qtbot: Any, experiment: ExperimentRunner) -> None:
    said: list[str] = []
    experiment.changed.connect(lambda lesson: said.append(experiment.isolated_environment(lesson).doing))
    experiment.run(FIRST.name)
    qtbot.waitUntil(is_over(experiment, FIRST.name), timeout=TIMEOUT_MS)
    isolated_environment = experiment.isolated_environment(FIRST.name)
    assert (said[0], said[-1]) == ("Starting the experiment…", "")
    assert any(line.startswith("Drawing") for line in said)
    assert isolated_environment.numbers == pytest.approx(stored_numbers(FIRST.name))
    assert isolated_environment.folder is not None
    files = {path.name for path in isolated_environment.folder.iterdir()}
    assert files > {f"{name}.png" for step in FIRST.steps for name in step.figures}
    assert files > {f"{name}.wav" for step in FIRST.steps for name in step.sounds}
    experiment.run(FIRST.name)
    assert experiment.isolated_environment(FIRST.name) == isolated_environment, "it is not run twice"
    place = isolated_environment.folder.parent
    experiment.close()
    assert not place.exists()


def test_it_says_what_it_does_all_the_while_where_a_line_comes_in_pieces(
    qtbot: Any, qapp: QApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    experiment = ExperimentRunner(qapp)
    said: list[str] = []
    experiment.changed.connect(lambda lesson: said.append(experiment.isolated_environment(lesson).doing))
    experiment.run(FIRST.name)
    qtbot.waitUntil(is_over(experiment, FIRST.name), timeout=TIMEOUT_MS)
    experiment.close()
    assert said[-1] == ""
    assert "" not in said[:-1]


def test_it_can_be_cancelled_and_another_takes_its_place(qtbot: Any, experiment: ExperimentRunner) -> None:
    experiment.run(LESSONS[4].name)
    assert experiment.isolated_environment(LESSONS[4].name).doing
    experiment.run(FIRST.name)
    assert experiment.isolated_environment(LESSONS[4].name) == NOT_RUN
    assert experiment.isolated_environment(FIRST.name).doing
    with qtbot.waitSignal(experiment.changed) as changed:
        experiment.cancel()
    assert changed.args == [FIRST.name]
    assert experiment.isolated_environment(FIRST.name) == NOT_RUN


def test_a_failure_is_told_in_one_line(qtbot: Any, experiment: ExperimentRunner) -> None:
    experiment.run("violin")
    qtbot.waitUntil(is_over(experiment, "violin"), timeout=TIMEOUT_MS)
    problem = experiment.isolated_environment("violin").problem
    assert problem.startswith("The experiment failed: ")
    assert "violin" in problem
    assert "\n" not in problem


def test_the_panel_judges_what_was_found(qtbot: Any, finished: ExperimentStatus) -> None:
    panel = LessonPanel()
    qtbot.addWidget(panel)
    assert (panel.check_outcome, panel.experiment.text()) == ("pending", "Run the experiment")
    panel.show_experiment(ExperimentStatus(doing="Measuring…"))
    assert (panel.check_outcome, panel.experiment.text()) == ("holding", "Measuring…")
    panel.show_experiment(finished)
    assert (panel.check_outcome, panel.experiment.text()) == ("passed", "● Experiment: 2 of 2 ✓ in this step")
    panel.show_experiment(ExperimentStatus(numbers={**finished.numbers, "gain": 0.5}, folder=finished.folder))
    assert (panel.check_outcome, panel.experiment.text()) == ("failed", "▲ Experiment: 1 of 2 ✓ in this step")


def test_a_step_that_has_only_a_why_shows_it(qtbot: Any, exhibits: ExperimentWindow) -> None:
    step = FIRST.steps[1]
    exhibits.show_step(FIRST, step, NOT_RUN)
    assert texts(exhibits) == step.why
    assert not exhibits.cancel.isVisible()


def test_a_step_with_nothing_to_show_says_so_and_escape_closes(qtbot: Any, exhibits: ExperimentWindow) -> None:
    step = FIRST.steps[-1]
    assert (step.why, step.has_results) == ("", False)
    exhibits.show_step(FIRST, step, NOT_RUN)
    assert [label.text() for label in exhibits.pane.widget().findChildren(QLabel)] == [NOTHING_MORE]
    exhibits.activateWindow()
    qtbot.waitActive(exhibits)
    qtbot.keyClick(exhibits, Qt.Key.Key_Escape)
    assert exhibits.isHidden()


def test_the_why_is_there_at_once_and_the_rest_when_it_was_measured(
    qtbot: Any, exhibits: ExperimentWindow, finished: ExperimentStatus
) -> None:
    step = FIRST.steps[0]
    exhibits.show_step(FIRST, step, ExperimentStatus(doing="Measuring…"))
    assert "Its <em>gradient</em> says how fast it grows" in texts(exhibits)
    assert exhibits.status.text().startswith("Measuring… It takes some ten seconds")
    assert (exhibits.cancel.isVisible(), pictures(exhibits)) == (True, [])
    with qtbot.waitSignal(exhibits.cancel_wanted):
        qtbot.mouseClick(exhibits.cancel, Qt.MouseButton.LeftButton)
    exhibits.show_step(FIRST, step, finished)
    assert "● After 300 steps of SGD the gain is 0.147 (expected 0.14 to 0.16)." in texts(exhibits)
    assert [picture.accessibleName() for picture in pictures(exhibits)][-3:] == list(step.figures.values())
    film = exhibits.pane.widget().findChild(QMovie)
    assert film is not None
    with qtbot.waitSignal(film.frameChanged):
        pass
    exhibits.close()
    assert exhibits.pane.widget().findChild(QMovie) is None


def test_sounds_are_played_by_the_session_and_the_step_comes_back(
    qtbot: Any, open_window: Callable[..., MainWindow], sessions: Sessions, finished: ExperimentStatus
) -> None:
    window = open_window()
    window.lessons_button.click()
    window.actions_.choose_hear("mute")
    window.exhibits.show()
    window.exhibits.show_step(FIRST, FIRST.steps[0], finished)
    first = window.exhibits.pane.widget().findChildren(QPushButton)[0]
    assert first.accessibleName() == "Play: The dry sine."
    qtbot.mouseClick(first, Qt.MouseButton.LeftButton)
    assert finished.folder is not None
    heard = window.host.config
    assert (heard.input, heard.loop, heard.gain_db) == (str(finished.folder / "dry.wav"), True, 0.0)
    qtbot.waitUntil(lambda: sessions.last.config.input == heard.input)
    assert sessions.last.config.monitor == "target", "a gain of 0 dB: as it is"
    assert window.learn.outcome_line.text().startswith("■ A sound of the experiment plays")
    qtbot.mouseClick(window.learn.again, Qt.MouseButton.LeftButton)
    wanted: Step = FIRST.steps[0]
    assert {name: getattr(window.host.config, name) for name in wanted.all_controls} == wanted.all_controls


def test_the_button_opens_the_window_and_runs_it(qtbot: Any, open_window: Callable[..., MainWindow]) -> None:
    window = open_window()
    window.lessons_button.click()
    qtbot.mouseClick(window.learn.experiment, Qt.MouseButton.LeftButton)
    assert window.exhibits.isVisible()
    assert window.experiment.isolated_environment(FIRST.name).doing
    qtbot.mouseClick(window.learn.next, Qt.MouseButton.LeftButton)
    assert window.exhibits.windowTitle() == "1 · Move the goal"
    qtbot.mouseClick(window.exhibits.cancel, Qt.MouseButton.LeftButton)
    assert window.experiment.isolated_environment(FIRST.name) == NOT_RUN
    assert not window.exhibits.cancel.isVisible()
    window.close()
    assert not window.exhibits.isVisible()
