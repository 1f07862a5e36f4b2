"""The window: puts the panels together, reads snapshots on one timer, and passes on what the user wants."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QElapsedTimer, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QPaintEvent, QShortcut
from PySide6.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QMainWindow,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from gui import wording
from gui.estimator_panel import EstimatorPanel
from gui.gain_plot import GainPlot
from gui.health import HealthStrip
from gui.monitor import HEAR, FeedbackGuard
from gui.notices import NoticeStack
from gui.readout import Readout
from gui.reference_panel import ReferencePanel
from gui.session_host import SessionFactory, SessionHost
from gui.shortcuts import KEYS, ShortcutSheet
from gui.theme import Theme
from gui.transport import Transport
from rtgain.config import Hear, SessionConfig
from rtgain.errors import InputError

if TYPE_CHECKING:
    from rtgain.session import Snapshot

FRAME_MS = 33
NUMBERS_MS = 250
PANEL_WIDTH = 264
OPENING_SIZE = QSize(1180, 720)
FILE_FILTER = "Sound files (*.wav *.flac *.ogg *.mp3 *.aiff *.aif);;All files (*)"

FEEDBACK_TEXT = (
    "The microphone is not sent to the loudspeakers yet, because it can howl. "
    "Put on headphones or turn the volume down first."
)
WITHOUT_DEVICE_TEXT = "Running without a device, at real speed: everything is shown, nothing is heard."


class MainWindow(QMainWindow):
    """The whole window over one `SessionHost`."""

    painted = Signal()
    """Once, when the window has been painted for the first time."""

    def __init__(self, config: SessionConfig, factory: SessionFactory, theme: Theme) -> None:
        super().__init__()
        self.setWindowTitle("rtgain")
        self.host = SessionHost(config, factory, self)
        self.guard = FeedbackGuard(config.resolved_hear())
        self.transport = Transport()
        self.notices = NoticeStack()
        self.reference = ReferencePanel()
        self.estimator = EstimatorPanel()
        self.gain_plot = GainPlot()
        self.readout = Readout()
        self.health = HealthStrip()
        self.keys = ShortcutSheet(self)
        self._was_painted = False
        self._since_numbers = QElapsedTimer()
        self._lay_out()
        self._connect()
        self.show_theme(theme)
        self._show_config()
        self.resize(self._opening_size())
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._timer.start(FRAME_MS)

    # What the user can do: the names that `gui.shortcuts.KEYS` refers to.

    def start(self) -> None:
        """Start a session on the present config, or start it anew."""
        self.notices.clear()
        self.estimator.freeze.setChecked(False)
        self._ask_about_feedback()
        self.host.start(self.guard.heard(self.host.config))

    def start_or_stop(self) -> None:
        """Stop what runs or is about to; start where nothing does."""
        if self.host.state == "stopped":
            self.start()
        else:
            self.host.stop()

    def choose_source(self, source: str) -> None:
        """Play another source, the reference path kept."""
        try:
            self.host.set_input(source)
        except InputError as error:
            self.notices.show_notice("session", wording.sentence(str(error)))
        else:
            self.start()
        self._show_config()

    def open_file(self) -> None:
        """Ask for a file and play it."""
        dialog = QFileDialog(self, "Open a sound file", "", FILE_FILTER)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.choose_source)
        dialog.open()

    def choose_hear(self, hear: Hear) -> None:
        """Hear something else; a live input only after the user has agreed to it."""
        self.guard.wanted = hear
        self._ask_about_feedback()
        self._play_what_may_be_heard()

    def reset(self) -> None:
        """Begin the estimate anew."""
        self.host.reset_estimate()

    def toggle_freeze(self) -> None:
        """Freeze the estimate, or let it go on."""
        self.estimator.freeze.toggle()

    def show_keys(self) -> None:
        """Show the sheet of keys."""
        self.keys.show()
        self.keys.raise_()
        self.keys.activateWindow()

    def show_theme(self, theme: Theme) -> None:
        """Take the colors of `theme` where the style sheet does not reach."""
        self.gain_plot.show_theme(theme)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._was_painted:
            self._was_painted = True
            QTimer.singleShot(0, self.painted.emit)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Sound and processes end before the window does: leaving Python in another order crashes."""
        self._timer.stop()
        self.hide()
        self.host.close()
        super().closeEvent(event)

    def _tick(self) -> None:
        snapshot = self.host.snapshot()
        if snapshot is None:
            return
        self.gain_plot.show_history(snapshot.history, snapshot.time_s)
        over = snapshot.ended or not snapshot.running
        if over or not self._since_numbers.isValid() or self._since_numbers.elapsed() >= NUMBERS_MS:
            self._since_numbers.start()
            self.readout.show_snapshot(snapshot, frozen=self.estimator.freeze.isChecked())
            self.health.show_snapshot(snapshot)
        if snapshot.notices:
            self.notices.show_notice("session", snapshot.notices[-1])
        if over:
            self._show_end(snapshot)

    def _show_end(self, snapshot: "Snapshot") -> None:
        self.host.stop()
        if snapshot.ended:
            self.notices.show_notice("end", "The sound has ended.", "Play again", self.start)
        elif self.notices.notice("session") is None:
            self.notices.show_notice("end", "The session stopped by itself.", "Start again", self.start)

    def _show_state(self, state: str) -> None:
        self.transport.show_state(self.host.state)
        self.estimator.set_running(state == "running")
        if state == "starting":
            self.readout.show_starting()
        elif state == "stopped":
            self.readout.show_stopped()

    def _show_config(self) -> None:
        self.transport.source.show_source(self.host.config.input)
        self.reference.show_config(self.host.config)
        self.transport.hear.show_heard(self.guard.heard(self.host.config))

    def _show_fall_back(self, reason: str) -> None:
        self._show_config()
        self._ask_about_feedback()
        self._play_what_may_be_heard()
        self.notices.show_notice(
            "device",
            f"{wording.what_is_wrong(reason)} {WITHOUT_DEVICE_TEXT}",
            "Try again",
            self.start,
        )

    def _show_failure(self, reason: str) -> None:
        self.notices.show_notice("session", wording.sentence(reason), "Start again", self.start)

    def _change_reference(self, changes: dict[str, Any]) -> None:
        automated = self.host.config.automation
        self.host.set_reference(**changes)
        if self.host.config.automation != automated:
            self.reference.show_config(self.host.config)

    def _ask_about_feedback(self) -> None:
        if self.guard.asks(self.host.config):
            self.notices.show_notice("feedback", FEEDBACK_TEXT, "Send it to the loudspeakers", self._confirm_feedback)
        else:
            self.notices.dismiss("feedback")

    def _confirm_feedback(self) -> None:
        self.guard.confirm()
        self.notices.dismiss("feedback")
        self._play_what_may_be_heard()

    def _play_what_may_be_heard(self) -> None:
        heard = self.guard.heard(self.host.config)
        self.transport.hear.show_heard(heard)
        self.host.set_hear(heard)

    def _space(self) -> None:
        """Space works the control that Tab has led to; anywhere else it starts and stops."""
        focused = self.focusWidget()
        if isinstance(focused, QAbstractButton):
            focused.click()
        elif isinstance(focused, QComboBox):
            focused.showPopup()
        else:
            self.start_or_stop()

    def _lay_out(self) -> None:
        panel = QWidget()
        panel.setProperty("look", "pane")
        panels = QVBoxLayout(panel)
        panels.setContentsMargins(0, 0, 0, 0)
        panels.setSpacing(10)
        panels.addWidget(self.reference)
        panels.addWidget(self.estimator)
        panels.addStretch(1)
        side = QScrollArea()
        side.setWidget(panel)
        side.setWidgetResizable(True)
        side.setFixedWidth(PANEL_WIDTH)
        side.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        side.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        plots = QVBoxLayout()
        plots.setSpacing(10)
        plots.addWidget(self.gain_plot, 1)
        plots.addWidget(self.readout)
        body = QHBoxLayout()
        body.setSpacing(10)
        body.addWidget(side)
        body.addLayout(plots, 1)
        central = QWidget()
        central.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        rows = QVBoxLayout(central)
        rows.setContentsMargins(12, 10, 12, 8)
        rows.setSpacing(10)
        rows.addWidget(self.transport)
        rows.addWidget(self.notices)
        rows.addLayout(body, 1)
        rows.addWidget(self.health)
        self.setCentralWidget(central)
        central.setFocus()

    def _connect(self) -> None:
        self.transport.start_button.clicked.connect(self.start_or_stop)
        self.transport.source.chosen.connect(self.choose_source)
        self.transport.source.open_wanted.connect(self.open_file)
        self.transport.hear.chosen.connect(self.choose_hear)
        self.reference.changed.connect(self._change_reference)
        self.estimator.freeze_wanted.connect(self.host.freeze)
        self.estimator.reset_wanted.connect(self.reset)
        self.host.state_changed.connect(self._show_state)
        self.host.fell_back.connect(self._show_fall_back)
        self.host.failed.connect(self._show_failure)
        deeds: dict[str, Callable[..., object]] = {
            "start_or_stop": self._space,
            "reset": self.reset,
            "freeze": self.toggle_freeze,
            "open_file": self.open_file,
            "show_keys": self.show_keys,
            "quit": self.close,
        }
        deeds.update({hear: partial(self.choose_hear, hear) for hear in HEAR})
        for key in KEYS:
            QShortcut(QKeySequence(key.sequence), self).activated.connect(deeds[key.does])

    def _opening_size(self) -> QSize:
        return OPENING_SIZE.boundedTo(self.screen().availableSize())
