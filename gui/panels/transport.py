"""Transport bar at the top: start and stop, source, output, monitor."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from gui.background.device_list import Device
from gui.control.session_controller import ControllerState
from gui.widgets.device_combo_box import DeviceComboBox, SourceComboBox
from gui.widgets.flow_layout import FlowLayout
from rtgain.config.names import MONITORS, Monitor

START_LABELS: dict[ControllerState, str] = {
    "stopped": "\N{BLACK RIGHT-POINTING TRIANGLE}\N{VARIATION SELECTOR-15}  Start",
    "starting": "Starting…",
    "running": "\N{BLACK SQUARE}  Stop",
    "reconnecting": "Reconnecting…",
}


class MonitorSelector(QWidget):
    """Segmented switch of the monitor: five buttons, one of them checked."""

    chosen = Signal(str)
    """The user selected this monitor."""

    def __init__(self) -> None:
        super().__init__()
        self._group = QButtonGroup(self)
        self.buttons: dict[Monitor, QPushButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        for index, monitor in enumerate(MONITORS):
            button = QPushButton(monitor.capitalize())
            button.setCheckable(True)
            button.setProperty("look", "segment")
            button.setProperty("position", {0: "first", len(MONITORS) - 1: "last"}.get(index, "middle"))
            button.setAccessibleName(f"Monitor {monitor}" if monitor != "mute" else "Mute")
            button.setToolTip(f"Key {index + 1}")
            button.clicked.connect(lambda _=False, monitor=monitor: self.chosen.emit(monitor))
            self._group.addButton(button)
            self.buttons[monitor] = button
            row.addWidget(button)

    def show_monitor(self, monitor: Monitor) -> None:
        """Check the button of `monitor`; emits nothing. Tab focuses it, and the arrow keys move from there."""
        self.setEnabled(True)
        for name, button in self.buttons.items():
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus if name == monitor else Qt.FocusPolicy.NoFocus)
        self.buttons[monitor].setChecked(True)

    def show_neutral(self) -> None:
        """Check no button, and disable all, while a blind test runs."""
        self._group.setExclusive(False)
        for button in self.buttons.values():
            button.setChecked(False)
        self._group.setExclusive(True)
        self.setEnabled(False)


class Transport(QWidget):
    """Start button, source, output and monitor, on one line, or on more in a narrow window."""

    def __init__(self) -> None:
        super().__init__()
        self.start_button = QPushButton()
        self.start_button.setProperty("look", "primary")
        self.start_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.start_button.setToolTip("Space")
        self.start_button.setFixedWidth(112)
        self.source = SourceComboBox()
        self.output = DeviceComboBox("Output", "outputs")
        self.output.setFixedWidth(140)
        self.monitor = MonitorSelector()
        flow = FlowLayout(self, gap=16, left=True, line_gap=6)
        flow.addWidget(self.start_button)
        for name, widget in (("Source", self.source), ("Output", self.output), ("Monitor", self.monitor)):
            flow.addWidget(_captioned(name, widget))
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.show_state("stopped")

    def show_state(self, state: ControllerState) -> None:
        """Show on the start button what it does in `state`."""
        self.start_button.setText(START_LABELS[state])
        self.start_button.setAccessibleName("Start" if state == "stopped" else "Stop")

    def show_devices(self, devices: Sequence[Device]) -> None:
        """Offer `devices` as sources and outputs."""
        self.source.show_devices(devices)
        self.output.show_devices(devices)


def _captioned(text: str, widget: QWidget) -> QWidget:
    label = QLabel(text)
    label.setProperty("look", "muted")
    label.setBuddy(widget)
    group = QWidget()
    row = QHBoxLayout(group)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(8)
    row.addWidget(label)
    row.addWidget(widget)
    return group
