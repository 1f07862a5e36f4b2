"""Lessons, and the sounds of their experiments, leave the session as it was before them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton

from gui.background.experiment_runner import ExperimentStatus
from gui.main_window import MainWindow
from gui.panels.lesson_panel import EXPERIMENT_PLAYS, TAKEN_OVER
from gui.theme import LIGHT
from rtgain.config.presets import preset_text
from rtgain.config.session_config import SessionConfig
from rtgain.lessons.catalogue import LESSONS
from rtgain.lessons.experiments.experiment import AudioClip
from rtgain.lessons.export import wav
from rtgain.lessons.stored_results import stored_numbers
from tests.gui.conftest import Sessions

OpenWindow = Callable[..., MainWindow]
LESSON = LESSONS[2]
OPTIONS = {"input": "pink", "gain_db": -3.0, "delay_ms": 2.0, "loss": "stft", "optimizer": "Adam", "lr": 0.05,
           "compare": ("waveform/SGD@0.01",), "monitor": "matched"}  # fmt: skip


@pytest.fixture
def isolated_environment(tmp_path: Path) -> ExperimentStatus:
    """An experiment that is over; what is drawn is of no concern here."""
    for step in LESSON.steps:
        for name in step.sounds:
            (tmp_path / f"{name}.wav").write_bytes(wav(AudioClip(0.1 * np.sin(np.arange(8000) / 5.0), 16_000)))
    return ExperimentStatus(numbers=stored_numbers(LESSON.name), folder=tmp_path)


def play_buttons(window: MainWindow) -> list[QPushButton]:
    buttons = window.exhibits.pane.widget().findChildren(QPushButton)
    return [button for button in buttons if button.accessibleName().startswith("Play: ")]


def test_leaving_the_lessons_brings_the_session_back(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window(**OPTIONS)
    before = window.host.config
    window.lessons_button.click()
    qtbot.mouseClick(window.learn.next, Qt.MouseButton.LeftButton)
    window.actions_.choose_hear("dry")
    assert window.host.config.input == "sine"
    window.lessons_button.click()
    assert window.host.config == before
    assert window.guard.wanted == "matched"
    qtbot.waitUntil(lambda: sessions.last.config == before)
    assert window.transport.source.currentText() == "Pink noise"


def test_without_a_session_before_the_lessons_there_is_none_after_them(qtbot: Any, open_window: OpenWindow) -> None:
    window = open_window(**OPTIONS)
    before = window.host.config
    window.actions_.start_or_stop()
    window.lessons_button.click()
    qtbot.waitUntil(lambda: window.host.state == "running")
    window.lessons_button.click()
    assert (window.host.state, window.host.config) == ("stopped", before)


def test_a_preset_opened_during_the_lessons_stays(
    open_window: OpenWindow, tmp_path: Path, isolated_environment: ExperimentStatus
) -> None:
    window = open_window(**OPTIONS)
    (tmp_path / "p.json").write_text(preset_text(SessionConfig(gain_db=-7.0)), encoding="utf-8")
    window.lessons_button.click()
    window.actions_.open_preset(str(tmp_path / "p.json"))
    window.actions_.play_exhibit(str(next(isolated_environment.folder.glob("*.wav"))))  # type: ignore[union-attr]
    window.lessons_button.click()
    assert window.host.config.model_copy(update={"monitor": None}) == SessionConfig(gain_db=-7.0)


def test_a_window_closed_in_a_lesson_remembers_the_session_before(open_window: OpenWindow) -> None:
    window = open_window(**OPTIONS)
    window.lessons_button.click()
    window.close()
    assert window.settings.session_for(SessionConfig()) == SessionConfig(**OPTIONS)


def test_the_next_window_opens_the_lessons_where_this_one_was_closed(open_window: OpenWindow) -> None:
    window = open_window(**OPTIONS)
    window.lessons_button.click()
    window.learn.choose_lesson(2)
    window.learn.go(1)
    window.close()
    nobody = MainWindow(SessionConfig(), lambda *_: pytest.fail("nothing is to start"), LIGHT, window.settings)
    assert nobody.learn.step is LESSONS[2].steps[1]
    assert nobody.learn.menu.currentIndex() == 2
    for lesson, step in (("violin", 0), (LESSONS[2].name, 99), (LESSONS[2].name, -1), ("", 0)):
        nobody.learn.open_at(lesson, step)
        assert nobody.learn.step is LESSONS[2].steps[1], "as it was"
    nobody.deleteLater()


@pytest.mark.parametrize("ends", ["stop", "close", "next"])
def test_a_sound_that_ends_gives_the_session_back_to_the_step(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions, isolated_environment: ExperimentStatus, ends: str
) -> None:
    window = open_window(**OPTIONS)
    window.lessons_button.click()
    window.learn.choose_lesson(LESSONS.index(LESSON))
    step = window.host.config
    window.exhibits.show()
    window.exhibits.show_step(LESSON, LESSON.steps[0], isolated_environment)
    first, second = play_buttons(window)
    width = first.width()
    for button in (first, second):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        assert window.host.config.is_file
        assert window.learn.outcome_line.text() == EXPERIMENT_PLAYS
    assert (first.text(), second.text()) == ("Play", "Stop")
    window.exhibits.pane.widget().layout().activate()
    assert max(first.sizeHint().width(), second.sizeHint().width()) <= first.width() == second.width() == width
    if ends == "stop":
        qtbot.mouseClick(second, Qt.MouseButton.LeftButton)
        assert second.text() == "Play"
    elif ends == "close":
        window.exhibits.close()
    else:
        qtbot.mouseClick(window.learn.next, Qt.MouseButton.LeftButton)
    wanted = step.model_copy(update=window.learn.step.all_controls)
    assert window.host.config.model_copy(update={"monitor": None}) == wanted.model_copy(update={"monitor": None})
    assert window.guard.wanted == "matched"
    qtbot.waitUntil(lambda: window.learn.outcome_line.text().startswith(("○", "◐", "▲")))
    window.lessons_button.click()
    assert window.host.config == SessionConfig(**OPTIONS)


def test_a_source_that_the_student_has_chosen_over_a_sound_stays(
    qtbot: Any, open_window: OpenWindow, isolated_environment: ExperimentStatus
) -> None:
    window = open_window(**OPTIONS)
    window.lessons_button.click()
    window.exhibits.show()
    window.actions_.play_exhibit(str(next(isolated_environment.folder.glob("*.wav"))))  # type: ignore[union-attr]
    assert window.learn.outcome_line.text() == EXPERIMENT_PLAYS
    window.actions_.choose_source(("pink", None))
    assert window.learn.outcome_line.text() == TAKEN_OVER
    window.exhibits.close()
    assert window.host.config.input == "pink"


def test_a_sound_played_over_a_moved_control_gives_it_back_to_the_student(
    open_window: OpenWindow, isolated_environment: ExperimentStatus
) -> None:
    window = open_window(**OPTIONS)
    window.lessons_button.click()
    window.actions_.change_reference({"gain_db": -5.0})
    window.actions_.play_exhibit(str(next(isolated_environment.folder.glob("*.wav"))))  # type: ignore[union-attr]
    assert window.learn.outcome_line.text() == EXPERIMENT_PLAYS
    window.actions_.stop_exhibit()
    assert window.learn.outcome_line.text() == TAKEN_OVER
    assert (window.host.config.input, window.host.config.gain_db) == (window.learn.step.all_controls["input"], -5.0)


def test_a_swing_is_seen_although_a_rival_has_fallen_far_below_until_the_lessons_are_left(
    open_window: OpenWindow,
) -> None:
    window = open_window(**OPTIONS)
    window.lessons_button.click()
    window.learn.choose_lesson(2)
    window.learn.go(1)
    window.learn.go(1)
    low, high = window.learn.step.gain_axis_db or (0.0, 0.0)
    _, (shown_low, shown_high) = window.gain_plot.plot.viewRange()
    assert shown_low < low < high < shown_high
    assert shown_high - shown_low <= 12.0
    window.lessons_button.click()
    followed = window.gain_plot.range.current
    assert window.gain_plot.plot.viewRange()[1] == [followed.low, followed.high]
