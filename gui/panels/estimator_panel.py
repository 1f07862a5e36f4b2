"""Panel of the estimator: processor, loss, optimizer, window, delay compensation, comparisons, freeze and reset."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from gui.theme import tabular
from gui.widgets.check_box import CheckBox
from gui.widgets.combo_box import ComboBox, labelled_combo_box, select_data, set_items
from gui.widgets.parameter_row import NumberBox
from rtgain.config.labels import NO_COMPARISON, PROCESSORS
from rtgain.config.names import AURALOSSES, LOSSES, MAX_LR, MAX_STEPS, OPTIMIZERS
from rtgain.config.session_config import SessionConfig

WINDOWS_MS = (21.0, 43.0, 85.0, 171.0, 341.0)
COMPARISONS = ("waveform/SGD@0.01", "waveform/Rprop", "spectral/SGD@0.01", "spectral/Adam", "log-stft/Rprop")
"""Comparisons that the menus offer; others can be set by presets and lessons."""

LABEL_WIDTH = 88
"""Width in pixels of the labels of the rows."""


class EstimatorPanel(QFrame):
    """Controls of the estimator. Changes are emitted under the names of `SessionConfig`."""

    changed = Signal(dict)
    """The user changed these options."""

    freeze_toggled = Signal(bool)
    reset_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("look", "card")
        self.processor = _combo_box("Processor", [(label, name) for name, label in PROCESSORS.items()])
        self.processor.setToolTip(
            "What is learned: one gain, or a parametric equalizer (gain, low shelf, four peaks, high shelf). "
            "The matched signal passes through it."
        )
        losses = LOSSES + (AURALOSSES if find_spec("auraloss") else ())
        self.loss = _combo_box("Loss", [(name, name) for name in losses])
        self.optimizer = _combo_box("Optimizer", [(name, name) for name in OPTIMIZERS])
        self.lr = _number_box("Learning rate", digits=4, step=0.01, high=MAX_LR)
        self.steps = _number_box("Maximum number of optimizer steps per hop", digits=0, step=1, high=MAX_STEPS)
        self.window_ms = _combo_box("Analysis window", [(f"{ms:.0f} ms", ms) for ms in WINDOWS_MS])
        self.window_ms.setToolTip(
            "Duration of the audio that one estimate is computed from; longer is more accurate, shorter is faster"
        )
        self.align = CheckBox("Compensate delay")
        self.align.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.align.setToolTip("Find the delay between dry and target, and align them before estimating the gain")
        self.comparisons = tuple(_combo_box(f"Compare with ({ordinal})", []) for ordinal in ("first", "second"))
        self._lay_out()
        boxes = {
            "processor": self.processor,
            "loss": self.loss,
            "optimizer": self.optimizer,
            "window_ms": self.window_ms,
        }
        for name, box in boxes.items():
            box.activated.connect(lambda _, name=name, box=box: self.changed.emit({name: box.currentData()}))
        self.lr.valueChanged.connect(lambda lr: self.changed.emit({"lr": lr or None}))
        self.steps.valueChanged.connect(lambda steps: self.changed.emit({"steps": round(steps) or None}))
        self.align.toggled.connect(lambda on: self.changed.emit({"align": "on" if on else "off"}))
        for box in self.comparisons:
            box.activated.connect(self._comparison_chosen)

    def show_config(self, config: SessionConfig) -> None:
        """Show the options of `config`; emits nothing."""
        select_data(self.processor, config.processor, config.processor)
        select_data(self.loss, config.loss, config.loss)
        self.loss.setToolTip(f"{self.loss.accessibleName()}: {config.loss}")
        select_data(self.optimizer, config.optimizer, config.optimizer)
        select_data(self.window_ms, config.window_ms, f"{config.window_ms:g} ms")
        for number_box, value in ((self.lr, config.lr), (self.steps, config.steps)):
            with QSignalBlocker(number_box):
                number_box.setValue(value or 0)
        with QSignalBlocker(self.align):
            self.align.setChecked(config.align == "on")
        for index, box in enumerate(self.comparisons):
            comparison = config.compare[index] if index < len(config.compare) else NO_COMPARISON
            set_items(box, [(name, name) for name in (NO_COMPARISON, *COMPARISONS)])
            select_data(box, comparison, comparison)
            box.setToolTip(f"{box.accessibleName()}: {comparison}")
        self.comparisons[1].setEnabled(bool(config.compare))

    def show_running(self, running: bool) -> None:
        """Enable freeze and reset while a session is running."""
        self.freeze.setEnabled(running)
        self.reset.setEnabled(running)

    def _comparison_chosen(self) -> None:
        chosen = [box.currentData() for box in self.comparisons if box.currentData() != NO_COMPARISON]
        self.changed.emit({"compare": tuple(dict.fromkeys(chosen))})

    def _lay_out(self) -> None:
        title = QLabel("Estimator")
        title.setFont(tabular(title.font(), bold=True))
        title.setFixedWidth(LABEL_WIDTH)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(title)
        head.addWidget(self.processor, 1)
        rows: Sequence[tuple[str, QWidget]] = (
            ("Loss", self.loss),
            ("Optimizer", self.optimizer),
            ("Learning rate", self.lr),
            ("Steps per hop", self.steps),
            ("Window", self.window_ms),
        )
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        for row, (name, widget) in enumerate(rows):
            label = _label(name, widget)
            label.setFixedWidth(LABEL_WIDTH)
            grid.addWidget(label, row, 0)
            grid.addWidget(widget, row, 1)
        compare = QVBoxLayout()
        compare.setSpacing(6)
        compare.addWidget(_label("Compare with", self.comparisons[0]))
        for box in self.comparisons:  # without a label next to them: their longest names need the whole width
            compare.addWidget(box)
        self.freeze = QPushButton("Freeze")
        self.freeze.setCheckable(True)
        self.freeze.setToolTip("Hold the present estimate (F)")
        self.freeze.setAccessibleName("Freeze the estimate")
        self.freeze.toggled.connect(self.freeze_toggled)
        self.reset = QPushButton("Reset")
        self.reset.setToolTip("Restart the estimate from a gain of 1 (R)")
        self.reset.setAccessibleName("Reset the estimate")
        self.reset.clicked.connect(self.reset_requested)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for button in (self.freeze, self.reset):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            buttons.addWidget(button, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 14, 10)
        column.setSpacing(6)
        column.addLayout(head)
        column.addLayout(grid)
        column.addLayout(compare)
        column.addWidget(self.align)
        column.addLayout(buttons)


def _combo_box(name: str, items: Sequence[tuple[str, Any]]) -> ComboBox:
    box = labelled_combo_box(name, items)
    box.setMinimumContentsLength(8)
    box.setSizeAdjustPolicy(ComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    return box


def _number_box(name: str, *, digits: int, step: float, high: float) -> NumberBox:
    box = NumberBox()
    box.setAccessibleName(name)
    box.setToolTip(f"{name}; auto = tuned default")
    box.setDecimals(digits)
    box.setSingleStep(step)
    box.setRange(0, high)
    box.setSpecialValueText("auto")
    box.setMinimumWidth(58)
    return box


def _label(text: str, buddy: QWidget) -> QLabel:
    label = QLabel(text)
    label.setBuddy(buddy)
    label.setToolTip(buddy.toolTip())
    return label
