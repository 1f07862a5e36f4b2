"""Menu bar: File, View and Help."""

from collections.abc import Callable, Mapping
from typing import get_args

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QMenuBar

from gui.settings import ThemeChoice, presets

Callback = Callable[[], object]


class MenuBar(QMenuBar):
    """Menus whose entries call handlers by the names that `gui.dialogs.shortcuts.KEYS` also uses."""

    preset_chosen = Signal(str)
    """The user selected the preset in this file."""

    theme_chosen = Signal(str)
    """The user selected this `ThemeChoice`."""

    def __init__(self, handlers: Mapping[str, Callback]) -> None:
        super().__init__()
        file = self.addMenu("&File")
        self._add(file, "Open file…", handlers["open_file"], "Ctrl+O")
        self._add(file, "Open target recording…", handlers["open_target"])
        file.addSeparator()
        self.presets = file.addMenu("Presets")
        self.presets.aboutToShow.connect(self._list_presets)
        self._add(file, "Open preset file…", handlers["open_preset"])
        self._add(file, "Save preset…", handlers["save_preset"], "Ctrl+S")
        file.addSeparator()
        self._add(file, "Load equalizer…", handlers["load_equalizer"])
        self._add(file, "Save equalizer…", handlers["save_equalizer"])
        file.addSeparator()
        self._add(file, "Export…", handlers["export"], "Ctrl+E")
        file.addSeparator()
        self._add(file, "Quit", handlers["quit"], "Ctrl+Q")
        edit = self.addMenu("&Edit")
        self._add(edit, "Undo", handlers["undo"], "Ctrl+Z")
        self._add(edit, "Redo", handlers["redo"], "Ctrl+Shift+Z")
        edit.addSeparator()
        self._add(edit, "Begin the section here", handlers["section_start"], "I")
        self._add(edit, "End the section here", handlers["section_end"], "O")
        self._add(edit, "Whole recording", handlers["whole"])
        view = self.addMenu("&View")
        self._add(view, "Compare", handlers["compare"], "Ctrl+1")
        self._add(view, "Laboratory", handlers["laboratory"], "Ctrl+2")
        self._add(view, "ABX test", handlers["abx"], "B")
        self._add(view, "Preference test", handlers["preference"])
        self._add(view, "Equalizers", handlers["equalizer"], "E")
        self._add(view, "Lessons", handlers["lessons"], "L")
        self._add(view, "Reset all plot views", handlers["reset_views"])
        view.addSeparator()
        self.themes: dict[ThemeChoice, QAction] = {}
        group = QActionGroup(self)
        for name in get_args(ThemeChoice):
            action = QAction(f"{name.capitalize()} theme", self, checkable=True)
            action.triggered.connect(lambda _=False, name=name: self.theme_chosen.emit(name))
            group.addAction(action)
            view.addAction(action)
            self.themes[name] = action
        help_ = self.addMenu("&Help")
        self._add(help_, "Keyboard shortcuts", handlers["show_shortcuts"], "F1")
        self._add(help_, "Open log folder", handlers["open_log_folder"])
        self._add(help_, "About rtgain", handlers["show_about"])

    def show_theme_choice(self, choice: ThemeChoice) -> None:
        """Check the entry of the selected theme; emits nothing."""
        self.themes[choice].setChecked(True)

    def _list_presets(self) -> None:
        self.presets.clear()
        for name, path in presets().items():
            action = self.presets.addAction(name)
            action.triggered.connect(lambda _=False, path=path: self.preset_chosen.emit(str(path)))
        if self.presets.isEmpty():
            self.presets.addAction("No presets saved").setEnabled(False)

    def _add(self, menu: QMenu, text: str, handler: Callback, key: str = "") -> None:
        """Add an entry. The key is only shown: `gui.actions.add_shortcuts` binds it."""
        action = menu.addAction(f"{text}\t{key}" if key else text)
        action.triggered.connect(lambda _=False: handler())
