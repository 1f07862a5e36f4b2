"""Opens the window, starts the session once it is painted, and leaves in the one order that never crashes."""

import os
import signal
import sys
from types import FrameType

import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent, QTimer
from PySide6.QtWidgets import QApplication

from gui.control.session_controller import SessionFactory, create_session
from gui.icon import icon
from gui.log_file import close_log, open_log
from gui.main_window import MainWindow
from gui.settings import load_settings, save_settings
from gui.theme import apply_theme, chosen_theme
from rtgain.config.session_config import SessionConfig
from rtgain.errors import InputError

DISPLAY_VARIABLES = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(config: SessionConfig, session_factory: SessionFactory = create_session) -> int:
    """Show the window on `config` until it is closed; the exit code: 0, or 128 + n when signal n ended it.

    Raises `InputError` where there is no display.

    The window is painted before the session is started, on a thread of its own: its imports take seconds.
    """
    _require_display()
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName("rtgain")
    app.setWindowIcon(icon())
    app.setStyle("Fusion")
    log_file = open_log()
    settings = load_settings()
    theme = chosen_theme(settings.theme)
    apply_theme(app, theme)
    window = MainWindow(settings.session_for(config), session_factory, theme, settings, log_file)

    def show_theme() -> None:
        theme = chosen_theme(window.settings.theme)
        apply_theme(app, theme)
        window.show_theme(theme)

    app.styleHints().colorSchemeChanged.connect(show_theme)
    window.theme_chosen.connect(show_theme)
    window.closed.connect(lambda: save_settings(window.settings))
    window.painted.connect(window.start)
    with _SignalsClose(window) as signals:
        window.show()
        window.activateWindow()
        app.exec()
    _delete(window)
    close_log()
    return 0 if signals.received is None else 128 + signals.received


def _require_display() -> None:
    """Qt would end the process with a core dump."""
    if sys.platform == "linux" and not any(os.environ.get(name) for name in DISPLAY_VARIABLES):
        raise InputError("there is no display to open a window on; use --headless")


class _SignalsClose:
    """While it lasts, Ctrl-C and SIGTERM close the window in good order.

    Python runs signal handlers between bytecodes of its main thread; the window's timer sees to that.
    """

    def __init__(self, window: MainWindow) -> None:
        self.received: int | None = None
        self._window = window

    def __enter__(self) -> "_SignalsClose":
        self._before = [signal.signal(number, self._close) for number in STOP_SIGNALS]
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in zip(STOP_SIGNALS, self._before, strict=True):
            signal.signal(number, handler)

    def _close(self, number: int, _: FrameType | None) -> None:
        self.received = number
        QTimer.singleShot(0, self._window.close)  # within the event loop, which this may come before


def _delete(window: MainWindow) -> None:
    """Take the window and its scenes apart now: at the interpreter's end, their order is left to chance."""
    window.close()
    window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    assert not shiboken6.isValid(window)
