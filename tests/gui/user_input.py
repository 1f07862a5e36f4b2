"""Key and mouse events of a user, synthesized by the X server (xdotool)."""

import subprocess
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QComboBox, QSlider, QStyle, QStyleOptionSlider, QWidget

from gui.widgets.parameter_row import ParameterRow
from tests.polling import TIMEOUT_MS


class UserInput:
    """Sends input to the focused window, and processes its events meanwhile."""

    def __init__(self, qtbot: Any) -> None:
        self._qtbot = qtbot

    def press(self, *keys: str) -> None:
        """Press keys one after another, by their X names."""
        self._do("key", *keys)

    def click(self, widget: QWidget, times: int = 1) -> None:
        """Click in the middle of `widget`."""
        self._do(*_move(widget, widget.rect().center()), "click", "--repeat", str(times), "1")

    def type_in(self, row: ParameterRow, number: float) -> None:
        """Replace the number in the row's box by `number`."""
        self.click(row.box)
        self._qtbot.waitUntil(row.box.lineEdit().hasFocus, timeout=TIMEOUT_MS)
        self.press("ctrl+a")
        self._do("type", str(number))
        self.press("Return")
        self._qtbot.waitUntil(lambda: row.box.value() == number, timeout=TIMEOUT_MS)

    def choose(self, box: QComboBox, text: str) -> None:
        """Open `box`, and choose the item `text`."""
        self.click(box)
        self._qtbot.waitUntil(box.view().isVisible, timeout=TIMEOUT_MS)
        self.press("Home", *["Down"] * box.findText(text), "Return")
        self._qtbot.waitUntil(lambda: not box.view().isVisible(), timeout=TIMEOUT_MS)
        assert box.currentText() == text

    def drag(self, slider: QSlider, steps: Sequence[int], pause_s: float = 0.0) -> None:
        """Press on the handle, move it to each offset in `steps` (pixels), and release it."""
        handle = handle_of(slider)
        moves = [word for x in steps for word in (*_move(slider, handle + QPoint(x, 0)), "sleep", str(pause_s))]
        self._do(*_move(slider, handle), "mousedown", "1", *moves, "mouseup", "1")
        self._qtbot.waitUntil(lambda: not slider.isSliderDown() and handle_of(slider) != handle, timeout=TIMEOUT_MS)

    def _do(self, *words: str) -> None:
        process = subprocess.Popen(["xdotool", *words])
        self._qtbot.waitUntil(lambda: process.poll() is not None, timeout=TIMEOUT_MS)
        assert process.returncode == 0


def handle_of(slider: QSlider) -> QPoint:
    """Return the center of the handle, in coordinates of the slider."""
    option = QStyleOptionSlider()
    slider.initStyleOption(option)
    part = QStyle.SubControl.SC_SliderHandle
    return slider.style().subControlRect(QStyle.ComplexControl.CC_Slider, option, part, slider).center()


def _move(widget: QWidget, position: QPoint) -> tuple[str, ...]:
    assert widget.visibleRegion().contains(position)  # no scroll bar hides it
    on_screen = widget.mapToGlobal(position)
    return ("mousemove", str(on_screen.x()), str(on_screen.y()))
