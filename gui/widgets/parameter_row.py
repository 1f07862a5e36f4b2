"""One parameter: name, slider and number box with the same value."""

from collections.abc import Callable
from typing import cast

from PySide6.QtCore import QEvent, QLocale, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QValidator
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QSlider, QWidget

from gui.theme import tabular
from rtgain.number_format import MINUS, format_number

Validation = tuple[QValidator.State, str, int]
LABEL_WIDTH, BOX_WIDTH = 50, 92
"""Widths in pixels of a parameter's name and of its number box."""

NUMBER_KEYS = frozenset("0123456789.,-+" + MINUS)
"""Keys that a number box does not leave to shortcuts."""


class NumberBox(QDoubleSpinBox):
    """Spin box that shows a real minus, accepts both, and leaves Space and letters to shortcuts."""

    def __init__(self) -> None:
        super().__init__()
        self.setLocale(QLocale.c())
        self.setFont(tabular(self.font()))
        self.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setKeyboardTracking(False)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.lineEdit().returnPressed.connect(self.clearFocus)

    def textFromValue(self, value: float) -> str:
        return format_number(value, self.decimals())

    def valueFromText(self, text: str) -> float:
        return super().valueFromText(text.replace(MINUS, "-"))

    def validate(self, text: str, position: int) -> Validation:
        plain = text.replace(MINUS, "-")
        state, _, position = cast(Validation, super().validate(plain, position))
        return state, text, position

    def event(self, event: QEvent) -> bool:
        """Accept only the keys of a number: all others remain shortcuts."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride:
            key = event.text()
            if key.isprintable() and key and key not in NUMBER_KEYS:
                return False
        return super().event(event)


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
        self.slider = QSlider(Qt.Orientation.Horizontal)
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
