"""A user's hands: keys and mouse buttons that the X server tells the window of, as it tells of real ones (xdotool)."""

import subprocess
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QComboBox, QSlider, QStyle, QStyleOptionSlider, QWidget

from gui.widgets.parameter_row import ParameterRow

TIMEOUT_MS = 30_000
"""Far beyond what any move takes, for a loaded machine."""


class UserInput:
    """On the window that has the keyboard; it lives on while they move."""

    def __init__(self, qtbot: Any) -> None:
        self._qtbot = qtbot

    def press(self, *keys: str) -> None:
        """Press keys one after another, by their X names, to whatever has the keyboard."""
        self._do("key", *keys)

    def click(self, widget: QWidget, times: int = 1) -> None:
        """Click in the middle of `widget`."""
        self._do(*_move(widget, widget.rect().center()), "click", "--repeat", str(times), "1")

    def type_in(self, row: ParameterRow, number: float) -> None:
        """Write `number` over what the row's box says."""
        self.click(row.box)
        self._qtbot.waitUntil(row.box.lineEdit().hasFocus, timeout=TIMEOUT_MS)
        self.press("ctrl+a")
        self._do("type", str(number))
        self.press("Return")
        self._qtbot.waitUntil(lambda: row.box.value() == number, timeout=TIMEOUT_MS)

    def choose(self, menu: QComboBox, text: str) -> None:
        """Open `menu`, go to the entry `text`, and take it."""
        self.click(menu)
        self._qtbot.waitUntil(menu.view().isVisible, timeout=TIMEOUT_MS)
        self.press("Home", *["Down"] * menu.findText(text), "Return")
        self._qtbot.waitUntil(lambda: not menu.view().isVisible(), timeout=TIMEOUT_MS)
        assert menu.currentText() == text

    def drag(self, slider: QSlider, steps: Sequence[int], pause_s: float = 0.0) -> None:
        """Take hold of the handle, move it so many pixels from there, one after another, and let go."""
        handle = handle_of(slider)
        moves = [word for x in steps for word in (*_move(slider, handle + QPoint(x, 0)), "sleep", str(pause_s))]
        self._do(*_move(slider, handle), "mousedown", "1", *moves, "mouseup", "1")
        self._qtbot.waitUntil(lambda: not slider.isSliderDown() and handle_of(slider) != handle, timeout=TIMEOUT_MS)

    def _do(self, *words: str) -> None:
        process = subprocess.Popen(["xdotool", *words])
        self._qtbot.waitUntil(lambda: process.poll() is not None, timeout=TIMEOUT_MS)
        assert process.returncode == 0


def handle_of(slider: QSlider) -> QPoint:
    """The middle of a slider's handle, in the slider."""
    option = QStyleOptionSlider()
    slider.initStyleOption(option)
    part = QStyle.SubControl.SC_SliderHandle
    return slider.style().subControlRect(QStyle.ComplexControl.CC_Slider, option, part, slider).center()


def _move(widget: QWidget, place: QPoint) -> tuple[str, ...]:
    assert widget.visibleRegion().contains(place)  # no scroll bar hides it
    on_screen = widget.mapToGlobal(place)
    return ("mousemove", str(on_screen.x()), str(on_screen.y()))
