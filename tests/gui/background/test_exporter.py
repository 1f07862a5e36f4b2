"""Export of a session into a new folder, with progress and cancellation."""

import csv
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog, QLabel

from gui.main_window import MainWindow
from gui.panels.notices import WARNING_MARK
from gui.settings import presets
from rtgain.config.presets import load_preset
from rtgain.config.session_config import make_session_config
from rtgain.output.session_export import write_session_export
from rtgain.records.session_export import SessionExport
from tests.gui.panels.test_routing_panel import OpenWindow, Sessions
from tests.gui.test_main_window import notice_button
from tests.polling import TIMEOUT_MS, TIMEOUT_S, wait_until


def text(window: MainWindow) -> str:
    notice = window.notices.notice("export")
    return notice.text.text() if notice is not None else ""


def has_warning(window: MainWindow) -> bool:
    return any(label.text() == WARNING_MARK and label.isVisible() for label in window.notices.findChildren(QLabel))


def export(qtbot: Any, window: MainWindow, folder: Path) -> None:
    qtbot.waitUntil(lambda: window.readout.gain_db.text() != "–")
    window.file_actions.export_to(str(folder))


def test_ctrl_e_exports_to_the_selected_folder(qtbot: Any, open_window: OpenWindow, tmp_path: Path) -> None:
    window = open_window(gain_db=-9.0, loss="log-stft")
    qtbot.waitUntil(lambda: window.readout.gain_db.text() != "–")
    qtbot.keyClick(window, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    [dialog] = [dialog for dialog in window.findChildren(QFileDialog) if dialog.isVisible()]
    dialog.fileSelected.emit(str(tmp_path))
    dialog.close()
    assert text(window) == "Writing CSV, JSON, figure and preset…"
    qtbot.waitUntil(lambda: text(window).startswith("Exported to "), timeout=TIMEOUT_MS)
    [folder] = tmp_path.iterdir()
    assert text(window) == f"Exported to {folder}."
    qtbot.waitUntil(lambda: all(label.isVisible() for label in window.notices.findChildren(QLabel)))
    assert not has_warning(window)
    window.notices.show_error("something failed")
    qtbot.waitUntil(lambda: has_warning(window))
    assert sorted(path.name for path in folder.iterdir()) == ["gain.csv", "gain.png", "preset.json", "session.json"]
    rows = list(csv.DictReader((folder / "gain.csv").open(encoding="utf-8")))
    assert len(rows) == json.loads((folder / "session.json").read_text(encoding="utf-8"))["estimates"] > 0
    assert QImage(str(folder / "gain.png")).width() > 500
    assert make_session_config(**load_preset(folder / "preset.json")) == window.controller.config


def test_cancelled_export_leaves_no_files(
    qtbot: Any, open_window: OpenWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = threading.Event()

    def wait_for_cancel(results: SessionExport, parent: Path, cancelled: Callable[[], bool], _: Any) -> Path | None:
        started.set()
        wait_until(cancelled)
        return write_session_export(results, parent, cancelled)

    monkeypatch.setattr("gui.background.exporter.write_session_export", wait_for_cancel)
    window = open_window()
    export(qtbot, window, tmp_path)
    assert started.wait(TIMEOUT_S)
    qtbot.mouseClick(notice_button(window, "export"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: text(window) == "", timeout=TIMEOUT_MS)
    assert list(tmp_path.iterdir()) == []
    assert window.notices.texts() == []


def test_closing_during_an_export_leaves_no_partial_folder(qtbot: Any, open_window: OpenWindow, tmp_path: Path) -> None:
    window = open_window()
    export(qtbot, window, tmp_path)
    window.close()
    for folder in tmp_path.iterdir():
        assert len(list(folder.iterdir())) == 4


def test_unwritable_folder_is_reported_in_one_line(qtbot: Any, open_window: OpenWindow, tmp_path: Path) -> None:
    window = open_window()
    export(qtbot, window, tmp_path / "none")
    qtbot.waitUntil(lambda: window.notices.notice("session") is not None, timeout=TIMEOUT_MS)
    assert "cannot be written (No such file or directory)" in window.notices.texts()[-1]


def test_export_before_the_first_start_shows_a_notice(qtbot: Any, open_window: OpenWindow, sessions: Sessions) -> None:
    sessions.start_errors = [OSError("no")]
    window = open_window()
    qtbot.waitUntil(lambda: window.controller.state == "stopped")
    window.file_actions.export()
    assert window.notices.texts() == ["Nothing to export yet; start the session first."]


def test_stopped_session_can_be_exported(qtbot: Any, open_window: OpenWindow, tmp_path: Path) -> None:
    window = open_window()
    qtbot.waitUntil(lambda: window.readout.gain_db.text() != "–")
    qtbot.keyClick(window, Qt.Key.Key_Space)
    assert window.controller.state == "stopped"
    window.file_actions.export_to(str(tmp_path))
    qtbot.waitUntil(lambda: text(window).startswith("Exported to "), timeout=TIMEOUT_MS)


def test_preset_restores_monitor_and_comparisons(
    qtbot: Any, open_window: OpenWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    window = open_window()
    window.session_actions.choose_monitor("difference")
    window.session_actions.change_estimator({"compare": ("spectral/Adam", "waveform/SGD@0.01")})
    window.file_actions.save_preset_as("Compared")
    (tmp_path / "out").mkdir()
    export(qtbot, window, tmp_path / "out")
    qtbot.waitUntil(lambda: text(window).startswith("Exported to "), timeout=TIMEOUT_MS)
    [folder] = (tmp_path / "out").iterdir()
    for path in (folder / "preset.json", presets()["Compared"]):
        config = make_session_config(**load_preset(path))
        assert (config.monitor, config.compare) == ("difference", ("spectral/Adam", "waveform/SGD@0.01"))
        window.session_actions.choose_monitor("dry")
        window.file_actions.load_preset(str(path))
        assert window.guard.requested == "difference"
