"""Slider and number box of a parameter."""

from typing import Any

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QShortcut, QValidator, QWheelEvent
from PySide6.QtWidgets import QApplication

from gui.widgets.parameter_row import ParameterRow


@pytest.fixture
def row(qtbot: Any) -> ParameterRow:
    row = ParameterRow("Gain", -60, 12, unit="dB", digits=2, step=0.1)
    qtbot.addWidget(row)
    with qtbot.waitExposed(row):
        row.show()
    return row


@pytest.mark.parametrize("typed", ["-12.5", "−12.5"])
def test_both_minus_signs_can_be_typed_and_the_real_one_is_shown(qtbot: Any, row: ParameterRow, typed: str) -> None:
    row.box.selectAll()
    with qtbot.waitSignal(row.edited) as edited:
        row.box.lineEdit().setText(typed)
        qtbot.keyClick(row.box, Qt.Key.Key_Return)
    assert edited.args == [-12.5]
    assert row.box.text() == "−12.50 dB"
    assert row.slider.value() == -125


@pytest.mark.parametrize(("typed", "value"), [("-1,5", -1.5), ("0,5", 0.5), ("−6,25", -6.25)])
def test_decimal_comma_is_a_point(qtbot: Any, row: ParameterRow, typed: str, value: float) -> None:
    row.box.selectAll()
    for character in typed:
        row.box.lineEdit().insert(character)  # as a key does; QtTest types ASCII only
    qtbot.keyClick(row.box, Qt.Key.Key_Return)
    assert row.box.value() == value


def test_thousands_separator_is_refused(qtbot: Any, row: ParameterRow) -> None:
    row.show_value(3.0)
    for typed in ("1,000.5", "1,2,3"):
        assert row.box.validate(typed, 1)[0] == QValidator.State.Invalid


def test_wheel_and_shift_change_a_value_finely(qtbot: Any, row: ParameterRow) -> None:
    row.show_value(-6.0)
    for widget in (row.slider, row.box):
        at = QPointF(widget.rect().center())
        event = QWheelEvent(
            at, widget.mapToGlobal(at), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(widget, event)
    assert row.box.value() == pytest.approx(-5.98)
    edited: list[float] = []
    row.edited.connect(edited.append)
    shift, left = Qt.KeyboardModifier.ShiftModifier, Qt.MouseButton.LeftButton
    qtbot.mousePress(row.slider, left, shift, QPoint(10, 5))
    for x in (7, 5):
        event = QMouseEvent(
            QMouseEvent.Type.MouseMove, QPointF(x, 5), row.slider.mapToGlobal(QPointF(x, 5)), left, left, shift
        )
        QApplication.sendEvent(row.slider, event)
    qtbot.mouseRelease(row.slider, left, shift, QPoint(5, 5))
    assert edited == pytest.approx([-6.01, -6.03])


def test_slider_changes_the_box(qtbot: Any, row: ParameterRow) -> None:
    with qtbot.waitSignal(row.edited) as edited:
        row.slider.setValue(-65)
    assert edited.args == [-6.5]
    assert row.box.text() == "−6.50 dB"


def test_one_edit_is_emitted_once(qtbot: Any, row: ParameterRow) -> None:
    emitted: list[float] = []
    row.edited.connect(emitted.append)
    row.slider.setValue(-100)
    row.box.setValue(-3.21)
    assert emitted == [-10.0, -3.21]


def test_showing_a_value_emits_nothing(qtbot: Any, row: ParameterRow) -> None:
    with qtbot.assertNotEmitted(row.edited):
        row.show_value(-16.478)
    assert row.box.text() == "−16.48 dB"


def test_range_widens_for_a_value_outside(row: ParameterRow) -> None:
    row.show_value(-80.0)
    assert row.box.value() == -80
    assert row.slider.value() == row.slider.minimum() == -800
    row.show_value(0.0)
    assert row.slider.minimum() == -800


@pytest.mark.parametrize("key", [Qt.Key.Key_Space, Qt.Key.Key_R, Qt.Key.Key_F])
def test_letters_and_space_remain_shortcuts_while_a_number_is_edited(
    qtbot: Any, row: ParameterRow, key: Qt.Key
) -> None:
    shortcut = QShortcut(key, row)
    row.activateWindow()
    row.box.setFocus()
    qtbot.waitUntil(row.box.hasFocus)
    with qtbot.waitSignal(shortcut.activated):
        qtbot.keyClick(row.box, key)


def test_digits_edit_the_number_and_are_not_shortcuts(qtbot: Any, row: ParameterRow) -> None:
    shortcut = QShortcut(Qt.Key.Key_5, row)
    row.activateWindow()
    row.box.setFocus()
    qtbot.waitUntil(row.box.hasFocus)
    row.box.selectAll()
    with qtbot.assertNotEmitted(shortcut.activated):
        qtbot.keyClick(row.box, Qt.Key.Key_5)
        qtbot.keyClick(row.box, Qt.Key.Key_Return)
    assert row.box.value() == 5
