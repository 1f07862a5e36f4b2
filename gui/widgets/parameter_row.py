"""One parameter: name, slider and number box with the same value, which the wheel and Shift change finely."""

from collections.abc import Callable
from typing import cast

from PySide6.QtCore import QEvent, QLocale, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QValidator, QWheelEvent
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QSlider, QWidget

from gui.theme import tabular
from rtgain.number_format import MINUS, format_number, plain_number

Validation = tuple[QValidator.State, str, int]
LABEL_WIDTH, BOX_WIDTH = 50, 92
"""Widths in pixels of a parameter's name and of its number box."""

NUMBER_KEYS = frozenset("0123456789.,-+" + MINUS)
"""Keys that a number box does not leave to shortcuts."""


class NumberBox(QDoubleSpinBox):
    """Spin box that shows a real minus, accepts both and a decimal comma, and leaves Space and letters to shortcuts."""

    def __init__(self) -> None:
        super().__init__()
        locale = QLocale.c()
        locale.setNumberOptions(QLocale.NumberOption.RejectGroupSeparator)  # otherwise "1,5" would be 15
        self.setLocale(locale)
        self.setFont(tabular(self.font()))
        self.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setKeyboardTracking(False)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.lineEdit().returnPressed.connect(self.clearFocus)

    def textFromValue(self, value: float) -> str:
        return format_number(value, self.decimals())

    def valueFromText(self, text: str) -> float:
        return super().valueFromText(plain_number(text))

    def validate(self, text: str, position: int) -> Validation:
        state, _, position = cast(Validation, super().validate(plain_number(text), position))
        return state, text, position

    @property
    def fine_step(self) -> float:
        """The last decimal that the box shows."""
        return 10.0 ** -self.decimals()

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.setValue(self.value() + wheel_notches(event) * self.fine_step)
        event.accept()

    def event(self, event: QEvent) -> bool:
        """Accept only the keys of a number: all others remain shortcuts."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride:
            key = event.text()
            if key.isprintable() and key and key not in NUMBER_KEYS:
                return False
        return super().event(event)


def wheel_notches(event: QWheelEvent) -> float:
    """Return the notches of a wheel event, positive upward. With Shift, some systems report them as horizontal."""
    return (event.angleDelta().y() or event.angleDelta().x()) / 120.0


class FineSlider(QSlider):
    """Horizontal slider that reports fine movements instead of steps: of the wheel, and of a drag with Shift."""

    moved_finely = Signal(float)
    """The number of fine steps."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._fine_x: float | None = None

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.moved_finely.emit(wheel_notches(event))
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._fine_x = event.position().x()
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._fine_x is None:
            super().mouseMoveEvent(event)
            return
        self.moved_finely.emit(event.position().x() - self._fine_x)
        self._fine_x = event.position().x()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._fine_x is None:
            super().mouseReleaseEvent(event)
        self._fine_x = None


class ParameterRow(QWidget):
    """Name, slider and number box on one line.

    The range is `low` to `high` in `unit`; `show_value` widens it for a value outside.
    """

    edited = Signal(float)
    """The user set this value, in the parameter's unit."""

    def __init__(self, name: str, low: float, high: float, *, unit: str, digits: int, step: float) -> None:
        super().__init__()
        self._steps_per_unit = 1.0 / step
        self._range = (low, high)
        self.box = NumberBox()
        self.box.setDecimals(digits)
        self.box.setSingleStep(step)
        self.box.setSuffix(f" {unit}")
        self.box.setAccessibleName(f"{name} in {unit}")
        self.slider = FineSlider()
        self.slider.setAccessibleName(name)
        label = QLabel(name)
        label.setBuddy(self.box)

        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        label.setFixedWidth(LABEL_WIDTH)
        self.box.setFixedWidth(BOX_WIDTH)
        row.addWidget(label)
        row.addWidget(self.slider, 1)
        row.addWidget(self.box)

        self._widen(low, high)
        self.box.valueChanged.connect(self._box_changed)
        self.slider.valueChanged.connect(self._slider_changed)
        self.slider.moved_finely.connect(lambda steps: self.box.setValue(self.box.value() + steps * self.box.fine_step))

    def show_value(self, value: float) -> None:
        """Show `value`, in the parameter's unit; emits nothing."""
        self._widen(min(value, self._range[0]), max(value, self._range[1]))
        self._without_signals(self.box, lambda: self.box.setValue(value))
        self._without_signals(self.slider, lambda: self.slider.setValue(round(value * self._steps_per_unit)))

    def _widen(self, low: float, high: float) -> None:
        self._range = (low, high)
        self._without_signals(self.box, lambda: self.box.setRange(low, high))
        ends = round(low * self._steps_per_unit), round(high * self._steps_per_unit)
        self._without_signals(self.slider, lambda: self.slider.setRange(*ends))
        self.slider.setSingleStep(1)
        self.slider.setPageStep(max(1, (ends[1] - ends[0]) // 20))

    def _box_changed(self, value: float) -> None:
        self._without_signals(self.slider, lambda: self.slider.setValue(round(value * self._steps_per_unit)))
        self.edited.emit(value)

    def _slider_changed(self, position: int) -> None:
        value = position / self._steps_per_unit
        self._without_signals(self.box, lambda: self.box.setValue(value))
        self.edited.emit(value)

    @staticmethod
    def _without_signals(widget: QObject, change: Callable[[], None]) -> None:
        widget.blockSignals(True)
        change()
        widget.blockSignals(False)
