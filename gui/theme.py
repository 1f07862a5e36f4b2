"""Light and dark theme: colors, palette and style sheet. The accent is the color of the estimate."""

from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from rtgain.output.curve_styles import DARK_BACKGROUND, ESTIMATE, LIGHT_BACKGROUND


@dataclass(frozen=True)
class Theme:
    """Colors of the GUI, each ``#rrggbb``."""

    dark: bool
    window: str
    card: str
    control: str
    line: str
    text: str
    muted: str
    accent: str
    on_accent: str
    warning: str
    warning_back: str


LIGHT = Theme(
    dark=False,
    window="#f2f4f6",
    card=LIGHT_BACKGROUND,
    control="#ffffff",
    line="#d8dde3",
    text="#1d232a",
    muted="#5a6470",
    accent=ESTIMATE.light,
    on_accent="#ffffff",
    warning="#7a4100",
    warning_back="#fdf1dc",
)
DARK = Theme(
    dark=True,
    window="#12151a",
    card=DARK_BACKGROUND,
    control="#252a31",
    line="#343b45",
    text="#e6e9ed",
    muted="#9ba5b1",
    accent=ESTIMATE.dark,
    on_accent="#0b1a24",
    warning="#f3c77f",
    warning_back="#352a17",
)


def chosen_theme(choice: Literal["system", "light", "dark"]) -> Theme:
    """Return the theme `choice`; for "system" that of the operating system, or light if it has none."""
    if choice == "system":
        choice = "dark" if QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark else "light"
    return DARK if choice == "dark" else LIGHT


def apply_theme(app: QApplication, theme: Theme) -> None:
    """Set palette and style sheet of the application."""
    app.setPalette(palette(theme))
    app.setStyleSheet(style_sheet(theme))


def palette(theme: Theme) -> QPalette:
    """Return the palette with which Qt's Fusion style draws sliders, menus and boxes."""
    colors = {
        QPalette.ColorRole.Window: theme.window,
        QPalette.ColorRole.WindowText: theme.text,
        QPalette.ColorRole.Base: theme.control,
        QPalette.ColorRole.AlternateBase: theme.window,
        QPalette.ColorRole.Text: theme.text,
        QPalette.ColorRole.Button: theme.control,
        QPalette.ColorRole.ButtonText: theme.text,
        QPalette.ColorRole.ToolTipBase: theme.card,
        QPalette.ColorRole.ToolTipText: theme.text,
        QPalette.ColorRole.PlaceholderText: theme.muted,
        QPalette.ColorRole.Highlight: theme.accent,
        QPalette.ColorRole.HighlightedText: theme.on_accent,
        QPalette.ColorRole.Accent: theme.accent,
    }
    result = QPalette(QColor(theme.control), QColor(theme.window))
    for role, color in colors.items():
        result.setColor(role, QColor(color))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText, QPalette.ColorRole.WindowText):
        result.setColor(QPalette.ColorGroup.Disabled, role, QColor(theme.muted))
    return result


