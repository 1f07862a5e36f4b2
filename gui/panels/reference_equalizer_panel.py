"""Panel of the equalizer in the reference path: a row of numbers per filter."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QWidget,
)

from gui.theme import tabular
from gui.widgets.check_box import CheckBox
from gui.widgets.combo_box import labelled_combo_box, select_data
from gui.widgets.parameter_row import NumberBox
from rtgain.config.labels import FILTER_KINDS
from rtgain.config.names import LEARNED_GAIN_RANGE_DB, MAX_FILTERS
from rtgain.config.reference_equalizer import FLAT_EQUALIZER, ReferenceEqualizer, ReferenceFilter

VISIBLE_ROWS = len(FLAT_EQUALIZER.filters)
ROW_HEIGHT, ROW_GAP = 24, 3
"""Rows that are visible without scrolling, and their height and distance in pixels."""

FREQUENCY_RANGE_HZ, GAIN_RANGE_DB, Q_RANGE = (20.0, 20_000.0), LEARNED_GAIN_RANGE_DB, (0.1, 10.0)
"""Ranges of the rows and points. A file may exceed them."""

Q_PER_NOTCH = 2.0**0.25
"""Factor of the Q per notch of the wheel."""


class ReferenceEqualizerPanel(QFrame):
    """Filters of the reference path. Every change is emitted as a whole equalizer."""

    changed = Signal(dict)
    """The user changed the option ``equalizer`` to this value."""

    load_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("look", "card")
        self.equalizer = FLAT_EQUALIZER
        self.rows: list[_FilterRow] = []
        title = QLabel("Reference equalizer")
        title.setFont(tabular(title.font(), bold=True))
        self.preamp = _number_box("Preamp of the reference equalizer in dB", digits=2, step=0.1)
        self.preamp.setToolTip("Gain of the equalizer in dB; it is part of the reference gain")
        self.preamp.valueChanged.connect(lambda gain_db: self._change(gain_db=gain_db))
        self.load = QPushButton("Load…")
        self.load.setProperty("look", "plain")
        self.load.setToolTip("Load an equalizer from a text file of Equalizer APO or AutoEq")
        self.load.setAccessibleName("Load equalizer")
        self.load.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.load.clicked.connect(self.load_requested)
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(title, 1)
        for widget in (_muted("Preamp"), self.preamp, self.load):
            head.addWidget(widget)
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(5)
        self._grid.setVerticalSpacing(ROW_GAP)
        self._grid.setColumnStretch(1, 3)
        self._grid.setRowStretch(MAX_FILTERS + 1, 1)  # below the last row: few rows stay at the top
        for column, name in ((2, "Hz"), (3, "dB"), (4, "Q")):
            self._grid.setColumnStretch(column, 2)
            self._grid.addWidget(_muted(name), 0, column, Qt.AlignmentFlag.AlignRight)
        content = QWidget()
        content.setProperty("look", "pane")
        content.setLayout(self._grid)
        scroll = QScrollArea()
        scroll.setWidget(content)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        for _ in range(VISIBLE_ROWS):
            self._add_row()
        scroll.setMinimumHeight(content.sizeHint().height() + 2)
        rows = QGridLayout(self)
        rows.setContentsMargins(12, 6, 8, 6)
        rows.setVerticalSpacing(2)
        rows.addLayout(head, 0, 0)
        rows.addWidget(scroll, 1, 0)
        self.show_equalizer(FLAT_EQUALIZER, enabled=True)

    def show_equalizer(self, equalizer: ReferenceEqualizer, *, enabled: bool) -> None:
        """Show `equalizer`; emits nothing."""
        self.equalizer = equalizer
        while len(self.rows) < len(equalizer.filters):
            self._add_row()
        for index, row in enumerate(self.rows):
            row.set_visible(index < len(equalizer.filters))
        for row, item in zip(self.rows, equalizer.filters, strict=False):
            row.show_filter(item)
        _show_value(self.preamp, equalizer.gain_db, GAIN_RANGE_DB)
        self.setEnabled(enabled)

    def move_filter(self, index: int, frequency_factor: float, gain_change_db: float) -> None:
        """Change the frequency of a filter by a factor, and its gain by dB, within their ranges."""
        item = self.equalizer.filters[index]
        frequency_hz = _limited(item.frequency_hz * frequency_factor, item.frequency_hz, FREQUENCY_RANGE_HZ)
        gain_db = _limited(item.gain_db + gain_change_db, item.gain_db, GAIN_RANGE_DB)
        self._change_filter(index, frequency_hz=frequency_hz, gain_db=gain_db)

    def scale_q(self, index: int, notches: float) -> None:
        """Change the Q of a filter by notches of the wheel."""
        q = self.equalizer.filters[index].q
        self._change_filter(index, q=_limited(q * Q_PER_NOTCH**notches, q, Q_RANGE))

    def reset_gain(self, index: int) -> None:
        """Set the gain of a filter to 0 dB."""
        self._change_filter(index, gain_db=0.0)

    def _add_row(self) -> None:
        index = len(self.rows)
        row = _FilterRow(index + 1, lambda changes: self._change_filter(index, **changes))
        for column, widget in enumerate(row.widgets):
            self._grid.addWidget(widget, index + 1, column)
        self.rows.append(row)

    def _change_filter(self, index: int, **changes: Any) -> None:
        filters = list(self.equalizer.filters)
        filters[index] = filters[index].model_copy(update=changes)
        self._change(filters=tuple(filters))

    def _change(self, **changes: Any) -> None:
        self.show_equalizer(self.equalizer.model_copy(update=changes), enabled=self.isEnabled())
        self.changed.emit({"equalizer": self.equalizer})


class _FilterRow:
    """Controls of one filter; `change` receives the changed fields of a `ReferenceFilter`."""

    def __init__(self, number: int, change: Callable[[dict[str, Any]], None]) -> None:
        self.on = CheckBox(str(number))
        self.on.setAccessibleName(f"Filter {number} on")
        self.on.setToolTip("A filter that is off has no effect")
        self.on.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.type = labelled_combo_box(
            f"Type of filter {number}", [(label, kind) for kind, label in FILTER_KINDS.items()]
        )
        self.type.setProperty("look", "compact")
        self.frequency = _number_box(f"Frequency of filter {number} in Hz", digits=0, step=10.0)
        self.frequency.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        self.gain = _number_box(f"Gain of filter {number} in dB", digits=2, step=0.1)
        self.q = _number_box(f"Q of filter {number}", digits=2, step=0.05)
        self.widgets: tuple[QWidget, ...] = (self.on, self.type, self.frequency, self.gain, self.q)
        self.on.toggled.connect(lambda on: change({"on": on}))
        self.type.activated.connect(lambda _: change({"type": self.type.currentData()}))
        self.frequency.valueChanged.connect(lambda frequency_hz: change({"frequency_hz": frequency_hz}))
        self.gain.valueChanged.connect(lambda gain_db: change({"gain_db": gain_db}))
        self.q.valueChanged.connect(lambda q: change({"q": q}))

    def show_filter(self, item: ReferenceFilter) -> None:
        """Show `item`; emits nothing."""
        with QSignalBlocker(self.on):
            self.on.setChecked(item.on)
        select_data(self.type, item.type, item.type)
        _show_value(self.frequency, item.frequency_hz, FREQUENCY_RANGE_HZ)
        _show_value(self.gain, item.gain_db, GAIN_RANGE_DB)
        _show_value(self.q, item.q, Q_RANGE)

    def set_visible(self, visible: bool) -> None:
        """Show or hide the row."""
        for widget in self.widgets:
            widget.setVisible(visible)


def _limited(value: float, before: float, limits: tuple[float, float]) -> float:
    """Limit `value` to `limits`, widened to the value before."""
    return min(max(value, min(before, limits[0])), max(before, limits[1]))


def _show_value(box: NumberBox, value: float, limits: tuple[float, float]) -> None:
    with QSignalBlocker(box):
        box.setRange(min(value, limits[0]), max(value, limits[1]))
        box.setValue(value)


def _number_box(name: str, *, digits: int, step: float) -> NumberBox:
    box = NumberBox()
    box.setProperty("look", "compact")
    box.setAccessibleName(name)
    box.setToolTip(name)
    box.setDecimals(digits)
    box.setSingleStep(step)
    box.setFixedHeight(ROW_HEIGHT)
    box.setMinimumWidth(54)
    return box


def _muted(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("look", "muted")
    return label
