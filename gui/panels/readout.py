"""Readout of the estimate: gain in dB and linear, gain of each channel, standard deviation, delay and state."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout

from gui import state_texts
from gui.theme import tabular, text_width
from rtgain import number_format
from rtgain.config.names import CHANNEL_NAMES

if TYPE_CHECKING:
    from rtgain.records.snapshot import Snapshot


class Readout(QFrame):
    """Shows an estimate in labels of fixed width."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("look", "card")
        self.gain_db = _value_label(24, "−88.88", bold=True)
        self.linear = _value_label(11, "×−0.0088")
        self.std = _value_label(11, "± 8.888 dB")
        self.std.setToolTip(
            "Standard deviation of the estimate, from noise and gain changes. Errors that the loss cannot detect "
            "(for example a phase shift with the waveform loss) are not included."
        )
        self.channels = tuple(_value_label(9, "L −88.88 dB ø") for _ in CHANNEL_NAMES)
        for name, label in zip(CHANNEL_NAMES, self.channels, strict=True):
            label.setProperty("look", "muted")
            label.setToolTip(f"Gain of the {name} channel alone; ø: its polarity is inverted")
        self.delay = _value_label(9, "delay −888.88 ms")
        self.delay.setProperty("look", "muted")
        states = (f"{mark} {state}" for state, (mark, _) in state_texts.STATES.items())
        self.state = _value_label(11, *states, bold=True)
        self.meaning = QLabel()
        self.meaning.setProperty("look", "muted")
        self.meaning.setWordWrap(True)
        self.gain_db.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        unit = _value_label(14, "dB")
        unit.setText("dB")

        lines = (
            self.state.sizeHint().height() + 2 * self.meaning.fontMetrics().height() + self.delay.sizeHint().height()
        )
        self.setMinimumHeight(lines + 16)  # the same for all states and widths
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Ignored)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 6, 14, 6)
        row.setSpacing(0)
        row.addWidget(self.gain_db)
        row.addSpacing(6)
        row.addWidget(unit)
        row.addSpacing(7)
        row.addLayout(_stacked(self.linear, self.std, *self.channels))
        row.addSpacing(7)
        row.addLayout(_stacked(self.state, self.meaning, self.delay), 1)
        self.show_starting()

    def show_snapshot(self, snapshot: "Snapshot", *, frozen: bool = False, aligns: bool = True) -> None:
        """Show the newest estimate. `frozen`: the user holds it. `aligns`: delay compensation is on."""
        state = "stale" if snapshot.estimate_is_stale else snapshot.state
        if frozen and state != "waiting":
            state = "frozen"
        self._show(snapshot.gain_db, snapshot.gain_linear, snapshot.std_db, snapshot.polarity, state)
        self._show_channels(snapshot.channel_gains_db, snapshot.channel_polarities)
        delay = number_format.format_number(snapshot.delay_ms, 2)
        text = f"delay {delay} ms" if delay != number_format.UNKNOWN else "delay –"
        self.delay.setText(text if aligns else "delay ignored")

    def show_starting(self) -> None:
        """Clear the readout before the first estimate."""
        self._show(math.nan, math.nan, math.nan, 0, "starting")
        self._show_channels((), ())
        self.delay.setText("")

    def show_stopped(self) -> None:
        """Keep the last estimate, in state "stopped"."""
        self._show_state("stopped")
        if self.gain_db.text() == number_format.UNKNOWN:
            self.meaning.setText("no estimate yet")

    def _show(self, gain_db: float, linear: float, std_db: float, polarity: int, state: str) -> None:
        self.gain_db.setText(number_format.format_number(gain_db, 2))
        self.gain_db.setAccessibleName(f"Estimated gain {number_format.format_number(gain_db, 2)} dB")
        self.linear.setText(number_format.format_gain_linear(linear, polarity))
        self.std.setText(f"{number_format.format_std(std_db)} dB")
        self._show_state(state)

    def _show_channels(self, gains_db: Sequence[float], polarities: Sequence[int]) -> None:
        """Show gain and polarity of left and right; nothing in mono, where they are those of the estimate."""
        is_stereo = len(gains_db) == len(CHANNEL_NAMES)
        for index, (name, label) in enumerate(zip(CHANNEL_NAMES, self.channels, strict=True)):
            label.setVisible(is_stereo)
            if is_stereo:
                gain = number_format.format_number(gains_db[index], 2)
                label.setText(f"{name[0].upper()} {gain} dB{' ø' if polarities[index] < 0 else ''}")
                inverted = ", inverted" if polarities[index] < 0 else ""
                label.setAccessibleName(f"{name.capitalize()} gain {gain} dB{inverted}")

    def _show_state(self, state: str) -> None:
        mark, meaning = state_texts.STATES[state]
        self.state.setText(f"{mark} {state}")
        self.meaning.setText(meaning)


def _value_label(points: float, *texts: str, bold: bool = False) -> QLabel:
    """Make a label with room for each of the texts."""
    label = QLabel()
    label.setFont(tabular(label.font(), points=points, bold=bold))
    label.setMinimumWidth(max(text_width(label.font(), text) for text in texts))
    return label


def _stacked(*labels: QLabel) -> QVBoxLayout:
    column = QVBoxLayout()
    column.setSpacing(0)
    column.addStretch(1)
    for label in labels:
        column.addWidget(label)
    column.addStretch(1)
    return column
