"""Lesson panel: steps, requested controls and checks."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from gui.background.experiment_runner import NOT_RUN, ExperimentStatus
from gui.panels.lesson_panel import HEIGHT, LessonPanel
from gui.theme import LIGHT, apply_theme
from rtgain.config.session_config import SessionConfig
from rtgain.lessons.catalogue import LESSONS
from rtgain.lessons.stored_results import stored_numbers
from rtgain.records.snapshot import Snapshot
from tests.gui.fake_session import FakeSession

WIDTH = 968
"""Width in pixels in a window of 1280 × 800."""


@pytest.fixture
def panel(qtbot: Any, qapp: QApplication) -> LessonPanel:
    qapp.setStyle("Fusion")
    apply_theme(qapp, LIGHT)
    panel = LessonPanel()
    qtbot.addWidget(panel)
    panel.resize(WIDTH, HEIGHT)
    with qtbot.waitExposed(panel):
        panel.show()
    return panel


@pytest.fixture
def at() -> Callable[..., Snapshot]:
    """Makes snapshots of a running session at a time, with some fields set by the test."""
    session = FakeSession(SessionConfig())
    session.start()
    snapshot = session.snapshot()
    return lambda time_s, **fields: replace(snapshot, time_s=time_s, **({"running": True} | fields))


def click(qtbot: Any, button: Any) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_panel_opens_on_the_first_step_and_requests_controls_on_begin(qtbot: Any, panel: LessonPanel) -> None:
    assert panel.text.text().startswith(f"<b>{LESSONS[0].steps[0].title}</b>")
    assert panel.lesson_box.currentText() == f"1 · {LESSONS[0].title}"
    assert (panel.step_label.text(), panel.previous_button.isEnabled()) == ("1 of 3", False)
    with qtbot.waitSignal(panel.controls_requested) as requested:
        panel.begin()
    settings = requested.args[0]
    assert (settings["input"], settings["loss"], settings["optimizer"], settings["lr"]) == (
        "sine",
        "waveform",
        "SGD",
        0.01,
    )
    assert (settings["phase_deg"], settings["polarity"], settings["noise_dbfs"]) == (0.0, "normal", None)


def test_next_and_previous_visit_all_steps_of_all_lessons(qtbot: Any, panel: LessonPanel) -> None:
    steps = [step for lesson in LESSONS for step in lesson.steps]
    requested: list[dict[str, Any]] = []
    panel.controls_requested.connect(requested.append)
    for step in steps[1:]:
        click(qtbot, panel.next_button)
        assert panel.step is step
    assert not panel.next_button.isEnabled()
    assert requested == [step.all_controls for step in steps[1:]]
    for step in reversed(steps[:-1]):
        click(qtbot, panel.previous_button)
        assert panel.step is step


def test_selecting_a_lesson_begins_its_first_step(qtbot: Any, panel: LessonPanel) -> None:
    with qtbot.waitSignal(panel.controls_requested) as requested:
        panel.lesson_box.activated.emit(1)
    assert panel.text.text().startswith(f"<b>{LESSONS[1].steps[0].title}</b>")
    assert requested.args[0]["phase_deg"] == 45.0


def test_texts_contain_the_stored_numbers(panel: LessonPanel) -> None:
    assert "−16.48 dB" in panel.text.text()
    for lesson in LESSONS:
        panel.choose_lesson(LESSONS.index(lesson))
        for _ in lesson.steps:
            assert "{" not in panel.text.text() + panel.hints.text()
            panel.go(1)


def test_outcome_changes_from_pending_to_holding_to_passed(panel: LessonPanel, at: Callable[..., Snapshot]) -> None:
    panel.begin()
    assert panel.outcome_line.text().startswith("○ Press Space to start")
    panel.show_snapshot(at(10.0, gain_db=math.nan))
    assert panel.outcome_line.text().startswith("○ pending: estimate −16.58 to −16.38 dB")
    panel.show_snapshot(at(11.0, gain_db=-12.0))
    assert "(now estimate −12 dB)" in panel.outcome_line.text()
    panel.show_snapshot(at(12.0, gain_db=-16.4))
    assert panel.outcome_line.text().startswith("◐ holding")
    panel.show_snapshot(at(12.6, gain_db=-16.45))
    assert panel.outcome_line.text() == "● passed ✓ now estimate −16.45 dB"
    panel.show_snapshot(at(13.0, gain_db=-16.48))
    assert (panel.outcome, panel.outcome_line.text()) == ("passed", "● passed ✓ now estimate −16.48 dB")


def test_time_of_a_check_counts_from_the_first_estimate(panel: LessonPanel, at: Callable[..., Snapshot]) -> None:
    panel.begin()
    for time_s in range(100):
        panel.show_snapshot(at(float(time_s), gain_db=math.nan))
    assert panel.outcome == "pending"
    panel.show_snapshot(at(100.0, gain_db=-16.4))
    panel.show_snapshot(at(100.6, gain_db=-16.45))
    assert panel.outcome == "passed"


def test_check_fails_after_its_deadline_and_can_be_retried(
    qtbot: Any, panel: LessonPanel, at: Callable[..., Snapshot]
) -> None:
    panel.begin()
    for time_s in (0.0, 5.0, 6.1):
        panel.show_snapshot(at(time_s, gain_db=-3.0))
    expected, observed = "estimate −16.58 to −16.38 dB", "estimate −3 dB"
    assert panel.outcome_line.text().startswith(f"▲ failed: expected {expected}, observed {observed}")
    with qtbot.waitSignal(panel.controls_requested):
        click(qtbot, panel.reset_button)
    panel.show_snapshot(at(7.0, gain_db=-3.0))
    assert panel.outcome == "pending"


def test_restarted_session_restarts_the_deadline(panel: LessonPanel, at: Callable[..., Snapshot]) -> None:
    panel.begin()
    panel.show_snapshot(at(100.0, gain_db=-3.0))
    panel.show_snapshot(at(0.5, gain_db=-3.0))
    panel.show_snapshot(at(6.0, gain_db=-3.0))
    assert panel.outcome == "pending"


def test_xrun_before_the_restart_of_the_checks_counts(
    qtbot: Any, panel: LessonPanel, at: Callable[..., Snapshot]
) -> None:
    live = LESSONS[5]
    panel.lesson_box.activated.emit(5)
    while panel.step.action != "xrun":
        click(qtbot, panel.next_button)
    assert panel.lesson is live
    assert not panel.xrun_button.isEnabled()  # the xruns before it are not counted yet
    panel.show_snapshot(at(10.0, xruns=4, gain_db=-16.48))
    with qtbot.waitSignal(panel.xrun_requested):
        click(qtbot, panel.xrun_button)
    panel.show_snapshot(at(10.1, xruns=5, gain_db=-16.48))
    panel.reset_trackers()  # as the timer does when no window contains the previous step
    panel.show_snapshot(at(10.2, xruns=5, gain_db=-16.48))
    panel.show_snapshot(at(10.8, xruns=5, gain_db=-16.48))
    assert panel.outcome_line.text() == "● passed ✓ now xruns in this step 1, estimate −16.48 dB"


def test_changed_control_pauses_checking_until_controls_are_reset(
    qtbot: Any, panel: LessonPanel, at: Callable[..., Snapshot]
) -> None:
    panel.begin()
    assert not panel.reset_button.isEnabled()
    panel.controls_changed_by_user()
    assert panel.outcome_line.text().startswith("■ You changed a control")
    for time_s in (1.0, 2.0):
        panel.show_snapshot(at(time_s, gain_db=-16.48))
    assert panel.outcome != "passed"
    with qtbot.waitSignal(panel.controls_requested) as requested:
        click(qtbot, panel.reset_button)
    assert requested.args[0] == panel.step.all_controls
    assert not panel.reset_button.isEnabled()
    for time_s in (3.0, 4.0):
        panel.show_snapshot(at(time_s, gain_db=-16.48))
    assert panel.outcome == "passed"


def test_stopped_session_is_not_checked(panel: LessonPanel, at: Callable[..., Snapshot]) -> None:
    panel.begin()
    for time_s in (1.0, 2.0):
        panel.show_snapshot(at(time_s, running=False, gain_db=-16.48))
    assert panel.outcome == "pending"


def test_every_step_fits_in_the_panel_with_every_outcome(panel: LessonPanel, at: Callable[..., Snapshot]) -> None:
    too_large = []
    for lesson in LESSONS:
        panel.choose_lesson(LESSONS.index(lesson))
        for step in lesson.steps:
            panel.show_snapshot(at(0.0, gain_db=-3.123456))
            panel.show_snapshot(at(60.0, gain_db=-3.123456))
            panel.layout().activate()
            needed = panel.layout().totalHeightForWidth(WIDTH)
            if needed > HEIGHT or panel.minimumSizeHint().width() > WIDTH:
                too_large.append((lesson.name, step.title, needed, panel.minimumSizeHint().width()))
            panel.go(1)
    assert too_large == []


@pytest.mark.parametrize("number", [1, 7, 8])
def test_buttons_keep_their_places_while_an_experiment_runs(panel: LessonPanel, tmp_path: Path, number: int) -> None:
    panel.choose_lesson(number - 1)
    places = set()
    for status in (
        NOT_RUN,
        ExperimentStatus(progress="Drawing figure 2 of 4…"),
        ExperimentStatus(numbers=stored_numbers(panel.lesson.name), folder=tmp_path),
    ):
        panel.show_experiment(status)
        QApplication.processEvents()
        buttons = panel.experiment_button, panel.blind_test_button, panel.reset_button, panel.next_button
        places.add(tuple(button.geometry().getRect() for button in buttons if button.isVisible()))
    assert len(places) == 1


def test_step_sets_the_gain_axis_until_a_control_is_changed(
    panel: LessonPanel,
) -> None:
    ranges: list[tuple[float, float] | None] = []
    panel.gain_axis_requested.connect(ranges.append)
    panel.choose_lesson(3)
    panel.go(1)
    panel.controls_changed_by_user()
    panel.begin()
    panel.leave()
    assert ranges == [None, (-19.0, -13.5), None, (-19.0, -13.5), None]
