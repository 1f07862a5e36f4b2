"""Horizontal slider whose handle jumps to a click."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QSlider, QStyle, QStyleOptionSlider


class JumpSlider(QSlider):
    """Horizontal slider: a click on its groove moves the handle there, and a drag goes on from there."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        option = QStyleOptionSlider()
        self.initStyleOption(option)
        slider, control = QStyle.ComplexControl.CC_Slider, QStyle.SubControl.SC_SliderHandle
        handle = self.style().subControlRect(slider, option, control, self)
        if event.button() == Qt.MouseButton.LeftButton and not handle.contains(event.position().toPoint()):
            groove = self.style().subControlRect(slider, option, QStyle.SubControl.SC_SliderGroove, self)
            position = round(event.position().x() - groove.x() - handle.width() / 2)
            value = QStyle.sliderValueFromPosition(
                self.minimum(), self.maximum(), position, groove.width() - handle.width()
            )
            self.setSliderPosition(value)
            self.setValue(value)
        super().mousePressEvent(event)
