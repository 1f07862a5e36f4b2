"""Panel of the learned equalizer: its settings as numbers, and the level of the difference."""

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout

from gui.panels.reference_equalizer_panel import ROW_GAP, ROW_HEIGHT
from gui.theme import tabular, text_width
from rtgain.config.labels import FILTER_KINDS
from rtgain.number_format import UNKNOWN, format_as, format_number
from rtgain.records.learned_equalizer import KINDS

if TYPE_CHECKING:
    from rtgain.records.equalizer import EqualizerFilter
    from rtgain.records.learned_equalizer import LearnedEqualizer
    from rtgain.records.snapshot import Snapshot

WIDEST = ("High shelf", "−18.00 dB", "± 0.00 dB", "20,000 Hz", "Q 0.00")
"""Widest text of each column."""

OFF_TEXT = "Select the processor Equalizer to learn gain and filters."
WAITING_TEXT = "Nothing is learned yet."


class LearnedEqualizerPanel(QFrame):
    """Gain and filters that the estimator has learned, each with its standard deviation, and what remains."""

    save_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("look", "card")
        self.learned: LearnedEqualizer | None = None
        """The equalizer that is shown; None before the first one."""
        title = QLabel("Learned equalizer")
        title.setFont(tabular(title.font(), bold=True))
        self.residual = QLabel()
        self.residual.setFont(tabular(self.residual.font(), points=self.residual.font().pointSizeF() + 1, bold=True))
        self.residual.setMinimumWidth(text_width(self.residual.font(), "Difference −188 dB"))
        self.residual.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.residual.setToolTip(
            "Null depth: level of the difference (target − matched signal) relative to the target, last 300 ms"
        )
        self.save = QPushButton("Save…")
        self.save.setProperty("look", "plain")
        self.save.setToolTip("Save the learned equalizer as a text file of Equalizer APO and AutoEq")
        self.save.setAccessibleName("Save equalizer")
        self.save.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.save.clicked.connect(self.save_requested)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(title, 1)
        head.addWidget(self.residual)
        head.addWidget(self.save)
        self.gain = QLabel()
        self.gain.setFont(tabular(self.gain.font()))
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(ROW_GAP)
        self.rows = tuple(_row(number, grid) for number in range(1, len(KINDS) + 1))
        grid.setColumnStretch(1 + len(WIDEST), 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 6, 8, 6)
        column.setSpacing(2)
        column.addLayout(head)
        column.addWidget(self.gain)
        column.addLayout(grid)
        column.addStretch(1)
        self.show_learned(None, is_on=False)
        self.show_residual(math.nan)

    def show_snapshot(self, snapshot: "Snapshot", *, is_on: bool) -> None:
        """Show the newest equalizer and the difference; `is_on`: an equalizer is to be learned."""
        self.show_learned(snapshot.equalizer, is_on=is_on)
        self.show_residual(snapshot.residual_db)

    def show_residual(self, residual_db: float) -> None:
        """Show the level of the difference relative to the target; NaN for an unknown one."""
        self.residual.setText(f"Difference {format_number(residual_db, 0)} dB")

    def show_learned(self, learned: "LearnedEqualizer | None", *, is_on: bool) -> None:
        """Show gain and filters; None before the first ones."""
        self.learned = learned
        self.save.setEnabled(learned is not None)
        if learned is None:
            self.gain.setText(WAITING_TEXT if is_on else OFF_TEXT)
            for labels in self.rows:
                for label in labels:
                    label.clear()
            return
        gain, error = format_number(learned.equalizer.gain_db, 2), format_number(learned.error_db, 2)
        self.gain.setText(f"Gain {gain} dB, mean error {error} dB")
        rows = zip(self.rows, learned.equalizer.filters, learned.deviations_db, strict=True)
        for number, (labels, item, deviation_db) in enumerate(rows, 1):
            texts = filter_texts(item, deviation_db)
            for label, text in zip(labels, (str(number), *texts), strict=True):
                label.setText(text)
            labels[1].setAccessibleName(describe_filter(item, deviation_db))


def filter_texts(item: "EqualizerFilter", deviation_db: float) -> tuple[str, str, str, str, str]:
    """Return kind, gain, its standard deviation, frequency and Q of a filter as texts."""
    kind = FILTER_KINDS[item.kind]
    if not math.isfinite(deviation_db):
        return kind, f"{UNKNOWN} dB", "no sound", "", ""
    deviation = format_as(max(deviation_db, 0.01), ".2f" if deviation_db < 1 else ".1f")
    frequency = format_as(item.frequency_hz, ",.0f")
    return kind, f"{format_number(item.gain_db, 2)} dB", f"± {deviation} dB", f"{frequency} Hz", f"Q {item.q:.2f}"


def describe_filter(item: "EqualizerFilter", deviation_db: float) -> str:
    """Describe a filter as ``High shelf 6.02 dB ± 0.10 dB at 8,010 Hz, Q 0.71``."""
    kind, gain, deviation, frequency, q = filter_texts(item, deviation_db)
    return f"{kind} {gain} {deviation} at {frequency}, {q}" if frequency else f"{kind}: {deviation} in its range"


def _row(number: int, grid: QGridLayout) -> tuple[QLabel, ...]:
    labels = tuple(QLabel() for _ in range(1 + len(WIDEST)))
    for column, label in enumerate(labels):
        bold = column == 0
        label.setFont(tabular(label.font(), bold=bold))
        alignment = Qt.AlignmentFlag.AlignLeft if column < 2 else Qt.AlignmentFlag.AlignRight
        label.setFixedHeight(ROW_HEIGHT)
        label.setAlignment(alignment | Qt.AlignmentFlag.AlignVCenter)
        label.setMinimumWidth(text_width(label.font(), WIDEST[column - 1] if column else "8"))
        grid.addWidget(label, number, column)
    return labels