def style_sheet(theme: Theme) -> str:
    """Return the style sheet for widgets that Fusion does not draw: cards, bars, segmented and primary buttons.

    The dynamic property ``look`` of a widget selects its rules. Text sizes are set on the fonts instead, so that
    fixed widths can be computed from the fonts.
    """
    return f"""
        *[look="card"] {{ background: {theme.card}; border: 1px solid {theme.line}; border-radius: 8px; }}
        *[look="notice"] {{ background: {theme.warning_back}; border-radius: 6px; }}
        *[look="notice"] QLabel {{ color: {theme.warning}; }}
        QLabel[look="muted"] {{ color: {theme.muted}; }}
        QLabel[look="fault"] {{ color: {theme.warning}; font-weight: bold; }}
        QScrollArea, QScrollArea > QWidget > QWidget[look="pane"] {{ background: transparent; border: none; }}
        QPushButton {{
            background: {theme.control}; color: {theme.text};
            border: 1px solid {theme.line}; border-radius: 5px; padding: 5px 12px;
        }}
        QPushButton:hover {{ border-color: {theme.muted}; }}
        QPushButton:pressed {{ background: {theme.window}; }}
        QPushButton, QCheckBox, QSlider {{ outline: none; }}
        QPushButton:focus {{ border: 2px solid {theme.accent}; padding: 4px 11px; }}
        QPushButton:checked {{
            background: {theme.accent}; color: {theme.on_accent}; border-color: {theme.accent};
        }}
        QPushButton:checked:focus {{ border-color: {theme.text}; }}
        QPushButton:disabled {{ color: {theme.muted}; }}
        QPushButton:checked:disabled {{ background: {theme.line}; border-color: {theme.line}; }}
        QPushButton[look="primary"] {{
            background: {theme.accent}; color: {theme.on_accent}; border-color: {theme.accent};
            font-weight: bold;
        }}
        QPushButton[look="primary"]:hover {{ border-color: {theme.text}; }}
        QPushButton[look="primary"]:focus {{ border: 2px solid {theme.text}; }}
        QPushButton[look="primary"]:disabled {{
            background: {theme.control}; color: {theme.muted}; border-color: {theme.line};
        }}
        QPushButton[look="segment"] {{ border-radius: 0; margin-left: -1px; padding: 5px 11px; }}
        QPushButton[look="segment"]:focus {{ padding: 4px 10px; }}
        QPushButton[look="segment"][position="first"] {{
            margin-left: 0; border-top-left-radius: 5px; border-bottom-left-radius: 5px;
        }}
        QPushButton[look="segment"][position="last"] {{
            border-top-right-radius: 5px; border-bottom-right-radius: 5px;
        }}
        QToolButton {{ border: none; border-radius: 4px; padding: 0px 5px; color: {theme.muted}; font-weight: bold; }}
        QToolButton:hover, QToolButton:focus {{ background: {theme.line}; color: {theme.text}; }}
        QMenuBar {{ background: {theme.window}; color: {theme.text}; padding: 1px 8px; }}
        QMenuBar::item {{ padding: 3px 8px; border-radius: 4px; background: transparent; }}
        QMenuBar::item:selected {{ background: {theme.line}; }}
        QMenu {{ background: {theme.card}; color: {theme.text}; border: 1px solid {theme.line}; padding: 4px; }}
        QMenu::item {{ padding: 4px 22px 4px 22px; border-radius: 4px; }}
        QMenu::item:selected {{ background: {theme.accent}; color: {theme.on_accent}; }}
        QMenu::item:disabled {{ color: {theme.muted}; }}
        QMenu::separator {{ height: 1px; background: {theme.line}; margin: 4px 8px; }}
        QPushButton[look="plain"] {{ padding: 2px 6px; }}
        QPushButton[look="plain"]:focus {{ padding: 1px 5px; }}
        *[look="notice"] QPushButton {{
            color: {theme.warning}; border-color: {theme.warning}; background: transparent;
        }}
        *[look="notice"] QPushButton[look="plain"] {{ border-color: transparent; }}
        *[look="notice"] QPushButton:hover {{ background: {theme.card}; }}
        *[look="notice"] QPushButton:focus {{ border-color: {theme.warning}; background: {theme.card}; }}
        *[look="notice"] QPushButton[look="plain"]:hover, *[look="notice"] QPushButton[look="plain"]:focus {{
            border-color: {theme.warning};
        }}
        QDoubleSpinBox, ComboBox {{
            background: {theme.control}; color: {theme.text};
            border: 1px solid {theme.line}; border-radius: 5px; padding: 4px 8px;
        }}
        QDoubleSpinBox:hover, ComboBox:hover {{ border-color: {theme.muted}; }}
        QDoubleSpinBox:focus, ComboBox:focus {{ border: 2px solid {theme.accent}; padding: 3px 7px; }}
        QDoubleSpinBox[look="compact"], ComboBox[look="compact"] {{ padding: 1px 4px; }}
        ComboBox[look="compact"]::drop-down {{ width: 18px; }}
        QDoubleSpinBox[look="compact"]:focus, ComboBox[look="compact"]:focus {{ padding: 0px 3px; }}
        QDoubleSpinBox:disabled {{ color: {theme.muted}; background: {theme.card}; }}
        ComboBox::drop-down {{ border: none; width: 22px; }}
        QComboBox {{ combobox-popup: 0; }}
        QComboBox QAbstractItemView {{
            background: {theme.control}; color: {theme.text}; border: 1px solid {theme.line}; padding: 3px;
            selection-background-color: {theme.accent}; selection-color: {theme.on_accent}; outline: none;
        }}
        QComboBox QAbstractItemView::item {{ min-height: 24px; padding-left: 4px; }}
        QCheckBox::indicator {{
            width: 14px; height: 14px; border: 1px solid {theme.muted}; border-radius: 4px;
            background: {theme.control};
        }}
        QCheckBox::indicator:hover {{ border-color: {theme.accent}; }}
        QCheckBox::indicator:checked {{ background: {theme.accent}; border-color: {theme.accent}; }}
        QCheckBox::indicator:focus {{ width: 12px; height: 12px; border: 2px solid {theme.accent}; }}
        QCheckBox::indicator:checked:focus {{ border-color: {theme.text}; }}
        QSlider {{ min-height: 20px; }}
        QSlider::groove:horizontal {{ height: 4px; border-radius: 2px; background: {theme.line}; }}
        QSlider::sub-page:horizontal {{ height: 4px; border-radius: 2px; background: {theme.accent}; }}
        QSlider::sub-page:horizontal:disabled {{ background: {theme.muted}; }}
        QSlider::handle:horizontal {{
            width: 14px; height: 14px; margin: -6px 0; border-radius: 8px;
            background: {theme.control}; border: 1px solid {theme.muted};
        }}
        QSlider::handle:horizontal:hover {{ border-color: {theme.accent}; }}
        QSlider::handle:horizontal:focus {{ background: {theme.accent}; border-color: {theme.text}; }}
        QToolTip {{
            background: {theme.card}; color: {theme.text}; border: 1px solid {theme.line}; padding: 4px;
        }}
    """


def tabular(font: QFont, *, points: float | None = None, bold: bool = False) -> QFont:
    """Return `font` with digits of equal width, so that a changing number does not move its neighbors."""
    result = QFont(font)
    result.setFeature(QFont.Tag("tnum"), 1)
    if points is not None:
        result.setPointSizeF(points)
    result.setBold(bold)
    return result


def text_width(font: QFont, text: str) -> int:
    """Return the width of `text` in logical pixels."""
    return QFontMetrics(font).horizontalAdvance(text) + 2


def set_look(widget: QWidget, look: str) -> None:
    """Set the ``look`` of `widget`, if it differs."""
    if widget.property("look") != look:
        widget.setProperty("look", look)
        widget.style().unpolish(widget)
        widget.style().polish(widget)
