"""Bar below the transport: workspace, position, loop and level match."""

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QPushButton, QWidget

from gui.panels.position_bar import PositionBar
from gui.settings import Workspace
from gui.widgets.check_box import CheckBox
from gui.widgets.combo_box import labelled_combo_box, select_data
from rtgain.config.labels import LEVEL_MATCHES
from rtgain.config.session_config import SessionConfig

WORKSPACES: tuple[Workspace, ...] = ("compare", "laboratory")


class NavigationBar(QWidget):
    """Switch of the workspace, position of a file, loop, and level match."""

    workspace_chosen = Signal(str)
    """The user selected this `Workspace`."""

    loop_chosen = Signal(bool)
    level_match_chosen = Signal(str)
    """The user selected this `LevelMatchMode`."""

    def __init__(self) -> None:
        super().__init__()
        self._group = QButtonGroup(self)
        self.workspaces: dict[Workspace, QPushButton] = {}
        self.position = PositionBar()
        self.loop = CheckBox("Loop")
        self.loop.setToolTip("Repeat the recording, or its section")
        self.loop.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.loop.toggled.connect(self.loop_chosen)
        self.level_match = labelled_combo_box("Level match", [(label, mode) for mode, label in LEVEL_MATCHES.items()])
        self.level_match.setToolTip("Attenuate the louder of dry and target, so that both are played at one level")
        self.level_match.activated.connect(lambda _: self.level_match_chosen.emit(self.level_match.currentData()))
        caption = QLabel("Level match")
        caption.setProperty("look", "muted")
        caption.setBuddy(self.level_match)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        row.addLayout(self._workspace_switch())
        row.addWidget(self.position, 1)
        row.addStretch(0)
        row.addWidget(self.loop)
        row.addWidget(caption)
        row.addWidget(self.level_match)

    def show_config(self, config: SessionConfig) -> None:
        """Show loop and level match of `config`; emits nothing."""
        with QSignalBlocker(self.loop):
            self.loop.setChecked(config.loop)
        self.loop.setEnabled(config.is_file)
        select_data(self.level_match, config.level_match, "")

    def show_workspace(self, workspace: Workspace) -> None:
        """Check the button of `workspace`; emits nothing. Tab focuses it, and the arrow keys move from there."""
        for name, button in self.workspaces.items():
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus if name == workspace else Qt.FocusPolicy.NoFocus)
        self.workspaces[workspace].setChecked(True)

    def _workspace_switch(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(0)
        for index, workspace in enumerate(WORKSPACES):
            button = QPushButton(workspace.capitalize())
            button.setCheckable(True)
            button.setProperty("look", "segment")
            button.setProperty("position", "last" if index else "first")
            button.setAccessibleName(f"Workspace {workspace}")
            button.setToolTip(f"Ctrl+{index + 1}")
            button.clicked.connect(lambda _=False, workspace=workspace: self.workspace_chosen.emit(workspace))
            self._group.addButton(button)
            self.workspaces[workspace] = button
            row.addWidget(button)
        return row
