"""The number: the estimated gain in dB and linear, how sure it is, and what state it is in."""

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout

from gui import wording
from gui.theme import tabular, text_width

if TYPE_CHECKING:
    from rtgain.session import Snapshot


class Readout(QFrame):
    """Shows an estimate in figures that keep their places."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("look", "card")
        self.gain_db = _figure(26, "−88.88", bold=True)
        self.linear = _figure(14, "×−0.0088")
        self.spread = _figure(14, "± 8.888 dB")
        self.state = _figure(12, "▲ incoherent", bold=True)
        self.meaning = QLabel()
        self.meaning.setProperty("look", "muted")
        self.meaning.setMinimumWidth(max(text_width(self.meaning.font(), text) for _, text in wording.STATES.values()))
        self.gain_db.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom)
        unit = _figure(14, "dB")
        unit.setText("dB")
        for label in (unit, self.linear, self.spread):
            _stand_on_baseline(label, self.gain_db)

        words = QVBoxLayout()
        words.setSpacing(1)
        words.addWidget(self.state)
        words.addWidget(self.meaning)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 8, 14, 8)
        row.setSpacing(0)
        for widget, gap in ((self.gain_db, 8), (unit, 24), (self.linear, 12), (self.spread, 20)):
            row.addWidget(widget)
            row.addSpacing(gap)
        row.addLayout(words, 1)
        self.show_starting()

    def show_snapshot(self, snapshot: "Snapshot", *, frozen: bool = False) -> None:
        """Show the newest estimate, or the one that is `frozen`."""
        state = "frozen" if frozen and snapshot.state != "waiting" else snapshot.state
        self._show(snapshot.gain_db, snapshot.gain_linear, snapshot.std_db, snapshot.polarity, state)

    def show_starting(self) -> None:
        """Show that there is nothing yet."""
        self._show(math.nan, math.nan, math.nan, 0, "starting")

    def show_stopped(self) -> None:
        """Leave the figures, and say that they stand still."""
        self._show_state("stopped")
        if self.gain_db.text() == wording.UNKNOWN:
            self.meaning.setText("nothing was estimated yet")

    def _show(self, gain_db: float, linear: float, std_db: float, polarity: int, state: str) -> None:
        self.gain_db.setText(wording.number(gain_db, 2))
        self.gain_db.setAccessibleName(f"Estimated gain {wording.number(gain_db, 2)} dB")
        self.linear.setText(wording.gain_linear(linear, polarity))
        self.spread.setText(f"{wording.spread(std_db)} dB")
        self._show_state(state)

    def _show_state(self, state: str) -> None:
        mark, meaning = wording.STATES[state]
        self.state.setText(f"{mark} {state}")
        self.meaning.setText(meaning)


def _figure(points: float, widest: str, *, bold: bool = False) -> QLabel:
    label = QLabel()
    label.setFont(tabular(label.font(), points=points, bold=bold))
    label.setMinimumWidth(text_width(label.font(), widest))
    return label


def _stand_on_baseline(label: QLabel, large: QLabel) -> None:
    """Put the smaller `label` on the line that `large` stands on, which no layout does."""
    rise = large.fontMetrics().descent() - label.fontMetrics().descent()
    label.setAlignment(Qt.AlignmentFlag.AlignBottom)
    label.setContentsMargins(0, 0, 0, rise)
