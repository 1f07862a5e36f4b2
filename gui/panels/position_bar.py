"""Position bar of a file: a slider that can be dragged, and the time."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from gui.theme import tabular, text_width
from gui.widgets.jump_slider import JumpSlider
from rtgain.number_format import format_time

if TYPE_CHECKING:
    from rtgain.records.snapshot import Snapshot

STEPS_PER_SECOND = 10
"""Positions of the slider per second of audio."""

SHORT_S = 10
"""Length in seconds below which tenths are shown, as for the sounds of experiments."""


def format_position(position_s: float, length_s: float) -> str:
    """Format position and length as ``1:05 / 3:20``, or ``0.4 / 0.5 s`` for a short sound."""
    if length_s < SHORT_S:
        return f"{position_s:.1f} / {length_s:.1f} s"
    return f"{format_time(position_s)} / {format_time(length_s)}"


class PositionBar(QWidget):
    """Slider and time, visible while a source with a length plays."""

    seek_requested = Signal(float)
    """The user selected this position in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.slider = JumpSlider()
        self.slider.setAccessibleName("Position in the file")
        self.slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.slider.setTracking(False)
        self.slider.valueChanged.connect(lambda step: self.seek_requested.emit(step / STEPS_PER_SECOND))
        self.time = QLabel()
        self.time.setFont(tabular(self.time.font()))
        self.time.setMinimumWidth(text_width(self.time.font(), "88:88 / 88:88"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        row.addWidget(self.slider, 1)
        row.addWidget(self.time)
        self.hide()

    def show_snapshot(self, snapshot: "Snapshot") -> None:
        """Show the position of `snapshot`; emits nothing."""
        self.setVisible(snapshot.length_s is not None)
        if snapshot.length_s is None:
            return
        self.time.setText(format_position(snapshot.position_s, snapshot.length_s))
        if not self.slider.isSliderDown():
            with QSignalBlocker(self.slider):
                self.slider.setRange(0, int(snapshot.length_s * STEPS_PER_SECOND))
                self.slider.setPageStep(10 * STEPS_PER_SECOND)
                self.slider.setValue(int(snapshot.position_s * STEPS_PER_SECOND))
