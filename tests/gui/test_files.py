"""Files are opened by drag and drop, by a dialog and from the recent files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent

from gui.control.session_controller import create_session
from gui.main_window import MainWindow
from gui.settings import Settings, load_settings, save_settings
from gui.theme import LIGHT
from rtgain.config.presets import preset_text
from rtgain.config.session_config import SessionConfig
from tests.encoded_files import encode
from tests.gui.panels.test_routing_panel import OpenWindow, Sessions, choose, offered


def drag_over(window: MainWindow, *urls: QUrl) -> bool:
    """Return True if the window would accept `urls`."""
    data = QMimeData()
    data.setUrls(list(urls))
    buttons, modifiers = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    event = QDragEnterEvent(QPoint(300, 300), Qt.DropAction.CopyAction, data, buttons, modifiers)
    event.ignore()
    window.dragEnterEvent(event)  # called directly: Qt sends it only for a drag that Qt started
    return window.acceptDrops() and event.isAccepted()


def drop(window: MainWindow, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    assert drag_over(window, *data.urls())
    buttons, modifiers = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    window.dropEvent(QDropEvent(QPoint(300, 300), Qt.DropAction.CopyAction, data, buttons, modifiers))


def test_dropped_file_plays(qtbot: Any, open_window: OpenWindow, sessions: Sessions, tmp_path: Path) -> None:
    window = open_window(gain_db=-7.0)
    song = tmp_path / "song.wav"
    assert drag_over(window, QUrl.fromLocalFile(str(song)))
    drop(window, song)
    qtbot.waitUntil(lambda: len(sessions.made) == 2 and window.controller.state == "running")
    assert (sessions.last.config.input, sessions.last.config.gain_db) == (str(song), -7.0)
    assert window.transport.source.currentText() == "song.wav"
    qtbot.waitUntil(window.position.isVisible)


def test_drop_without_any_address_is_ignored(open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    buttons, modifiers = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    data = QMimeData()  # the event does not own it
    window.dropEvent(QDropEvent(QPoint(300, 300), Qt.DropAction.CopyAction, data, buttons, modifiers))
    assert (len(sessions.made), window.notices.texts()) == (1, [])


def test_dropped_preset_is_opened(qtbot: Any, open_window: OpenWindow, sessions: Sessions, tmp_path: Path) -> None:
    window = open_window()
    (tmp_path / "p.json").write_text(preset_text(SessionConfig(input="pink", gain_db=-3.0)), encoding="utf-8")
    drop(window, tmp_path / "p.json")
    qtbot.waitUntil(lambda: len(sessions.made) == 2)
    assert (sessions.last.config.input, sessions.last.config.gain_db) == ("pink", -3.0)


def test_invalid_preset_shows_a_notice_and_audio_continues(
    open_window: OpenWindow, sessions: Sessions, tmp_path: Path
) -> None:
    window = open_window()
    (tmp_path / "p.json").write_text("[]", encoding="utf-8")
    drop(window, tmp_path / "p.json")
    assert "not a preset" in window.notices.texts()[0]
    assert (len(sessions.made), window.controller.state) == (1, "running")


def test_remote_urls_are_not_accepted(open_window: OpenWindow) -> None:
    window = open_window()
    assert not drag_over(window, QUrl("https://example.org/song.wav"))
    assert not drag_over(window)


def test_recent_files_are_saved_and_offered(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    window = open_window()
    for name in ("first.wav", "second.wav"):
        window.session_actions.choose_source((str(tmp_path / name), None))
    window.session_actions.choose_source(("demo", None))
    save_settings(window.settings)
    again = load_settings()
    assert [Path(path).name for path in again.recent_files] == ["second.wav", "first.wav"]
    assert offered(window.transport.source)[-4:] == ["second.wav", "first.wav", "", "Open file…"]
    choose(qtbot, window.transport.source, "first.wav")
    qtbot.waitUntil(lambda: sessions.last.config.input == str(tmp_path / "first.wav"))


def test_closing_the_window_updates_the_settings(open_window: OpenWindow) -> None:
    window = open_window(gain_db=-5.0)
    window.session_actions.choose_source(("/sounds/a.wav", None))
    window.close()
    assert isinstance(window.settings, Settings)
    assert window.settings.session["gain_db"] == -5.0
    assert window.settings.session["input"] == "/sounds/a.wav"
    assert window.settings.geometry != ""


def test_m4a_plays_and_what_cannot_be_read_leaves_it_alone(qtbot: Any, tmp_path: Path) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, 20 * 8000))
    encode(tmp_path / "song.m4a", noise, 8000)
    (tmp_path / "letter.m4a").write_text("Dear listener")
    window = MainWindow(SessionConfig(input="sine", clock="timer"), create_session, LIGHT)
    try:
        window.start()
        qtbot.waitUntil(lambda: window.controller.state == "running")
        drop(window, tmp_path / "song.m4a")
        qtbot.waitUntil(lambda: window.controller.state == "running" and is_playing(window))
        assert window.notices.texts() == []
        session = window.controller.session
        drop(window, tmp_path / "letter.m4a")
        qtbot.waitUntil(lambda: "letter.m4a: " in " ".join(window.notices.texts()))
        assert window.controller.session is session
        assert window.controller.config.input == str(tmp_path / "song.m4a")
        assert is_playing(window)
    finally:
        window.close()
        window.deleteLater()


def is_playing(window: MainWindow) -> bool:
    """Return True if a recording with sound is heard."""
    snapshot = window.controller.snapshot()
    return (
        snapshot is not None
        and snapshot.length_s is not None
        and snapshot.position_s < snapshot.length_s
        and snapshot.levels["dry"].rms_dbfs[0] > -30.0
    )
