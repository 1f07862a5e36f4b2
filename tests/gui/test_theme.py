"""Light and dark theme."""

from types import SimpleNamespace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QApplication

from gui.theme import DARK, LIGHT, Theme, chosen_theme, tabular
from tests.output.test_curve_styles import contrast


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_text_contrasts_with_every_background(theme: Theme) -> None:
    """WCAG 2.1 requires a contrast of 4.5 for body text (criterion 1.4.3)."""
    for front, back in [
        (theme.text, theme.window), (theme.text, theme.card), (theme.text, theme.control),
        (theme.muted, theme.window), (theme.muted, theme.card), (theme.on_accent, theme.accent),
        (theme.warning, theme.warning_back), (theme.warning, theme.window),
    ]:  # fmt: skip
        assert contrast(front, back) >= 4.5, (front, back)


@pytest.mark.parametrize(
    ("scheme", "theme"),
    [(Qt.ColorScheme.Dark, DARK), (Qt.ColorScheme.Light, LIGHT), (Qt.ColorScheme.Unknown, LIGHT)],
)
def test_theme_follows_the_system(monkeypatch: pytest.MonkeyPatch, scheme: Qt.ColorScheme, theme: Theme) -> None:
    """An X display without a desktop has no color scheme, so the test sets the style hint."""
    hints = SimpleNamespace(colorScheme=lambda: scheme)
    monkeypatch.setattr("gui.theme.QGuiApplication.styleHints", lambda: hints)
    assert chosen_theme("system") == theme
    assert (chosen_theme("light"), chosen_theme("dark")) == (LIGHT, DARK)


def test_digits_have_equal_width(qapp: QApplication) -> None:
    metrics = QFontMetrics(tabular(QApplication.font(), points=26, bold=True))
    assert len({metrics.horizontalAdvance(digit * 4) for digit in "0123456789"}) == 1
