"""The estimator's controls: what it descends on and how, what races against it, hold it, begin it anew."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from gui.theme import tabular
from gui.widgets.check_box import CheckBox
from gui.widgets.combo_box import ComboBox, fill, labelled_combo_box, select_data
from gui.widgets.parameter_row import NAME_WIDTH, NumberBox
from rtgain.config.names import AURALOSSES, LOSSES, OPTIMIZERS
from rtgain.config.session_config import SessionConfig

WINDOWS_MS = (21.0, 43.0, 85.0, 171.0, 341.0)
NO_COMPARISON = "nobody"
COMPARISONS = ("waveform/SGD@0.01", "waveform/Rprop", "spectral/SGD@0.01", "spectral/Adam", "log-stft/Rprop")
"""The races that the menus offer; others come from a preset and are offered then."""


class EstimatorPanel(QFrame):
    """Loss, optimizer, rate, steps, window, alignment and rivals; says what the user changed, in the config's names."""

    changed = Signal(dict)
    """What the user changed: values by their names in `SessionConfig`."""

    freeze_wanted = Signal(bool)
    reset_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("look", "card")
        known = LOSSES + (AURALOSSES if find_spec("auraloss") else ())
        self.loss = _menu("Loss", [(name, name) for name in known])
        self.optimizer = _menu("Optimizer", [(name, name) for name in OPTIMIZERS])
        self.rate = _box("Learning rate", digits=4, step=0.01, high=1000.0)
        self.steps = _box("Most steps in a hop (from one estimate to the next)", digits=0, step=1, high=10_000)
        self.window_ms = _menu("Analysis window", [(f"{ms:.0f} ms", ms) for ms in WINDOWS_MS])
        self.window_ms.setToolTip(
            "How much of the newest sound one estimate is made of: longer is surer, shorter quicker"
        )
        self.align = CheckBox("Find the delay")
        self.align.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.align.setToolTip("Find the delay between dry and target, and take it out first")
        self.comparisons = tuple(_menu(f"Race against ({place})", []) for place in ("first", "second"))
        self._lay_out()
        for name, menu in (("loss", self.loss), ("optimizer", self.optimizer), ("window_ms", self.window_ms)):
            menu.activated.connect(lambda _, name=name, menu=menu: self.changed.emit({name: menu.currentData()}))
        self.rate.valueChanged.connect(lambda rate: self.changed.emit({"lr": rate or None}))
        self.steps.valueChanged.connect(lambda steps: self.changed.emit({"steps": round(steps) or None}))
        self.align.toggled.connect(lambda on: self.changed.emit({"align": "on" if on else "off"}))
        for menu in self.comparisons:
            menu.activated.connect(self._race_chosen)

    def show_config(self, config: SessionConfig) -> None:
        """Show what `config` sets; nothing is emitted."""
        select_data(self.loss, config.loss, config.loss)
        self.loss.setToolTip(f"{self.loss.accessibleName()}: {config.loss}")
        select_data(self.optimizer, config.optimizer, config.optimizer)
        select_data(self.window_ms, config.window_ms, f"{config.window_ms:g} ms")
        for box, value in ((self.rate, config.lr), (self.steps, config.steps)):
            with QSignalBlocker(box):
                box.setValue(value or 0)
        with QSignalBlocker(self.align):
            self.align.setChecked(config.align == "on")
        for index, menu in enumerate(self.comparisons):
            comparison = config.compare[index] if index < len(config.compare) else NO_COMPARISON
            fill(menu, [(name, name) for name in (NO_COMPARISON, *COMPARISONS)])
            select_data(menu, comparison, comparison)
            menu.setToolTip(f"{menu.accessibleName()}: {comparison}")
        self.comparisons[1].setEnabled(bool(config.compare))

    def set_running(self, running: bool) -> None:
        """Offer to hold and to begin anew while a session runs."""
        self.freeze.setEnabled(running)
        self.reset.setEnabled(running)

    def _race_chosen(self) -> None:
        chosen = [menu.currentData() for menu in self.comparisons if menu.currentData() != NO_COMPARISON]
        self.changed.emit({"compare": tuple(dict.fromkeys(chosen))})

    def _lay_out(self) -> None:
        title = QLabel("Estimator")
        title.setFont(tabular(title.font(), bold=True))
        rows: Sequence[tuple[str, Sequence[QWidget]]] = (
            ("Loss", (self.loss,)),
            ("Optim.", (self.optimizer,)),
            ("Rate", (self.rate, _named("Steps", self.steps), self.steps)),
            ("Window", (self.window_ms,)),
        )
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(6)
        for row, (name, widgets) in enumerate(rows):
            label = _named(name, widgets[0])
            label.setFixedWidth(NAME_WIDTH)
            line = QHBoxLayout()
            line.setSpacing(6)
            for widget in widgets:
                line.addWidget(widget, 0 if isinstance(widget, QLabel) else 1)
            grid.addWidget(label, row, 0)
            grid.addLayout(line, row, 1)
        compare = QVBoxLayout()
        compare.setSpacing(6)
        for widget in (
            _named("Race against", self.comparisons[0]),
            *self.comparisons,
        ):  # as wide as their longest names need
            compare.addWidget(widget)
        self.freeze = QPushButton("Freeze")
        self.freeze.setCheckable(True)
        self.freeze.setToolTip("Hold the estimate as it is (F)")
        self.freeze.setAccessibleName("Freeze the estimate")
        self.freeze.toggled.connect(self.freeze_wanted)
        self.reset = QPushButton("Reset")
        self.reset.setToolTip("Begin the estimate anew (R)")
        self.reset.setAccessibleName("Reset the estimate")
        self.reset.clicked.connect(self.reset_wanted)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for button in (self.freeze, self.reset):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            buttons.addWidget(button, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 14, 12)
        column.setSpacing(8)
        column.addWidget(title)
        column.addLayout(grid)
        column.addLayout(compare)
        column.addWidget(self.align)
        column.addLayout(buttons)


def _menu(name: str, entries: Sequence[tuple[str, Any]]) -> ComboBox:
    menu = labelled_combo_box(name, entries)
    menu.setMinimumContentsLength(8)
    menu.setSizeAdjustPolicy(ComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    return menu


def _box(name: str, *, digits: int, step: float, high: float) -> NumberBox:
    box = NumberBox()
    box.setAccessibleName(name)
    box.setToolTip(f"{name}; auto: what was measured to be best")
    box.setDecimals(digits)
    box.setSingleStep(step)
    box.setRange(0, high)
    box.setSpecialValueText("auto")
    box.setMinimumWidth(58)
    return box


def _named(name: str, buddy: QWidget) -> QLabel:
    label = QLabel(name)
    label.setBuddy(buddy)
    label.setToolTip(buddy.toolTip())
    return label
