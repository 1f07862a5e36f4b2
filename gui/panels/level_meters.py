"""Level meters of dry, target, matched signal and difference: a bar per channel with peak hold, and numbers."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QSizePolicy, QWidget

from gui.plots.legend import LegendKey
from gui.theme import LIGHT, Theme, set_look, tabular, text_width
from rtgain import number_format
from rtgain.config.names import CHANNEL_NAMES
from rtgain.output.curve_styles import DIFFERENCE, DRY, MATCHED, TARGET, CurveStyle

if TYPE_CHECKING:
    from rtgain.records.levels import Level
    from rtgain.records.snapshot import Snapshot

SIGNAL_STYLES: dict[str, CurveStyle] = {"dry": DRY, "target": TARGET, "matched": MATCHED, "difference": DIFFERENCE}
COLUMNS = {
    "peak_dbfs": "Peak",
    "rms_dbfs": "RMS",
    "momentary_lufs": "LUFS M",
    "integrated_lufs": "LUFS I",
    "short_term_lufs": "LUFS S",
    "range_lu": "LRA",
    "true_peak_dbtp": "TP",
}
"""Titles of the numbers, the most important first: those that do not fit are only in the tool tips."""

RECORDING_COLUMNS = (
    "peak_dbfs", "momentary_lufs", "integrated_lufs", "true_peak_dbtp", "rms_dbfs", "short_term_lufs", "range_lu",
)  # fmt: skip
"""Order of the numbers for two recordings, whose loudness is compared."""

COLUMNS_MIN = 2
"""Number of columns that are always visible."""

TOOLTIPS = {
    "peak_dbfs": "Highest sample of all channels, held for 1.5 s, in dB re full scale",
    "rms_dbfs": "Root mean square of the last 300 ms, of the louder channel, in dB re full scale",
    "momentary_lufs": "Momentary loudness: the last 400 ms of all channels (ITU-R BS.1770)",
    "integrated_lufs": "Integrated loudness of all channels since the first estimate or Reset (EBU R 128)",
    "short_term_lufs": "Short-term loudness: the last 3 s of all channels (EBU R 128)",
    "range_lu": "Loudness range since the first estimate or Reset, in LU (EBU Tech 3342)",
    "true_peak_dbtp": "Highest true peak of all channels since the first estimate or Reset, in dB re full scale",
}
SPACING = 9
"""Horizontal space in pixels between two columns."""

LOWEST_DBFS = -60.0
"""Level at the left end of a bar."""

BARS_HEIGHT = 16
MONO_HEIGHT = 10
LETTER_PIXELS = 8
"""Heights in pixels of the bars of all channels, of a single bar, and of a letter. A start in stereo moves no panel."""

BAR_WIDTH = 85
"""Width in pixels that a bar keeps when further columns are shown."""

HOLD_S = 1.5
FALL_DB_S = 20.0
"""Hold time of a peak, and its rate of fall after that, in dB per second."""


Levels = tuple[tuple[float, float], ...]
"""RMS and held peak of each channel in dB re full scale."""


class PeakHold:
    """Peak hold: the highest recent peak, which falls after its hold time."""

    def __init__(self) -> None:
        self.level_dbfs = -math.inf
        self._since_s = 0.0

    def update(self, peak_dbfs: float, now_s: float) -> float:
        """Add a peak at `now_s`, and return the held level in dB re full scale; NaN is unknown and releases it."""
        if math.isnan(peak_dbfs):  # a session that starts
            self.level_dbfs = -math.inf
            return peak_dbfs
        falling_s = max(0.0, now_s - self._since_s - HOLD_S)
        fallen_dbfs = self.level_dbfs - FALL_DB_S * falling_s
        if fallen_dbfs <= max(peak_dbfs, LOWEST_DBFS) or now_s < self._since_s:
            self.level_dbfs, self._since_s = peak_dbfs, now_s
            return peak_dbfs
        return fallen_dbfs


class MeterBar(QWidget):
    """RMS of each channel as a bar and its held peak as a stroke, from −60 dBFS to full scale; left above right."""

    def __init__(self, curve: CurveStyle) -> None:
        super().__init__()
        self._curve = curve
        self._theme = LIGHT
        self._levels: Levels = ((-math.inf, -math.inf),)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)  # Qt need not draw what is behind it
        font = self.font()
        font.setPixelSize(LETTER_PIXELS)
        self.setFont(font)

    def sizeHint(self) -> QSize:
        return QSize(60, BARS_HEIGHT)

    def show_levels(self, rms_dbfs: Sequence[float], peak_dbfs: Sequence[float]) -> None:
        """Draw these levels of each channel, in dB re full scale."""
        levels = tuple(zip(rms_dbfs, peak_dbfs, strict=True))
        if self._edges(levels) != self._edges(self._levels):
            self._levels = levels
            self.update()

    def show_theme(self, theme: Theme) -> None:
        """Set the colors of `theme`."""
        self._theme = theme
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.fillRect(self.rect(), QColor(self._theme.card))
            count = len(self._levels)
            height = MONO_HEIGHT if count == 1 else self.height() / count
            top = (self.height() - count * height) / 2
            for channel, (rms_dbfs, peak_dbfs) in enumerate(self._levels):
                box = QRectF(0, top + channel * height, self.width(), height)
                if count > 1:
                    painter.setPen(QColor(self._theme.muted))
                    letter = CHANNEL_NAMES[channel][0].upper()
                    painter.drawText(box.adjusted(0, -1, 0, 1), Qt.AlignmentFlag.AlignVCenter, letter)
                    box.adjust(LETTER_PIXELS, 0.5 if channel else 1.5, 0, -1.5 if channel else -0.5)
                self._draw_channel(painter, box, rms_dbfs, peak_dbfs)

    def _edges(self, levels: Levels) -> list[tuple[int, int, bool]]:
        """Return what is visible of `levels`: ends of bar and stroke in half pixels, and whether the peak clips."""
        pixels = 2 * self.width()
        return [(round(_share(rms) * pixels), round(_share(peak) * pixels), peak >= 0) for rms, peak in levels]

    def _draw_channel(self, painter: QPainter, box: QRectF, rms_dbfs: float, peak_dbfs: float) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._theme.line))
        painter.drawRoundedRect(box, 3, 3)
        painter.setBrush(QColor(self._curve.color(dark=self._theme.dark)))
        painter.drawRoundedRect(QRectF(box.left(), box.top(), _share(rms_dbfs) * box.width(), box.height()), 3, 3)
        if peak_dbfs > LOWEST_DBFS:
            painter.setBrush(QColor(self._theme.warning if peak_dbfs >= 0 else self._theme.text))
            painter.drawRect(QRectF(box.left() + _share(peak_dbfs) * box.width() - 2, box.top(), 2, box.height()))


def _share(level_dbfs: float) -> float:
    """Share of the bar that a level fills; 0 if it is unknown."""
    share = (max(level_dbfs, LOWEST_DBFS) - LOWEST_DBFS) / -LOWEST_DBFS if level_dbfs == level_dbfs else 0.0
    return min(share, 1.0)


class LevelMeters(QFrame):
    """One line per signal: name, bars, and as many of the numbers `columns` as fit; all are in its tool tip."""

    def __init__(self, columns: Sequence[str] = tuple(COLUMNS)) -> None:
        super().__init__()
        self._columns = columns
        self.setProperty("look", "card")
        self.setAccessibleName("Levels of dry, target, matched signal and difference")
        self.bars = {name: MeterBar(curve) for name, curve in SIGNAL_STYLES.items()}
        self.numbers = {name: {field: self._number(field) for field in columns} for name in SIGNAL_STYLES}
        self._holds: dict[str, list[PeakHold]] = {name: [] for name in SIGNAL_STYLES}
        self._names = {name: QLabel(name.capitalize()) for name in SIGNAL_STYLES}
        grid = QGridLayout(self)
        grid.setContentsMargins(14, 3, 14, 3)
        grid.setHorizontalSpacing(SPACING)
        grid.setVerticalSpacing(0)
        self._titles = {field: self._title(field) for field in columns}
        for column, label in enumerate(self._titles.values(), start=3):
            grid.addWidget(label, 0, column, Qt.AlignmentFlag.AlignRight)
        self._keys = {name: LegendKey(curve) for name, curve in SIGNAL_STYLES.items()}
        for row, name in enumerate(SIGNAL_STYLES, start=1):
            grid.addWidget(self._keys[name], row, 0)
            grid.addWidget(self._names[name], row, 1)
            grid.addWidget(self.bars[name], row, 2)
            for column, number in enumerate(self.numbers[name].values(), start=3):
                grid.addWidget(number, row, column)
        grid.setColumnStretch(2, 1)
        self._shown = COLUMNS_MIN
        self._show_columns(COLUMNS_MIN)

    def minimumSizeHint(self) -> QSize:
        """Return the size with the fewest columns, so that the window can be made narrower again."""
        size = super().minimumSizeHint()
        return QSize(size.width() - sum(self._added_widths()[: self._shown - COLUMNS_MIN]), size.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        width, count = self.minimumSizeHint().width() + BAR_WIDTH, COLUMNS_MIN
        for added in self._added_widths():
            width += added
            count += width <= self.width()
        self._show_columns(count)

    def show_bars(self, snapshot: "Snapshot") -> None:
        """Show the levels of `snapshot` in the bars."""
        for name, bar in self.bars.items():
            bar.show_levels(snapshot.levels[name].rms_dbfs, self._held_dbfs(name, snapshot))

    def show_numbers(self, snapshot: "Snapshot") -> None:
        """Show held peak, RMS and loudness of `snapshot` as numbers."""
        for name, numbers in self.numbers.items():
            level = snapshot.levels[name]
            held_dbfs = max(self._held_dbfs(name, snapshot))
            values = {"peak_dbfs": held_dbfs, "rms_dbfs": max(level.rms_dbfs), **vars(level.loudness)}
            for field, label in numbers.items():
                label.setText(_format_level(values[field]))
                label.setAccessibleName(f"{name} {COLUMNS[field]} {label.text()}")
            set_look(numbers["peak_dbfs"], "fault" if held_dbfs >= 0 else "plain")
            if held_dbfs >= 0:
                numbers["peak_dbfs"].setText("clips")
            for widget in (self._names[name], self.bars[name]):
                widget.setToolTip(describe_level(name, level))

    def show_theme(self, theme: Theme) -> None:
        """Set the colors of `theme`."""
        for bar in self.bars.values():
            bar.show_theme(theme)
        for key in self._keys.values():
            key.show_theme(theme)

    def _held_dbfs(self, name: str, snapshot: "Snapshot") -> list[float]:
        """Update and return the held peak of each channel."""
        peaks_dbfs = snapshot.levels[name].peak_dbfs
        if len(self._holds[name]) != len(peaks_dbfs):
            self._holds[name] = [PeakHold() for _ in peaks_dbfs]
        holds = zip(self._holds[name], peaks_dbfs, strict=True)
        return [hold.update(peak_dbfs, snapshot.time_s) for hold, peak_dbfs in holds]

    def _added_widths(self) -> list[int]:
        """Return the width in pixels that each column after the first `COLUMNS_MIN` adds."""
        return [
            SPACING + max(self._titles[field].sizeHint().width(), self.numbers["dry"][field].minimumWidth())
            for field in self._columns[COLUMNS_MIN:]
        ]

    def _show_columns(self, count: int) -> None:
        self._shown = count
        for column, field in enumerate(self._columns):
            for label in (self._titles[field], *(self.numbers[name][field] for name in SIGNAL_STYLES)):
                label.setVisible(column < count)

    def _title(self, field: str) -> QLabel:
        label = QLabel(COLUMNS[field])
        label.setProperty("look", "muted")
        label.setFont(tabular(label.font(), points=label.font().pointSizeF() - 1))
        label.setToolTip(TOOLTIPS[field])
        return label

    def _number(self, field: str) -> QLabel:
        label = QLabel(number_format.UNKNOWN)
        label.setToolTip(TOOLTIPS[field])
        label.setFont(tabular(label.font()))
        label.setAlignment(Qt.AlignmentFlag.AlignRight)
        label.setMinimumWidth(max(text_width(label.font(), text) for text in ("−188.8", "clips")))
        return label


def describe_level(name: str, level: "Level") -> str:
    """Describe all numbers of a signal: a line per channel, and two lines of the loudness."""
    channels = CHANNEL_NAMES if len(level.peak_dbfs) > 1 else (name,)
    lines = [
        f"{channel.capitalize()}: peak {_format_level(peak_dbfs)} dBFS, RMS {_format_level(rms_dbfs)} dBFS"
        for channel, peak_dbfs, rms_dbfs in zip(channels, level.peak_dbfs, level.rms_dbfs, strict=True)
    ]
    loudness = {field: _format_level(value) for field, value in vars(level.loudness).items()}
    return "\n".join(
        [
            *lines,
            "Loudness: momentary {momentary_lufs} LUFS, short-term {short_term_lufs} LUFS, "
            "integrated {integrated_lufs} LUFS".format_map(loudness),
            "Loudness range {range_lu} LU, true peak {true_peak_dbtp} dBTP".format_map(loudness),
        ]
    )


def _format_level(level_db: float) -> str:
    if level_db == -math.inf:
        return "−∞"
    return number_format.format_number(level_db, 1)
