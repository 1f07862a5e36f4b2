"""Real main window on a real X display, over fake sessions without audio."""

from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

import rtgain.session.io_setup  # noqa: F401  # loads numba now, not while a test waits for a session
from gui.main_window import MainWindow
from gui.theme import LIGHT, apply_theme
from rtgain.config.session_config import SessionConfig
from rtgain.records.recording_offset import RecordingOffset
from tests.gui.fake_session import FakeSession
from tests.polling import TIMEOUT_MS

for wait in (QtBot.waitUntil, QtBot.waitSignal, QtBot.waitSignals, QtBot.waitActive, QtBot.waitExposed):
    wait.__kwdefaults__["timeout"] = TIMEOUT_MS  # instead of five seconds, which are too few on a busy machine


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, object, object]:
    """Delete the widgets of the test now, not in the next one, which would set its style sheet for them, too: 0.7 s."""
    result = yield
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    return result


class Sessions:
    """Session factory that makes fake sessions and stores them for the test."""

    def __init__(self) -> None:
        self.made: list[FakeSession] = []
        self.offsets: list[RecordingOffset | None] = []
        self.start_errors: list[Exception | None] = []
        """Errors that the next starts raise, first to last; None for success."""

    def __call__(self, config: SessionConfig, offset: RecordingOffset | None) -> Any:
        error = self.start_errors.pop(0) if self.start_errors else None
        self.offsets.append(offset)
        self.made.append(FakeSession(config, offset=offset, start_error=error))
        return self.made[-1]

    @property
    def last(self) -> FakeSession:
        return self.made[-1]


@pytest.fixture
def sessions() -> Sessions:
    return Sessions()


@pytest.fixture
def open_window(qtbot: Any, qapp: QApplication, sessions: Sessions) -> Iterator[Callable[..., MainWindow]]:
    """Opens the main window with session options as `gui.app.run` does, and waits until the session runs."""
    qapp.setStyle("Fusion")
    apply_theme(qapp, LIGHT)
    windows = []

    def open_(**options: Any) -> MainWindow:
        window = MainWindow(SessionConfig(**options), sessions, LIGHT)
        windows.append(window)
        window.painted.connect(window.start)
        with qtbot.waitSignal(window.painted):
            window.show()
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow)
        qtbot.waitUntil(lambda: window.controller.state != "starting")
        return window

    yield open_
    for window in windows:
        window.close()
        window.deleteLater()
