"""Button with a tooltip that is its accessible name, too."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton


def make_tool_button(text: str, tool_tip: str) -> QPushButton:
    """Make a button that the Tab key reaches and a click does not focus."""
    button = QPushButton(text)
    button.setToolTip(tool_tip)
    button.setAccessibleName(tool_tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
