"""The estimator's controls, in the config's own names."""

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox

from gui.main_window import MainWindow
from gui.panels.estimator_panel import COMPARISONS, EstimatorPanel
from rtgain.config.names import AURALOSSES, LOSSES, OPTIMIZERS
from rtgain.config.session_config import SessionConfig
from rtgain.lessons.catalogue import LESSONS
from tests.gui.panels.test_routing_panel import OpenWindow, Sessions, choose, offered


@pytest.fixture
def panel(qtbot: Any) -> EstimatorPanel:
    panel = EstimatorPanel()
    qtbot.addWidget(panel)
    panel.show_config(SessionConfig())
    panel.show()
    return panel


def test_every_loss_and_optimizer_of_the_config_is_offered(panel: EstimatorPanel) -> None:
    assert set(LOSSES) <= set(offered(panel.loss))
    assert offered(panel.optimizer) == list(OPTIMIZERS)


@pytest.mark.parametrize(
    ("menu", "entry", "told"),
    [
        ("loss", "log-stft", {"loss": "log-stft"}),
        ("optimizer", "Adam", {"optimizer": "Adam"}),
        ("window_ms", "171 ms", {"window_ms": 171.0}),
    ],
)
def test_a_choice_is_told_by_the_name_of_the_option(
    qtbot: Any, panel: EstimatorPanel, menu: str, entry: str, told: dict[str, Any]
) -> None:
    chosen: QComboBox = getattr(panel, menu)
    with qtbot.waitSignal(panel.changed) as signal:
        choose(qtbot, chosen, entry)
    assert signal.args == [told]


def test_rate_and_steps_are_typed_and_nothing_stands_for_what_was_measured(qtbot: Any, panel: EstimatorPanel) -> None:
    told: list[dict[str, Any]] = []
    panel.changed.connect(told.append)
    assert panel.rate.text() == panel.steps.text() == "auto"
    for box, text in ((panel.rate, "0.05"), (panel.steps, "3"), (panel.steps, "0")):
        box.selectAll()
        qtbot.keyClicks(box, text)
        qtbot.keyClick(box, Qt.Key.Key_Return)
    assert told == [{"lr": 0.05}, {"steps": 3}, {"steps": None}]


def test_what_a_lesson_sets_is_shown_to_its_last_digit(panel: EstimatorPanel) -> None:
    for lesson in LESSONS:
        for step in lesson.steps:
            panel.show_config(SessionConfig(**step.controls))
            assert panel.rate.value() == (step.all_controls["lr"] or 0), step.title
            assert panel.steps.value() == (step.all_controls["steps"] or 0), step.title


def test_the_delay_is_looked_for_or_not(qtbot: Any, panel: EstimatorPanel) -> None:
    with qtbot.waitSignal(panel.changed) as signal:
        qtbot.keyClick(panel.align, Qt.Key.Key_Space)
    assert signal.args == [{"align": "off"}]


def test_a_second_rival_comes_after_a_first(qtbot: Any, panel: EstimatorPanel) -> None:
    first, second = panel.comparisons
    assert not second.isEnabled()
    with qtbot.waitSignal(panel.changed) as signal:
        choose(qtbot, first, "spectral/Adam")
    assert signal.args == [{"compare": ("spectral/Adam",)}]
    panel.show_config(SessionConfig(compare=("spectral/Adam",)))
    with qtbot.waitSignal(panel.changed) as signal:
        choose(qtbot, second, "spectral/Adam")
    assert signal.args == [{"compare": ("spectral/Adam",)}]  # nobody runs beside himself


def test_what_a_preset_brings_is_shown_though_no_menu_offers_it(qtbot: Any, panel: EstimatorPanel) -> None:
    with qtbot.assertNotEmitted(panel.changed):
        panel.show_config(SessionConfig(window_ms=50.0, compare=("stft/RMSprop",), lr=0.2, steps=4, align="off"))
    assert panel.window_ms.currentText() == "50 ms"
    assert panel.comparisons[0].currentText() == "stft/RMSprop"
    assert (panel.rate.value(), panel.steps.value(), panel.align.isChecked()) == (0.2, 4, False)


def test_only_what_runs_can_be_held_or_begun_anew(panel: EstimatorPanel) -> None:
    for running in (False, True):
        panel.set_running(running)
        assert panel.freeze.isEnabled() is panel.reset.isEnabled() is running


def test_a_change_reaches_the_session_that_runs_and_a_new_optimizer_brings_its_rate(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions
) -> None:
    window: MainWindow = open_window(lr=0.3)
    choose(qtbot, window.estimator.optimizer, "Adam")
    assert ("set_estimator", {"optimizer": "Adam"}) in sessions.last.calls
    assert window.estimator.rate.text() == "auto"
    assert len(sessions.made) == 1


def test_a_loss_is_chosen_by_keyboard_alone(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window: MainWindow = open_window()
    window.estimator.loss.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.keyClick(window, Qt.Key.Key_Space)
    view = window.estimator.loss.view()
    qtbot.waitUntil(view.isVisible)
    qtbot.keyClick(view, Qt.Key.Key_Up)
    qtbot.keyClick(view, Qt.Key.Key_Return)
    assert sessions.last.calls[-1] == ("set_estimator", {"loss": "waveform"})


def room_for_text(menu: QComboBox) -> tuple[QStyleOptionComboBox, int]:
    """What is drawn of a closed menu, and how wide that may be in pixels."""
    option = QStyleOptionComboBox()
    menu.initStyleOption(option)
    part = QStyle.SubControl.SC_ComboBoxEditField
    return option, menu.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, part, menu).width()


@pytest.mark.parametrize("loss", LOSSES + AURALOSSES)
def test_a_loss_is_read_by_its_beginning_and_its_end_and_whole_in_the_tool_tip(
    open_window: OpenWindow, loss: str
) -> None:
    menu = open_window().estimator.loss
    menu.window().estimator.show_config(SessionConfig.model_construct(loss=loss))  # auraloss may be missing
    option, room = room_for_text(menu)
    begin, _, end = option.currentText.partition("…")
    assert menu.fontMetrics().horizontalAdvance(option.currentText) <= room
    assert loss.startswith(begin)
    assert loss.endswith(end)
    assert len(begin + end) >= min(len(loss), 15)
    assert menu.toolTip() == f"Loss: {loss}"


def test_who_races_is_read_whole(open_window: OpenWindow) -> None:
    races = {entry for lesson in LESSONS for step in lesson.steps for entry in step.all_controls["compare"]}
    window = open_window()
    for entry in (*races, *COMPARISONS):
        window.estimator.show_config(SessionConfig(compare=(entry,)))
        menu = window.estimator.comparisons[0]
        option, room = room_for_text(menu)
        assert menu.currentText() == option.currentText == entry
        assert menu.fontMetrics().horizontalAdvance(entry) <= room, entry
        assert menu.toolTip() == f"Race against (first): {entry}"
