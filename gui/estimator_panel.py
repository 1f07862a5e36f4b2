"""The estimator's controls: hold the estimate, or begin it anew."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout

from gui.theme import tabular


class EstimatorPanel(QFrame):
    """Freeze and reset."""

    freeze_wanted = Signal(bool)
    reset_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("look", "card")
        self.freeze = QPushButton("Freeze")
        self.freeze.setCheckable(True)
        self.freeze.setToolTip("Hold the estimate as it is (F)")
        self.freeze.setAccessibleName("Freeze the estimate")
        self.freeze.toggled.connect(self.freeze_wanted)
        self.reset = QPushButton("Reset")
        self.reset.setToolTip("Begin the estimate anew (R)")
        self.reset.setAccessibleName("Reset the estimate")
        self.reset.clicked.connect(self.reset_wanted)
        title = QLabel("Estimator")
        title.setFont(tabular(title.font(), bold=True))
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for button in (self.freeze, self.reset):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            buttons.addWidget(button, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 14)
        column.setSpacing(14)
        column.addWidget(title)
        column.addLayout(buttons)

    def set_running(self, running: bool) -> None:
        """Offer the buttons while a session runs."""
        self.freeze.setEnabled(running)
        self.reset.setEnabled(running)
