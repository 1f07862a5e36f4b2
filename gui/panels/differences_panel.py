"""Differences of two recordings in words: gain and delay, the level match, and the findings."""

import math
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget

from gui.theme import tabular
from rtgain.number_format import join_units
from rtgain.records.level_match import LevelMatch
from rtgain.records.match_sentences import match_sentence, sentence_of_match
from rtgain.records.snapshot import Snapshot

MEASURING_TEXT = "Measuring the gain…"
ANALYZING_TEXT = "Comparing the whole recordings…"
NOTHING_ELSE_TEXT = "Nothing else differs."


class DifferencesPanel(QFrame):
    """Shows the sentences; those about gain and delay are the session's until the whole recordings are compared."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("look", "card")
        title = QLabel("Differences")
        title.setFont(tabular(title.font(), bold=True))
        self.match = _text()
        self.match.setFont(tabular(self.match.font(), points=self.match.font().pointSizeF() + 2))
        self.level = _text()
        self.findings = _text()
        self._result: dict[str, Any] | None = None
        content = QWidget()
        content.setProperty("look", "pane")
        lines = QVBoxLayout(content)
        lines.setContentsMargins(0, 0, 0, 0)
        lines.setSpacing(8)
        for label in (self.match, self.level, self.findings):
            lines.addWidget(label)
        lines.addStretch(1)
        area = QScrollArea()
        area.setWidget(content)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 8, 6, 8)
        column.setSpacing(6)
        column.addWidget(title)
        column.addWidget(area, 1)
        self.clear()

    def clear(self) -> None:
        """Show nothing: there are no two recordings."""
        self._result = None
        for label in (self.match, self.level, self.findings):
            label.clear()
        self.level.hide()  # an empty line would be a gap

    def show_analyzing(self) -> None:
        """Say that the whole recordings are being compared."""
        if self._result is not None or not self.match.text():  # about other recordings, or nothing yet
            self._result = None
            self.match.setText(MEASURING_TEXT)
        self.findings.setText(ANALYZING_TEXT)

    def show_failure(self, reason: str) -> None:
        """Say why the comparison of the whole recordings failed."""
        self.show_analyzing()
        self.findings.setText(reason)

    def show_match(self, result: dict[str, Any]) -> None:
        """Show the object of ``rtgain match --json``."""
        self._result = result
        self.match.setText(join_units(sentence_of_match(result)))
        findings: Sequence[dict[str, Any]] | None = result.get("findings")
        if findings is None:
            self.findings.setText("")
        elif findings:
            lines = ["Also different:", *(f"• {join_units(finding['text'])}" for finding in findings)]
            self.findings.setText("\n".join(lines))
        else:
            self.findings.setText(NOTHING_ELSE_TEXT)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show the level match, and the present estimate until the whole recordings are compared."""
        self.show_level(snapshot.level_match)
        if self._result is None:
            text = MEASURING_TEXT
            if math.isfinite(snapshot.gain_db):
                present = snapshot.gain_db, snapshot.std_db, snapshot.delay_ms, snapshot.polarity
                text = join_units(match_sentence(*present, "tracking"))
            if self.match.text() != text:
                self.match.setText(text)

    def show_level(self, match: LevelMatch) -> None:
        """Show both differences in level and the trim."""
        text = join_units(f"{match.sentence()} {match.trim_sentence()}".rstrip())
        if self.level.text() != text:
            self.level.setText(text)
            self.level.setVisible(bool(text))


def _text() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return label
