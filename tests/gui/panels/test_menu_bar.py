"""Menus, by keyboard and mouse."""

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QMenu

from gui.dialogs.about import PACKAGES, AboutBox, versions
from gui.dialogs.shortcuts import KEYS
from gui.main_window import MainWindow
from gui.panels.menu_bar import MenuBar
from gui.settings import save_preset
from rtgain import __version__
from rtgain.config.session_config import SessionConfig
from tests.gui.panels.test_routing_panel import OpenWindow, Sessions


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def texts(menu: QMenu) -> list[str]:
    return [action.text() for action in menu.actions() if action.text()]


def entry(menus: MenuBar, text: str) -> Any:
    """Return the entry of any menu whose text begins with `text`."""
    actions = [action for menu in menus.findChildren(QMenu) for action in menu.actions()]
    return next(action for action in actions if action.text().startswith(text))


def test_shortcuts_in_menus_are_listed_in_the_sheet(open_window: OpenWindow) -> None:
    window = open_window()
    actions = [action for menu in window.menus.findChildren(QMenu) for action in menu.actions()]
    named = {action.text().partition("\t")[2] for action in actions} - {""}
    files, editing = {"Ctrl+O", "Ctrl+S", "Ctrl+E", "Ctrl+Q"}, {"Ctrl+Z", "Ctrl+Shift+Z", "I", "O"}
    assert named == files | editing | {"Ctrl+1", "Ctrl+2", "B", "E", "L", "F1"}
    assert named <= {key.sequence for key in KEYS}


def test_menu_opens_with_alt_and_its_letter(qtbot: Any, open_window: OpenWindow) -> None:
    window = open_window()
    qtbot.keyClick(window, Qt.Key.Key_H, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: window.menus.activeAction() is not None)
    [help_menu] = [menu for menu in window.menus.findChildren(QMenu) if menu.title() == "&Help"]
    qtbot.waitUntil(help_menu.isVisible)
    qtbot.keyClick(help_menu, Qt.Key.Key_Return)
    qtbot.waitUntil(window.help_actions.shortcut_sheet.isVisible)
    window.help_actions.shortcut_sheet.close()


def test_saved_presets_are_listed_and_open(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    window.menus.presets.aboutToShow.emit()
    assert texts(window.menus.presets) == ["No presets saved"]
    save_preset("Phase fails", SessionConfig(phase_deg=90.0, loss="waveform"))
    window.menus.presets.aboutToShow.emit()
    [preset] = window.menus.presets.actions()
    assert preset.text() == "Phase fails"
    preset.trigger()
    qtbot.waitUntil(lambda: len(sessions.made) == 2 and window.controller.state == "running")
    assert (sessions.last.config.phase_deg, sessions.last.config.loss) == (90.0, "waveform")
    assert window.estimator.loss.currentText() == "waveform"


def test_preset_is_saved_under_its_name(open_window: OpenWindow) -> None:
    window = open_window(gain_db=-7.0)
    window.file_actions.save_preset_as("Seven")
    window.menus.presets.aboutToShow.emit()
    assert texts(window.menus.presets) == ["Seven"]
    assert window.notices.texts() == ["Preset “Seven” saved. Open it from File ▸ Presets."]
    window.file_actions.save_preset_as("../evil")
    assert "is not a valid preset name" in window.notices.texts()[-1]


@pytest.mark.parametrize("choice", ["light", "dark", "system"])
def test_selected_theme_is_saved(open_window: OpenWindow, choice: Any) -> None:
    window = open_window()
    window.menus.themes[choice].trigger()
    assert window.settings.theme == choice
    assert [name for name, action in window.menus.themes.items() if action.isChecked()] == [choice]


def test_all_plot_views_are_reset(open_window: OpenWindow) -> None:
    window = open_window()
    reset: list[Any] = []
    for plot in window.plots:
        plot.reset_view = lambda plot=plot: reset.append(plot)  # type: ignore[method-assign]
    entry(window.menus, "Reset all plot views").trigger()
    assert reset == list(window.plots)


def about_boxes(window: MainWindow) -> list[AboutBox]:
    return [box for box in window.findChildren(AboutBox) if box.isVisible()]


def test_about_shows_versions_that_can_be_copied(
    qtbot: Any, qapp: Any, open_window: OpenWindow, tmp_path: Path
) -> None:
    window = open_window()
    window.help_actions.log_file = tmp_path / "rtgain.log"
    entry(window.menus, "About rtgain").trigger()
    [box] = about_boxes(window)
    lines = box.text.toPlainText().splitlines()
    assert lines[0] == f"rtgain {__version__}"
    for package in PACKAGES:
        assert any(line.startswith(f"{package} ") for line in lines)
    assert lines[-1] == f"log: {tmp_path / 'rtgain.log'}"
    [copy] = [button for button in box.findChildren(type(window.lessons_button)) if button.text().startswith("Copy")]
    qtbot.mouseClick(copy, Qt.MouseButton.LeftButton)
    assert qapp.clipboard().text() == box.text.toPlainText()
    qtbot.keyClick(box, Qt.Key.Key_Escape)
    assert about_boxes(window) == []


def test_dialogs_open_only_once(open_window: OpenWindow) -> None:
    window = open_window()
    for name in ("show_about", "show_shortcuts", "open_file", "save_preset", "open_preset"):
        for _ in range(2):
            window.handlers[name]()
    shown = [dialog.windowTitle() for dialog in window.findChildren(QDialog) if dialog.isVisible()]
    assert sorted(shown) == ["About rtgain", "Keyboard shortcuts", "Open preset", "Open sound file", "Save preset"]


def test_versions_name_missing_packages(monkeypatch: pytest.MonkeyPatch, qapp: Any) -> None:
    monkeypatch.setattr("gui.dialogs.about.PACKAGES", ("no-such-package",))
    assert "no-such-package is not installed" in versions(None).splitlines()
    assert versions(None).endswith("log: none")


def test_view_menu_toggles_the_lessons(open_window: OpenWindow) -> None:
    window = open_window()
    for shown in (True, False):
        entry(window.menus, "Lessons").trigger()
        assert window.lesson_panel.isVisible() is shown
