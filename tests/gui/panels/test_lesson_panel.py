"""The Learn panel: its steps, what it asks for, and how it judges what comes."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from gui.panels.lesson_panel import HEIGHT, LessonPanel
from gui.theme import LIGHT, apply_theme
from rtgain.config.session_config import SessionConfig
from rtgain.lessons.catalogue import LESSONS
from rtgain.records.snapshot import Snapshot
from tests.gui.fake_session import FakeSession

WIDTH = 984
"""As wide as in a window of 1280 by 800."""


@pytest.fixture
def panel(qtbot: Any, qapp: QApplication) -> LessonPanel:
    qapp.setStyle("Fusion")
    apply_theme(qapp, LIGHT)
    panel = LessonPanel()
    qtbot.addWidget(panel)
    panel.resize(WIDTH, HEIGHT)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


@pytest.fixture
def at() -> Callable[..., Snapshot]:
    """A snapshot of a session that plays, with what a test says about it."""
    session = FakeSession(SessionConfig())
    session.start()
    snapshot = session.snapshot()
    return lambda time_s, **given: replace(snapshot, time_s=time_s, **({"running": True} | given))


def click(qtbot: Any, button: Any) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_it_opens_on_the_first_step_and_asks_for_nothing_until_it_begins(qtbot: Any, panel: LessonPanel) -> None:
    assert panel.text.text().startswith(f"<b>{LESSONS[0].steps[0].title}</b>")
    assert panel.menu.currentText() == "1 · A gain that learns"
    assert (panel.place.text(), panel.previous.isEnabled()) == ("1 of 3", False)
    with qtbot.waitSignal(panel.controls_wanted) as asked:
        panel.begin()
    settings = asked.args[0]
    assert (settings["input"], settings["loss"], settings["optimizer"], settings["lr"]) == (
        "sine",
        "waveform",
        "SGD",
        0.01,
    )
    assert (settings["phase_deg"], settings["polarity"], settings["noise_dbfs"]) == (0.0, "normal", None)


def test_next_and_previous_lead_through_all_lessons_and_back(qtbot: Any, panel: LessonPanel) -> None:
    steps = [step for lesson in LESSONS for step in lesson.steps]
    asked: list[dict[str, Any]] = []
    panel.controls_wanted.connect(asked.append)
    for step in steps[1:]:
        click(qtbot, panel.next)
        assert panel.step is step
    assert not panel.next.isEnabled()
    assert asked == [step.all_controls for step in steps[1:]]
    for step in reversed(steps[:-1]):
        click(qtbot, panel.previous)
        assert panel.step is step


def test_the_menu_begins_a_lesson(qtbot: Any, panel: LessonPanel) -> None:
    with qtbot.waitSignal(panel.controls_wanted) as asked:
        panel.menu.activated.emit(1)
    assert panel.text.text().startswith(f"<b>{LESSONS[1].steps[0].title}</b>")
    assert asked.args[0]["phase_deg"] == 45.0


def test_texts_are_filled_with_the_numbers_that_were_measured(panel: LessonPanel) -> None:
    assert "−16.48 dB" in panel.text.text()
    for lesson in LESSONS:
        panel.choose_lesson(LESSONS.index(lesson))
        for _ in lesson.steps:
            assert "{" not in panel.text.text() + panel.hints.text()
            panel.go(1)


def test_the_outcome_goes_from_waiting_over_happening_to_seen(panel: LessonPanel, at: Callable[..., Snapshot]) -> None:
    panel.begin()
    assert panel.outcome_line.text().startswith("○ Start the sound")
    panel.show_snapshot(at(10.0, gain_db=math.nan))
    assert panel.outcome_line.text().startswith("○ pending: gain −16.58 to −16.38 dB")
    panel.show_snapshot(at(11.0, gain_db=-12.0))
    assert "(now gain −12 dB)" in panel.outcome_line.text()
    panel.show_snapshot(at(12.0, gain_db=-16.4))
    assert panel.outcome_line.text().startswith("◐ holding")
    panel.show_snapshot(at(12.6, gain_db=-16.45))
    assert panel.outcome_line.text() == "● passed ✓ now gain −16.45 dB"
    panel.show_snapshot(at(13.0, gain_db=-16.48))
    assert (panel.outcome, panel.outcome_line.text()) == ("passed", "● passed ✓ now gain −16.48 dB")


def test_time_runs_only_once_there_is_an_estimate(panel: LessonPanel, at: Callable[..., Snapshot]) -> None:
    panel.begin()
    for time_s in range(100):
        panel.show_snapshot(at(float(time_s), gain_db=math.nan))
    assert panel.outcome == "pending"
    panel.show_snapshot(at(100.0, gain_db=-16.4))
    panel.show_snapshot(at(100.6, gain_db=-16.45))
    assert panel.outcome == "passed"


def test_what_does_not_come_in_time_is_not_so_and_can_be_tried_again(
    qtbot: Any, panel: LessonPanel, at: Callable[..., Snapshot]
) -> None:
    panel.begin()
    for time_s in (0.0, 5.0, 6.1):
        panel.show_snapshot(at(time_s, gain_db=-3.0))
    assert panel.outcome_line.text().startswith("▲ failed: expected gain −16.58 to −16.38 dB, observed gain −3 dB")
    with qtbot.waitSignal(panel.controls_wanted):
        click(qtbot, panel.again)
    panel.show_snapshot(at(7.0, gain_db=-3.0))
    assert panel.outcome == "pending"


def test_a_session_that_begins_anew_gives_a_step_its_time_again(
    panel: LessonPanel, at: Callable[..., Snapshot]
) -> None:
    panel.begin()
    panel.show_snapshot(at(100.0, gain_db=-3.0))
    panel.show_snapshot(at(0.5, gain_db=-3.0))
    panel.show_snapshot(at(6.0, gain_db=-3.0))
    assert panel.outcome == "pending"


def test_an_xrun_made_while_the_windows_still_fill_counts(
    qtbot: Any, panel: LessonPanel, at: Callable[..., Snapshot]
) -> None:
    live = LESSONS[5]
    panel.menu.activated.emit(5)
    while panel.step.action != "xrun":
        click(qtbot, panel.next)
    assert panel.lesson is live
    assert not panel.xrun.isEnabled()  # nothing has been counted from which it could be told
    panel.show_snapshot(at(10.0, xruns=4, gain_db=-16.48))
    with qtbot.waitSignal(panel.xrun_wanted):
        click(qtbot, panel.xrun)
    panel.show_snapshot(at(10.1, xruns=5, gain_db=-16.48))
    panel.reset_watchers()  # the window's timer: no window holds the step before any more
    panel.show_snapshot(at(10.2, xruns=5, gain_db=-16.48))
    panel.show_snapshot(at(10.8, xruns=5, gain_db=-16.48))
    assert panel.outcome_line.text() == "● passed ✓ now xruns in this step 1, gain −16.48 dB"


def test_the_student_may_take_the_controls_and_come_back(
    qtbot: Any, panel: LessonPanel, at: Callable[..., Snapshot]
) -> None:
    panel.begin()
    assert not panel.again.isEnabled()
    panel.controls_changed_by_user()
    assert panel.outcome_line.text().startswith("■ You have the controls")
    for time_s in (1.0, 2.0):
        panel.show_snapshot(at(time_s, gain_db=-16.48))
    assert panel.outcome != "passed"
    with qtbot.waitSignal(panel.controls_wanted) as asked:
        click(qtbot, panel.again)
    assert asked.args[0] == panel.step.all_controls
    assert not panel.again.isEnabled()
    for time_s in (3.0, 4.0):
        panel.show_snapshot(at(time_s, gain_db=-16.48))
    assert panel.outcome == "passed"


def test_a_session_that_is_over_is_not_judged(panel: LessonPanel, at: Callable[..., Snapshot]) -> None:
    panel.begin()
    for time_s in (1.0, 2.0):
        panel.show_snapshot(at(time_s, running=False, gain_db=-16.48))
    assert panel.outcome == "pending"


def test_every_step_fits_into_the_strip_whatever_came_of_it(panel: LessonPanel, at: Callable[..., Snapshot]) -> None:
    too_high = []
    for lesson in LESSONS:
        panel.choose_lesson(LESSONS.index(lesson))
        for step in lesson.steps:
            panel.show_snapshot(at(0.0, gain_db=-3.123456))
            panel.show_snapshot(at(60.0, gain_db=-3.123456))
            panel.layout().activate()
            needed = panel.layout().totalHeightForWidth(WIDTH)
            if needed > HEIGHT or panel.minimumSizeHint().width() > WIDTH:
                too_high.append((lesson.name, step.title, needed, panel.minimumSizeHint().width()))
            panel.go(1)
    assert too_high == []


def test_a_step_that_is_about_a_swing_says_which_gains_are_worth_seeing_until_the_student_moves_something(
    panel: LessonPanel,
) -> None:
    wanted: list[tuple[float, float] | None] = []
    panel.focus_wanted.connect(wanted.append)
    panel.choose_lesson(3)
    panel.go(1)
    panel.controls_changed_by_user()
    panel.begin()
    panel.leave()
    assert wanted == [None, (-19.0, -13.5), None, (-19.0, -13.5), None]
