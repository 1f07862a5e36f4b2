"""The menus, by keyboard and by mouse."""

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
    """The entry whose text begins so, in whichever menu."""
    actions = [action for menu in menus.findChildren(QMenu) for action in menu.actions()]
    return next(action for action in actions if action.text().startswith(text))


def test_keys_named_in_menus_are_those_of_the_sheet(open_window: OpenWindow) -> None:
    window = open_window()
    actions = [action for menu in window.menus.findChildren(QMenu) for action in menu.actions()]
    named = {action.text().partition("\t")[2] for action in actions} - {""}
    assert named == {"Ctrl+O", "Ctrl+S", "Ctrl+E", "Ctrl+Q", "F1", "L"}
    assert named <= {key.sequence for key in KEYS}


def test_a_menu_opens_with_alt_and_its_letter(qtbot: Any, open_window: OpenWindow) -> None:
    window = open_window()
    qtbot.keyClick(window, Qt.Key.Key_H, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: window.menus.activeAction() is not None)
    [help_menu] = [menu for menu in window.menus.findChildren(QMenu) if menu.title() == "&Help"]
    qtbot.waitUntil(help_menu.isVisible)
    qtbot.keyClick(help_menu, Qt.Key.Key_Return)
    qtbot.waitUntil(window.actions_.keys.isVisible)
    window.actions_.keys.close()


def test_presets_that_were_saved_are_listed_and_open(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    window.menus.presets.aboutToShow.emit()
    assert texts(window.menus.presets) == ["None saved yet"]
    save_preset("Phase fails", SessionConfig(phase_deg=90.0, loss="waveform"))
    window.menus.presets.aboutToShow.emit()
    [preset] = window.menus.presets.actions()
    assert preset.text() == "Phase fails"
    preset.trigger()
    qtbot.waitUntil(lambda: len(sessions.made) == 2 and window.host.state == "running")
    assert (sessions.last.config.phase_deg, sessions.last.config.loss) == (90.0, "waveform")
    assert window.estimator.loss.currentText() == "waveform"


def test_a_preset_is_kept_under_the_name_that_is_given(open_window: OpenWindow) -> None:
    window = open_window(gain_db=-7.0)
    window.actions_.save_preset_as("Seven")
    window.menus.presets.aboutToShow.emit()
    assert texts(window.menus.presets) == ["Seven"]
    assert window.notices.texts() == ["The preset “Seven” is kept, under File, Presets."]
    window.actions_.save_preset_as("../evil")
    assert "cannot be the name of a preset" in window.notices.texts()[-1]


@pytest.mark.parametrize("choice", ["light", "dark", "system"])
def test_colors_are_chosen_and_remembered(open_window: OpenWindow, choice: Any) -> None:
    window = open_window()
    window.menus.themes[choice].trigger()
    assert window.settings.theme == choice
    assert [name for name, action in window.menus.themes.items() if action.isChecked()] == [choice]


def test_all_plots_follow_again(open_window: OpenWindow) -> None:
    window = open_window()
    followed: list[Any] = []
    for plot in window.plots:
        plot.follow = lambda plot=plot: followed.append(plot)  # type: ignore[method-assign]
    entry(window.menus, "Let all plots follow").trigger()
    assert followed == list(window.plots)


def about_boxes(window: MainWindow) -> list[AboutBox]:
    return [box for box in window.findChildren(AboutBox) if box.isVisible()]


def test_about_has_versions_to_paste_into_a_bug_report(
    qtbot: Any, qapp: Any, open_window: OpenWindow, tmp_path: Path
) -> None:
    window = open_window()
    window.log_file = tmp_path / "rtgain.log"
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


def test_no_dialog_comes_twice(open_window: OpenWindow) -> None:
    window = open_window()
    for name in ("show_about", "show_keys", "open_file", "save_preset", "open_preset"):
        for _ in range(2):
            window.actions_.by_name[name]()
    shown = [dialog.windowTitle() for dialog in window.findChildren(QDialog) if dialog.isVisible()]
    assert sorted(shown) == ["About rtgain", "Keys", "Open a preset", "Open a sound file", "Save preset"]


def test_versions_name_what_is_not_installed(monkeypatch: pytest.MonkeyPatch, qapp: Any) -> None:
    monkeypatch.setattr("gui.dialogs.about.PACKAGES", ("no-such-package",))
    assert "no-such-package is not installed" in versions(None).splitlines()
    assert versions(None).endswith("log: none")


def test_the_lessons_are_in_a_menu(open_window: OpenWindow) -> None:
    window = open_window()
    for shown in (True, False):
        entry(window.menus, "Lessons").trigger()
        assert window.learn.isVisible() is shown
