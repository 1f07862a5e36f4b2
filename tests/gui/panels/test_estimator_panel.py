"""Controls of the estimator emit changes under the names of the config."""

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox

from gui.main_window import OPENING_SIZE, MainWindow
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
    ("menu", "entry", "changes"),
    [
        ("processor", "Equalizer", {"processor": "eq"}),
        ("loss", "log-stft", {"loss": "log-stft"}),
        ("optimizer", "Adam", {"optimizer": "Adam"}),
        ("window_ms", "171 ms", {"window_ms": 171.0}),
    ],
)
def test_selection_is_emitted_under_the_name_of_the_option(
    qtbot: Any, panel: EstimatorPanel, menu: str, entry: str, changes: dict[str, Any]
) -> None:
    chosen: QComboBox = getattr(panel, menu)
    with qtbot.waitSignal(panel.changed) as signal:
        choose(qtbot, chosen, entry)
    assert signal.args == [changes]


def test_learning_rate_and_steps_are_typed_and_zero_means_auto(qtbot: Any, panel: EstimatorPanel) -> None:
    changes: list[dict[str, Any]] = []
    panel.changed.connect(changes.append)
    assert panel.lr.text() == panel.steps.text() == "auto"
    for box, text in ((panel.lr, "0.05"), (panel.steps, "3"), (panel.steps, "0")):
        box.selectAll()
        qtbot.keyClicks(box, text)
        qtbot.keyClick(box, Qt.Key.Key_Return)
    assert changes == [{"lr": 0.05}, {"steps": 3}, {"steps": None}]


def test_learning_rates_of_lessons_are_shown_exactly(panel: EstimatorPanel) -> None:
    for lesson in LESSONS:
        for step in lesson.steps:
            panel.show_config(SessionConfig(**step.controls))
            assert panel.lr.value() == (step.all_controls["lr"] or 0), step.title
            assert panel.steps.value() == (step.all_controls["steps"] or 0), step.title


def test_delay_compensation_is_toggled(qtbot: Any, panel: EstimatorPanel) -> None:
    with qtbot.waitSignal(panel.changed) as signal:
        qtbot.keyClick(panel.align, Qt.Key.Key_Space)
    assert signal.args == [{"align": "off"}]


def test_second_comparison_is_enabled_by_the_first(qtbot: Any, panel: EstimatorPanel) -> None:
    first, second = panel.comparisons
    assert not second.isEnabled()
    with qtbot.waitSignal(panel.changed) as signal:
        choose(qtbot, first, "spectral/Adam")
    assert signal.args == [{"compare": ("spectral/Adam",)}]
    panel.show_config(SessionConfig(compare=("spectral/Adam",)))
    with qtbot.waitSignal(panel.changed) as signal:
        choose(qtbot, second, "spectral/Adam")
    assert signal.args == [{"compare": ("spectral/Adam",)}]  # not twice


def test_values_of_a_preset_that_no_menu_offers_are_shown(qtbot: Any, panel: EstimatorPanel) -> None:
    with qtbot.assertNotEmitted(panel.changed):
        panel.show_config(SessionConfig(window_ms=50.0, compare=("stft/RMSprop",), lr=0.2, steps=4, align="off"))
    assert panel.window_ms.currentText() == "50 ms"
    assert panel.comparisons[0].currentText() == "stft/RMSprop"
    assert (panel.lr.value(), panel.steps.value(), panel.align.isChecked()) == (0.2, 4, False)


def test_freeze_and_reset_are_enabled_while_running(panel: EstimatorPanel) -> None:
    for running in (False, True):
        panel.show_running(running)
        assert panel.freeze.isEnabled() is panel.reset.isEnabled() is running


def test_new_optimizer_is_applied_with_its_own_learning_rate(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions
) -> None:
    window: MainWindow = open_window(lr=0.3)
    choose(qtbot, window.estimator.optimizer, "Adam")
    assert ("set_estimator", {"optimizer": "Adam"}) in sessions.last.calls
    assert window.estimator.lr.text() == "auto"
    assert len(sessions.made) == 1


def test_loss_is_selected_by_keyboard(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window: MainWindow = open_window()
    window.estimator.loss.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.keyClick(window, Qt.Key.Key_Space)
    view = window.estimator.loss.view()
    qtbot.waitUntil(view.isVisible)
    qtbot.keyClick(view, Qt.Key.Key_Up)
    qtbot.keyClick(view, Qt.Key.Key_Return)
    assert sessions.last.calls[-1] == ("set_estimator", {"loss": "waveform"})


def text_field(menu: QComboBox) -> tuple[QStyleOptionComboBox, int]:
    """Return the style option of a closed combo box, and the width of its text field in pixels."""
    option = QStyleOptionComboBox()
    menu.initStyleOption(option)
    part = QStyle.SubControl.SC_ComboBoxEditField
    return option, menu.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, part, menu).width()


@pytest.mark.parametrize("loss", LOSSES + AURALOSSES)
def test_long_loss_name_is_elided_in_the_middle_and_whole_in_the_tool_tip(open_window: OpenWindow, loss: str) -> None:
    window = open_window()
    window.resize(OPENING_SIZE)  # in a lower window, the scroll bar takes room
    menu = window.estimator.loss
    window.estimator.show_config(SessionConfig.model_construct(loss=loss))  # auraloss may be missing
    option, room = text_field(menu)
    begin, _, end = option.currentText.partition("…")
    assert menu.fontMetrics().horizontalAdvance(option.currentText) <= room
    assert loss.startswith(begin)
    assert loss.endswith(end)
    assert len(begin + end) >= min(len(loss), 15)
    assert menu.toolTip() == f"Loss: {loss}"


def test_names_of_comparisons_are_not_elided(open_window: OpenWindow) -> None:
    comparisons = {entry for lesson in LESSONS for step in lesson.steps for entry in step.all_controls["compare"]}
    window = open_window()
    for entry in (*comparisons, *COMPARISONS):
        window.estimator.show_config(SessionConfig(compare=(entry,)))
        menu = window.estimator.comparisons[0]
        option, room = text_field(menu)
        assert menu.currentText() == option.currentText == entry
        assert menu.fontMetrics().horizontalAdvance(entry) <= room, entry
        assert menu.toolTip() == f"Compare with (first): {entry}"


def test_processor_changes_while_the_session_runs_and_is_undone(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions
) -> None:
    window: MainWindow = open_window()
    choose(qtbot, window.estimator.processor, "Equalizer")
    assert sessions.last.calls[-1] == ("set_estimator", {"processor": "eq"})
    window.session_actions.undo()
    _, changes = next(call for call in reversed(sessions.last.calls) if call[0] == "set_estimator")
    assert changes["processor"] == "gain"
    assert window.estimator.processor.currentText() == "Gain"
    assert len(sessions.made) == 1
