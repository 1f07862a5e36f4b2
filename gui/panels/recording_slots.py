"""Slots of the recordings: the dry one and up to four targets, each with its name, format, length and loudness."""

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout

from gui.theme import tabular, text_width
from gui.widgets.tool_button import make_tool_button
from rtgain.config.names import MAX_TARGETS
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

NO_RECORDING = "no recording"

TARGET_SLOTS = tuple(f"target {number}" for number in range(1, MAX_TARGETS + 1))
SLOTS = ("dry", *TARGET_SLOTS)

PLAYED, ADDED = "played", "added"
"""Places of a target: the slot of the one that is played, and a further slot."""


class RecordingSlots(QFrame):
    """One line per recording. Without two recordings, a line above says what to do.

    With several targets, the button of each plays it.
    """

    open_requested = Signal(str)
    """The user wants to open a recording in this slot, or a further target (`ADDED`)."""

    target_chosen = Signal(int)
    """The user wants to hear the target in the slot of this index, from 0."""

    remove_requested = Signal(int)
    """The user removes the target in the slot of this index, from 0."""

    swap_requested = Signal()
    """The user wants to exchange dry and target."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("look", "card")
        self.hint = QLabel(EMPTY_TEXT)
        self.hint.setFont(tabular(self.hint.font(), points=self.hint.font().pointSizeF() + 3))
        self.names = {slot: QLabel() for slot in SLOTS}
        self.details = {slot: QLabel() for slot in SLOTS}
        self.loudness = {slot: QLabel() for slot in SLOTS}
        self.buttons = {slot: QPushButton("Open…") for slot in SLOTS}
        self.captions = {slot: QLabel(slot.rstrip(" 1").capitalize()) for slot in ("dry", "target 1")}
        self.choices = {slot: QPushButton(slot.capitalize()) for slot in TARGET_SLOTS}
        self.removals = {slot: QPushButton("\N{MULTIPLICATION SIGN}") for slot in TARGET_SLOTS}
        self.swap = make_tool_button("⇄ Swap", "Swap dry and target")
        self.swap.clicked.connect(self.swap_requested)
        self.add = make_tool_button("+ Target", "Add a target recording")
        self.add.clicked.connect(lambda: self.open_requested.emit(ADDED))
        self._keys = {slot: LegendKey(DRY if slot == "dry" else TARGET) for slot in SLOTS}
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(4)
        for row, slot in enumerate(SLOTS):
            self._add_row(grid, row, slot)
        for row, button in enumerate((self.swap, self.add)):
            grid.addWidget(button, row, 7)
        grid.setColumnStretch(2, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 6, 10, 6)
        column.setSpacing(4)
        column.addWidget(self.hint)
        column.addLayout(grid)

    def show_config(self, config: "SessionConfig") -> None:
        """Show the names of the recordings of `config`, and which target is played."""
        targets = config.second_recordings
        paths = dict.fromkeys(SLOTS, "") | {"dry": config.input if config.is_file else ""}
        paths |= dict(zip(TARGET_SLOTS, targets, strict=False))
        for slot, path in paths.items():
            name = Path(path).name if path else NO_RECORDING
            self.names[slot].setText(name)
            self.names[slot].setToolTip(path)
            self.names[slot].setAccessibleName(f"{slot.capitalize()}: {name}")
        are_several = len(targets) > 1
        self.captions["target 1"].setVisible(not are_several)
        for index, slot in enumerate(TARGET_SLOTS):
            is_shown = index < max(len(targets), 1)
            row = (self._keys[slot], self.names[slot], self.details[slot], self.loudness[slot], self.buttons[slot])
            for widget in row:
                widget.setVisible(is_shown)
            for button in (self.choices[slot], self.removals[slot]):
                button.setVisible(is_shown and are_several)
            self.choices[slot].setChecked(are_several and paths[slot] == config.target)
        self.hint.setVisible(not config.is_pair)
        self.swap.setEnabled(config.is_pair)
        self.add.setEnabled(config.is_pair and len(targets) < MAX_TARGETS)

    def show_results(self, slot: str, overview: "Overview | None", loudness: "Loudness | None") -> None:
        """Show format, length, integrated loudness and true peak of a recording; None for what is not known."""
        text = "" if overview is None else f"{overview.description} · {format_time(overview.duration_s)}"
        self.details[slot].setText(text)
        text = ""
        if loudness is not None:
            lufs, peak_dbtp = loudness.integrated_lufs, loudness.true_peak_dbtp
            text = f"{format_number(lufs, 1)} LUFS  {format_number(peak_dbtp, 1)} dBTP"
        self.loudness[slot].setText(text)

    def show_theme(self, theme: "Theme") -> None:
        """Set the colors of `theme`."""
        for key in self._keys.values():
            key.show_theme(theme)

    def slot_at(self, at: QPoint) -> str | None:
        """Return the slot at the position `at` of this panel, or `ADDED` on its button; None outside of it."""
        if not self.rect().contains(at):
            return None
        if self.add.isEnabled() and self.add.geometry().contains(at):
            return ADDED
        shown = [slot for slot in SLOTS if not self.names[slot].isHidden()]
        above = [slot for slot in shown if self.names[slot].geometry().top() <= at.y()]
        return above[-1] if above else "dry"

    def _add_row(self, grid: QGridLayout, row: int, slot: str) -> None:
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
        first = QHBoxLayout()
        first.setContentsMargins(0, 0, 0, 0)
        if slot in self.captions:
            self.captions[slot].setFont(tabular(self.captions[slot].font(), bold=True))
            first.addWidget(self.captions[slot])
        if slot in self.choices:
            self._connect_target(slot)
            first.addWidget(self.choices[slot])
            grid.addWidget(self.removals[slot], row, 6)
        grid.addWidget(self._keys[slot], row, 0)
        grid.addLayout(first, row, 1)
        for column, widget in enumerate((self.names[slot], self.details[slot], self.loudness[slot], button), start=2):
            grid.addWidget(widget, row, column)

    def _connect_target(self, slot: str) -> None:
        index = TARGET_SLOTS.index(slot)
        choice, removal = self.choices[slot], self.removals[slot]
        choice.setCheckable(True)
        choice.setAccessibleName(f"Play {slot}")
        choice.setToolTip(f"Compare with this target (Shift+{index + 1})")
        choice.clicked.connect(lambda: self.target_chosen.emit(index))
        removal.setProperty("look", "plain")
        removal.setAccessibleName(f"Remove {slot}")
        removal.setToolTip(f"Remove {slot}")
        removal.clicked.connect(lambda: self.remove_requested.emit(index))
        for button in (choice, removal):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
