"""Levels of dry, target, matched signal and difference: a bar with peak hold, and the numbers beside it."""

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QSizePolicy, QWidget

from gui.plots.legend import LegendKey
from gui.theme import LIGHT, Theme, set_look, tabular, text_width
from rtgain import number_format
from rtgain.output.curve_styles import DIFFERENCE, DRY, ESTIMATE, TARGET, CurveStyle

if TYPE_CHECKING:
    from rtgain.records.snapshot import Snapshot

SIGNALS: dict[str, CurveStyle] = {"dry": DRY, "target": TARGET, "matched": ESTIMATE, "difference": DIFFERENCE}
COLUMNS = {"peak_dbfs": "Peak", "rms_dbfs": "RMS", "lufs": "LUFS"}
MEANINGS = {
    "peak_dbfs": "The highest sample, held a moment; dB re full scale",
    "rms_dbfs": "The mean of 300 ms; dB re full scale",
    "lufs": "How loud ears find the last 400 ms: momentary loudness, ITU-R BS.1770",
}
LOWEST_DBFS = -60.0
HOLD_S = 1.5
FALL_DB_S = 20.0
"""How long a peak stands, and how fast it falls after that, to the end of the bar."""


class PeakHold:
    """The highest peak of the last moments."""

    def __init__(self) -> None:
        self.level_dbfs = -math.inf
        self._since_s = 0.0

    def update(self, peak_dbfs: float, now_s: float) -> float:
        """Take in a peak at `now_s`; what stands now."""
        falling_s = max(0.0, now_s - self._since_s - HOLD_S)
        fallen_dbfs = self.level_dbfs - FALL_DB_S * falling_s
        if fallen_dbfs <= max(peak_dbfs, LOWEST_DBFS) or now_s < self._since_s:
            self.level_dbfs, self._since_s = peak_dbfs, now_s
            return peak_dbfs
        return fallen_dbfs


class MeterBar(QWidget):
    """RMS as a bar, the held peak as a stroke, from −60 dBFS to full scale."""

    def __init__(self, curve: CurveStyle) -> None:
        super().__init__()
        self._curve = curve
        self._theme = LIGHT
        self._rms_dbfs = self._peak_dbfs = -math.inf
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)  # nothing behind it need be drawn

    def sizeHint(self) -> QSize:
        return QSize(60, 10)

    def show_levels(self, rms_dbfs: float, peak_dbfs: float) -> None:
        """Draw these levels, in dB re full scale."""
        shown = (round(rms_dbfs, 1), round(peak_dbfs, 1)) if math.isfinite(rms_dbfs) else (rms_dbfs, peak_dbfs)
        if shown != (self._rms_dbfs, self._peak_dbfs):
            self._rms_dbfs, self._peak_dbfs = shown
            self.update()

    def show_theme(self, theme: Theme) -> None:
        """Take the colors of `theme`."""
        self._theme = theme
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            box = QRectF(self.rect())
            painter.fillRect(box, QColor(self._theme.card))
            painter.setBrush(QColor(self._theme.line))
            painter.drawRoundedRect(box, 3, 3)
            color = QColor(self._curve.color(dark=self._theme.dark))
            painter.setBrush(color)
            painter.drawRoundedRect(QRectF(0, 0, self._place(self._rms_dbfs), box.height()), 3, 3)
            if self._peak_dbfs > LOWEST_DBFS:
                clipped = self._peak_dbfs >= 0
                painter.setBrush(QColor(self._theme.warning if clipped else self._theme.text))
                painter.drawRect(QRectF(self._place(self._peak_dbfs) - 2, 0, 2, box.height()))

    def _place(self, level_dbfs: float) -> float:
        share = (max(level_dbfs, LOWEST_DBFS) - LOWEST_DBFS) / -LOWEST_DBFS if level_dbfs == level_dbfs else 0.0
        return self.width() * min(share, 1.0)


class LevelMeters(QFrame):
    """A line for each of the four signals: name, bar, peak, RMS and momentary loudness."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("look", "card")
        self.setAccessibleName("Levels of dry, target, matched signal and difference")
        self.bars = {name: MeterBar(curve) for name, curve in SIGNALS.items()}
        self.numbers = {name: {field: self._number(field) for field in COLUMNS} for name in SIGNALS}
        self._holds = {name: PeakHold() for name in SIGNALS}
        grid = QGridLayout(self)
        grid.setContentsMargins(14, 3, 14, 3)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(0)
        for column, (field, title) in enumerate(COLUMNS.items(), start=3):
            label = QLabel(title)
            label.setProperty("look", "muted")
            label.setFont(tabular(label.font(), points=label.font().pointSizeF() - 1))
            label.setToolTip(MEANINGS[field])
            grid.addWidget(label, 0, column, Qt.AlignmentFlag.AlignRight)
        self._keys = {name: LegendKey(curve) for name, curve in SIGNALS.items()}
        for row, name in enumerate(SIGNALS, start=1):
            grid.addWidget(self._keys[name], row, 0)
            grid.addWidget(QLabel(name.capitalize()), row, 1)
            grid.addWidget(self.bars[name], row, 2)
            for column, number in enumerate(self.numbers[name].values(), start=3):
                grid.addWidget(number, row, column)
        grid.setColumnStretch(2, 1)

    def show_bars(self, snapshot: "Snapshot") -> None:
        """Move the bars."""
        for name, bar in self.bars.items():
            level = snapshot.levels[name]
            held_dbfs = self._holds[name].update(level.peak_dbfs, snapshot.time_s)
            bar.show_levels(level.rms_dbfs, held_dbfs)

    def show_numbers(self, snapshot: "Snapshot") -> None:
        """Bring the numbers up to date: the held peak, RMS and loudness."""
        for name, numbers in self.numbers.items():
            level = snapshot.levels[name]
            held_dbfs = self._holds[name].update(level.peak_dbfs, snapshot.time_s)
            shown = {"peak_dbfs": held_dbfs, "rms_dbfs": level.rms_dbfs, "lufs": level.lufs}
            for field, label in numbers.items():
                label.setText(_level(shown[field]))
                label.setAccessibleName(f"{name} {COLUMNS[field]} {label.text()}")
            set_look(numbers["peak_dbfs"], "fault" if held_dbfs >= 0 else "plain")
            if held_dbfs >= 0:
                numbers["peak_dbfs"].setText("clips")

    def show_theme(self, theme: Theme) -> None:
        """Take the colors of `theme`."""
        for bar in self.bars.values():
            bar.show_theme(theme)
        for key in self._keys.values():
            key.show_theme(theme)

    def _number(self, field: str) -> QLabel:
        label = QLabel(number_format.UNKNOWN)
        label.setToolTip(MEANINGS[field])
        label.setFont(tabular(label.font()))
        label.setAlignment(Qt.AlignmentFlag.AlignRight)
        label.setMinimumWidth(max(text_width(label.font(), text) for text in ("−188.8", "clips")))
        return label


def _level(level_db: float) -> str:
    if level_db == -math.inf:
        return "−∞"
    return number_format.format_number(level_db, 1)
