"""Lessons and the sounds of their experiments restore the session afterwards."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton

from gui.background.experiment_runner import ExperimentStatus
from gui.main_window import MainWindow
from gui.panels.lesson_panel import PAUSED_TEXT, SOUND_TEXT
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
def finished(tmp_path: Path) -> ExperimentStatus:
    """Status of a finished experiment with its sounds, but without figures."""
    for step in LESSON.steps:
        for name in step.sounds:
            (tmp_path / f"{name}.wav").write_bytes(wav(AudioClip(0.1 * np.sin(np.arange(8000) / 5.0), 16_000)))
    return ExperimentStatus(numbers=stored_numbers(LESSON.name), folder=tmp_path)


def play_buttons(window: MainWindow) -> list[QPushButton]:
    buttons = window.experiment_window.pane.widget().findChildren(QPushButton)
    return [button for button in buttons if button.accessibleName().startswith("Play: ")]


def test_closing_the_lessons_restores_the_session(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window(**OPTIONS)
    before = window.controller.config
    window.lessons_button.click()
    qtbot.mouseClick(window.lesson_panel.next_button, Qt.MouseButton.LeftButton)
    window.session_actions.choose_monitor("dry")
    assert window.controller.config.input == "sine"
    window.lessons_button.click()
    assert window.controller.config == before
    assert window.guard.requested == "matched"
    qtbot.waitUntil(lambda: sessions.last.config == before)
    assert window.transport.source.currentText() == "Pink noise"


def test_session_stopped_before_the_lessons_is_stopped_after_them(qtbot: Any, open_window: OpenWindow) -> None:
    window = open_window(**OPTIONS)
    before = window.controller.config
    window.session_actions.start_or_stop()
    window.lessons_button.click()
    qtbot.waitUntil(lambda: window.controller.state == "running")
    window.lessons_button.click()
    assert (window.controller.state, window.controller.config) == ("stopped", before)


def test_preset_opened_during_the_lessons_remains(
    open_window: OpenWindow, tmp_path: Path, finished: ExperimentStatus
) -> None:
    window = open_window(**OPTIONS)
    (tmp_path / "p.json").write_text(preset_text(SessionConfig(gain_db=-7.0)), encoding="utf-8")
    window.lessons_button.click()
    window.file_actions.load_preset(str(tmp_path / "p.json"))
    window.lesson_controller.play_sound(str(next(finished.folder.glob("*.wav"))))  # type: ignore[union-attr]
    window.lessons_button.click()
    assert window.controller.config.model_copy(update={"monitor": None}) == SessionConfig(gain_db=-7.0)


def test_closing_the_window_in_a_lesson_saves_the_session_before_it(open_window: OpenWindow) -> None:
    window = open_window(**OPTIONS)
    window.lessons_button.click()
    window.close()
    assert window.settings.session_for(SessionConfig()) == SessionConfig(**OPTIONS)


def test_lessons_reopen_at_the_step_of_the_last_run(open_window: OpenWindow) -> None:
    window = open_window(**OPTIONS)
    window.lessons_button.click()
    window.lesson_panel.choose_lesson(2)
    window.lesson_panel.go(1)
    window.close()
    next_window = MainWindow(SessionConfig(), lambda *_: pytest.fail("no session may start"), LIGHT, window.settings)
    assert next_window.lesson_panel.step is LESSONS[2].steps[1]
    assert next_window.lesson_panel.lesson_box.currentIndex() == 2
    for lesson, step in (("violin", 0), (LESSONS[2].name, 99), (LESSONS[2].name, -1), ("", 0)):
        next_window.lesson_panel.open_at(lesson, step)
        assert next_window.lesson_panel.step is LESSONS[2].steps[1], "unchanged"
    next_window.deleteLater()


@pytest.mark.parametrize("ends", ["stop", "close", "next"])
def test_stopping_a_sound_restores_the_step(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions, finished: ExperimentStatus, ends: str
) -> None:
    window = open_window(**OPTIONS)
    window.lessons_button.click()
    window.lesson_panel.choose_lesson(LESSONS.index(LESSON))
    step = window.controller.config
    window.experiment_window.show()
    window.experiment_window.show_step(LESSON, LESSON.steps[0], finished)
    first, second = play_buttons(window)
    width = first.width()
    for button in (first, second):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        assert window.controller.config.is_file
        assert window.lesson_panel.outcome_line.text() == SOUND_TEXT
    assert (first.text(), second.text()) == ("Play", "Stop")
    window.experiment_window.pane.widget().layout().activate()
    assert max(first.sizeHint().width(), second.sizeHint().width()) <= first.width() == second.width() == width
    if ends == "stop":
        qtbot.mouseClick(second, Qt.MouseButton.LeftButton)
        assert second.text() == "Play"
    elif ends == "close":
        window.experiment_window.close()
    else:
        qtbot.mouseClick(window.lesson_panel.next_button, Qt.MouseButton.LeftButton)
    expected = step.model_copy(update=window.lesson_panel.step.all_controls)
    assert window.controller.config.model_copy(update={"monitor": None}) == expected.model_copy(
        update={"monitor": None}
    )
    assert window.guard.requested == "matched"
    qtbot.waitUntil(lambda: window.lesson_panel.outcome_line.text().startswith(("○", "◐", "▲")))
    window.lessons_button.click()
    assert window.controller.config == SessionConfig(**OPTIONS)


def test_source_selected_during_a_sound_remains(
    qtbot: Any, open_window: OpenWindow, finished: ExperimentStatus
) -> None:
    window = open_window(**OPTIONS)
    window.lessons_button.click()
    window.experiment_window.show()
    window.lesson_controller.play_sound(str(next(finished.folder.glob("*.wav"))))  # type: ignore[union-attr]
    assert window.lesson_panel.outcome_line.text() == SOUND_TEXT
    window.session_actions.choose_source(("pink", None))
    assert window.lesson_panel.outcome_line.text() == PAUSED_TEXT
    window.experiment_window.close()
    assert window.controller.config.input == "pink"


def test_stopping_a_sound_restores_a_changed_control(open_window: OpenWindow, finished: ExperimentStatus) -> None:
    window = open_window(**OPTIONS)
    window.lessons_button.click()
    window.session_actions.change_reference({"gain_db": -5.0})
    window.lesson_controller.play_sound(str(next(finished.folder.glob("*.wav"))))  # type: ignore[union-attr]
    assert window.lesson_panel.outcome_line.text() == SOUND_TEXT
    window.lesson_controller.stop_sound()
    assert window.lesson_panel.outcome_line.text() == PAUSED_TEXT
    assert (window.controller.config.input, window.controller.config.gain_db) == (
        window.lesson_panel.step.all_controls["input"],
        -5.0,
    )


def test_step_sets_the_gain_axis_until_the_lessons_are_closed(
    open_window: OpenWindow,
) -> None:
    window = open_window(**OPTIONS)
    window.lessons_button.click()
    window.lesson_panel.choose_lesson(2)
    window.lesson_panel.go(1)
    window.lesson_panel.go(1)
    low, high = window.lesson_panel.step.gain_axis_db or (0.0, 0.0)
    _, (axis_low, axis_high) = window.gain_plot.plot.view.viewRange()
    assert axis_low < low < high < axis_high
    assert axis_high - axis_low <= 12.0
    window.lessons_button.click()
    automatic = window.gain_plot.range.current
    assert window.gain_plot.plot.view.viewRange()[1] == [automatic.low, automatic.high]
