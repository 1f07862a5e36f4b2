"""Application: opens the main window, starts the session after the first paint, and shuts down in a safe order."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType

import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent, QTimer
from PySide6.QtWidgets import QApplication

from gui.actions import PAIR_OPTIONS
from gui.control.session_controller import SessionFactory, create_session
from gui.icon import icon
from gui.log_file import close_log, open_log
from gui.main_window import MainWindow
from gui.settings import Settings, load_settings, save_settings
from gui.theme import apply_theme, chosen_theme
from rtgain.config.session_config import SessionConfig, make_session_config, with_changes
from rtgain.errors import InputError

DISPLAY_VARIABLES = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(config: SessionConfig, session_factory: SessionFactory = create_session) -> int:
    """Show the main window with `config` until it is closed.

    The window is painted before the session starts in another thread: its imports take seconds.

    Returns 0, or 128 + n if signal n ended the program. Raises `InputError` without a display.
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
    window = MainWindow(opening_config(settings, config), session_factory, theme, settings, log_file)

    def show_theme() -> None:
        theme = chosen_theme(window.settings.theme)
        apply_theme(app, theme)
        window.show_theme(theme)

    app.styleHints().colorSchemeChanged.connect(show_theme)
    window.theme_chosen.connect(show_theme)
    window.closed.connect(lambda: save_settings(window.settings))
    window.painted.connect(window.start)
    with _CloseOnSignal(window) as signals:
        window.show()
        window.activateWindow()
        app.exec()
    _delete(window)
    close_log()
    return 0 if signals.received is None else 128 + signals.received


def opening_config(settings: Settings, requested: SessionConfig) -> SessionConfig:
    """Return the session to open: the saved one, with the options that are set in `requested`.

    Two recordings of the command line are played as if they had been opened in the window (`PAIR_OPTIONS`), unless it
    says otherwise. File names become absolute: the session is stored, and restored in another folder.
    """
    config = settings.session_for(_with_absolute_paths(requested))
    given = requested.model_fields_set
    if config.is_pair and "target" in given:
        return with_changes(config, **{name: value for name, value in PAIR_OPTIONS.items() if name not in given})
    return config


def _with_absolute_paths(config: SessionConfig) -> SessionConfig:
    options = config.model_dump(include=config.model_fields_set)
    files = {"input": config.is_file, "target": config.is_pair, "automation": True, "eq": True}
    for option in (name for name, is_file in files.items() if is_file and options.get(name) is not None):
        options[option] = str(Path(options[option]).absolute())
    if options.get("target_files"):
        options["target_files"] = tuple(str(Path(name).absolute()) for name in config.target_files)
    return make_session_config(**options)


def _require_display() -> None:
    """Raise `InputError` without a display; Qt would abort with a core dump."""
    if sys.platform == "linux" and not any(os.environ.get(name) for name in DISPLAY_VARIABLES):
        raise InputError("no display found; use --headless")


class _CloseOnSignal:
    """Context in which SIGINT and SIGTERM close the window in the normal order.

    Python runs signal handlers between bytecodes of its main thread; the window's timer executes some regularly.
    """

    def __init__(self, window: MainWindow) -> None:
        self.received: int | None = None
        self._window = window

    def __enter__(self) -> "_CloseOnSignal":
        self._before = [signal.signal(number, self._close) for number in STOP_SIGNALS]
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in zip(STOP_SIGNALS, self._before, strict=True):
            signal.signal(number, handler)

    def _close(self, number: int, _: FrameType | None) -> None:
        self.received = number
        QTimer.singleShot(0, self._window.close)  # inside the event loop, which may not have started


def _delete(window: MainWindow) -> None:
    """Delete the window and its scenes now: at the exit of the interpreter, their order is arbitrary."""
    window.close()
    window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    assert not shiboken6.isValid(window)
