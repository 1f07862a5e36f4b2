"""Level meters of dry, target, matched signal and difference: a bar with peak hold, and numbers."""

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QSizePolicy, QWidget

from gui.plots.legend import LegendKey
from gui.theme import LIGHT, Theme, set_look, tabular, text_width
from rtgain import number_format
from rtgain.output.curve_styles import DIFFERENCE, DRY, MATCHED, TARGET, CurveStyle

if TYPE_CHECKING:
    from rtgain.records.snapshot import Snapshot

SIGNAL_STYLES: dict[str, CurveStyle] = {"dry": DRY, "target": TARGET, "matched": MATCHED, "difference": DIFFERENCE}
COLUMNS = {"peak_dbfs": "Peak", "rms_dbfs": "RMS", "lufs": "LUFS"}
TOOLTIPS = {
    "peak_dbfs": "Highest sample, held for 1.5 s, in dB re full scale",
    "rms_dbfs": "Root mean square of the last 300 ms, in dB re full scale",
    "lufs": "Momentary loudness of the last 400 ms (ITU-R BS.1770)",
}
LOWEST_DBFS = -60.0
"""Level at the left end of a bar."""

HOLD_S = 1.5
FALL_DB_S = 20.0
"""Hold time of a peak, and its rate of fall after that, in dB per second."""


class PeakHold:
    """Peak hold: the highest recent peak, which falls after its hold time."""

    def __init__(self) -> None:
        self.level_dbfs = -math.inf
        self._since_s = 0.0

    def update(self, peak_dbfs: float, now_s: float) -> float:
        """Add a peak at `now_s`, and return the held level in dB re full scale."""
        falling_s = max(0.0, now_s - self._since_s - HOLD_S)
        fallen_dbfs = self.level_dbfs - FALL_DB_S * falling_s
        if fallen_dbfs <= max(peak_dbfs, LOWEST_DBFS) or now_s < self._since_s:
            self.level_dbfs, self._since_s = peak_dbfs, now_s
            return peak_dbfs
        return fallen_dbfs


class MeterBar(QWidget):
    """RMS as a bar and the held peak as a stroke, from −60 dBFS to full scale."""

    def __init__(self, curve: CurveStyle) -> None:
        super().__init__()
        self._curve = curve
        self._theme = LIGHT
        self._rms_dbfs = self._peak_dbfs = -math.inf
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)  # Qt need not draw what is behind it

    def sizeHint(self) -> QSize:
        return QSize(60, 10)

    def show_levels(self, rms_dbfs: float, peak_dbfs: float) -> None:
        """Draw these levels, in dB re full scale."""
        levels = (round(rms_dbfs, 1), round(peak_dbfs, 1)) if math.isfinite(rms_dbfs) else (rms_dbfs, peak_dbfs)
        if levels != (self._rms_dbfs, self._peak_dbfs):
            self._rms_dbfs, self._peak_dbfs = levels
            self.update()

    def show_theme(self, theme: Theme) -> None:
        """Set the colors of `theme`."""
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
            painter.drawRoundedRect(QRectF(0, 0, self._pixel(self._rms_dbfs), box.height()), 3, 3)
            if self._peak_dbfs > LOWEST_DBFS:
                clipped = self._peak_dbfs >= 0
                painter.setBrush(QColor(self._theme.warning if clipped else self._theme.text))
                painter.drawRect(QRectF(self._pixel(self._peak_dbfs) - 2, 0, 2, box.height()))

    def _pixel(self, level_dbfs: float) -> float:
        share = (max(level_dbfs, LOWEST_DBFS) - LOWEST_DBFS) / -LOWEST_DBFS if level_dbfs == level_dbfs else 0.0
        return self.width() * min(share, 1.0)


class LevelMeters(QFrame):
    """One line per signal: name, bar, peak, RMS and momentary loudness."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("look", "card")
        self.setAccessibleName("Levels of dry, target, matched signal and difference")
        self.bars = {name: MeterBar(curve) for name, curve in SIGNAL_STYLES.items()}
        self.numbers = {name: {field: self._number(field) for field in COLUMNS} for name in SIGNAL_STYLES}
        self._holds = {name: PeakHold() for name in SIGNAL_STYLES}
        grid = QGridLayout(self)
        grid.setContentsMargins(14, 3, 14, 3)
        grid.setHorizontalSpacing(9)
        grid.setVerticalSpacing(0)
        for column, (field, title) in enumerate(COLUMNS.items(), start=3):
            label = QLabel(title)
            label.setProperty("look", "muted")
            label.setFont(tabular(label.font(), points=label.font().pointSizeF() - 1))
            label.setToolTip(TOOLTIPS[field])
            grid.addWidget(label, 0, column, Qt.AlignmentFlag.AlignRight)
        self._keys = {name: LegendKey(curve) for name, curve in SIGNAL_STYLES.items()}
        for row, name in enumerate(SIGNAL_STYLES, start=1):
            grid.addWidget(self._keys[name], row, 0)
            grid.addWidget(QLabel(name.capitalize()), row, 1)
            grid.addWidget(self.bars[name], row, 2)
            for column, number in enumerate(self.numbers[name].values(), start=3):
                grid.addWidget(number, row, column)
        grid.setColumnStretch(2, 1)

    def show_bars(self, snapshot: "Snapshot") -> None:
        """Show the levels of `snapshot` in the bars."""
        for name, bar in self.bars.items():
            level = snapshot.levels[name]
            held_dbfs = self._holds[name].update(level.peak_dbfs, snapshot.time_s)
            bar.show_levels(level.rms_dbfs, held_dbfs)

    def show_numbers(self, snapshot: "Snapshot") -> None:
        """Show held peak, RMS and loudness of `snapshot` as numbers."""
        for name, numbers in self.numbers.items():
            level = snapshot.levels[name]
            held_dbfs = self._holds[name].update(level.peak_dbfs, snapshot.time_s)
            values = {"peak_dbfs": held_dbfs, "rms_dbfs": level.rms_dbfs, "lufs": level.lufs}
            for field, label in numbers.items():
                label.setText(_format_level(values[field]))
                label.setAccessibleName(f"{name} {COLUMNS[field]} {label.text()}")
            set_look(numbers["peak_dbfs"], "fault" if held_dbfs >= 0 else "plain")
            if held_dbfs >= 0:
                numbers["peak_dbfs"].setText("clips")

    def show_theme(self, theme: Theme) -> None:
        """Set the colors of `theme`."""
        for bar in self.bars.values():
            bar.show_theme(theme)
        for key in self._keys.values():
            key.show_theme(theme)

    def _number(self, field: str) -> QLabel:
        label = QLabel(number_format.UNKNOWN)
        label.setToolTip(TOOLTIPS[field])
        label.setFont(tabular(label.font()))
        label.setAlignment(Qt.AlignmentFlag.AlignRight)
        label.setMinimumWidth(max(text_width(label.font(), text) for text in ("−188.8", "clips")))
        return label


def _format_level(level_db: float) -> str:
    if level_db == -math.inf:
        return "−∞"
    return number_format.format_number(level_db, 1)
