"""Everything that a session has found, in a folder of its own; it shows that it works, and can be cancelled."""

import csv
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog, QLabel

from gui.main_window import MainWindow
from gui.notices import WARNING_MARK
from gui.settings import presets
from rtgain.config import load_preset, session_config
from rtgain.report import Report
from tests.gui.test_ends_panel import OpenWindow, Sessions
from tests.gui.test_main_window import notice_button
from tests.waiting import PATIENCE_S, until

PATIENCE_MS = 30_000
"""matplotlib is loaded for the figure."""


def text(window: MainWindow) -> str:
    notice = window.notices.notice("export")
    return notice.text.text() if notice is not None else ""


def has_warning(window: MainWindow) -> bool:
    return any(label.text() == WARNING_MARK and label.isVisible() for label in window.notices.findChildren(QLabel))


def export(qtbot: Any, window: MainWindow, folder: Path) -> None:
    qtbot.waitUntil(lambda: window.readout.gain_db.text() != "–")
    window.actions_.export(str(folder))


def test_ctrl_e_asks_where_and_writes_everything_there(qtbot: Any, open_window: OpenWindow, tmp_path: Path) -> None:
    window = open_window(gain_db=-9.0, loss="log-stft")
    qtbot.waitUntil(lambda: window.readout.gain_db.text() != "–")
    qtbot.keyClick(window, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    [dialog] = [dialog for dialog in window.findChildren(QFileDialog) if dialog.isVisible()]
    dialog.fileSelected.emit(str(tmp_path))
    dialog.close()
    assert text(window) == "Writing CSV, JSON, figure and preset…"
    qtbot.waitUntil(lambda: text(window).startswith("Exported to "), timeout=PATIENCE_MS)
    [folder] = tmp_path.iterdir()
    assert text(window) == f"Exported to {folder}."
    qtbot.waitUntil(lambda: all(label.isVisible() for label in window.notices.findChildren(QLabel)))
    assert not has_warning(window)
    window.actions_.say("it is not so")
    qtbot.waitUntil(lambda: has_warning(window))
    assert sorted(path.name for path in folder.iterdir()) == ["gain.csv", "gain.png", "preset.json", "session.json"]
    rows = list(csv.DictReader((folder / "gain.csv").open(encoding="utf-8")))
    assert len(rows) == json.loads((folder / "session.json").read_text(encoding="utf-8"))["estimates"] > 0
    assert QImage(str(folder / "gain.png")).width() > 500
    assert session_config(**load_preset(folder / "preset.json")) == window.host.config


def test_an_export_that_is_cancelled_leaves_nothing(
    qtbot: Any, open_window: OpenWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, write = threading.Event(), Report.write

    def wait_for_cancel(report: Report, place: Path, cancelled: Any) -> Path | None:
        begun.set()
        until(cancelled)
        return write(report, place, cancelled)

    monkeypatch.setattr(Report, "write", wait_for_cancel)
    window = open_window()
    export(qtbot, window, tmp_path)
    assert begun.wait(PATIENCE_S)
    qtbot.mouseClick(notice_button(window, "export"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: text(window) == "", timeout=PATIENCE_MS)
    assert list(tmp_path.iterdir()) == []
    assert window.notices.texts() == []


def test_a_window_that_is_closed_while_it_exports_leaves_nothing_half_written(
    qtbot: Any, open_window: OpenWindow, tmp_path: Path
) -> None:
    window = open_window()
    export(qtbot, window, tmp_path)
    window.close()
    for folder in tmp_path.iterdir():
        assert len(list(folder.iterdir())) == 4


def test_a_place_that_cannot_be_written_is_said_in_one_line(
    qtbot: Any, open_window: OpenWindow, tmp_path: Path
) -> None:
    window = open_window()
    export(qtbot, window, tmp_path / "none")
    qtbot.waitUntil(lambda: window.notices.notice("session") is not None, timeout=PATIENCE_MS)
    assert "cannot be written (No such file or directory)" in window.notices.texts()[-1]


def test_before_the_first_start_there_is_nothing_to_export(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions
) -> None:
    sessions.start_errors = [OSError("no")]
    window = open_window()
    qtbot.waitUntil(lambda: window.host.state == "stopped")
    window.actions_.ask_where_to_export()
    assert window.notices.texts() == ["There is nothing to export yet; start first."]


def test_what_was_found_can_be_exported_after_it_was_stopped(
    qtbot: Any, open_window: OpenWindow, tmp_path: Path
) -> None:
    window = open_window()
    qtbot.waitUntil(lambda: window.readout.gain_db.text() != "–")
    qtbot.keyClick(window, Qt.Key.Key_Space)
    assert window.host.state == "stopped"
    window.actions_.export(str(tmp_path))
    qtbot.waitUntil(lambda: text(window).startswith("Exported to "), timeout=PATIENCE_MS)


def test_a_preset_reopens_what_was_heard_and_who_raced(
    qtbot: Any, open_window: OpenWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    window = open_window()
    window.actions_.choose_hear("difference")
    window.actions_.change_estimator({"race": ("spectral/Adam", "waveform/SGD@0.01")})
    window.actions_.keep_preset("Race")
    (tmp_path / "out").mkdir()
    export(qtbot, window, tmp_path / "out")
    qtbot.waitUntil(lambda: text(window).startswith("Exported to "), timeout=PATIENCE_MS)
    [folder] = (tmp_path / "out").iterdir()
    for path in (folder / "preset.json", presets()["Race"]):
        kept = session_config(**load_preset(path))
        assert (kept.hear, kept.race) == ("difference", ("spectral/Adam", "waveform/SGD@0.01"))
        window.actions_.choose_hear("dry")
        window.actions_.open_preset(str(path))
        assert window.guard.wanted == "difference"
