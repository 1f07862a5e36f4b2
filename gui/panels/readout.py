"""The number: the estimated gain in dB and linear, how sure it is, and what state it is in."""

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout

from gui import state_texts
from gui.theme import tabular, text_width
from rtgain import number_format

if TYPE_CHECKING:
    from rtgain.records.snapshot import Snapshot


class Readout(QFrame):
    """Shows an estimate in figures that keep their places."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("look", "card")
        self.gain_db = _figure(24, "−88.88", bold=True)
        self.linear = _figure(11, "×−0.0088")
        self.spread = _figure(11, "± 8.888 dB")
        self.spread.setToolTip(
            "How sure the estimate is: one standard deviation, by noise and motion. "
            "It does not count what the loss cannot hear."
        )
        self.delay = _figure(9, "delay −888.88 ms")
        self.delay.setProperty("look", "muted")
        self.state = _figure(11, "▲ incoherent", bold=True)
        self.meaning = QLabel()
        self.meaning.setProperty("look", "muted")
        self.meaning.setWordWrap(True)
        self.gain_db.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        unit = _figure(14, "dB")
        unit.setText("dB")

        lines = (
            self.state.sizeHint().height() + 2 * self.meaning.fontMetrics().height() + self.delay.sizeHint().height()
        )
        self.setFixedHeight(lines + 16)  # whatever state it is, and however narrow
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 6, 14, 6)
        row.setSpacing(0)
        row.addWidget(self.gain_db)
        row.addSpacing(6)
        row.addWidget(unit)
        row.addSpacing(18)
        row.addLayout(_stacked(self.linear, self.spread))
        row.addSpacing(18)
        row.addLayout(_stacked(self.state, self.meaning, self.delay), 1)
        self.show_starting()

    def show_snapshot(self, snapshot: "Snapshot", *, frozen: bool = False, aligns: bool = True) -> None:
        """Show the newest estimate, or the one that is `frozen`; a delay only where it `aligns`, that is, finds it."""
        state = "late" if snapshot.estimate_is_stale else snapshot.state
        if frozen and state != "waiting":
            state = "frozen"
        self._show(snapshot.gain_db, snapshot.gain_linear, snapshot.std_db, snapshot.polarity, state)
        delay = number_format.format_number(snapshot.delay_ms, 2)
        known = f"delay {delay} ms" if delay != number_format.UNKNOWN else "delay –"
        self.delay.setText(known if aligns else "delay not looked for")

    def show_starting(self) -> None:
        """Show that there is nothing yet."""
        self._show(math.nan, math.nan, math.nan, 0, "starting")
        self.delay.setText("")

    def show_stopped(self) -> None:
        """Leave the figures, and say that they stand still."""
        self._show_state("stopped")
        if self.gain_db.text() == number_format.UNKNOWN:
            self.meaning.setText("nothing was estimated yet")

    def _show(self, gain_db: float, linear: float, std_db: float, polarity: int, state: str) -> None:
        self.gain_db.setText(number_format.format_number(gain_db, 2))
        self.gain_db.setAccessibleName(f"Estimated gain {number_format.format_number(gain_db, 2)} dB")
        self.linear.setText(number_format.format_gain_linear(linear, polarity))
        self.spread.setText(f"{number_format.format_std(std_db)} dB")
        self._show_state(state)

    def _show_state(self, state: str) -> None:
        mark, meaning = state_texts.STATES[state]
        self.state.setText(f"{mark} {state}")
        self.meaning.setText(meaning)


def _figure(points: float, widest: str, *, bold: bool = False) -> QLabel:
    label = QLabel()
    label.setFont(tabular(label.font(), points=points, bold=bold))
    label.setMinimumWidth(text_width(label.font(), widest))
    return label


def _stacked(*labels: QLabel) -> QVBoxLayout:
    column = QVBoxLayout()
    column.setSpacing(1)
    column.addStretch(1)
    for label in labels:
        column.addWidget(label)
    column.addStretch(1)
    return column
