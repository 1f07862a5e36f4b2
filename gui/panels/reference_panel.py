"""Panel of the target: its origin, routing, and the parameters of the reference path."""

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout

from gui.panels.routing_panel import RoutingPanel
from gui.theme import tabular
from gui.widgets.check_box import CheckBox
from gui.widgets.combo_box import labelled_combo_box, select_data, set_items
from gui.widgets.parameter_row import LABEL_WIDTH, ParameterRow
from rtgain.config.labels import TARGETS
from rtgain.config.session_config import SessionConfig

OPEN_RECORDING = ""
OPEN_RECORDING_TEXT = "Recording…"
"""Value and text of the item that opens a recording as the target."""

NOISE_OFF_DBFS = -120.0
"""Lowest position of the noise row; it stands for no noise."""


class ReferencePanel(QFrame):
    """Target, gain, polarity, phase, delay and noise. Changes are emitted under the names of `SessionConfig`."""

    changed = Signal(dict)
    """The user changed this option."""

    target_chosen = Signal(str)
    """The user selected this target."""

    target_file_requested = Signal()
    """The user wants to select a recording as the target."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("look", "card")
        self.gain = ParameterRow("Gain", -60, 12, unit="dB", digits=2, step=0.1)
        self.phase = ParameterRow("Phase", -180, 180, unit="°", digits=0, step=1)
        self.delay = ParameterRow("Delay", 0, 200, unit="ms", digits=2, step=0.1)
        self.noise = ParameterRow("Noise", NOISE_OFF_DBFS, 0, unit="dBFS", digits=1, step=1)
        self.noise.box.setSpecialValueText("none")
        self.invert = CheckBox("Invert polarity")
        self.invert.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.routing = RoutingPanel(self)
        self._shown_target = SessionConfig().target
        self._disabled_reason = QLabel()
        self._disabled_reason.setProperty("look", "muted")
        self._disabled_reason.setWordWrap(True)

        self.target = labelled_combo_box("Origin of the target")
        title = QLabel("Target")
        title.setFont(tabular(title.font(), bold=True))
        title.setFixedWidth(LABEL_WIDTH)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(title)
        head.addWidget(self.target, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 14, 10)
        column.setSpacing(5)
        column.addLayout(head)
        for widget in (self.routing, self._disabled_reason, self.gain, self.phase, self.delay, self.noise, self.invert):
            column.addWidget(widget)

        self.target.activated.connect(lambda _: self._choose_target(self.target.currentData()))
        self.gain.edited.connect(lambda value: self.changed.emit({"gain_db": value}))
        self.invert.toggled.connect(self._polarity_toggled)
        self.phase.edited.connect(lambda value: self.changed.emit({"phase_deg": value}))
        self.delay.edited.connect(lambda value: self.changed.emit({"delay_ms": value}))
        self.noise.edited.connect(
            lambda value: self.changed.emit({"noise_dbfs": None if value <= NOISE_OFF_DBFS else value})
        )

    def show_config(self, config: SessionConfig) -> None:
        """Show the options of `config`, disabled if the target does not come from the reference path; emits nothing."""
        recordings = [(Path(config.target).name, config.target)] if config.is_pair else []
        targets = [(label, name) for name, label in TARGETS.items()]
        set_items(self.target, [*targets, *recordings, (OPEN_RECORDING_TEXT, OPEN_RECORDING)])
        select_data(self.target, config.target, "")
        self._shown_target = config.target
        self.routing.show_config(config)
        self.gain.show_value(config.gain_db)
        self.phase.show_value(config.phase_deg)
        self.delay.show_value(config.delay_ms)
        self.noise.show_value(NOISE_OFF_DBFS if config.noise_dbfs is None else config.noise_dbfs)
        self.invert.blockSignals(True)
        self.invert.setChecked(config.polarity == "invert")
        self.invert.blockSignals(False)
        has_reference_path = config.target == "reference"
        for row in (self.gain, self.phase, self.delay, self.noise, self.invert):
            row.setEnabled(has_reference_path)
        self._show_disabled_reason(config)

    def _show_disabled_reason(self, config: SessionConfig) -> None:
        reasons = {
            "reference": ""
            if config.automation is None
            else f"The gain follows {Path(config.automation).name} until you change it.",
            "channel": "A channel has no reference path.",
            "return": "An input has no reference path.",
        }
        recording = "A recording has no reference path."
        reason = recording if config.is_pair else reasons[config.target_kind]
        self._disabled_reason.setText(reason)
        self._disabled_reason.setVisible(bool(reason))

    def _choose_target(self, target: str) -> None:
        if target == OPEN_RECORDING:
            select_data(self.target, self._shown_target, "")
            self.target_file_requested.emit()
        else:
            self.target_chosen.emit(target)

    def _polarity_toggled(self, inverted: bool) -> None:
        self.changed.emit({"polarity": "invert" if inverted else "normal"})
