"""Slots of the two recordings: name, format, length and loudness of each, with buttons to open and to swap them."""

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout

from gui.theme import tabular, text_width
from rtgain.number_format import format_number, format_time
from rtgain.output.curve_styles import DRY, TARGET

from gui.plots.legend import LegendKey  # isort: skip

if TYPE_CHECKING:
    from gui.theme import Theme
    from rtgain.config.session_config import SessionConfig
    from rtgain.records.levels import Loudness
    from rtgain.session.overview import Overview

EMPTY_TEXT = "Drop a recording and its processed version here, or open them."
"""Line that an empty workspace shows."""

SLOTS = ("dry", "target")


class RecordingSlots(QFrame):
    """One line per recording. Without two recordings, a line above says what to do."""

    open_requested = Signal(str)
    """The user wants to open a recording in this slot, ``dry`` or ``target``."""

    swap_requested = Signal()
    """The user wants to exchange both recordings."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("look", "card")
        self.hint = QLabel(EMPTY_TEXT)
        self.hint.setFont(tabular(self.hint.font(), points=self.hint.font().pointSizeF() + 3))
        self.names = {slot: QLabel() for slot in SLOTS}
        self.details = {slot: QLabel() for slot in SLOTS}
        self.loudness = {slot: QLabel() for slot in SLOTS}
        self.buttons = {slot: QPushButton("Open…") for slot in SLOTS}
        self.swap = QPushButton("⇄ Swap")
        self.swap.setAccessibleName("Swap dry and target")
        self.swap.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.swap.clicked.connect(self.swap_requested)
        self._keys = {slot: LegendKey(curve) for slot, curve in zip(SLOTS, (DRY, TARGET), strict=True)}
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(4)
        for row, slot in enumerate(SLOTS):
            self._add_row(grid, row, slot)
        grid.addWidget(self.swap, 0, 6, 2, 1)
        grid.setColumnStretch(2, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 6, 10, 6)
        column.setSpacing(4)
        column.addWidget(self.hint)
        column.addLayout(grid)

    def show_config(self, config: "SessionConfig") -> None:
        """Show the names of the recordings of `config`."""
        paths = {"dry": config.input if config.is_file else "", "target": config.target if config.is_pair else ""}
        for slot, path in paths.items():
            name = Path(path).name if path else "no recording"
            self.names[slot].setText(name)
            self.names[slot].setToolTip(path)
            self.names[slot].setAccessibleName(f"{slot.capitalize()}: {name}")
        self.hint.setVisible(not config.is_pair)
        self.swap.setEnabled(config.is_pair)

    def show_overviews(self, overviews: "tuple[Overview, Overview] | None") -> None:
        """Show format and length of both recordings; None for unknown ones."""
        for index, slot in enumerate(SLOTS):
            text = ""
            if overviews is not None:
                text = f"{overviews[index].description} · {format_time(overviews[index].duration_s)}"
            self.details[slot].setText(text)

    def show_loudness(self, loudness: "tuple[Loudness, Loudness] | None") -> None:
        """Show integrated loudness and true peak of both over the section; None for unknown ones."""
        for index, slot in enumerate(SLOTS):
            text = ""
            if loudness is not None:
                lufs, peak_dbtp = loudness[index].integrated_lufs, loudness[index].true_peak_dbtp
                text = f"{format_number(lufs, 1)} LUFS  {format_number(peak_dbtp, 1)} dBTP"
            self.loudness[slot].setText(text)

    def show_theme(self, theme: "Theme") -> None:
        """Set the colors of `theme`."""
        for key in self._keys.values():
            key.show_theme(theme)

    def slot_at(self, at: QPoint) -> str | None:
        """Return the slot at the position `at` of this panel; None outside of it."""
        if not self.rect().contains(at):
            return None
        return "dry" if at.y() < self.names["target"].geometry().top() else "target"

    def _add_row(self, grid: QGridLayout, row: int, slot: str) -> None:
        caption = QLabel(slot.capitalize())
        caption.setFont(tabular(caption.font(), bold=True))
        self.names[slot].setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.names[slot].setMinimumWidth(80)
        for label in (self.details[slot], self.loudness[slot]):
            label.setProperty("look", "muted")
            label.setFont(tabular(label.font()))
        self.loudness[slot].setMinimumWidth(text_width(self.loudness[slot].font(), "−88.8 LUFS  −88.8 dBTP"))
        self.loudness[slot].setToolTip("Integrated loudness and true peak over the section (ITU-R BS.1770)")
        self.loudness[slot].setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        button = self.buttons[slot]
        button.setAccessibleName(f"Open the {slot} recording")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(lambda: self.open_requested.emit(slot))
        widgets = (self._keys[slot], caption, self.names[slot], self.details[slot], self.loudness[slot], button)
        for column, widget in enumerate(widgets):
            grid.addWidget(widget, row, column)
