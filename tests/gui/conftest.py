"""A real window on a real X display, over a session without sound."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication

from gui.main_window import MainWindow
from gui.theme import LIGHT, apply_theme
from rtgain.config.session_config import SessionConfig
from tests.gui.fake_session import FakeSession


class Sessions:
    """Makes fake sessions for a window, and keeps them so that a test can see what became of them."""

    def __init__(self) -> None:
        self.made: list[FakeSession] = []
        self.start_errors: list[Exception | None] = []
        """What the next starts fail with, first to last."""

    def __call__(self, config: SessionConfig) -> Any:
        error = self.start_errors.pop(0) if self.start_errors else None
        self.made.append(FakeSession(config, start_error=error))
        return self.made[-1]

    @property
    def last(self) -> FakeSession:
        return self.made[-1]


@pytest.fixture
def sessions() -> Sessions:
    return Sessions()


@pytest.fixture
def open_window(qtbot: Any, qapp: QApplication, sessions: Sessions) -> Iterator[Callable[..., MainWindow]]:
    """Opens the window on options of a session as `gui.app.run` does, and waits until it runs."""
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
        qtbot.waitUntil(lambda: window.host.state != "starting")
        return window

    yield open_
    for window in windows:
        window.close()
        window.deleteLater()
