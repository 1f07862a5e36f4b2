"""The window: puts the panels together, reads snapshots on one timer, and shows what becomes of the session."""

import logging
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QElapsedTimer, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QMainWindow, QPushButton, QScrollArea, QVBoxLayout, QWidget

from gui import state_texts
from gui.actions import Actions
from gui.background.device_list import Device, DeviceList
from gui.background.experiment_runner import ExperimentRunner
from gui.background.exporter import Exporter
from gui.control.feedback_guard import FeedbackGuard
from gui.control.session_controller import SessionController, SessionFactory
from gui.dialogs.experiment_window import ExperimentWindow
from gui.panels.estimator_panel import EstimatorPanel
from gui.panels.lesson_panel import LessonPanel
from gui.panels.level_meters import LevelMeters
from gui.panels.menu_bar import MenuBar
from gui.panels.notices import NoticeStack
from gui.panels.position_bar import PositionBar
from gui.panels.readout import Readout
from gui.panels.reference_panel import ReferencePanel
from gui.panels.status_strip import StatusStrip
from gui.panels.transport import Transport
from gui.plots.gain_plot import GainPlot
from gui.plots.loss_plots import LossCurvePlot, LossOverTimePlot
from gui.plots.scope_plots import SpectrumPlot, WaveformPlot
from gui.settings import Settings
from gui.theme import Theme
from rtgain.config.session_config import SessionConfig

if TYPE_CHECKING:
    from gui.plots.plot_card import PlotCard
    from rtgain.records.snapshot import Snapshot

FRAME_MS = 32
"""A little more than 30 a second: a busy machine loses one now and then."""

LOOK_FOR_DEVICES_MS = 1000
NUMBERS_MS = 250
PANEL_WIDTH = 264
OPENING_SIZE = QSize(1280, 800)

WITHOUT_DEVICE_TEXT = "Running without a device, at real speed: everything is shown, nothing is heard."

log = logging.getLogger(__name__)


class MainWindow(QMainWindow):
    """The whole window over one `SessionController`."""

    painted = Signal()
    """Once, when the window has been painted for the first time."""

    theme_chosen = Signal()
    """The user wants other colors: `settings` say which."""

    closed = Signal()
    """Sound and processes have ended; `settings` are what is to be remembered."""

    def __init__(
        self,
        config: SessionConfig,
        factory: SessionFactory,
        theme: Theme,
        settings: Settings = Settings(),  # noqa: B008, frozen
        log_file: Path | None = None,
    ) -> None:
        super().__init__()
        self.setWindowTitle("rtgain")
        self.setAcceptDrops(True)
        self.settings = settings
        self.log_file = log_file
        self.host = SessionController(config, factory, self)
        self.guard = FeedbackGuard(config.resolved_monitor())
        self.devices = DeviceList(self)
        self.exporter = Exporter(self)
        self.experiment = ExperimentRunner(self)
        self.transport = Transport()
        self.position = PositionBar()
        self.notices = NoticeStack()
        self.reference = ReferencePanel()
        self.estimator = EstimatorPanel()
        self.gain_plot = GainPlot()
        self.loss_curve, self.loss_over_time = LossCurvePlot(), LossOverTimePlot()
        self.spectrum, self.waveform = SpectrumPlot(), WaveformPlot()
        self.plots: tuple[PlotCard, ...] = (
            self.gain_plot, self.loss_curve, self.spectrum, self.loss_over_time, self.waveform,
        )  # fmt: skip
        self.readout = Readout()
        self.levels = LevelMeters()
        self.learn = LessonPanel()
        self.learn.open_at(settings.lesson, settings.step)
        self.learn.hide()
        self.exhibits = ExperimentWindow(self)
        self.lessons_button = QPushButton("Learn")
        self.lessons_button.setCheckable(True)
        self.lessons_button.setToolTip("Lessons on what you see and hear (L)")
        self.lessons_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.health = StatusStrip()
        self.actions_ = Actions(self)
        self.menus = MenuBar(self.actions_.by_name)
        self._lost: list[str] = []
        self._reconnect_timer = QTimer(self, interval=LOOK_FOR_DEVICES_MS)
        self._was_painted = False
        # One after the other, so that no frame draws them all.
        self._numbers = deque(
            [self._show_place, self.health.show_snapshot, self.levels.show_numbers, self._show_readout]
        )
        self._since_numbers = QElapsedTimer()
        self._lay_out()
        self._connect()
        self.show_theme(theme)
        self.show_config()
        self._restore_size()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._timer.start(FRAME_MS)

    def start(self) -> None:
        """Start a session on the present config, or start it anew."""
        self.actions_.start()

    def show_theme(self, theme: Theme) -> None:
        """Take the colors of `theme` where the style sheet does not reach."""
        for plot in self.plots:
            plot.show_theme(theme)
        self.levels.show_theme(theme)

    def show_config(self) -> None:
        """Let every control show what the session is, or will be when it is started."""
        config = self.host.config
        self.transport.source.show_source(config, self.settings.recent_files)
        self.transport.output.show_device(config.output_device)
        self.transport.monitor.show_heard(self.guard.heard(config))
        self.reference.show_config(config)
        self.estimator.show_config(config)
        self.exhibits.show_played(config.input)
        self.learn.show_exhibit(plays=self.actions_.plays_exhibit)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._was_painted:
            self._was_painted = True
            QTimer.singleShot(0, self.painted.emit)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        urls = event.mimeData().urls()
        if urls and urls[0].isLocalFile():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = event.mimeData().urls()[0].toLocalFile()
        event.acceptProposedAction()
        if path.endswith(".json"):
            self.actions_.open_preset(path)
        else:
            self.actions_.choose_source((path, None))

    def closeEvent(self, event: QCloseEvent) -> None:
        """Sound and processes end before the window does: leaving Python in another order crashes."""
        if self._timer.isActive():
            self._timer.stop()
            geometry = bytes(self.saveGeometry().toBase64().data()).decode()
            self.settings = self.settings.with_session(self.actions_.remembered_config()).model_copy(
                update={"geometry": geometry, "lesson": self.learn.lesson.name, "step": self.learn.step_index}
            )
            self.hide()
            self.host.close()
            self.exporter.close()
            self.exhibits.close()
            self.experiment.close()
            self.devices.close()
            self.closed.emit()
        super().closeEvent(event)

    def _tick(self) -> None:
        snapshot = self.host.snapshot()
        if snapshot is None:
            return
        self._show_plots(snapshot)
        over = snapshot.is_finished or not snapshot.running
        if (
            over
            or not self._since_numbers.isValid()
            or self._since_numbers.elapsed() >= NUMBERS_MS / len(self._numbers)
        ):
            self._since_numbers.start()
            self._numbers.rotate()
            for show in self._numbers if over else (self._numbers[0],):
                show(snapshot)
        for notice in snapshot.notices:
            log.warning("%s", notice)
            self.notices.show_notice("session", notice)
        if over:
            self._show_end(snapshot)

    def _show_readout(self, snapshot: "Snapshot") -> None:
        aligns = self.host.config.align == "on"
        self.readout.show_snapshot(snapshot, frozen=self.estimator.freeze.isChecked(), aligns=aligns)

    def _show_place(self, snapshot: "Snapshot") -> None:
        self.position.show_snapshot(snapshot)
        self.reference.ends.show_channels(snapshot.channels)

    def _show_plots(self, snapshot: "Snapshot") -> None:
        loss = self.host.config.loss
        self.gain_plot.show_history(
            snapshot.history, snapshot.time_s, snapshot.comparisons, reference_gain_db=snapshot.reference_gain_db
        )
        self.loss_over_time.show_history(snapshot.history, snapshot.time_s, loss)
        self.loss_curve.show_snapshot(snapshot, loss)
        self.spectrum.show_snapshot(snapshot)
        self.waveform.show_snapshot(snapshot)
        self.levels.show_bars(snapshot)
        if self.learn.isVisible():
            self.learn.show_snapshot(snapshot)

    def _show_end(self, snapshot: "Snapshot") -> None:
        self.host.stop()
        if snapshot.is_finished:
            self.notices.show_notice("end", "The sound has ended.", "Play again", self.start, warns=False)
        elif self.notices.notice("session") is None:
            self.notices.show_notice("end", "The session stopped by itself.", "Start again", self.start)

    def _show_state(self, state: str) -> None:
        log.info("%s: %s", state, self.host.config.model_dump_json(exclude_defaults=True))
        self.transport.show_state(self.host.state)
        self.estimator.set_running(state == "running")
        self._reconnect_timer.stop()
        if state == "starting":
            self.readout.show_starting()
        elif state == "stopped":
            self.readout.show_stopped()
        elif state == "waiting":
            self.readout.show_stopped()
            self._reconnect_timer.start()
        else:
            self.devices.refresh()

    def _show_fall_back(self, reason: str) -> None:
        log.warning("%s", reason)
        self.show_config()
        self.actions_.request_monitor_confirmation()
        self.actions_.apply_monitor()
        self.notices.show_notice(
            "device", f"{state_texts.problem_only(reason)} {WITHOUT_DEVICE_TEXT}", "Try again", self.start
        )

    def _show_loss(self, devices: list[str]) -> None:
        self._lost = devices
        text = f"{' and '.join(dict.fromkeys(devices))} was unplugged, or its server ended. Waiting for it…"
        log.warning("%s", text)
        self.notices.show_notice("device", text, "Use System default", self.actions_.choose_system_devices)

    def _show_devices(self, devices: list[Device]) -> None:
        self.transport.show_devices(devices)
        self.reference.ends.input.show_devices(devices)
        if self.host.state == "waiting" and set(self._lost) <= {device.spec for device in devices}:
            self.start()

    def _show_failure(self, reason: str) -> None:
        log.error("%s", reason)
        self.notices.show_notice("session", state_texts.as_sentence(reason), "Start again", self.start)

    def _lay_out(self) -> None:
        panel = QWidget()
        panel.setProperty("look", "pane")
        panels = QVBoxLayout(panel)
        panels.setContentsMargins(0, 0, 0, 0)
        panels.setSpacing(8)
        panels.addWidget(self.reference)
        panels.addWidget(self.estimator)
        panels.addWidget(self.lessons_button)
        panels.addStretch(1)
        side = QScrollArea()
        side.setWidget(panel)
        side.setWidgetResizable(True)
        side.setFixedWidth(PANEL_WIDTH)
        side.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        side.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        grid = QGridLayout()
        grid.setSpacing(8)
        grid.addWidget(self.gain_plot, 0, 0, 1, 2)
        grid.addWidget(self.readout, 1, 0)
        grid.addWidget(self.levels, 1, 1)
        for place, plot in enumerate(self.plots[1:]):
            grid.addWidget(plot, 2 + place // 2, place % 2)
        grid.addWidget(self.learn, 4, 0, 1, 2)
        for row, stretch in ((0, 5), (2, 4), (3, 4)):
            grid.setRowStretch(row, stretch)
        for column in (0, 1):
            grid.setColumnStretch(column, 1)
        body = QHBoxLayout()
        body.setSpacing(8)
        body.addWidget(side)
        body.addLayout(grid, 1)
        central = QWidget()
        central.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        rows = QVBoxLayout(central)
        rows.setContentsMargins(12, 6, 12, 6)
        rows.setSpacing(8)
        rows.addWidget(self.transport)
        rows.addWidget(self.position)
        rows.addWidget(self.notices)
        rows.addLayout(body, 1)
        rows.addWidget(self.health)
        self.setMenuBar(self.menus)
        self.setCentralWidget(central)
        central.setFocus()

    def _connect(self) -> None:
        does = self.actions_
        self.transport.start_button.clicked.connect(does.start_or_stop)
        self.transport.source.chosen.connect(does.choose_source)
        self.transport.source.open_wanted.connect(does.open_file)
        self.transport.output.chosen.connect(does.choose_output)
        self.transport.monitor.chosen.connect(does.choose_hear)
        for menu in (self.transport.source, self.transport.output, self.reference.ends.input):
            menu.opened.connect(self.devices.refresh)
        self.devices.listed.connect(self._show_devices)
        self._reconnect_timer.timeout.connect(self.devices.refresh)
        self.position.seek_wanted.connect(self.host.seek)
        self.reference.changed.connect(does.change_reference)
        self.reference.target_chosen.connect(does.choose_target)
        self.reference.ends.chosen.connect(does.choose_channels)
        self.estimator.changed.connect(does.change_estimator)
        self.estimator.freeze_wanted.connect(self.host.freeze)
        self.estimator.reset_wanted.connect(self.host.reset_estimate)
        self.lessons_button.toggled.connect(self._show_learn)
        self.learn.controls_wanted.connect(does.set_up)
        self.learn.focus_wanted.connect(self.gain_plot.focus_on)
        self.learn.xrun_wanted.connect(self.host.simulate_xrun)
        self.learn.experiment_wanted.connect(does.show_experiment_window)
        self.learn.step_changed.connect(does.show_experiment)
        self.experiment.changed.connect(does.show_experiment)
        self.exhibits.cancel_wanted.connect(self.experiment.cancel)
        self.exhibits.play_wanted.connect(does.play_exhibit)
        self.exhibits.stop_wanted.connect(does.stop_exhibit)
        self.exporter.done.connect(does.exported)
        self.exporter.ended.connect(does.export_ended)
        for plot in self.plots:
            plot.not_saved.connect(does.say)
        self.menus.preset_chosen.connect(does.open_preset)
        self.menus.theme_chosen.connect(self._choose_theme)
        self.menus.show_theme_choice(self.settings.theme)
        self.host.state_changed.connect(self._show_state)
        self.host.fell_back.connect(self._show_fall_back)
        self.host.failed.connect(self._show_failure)
        self.host.lost.connect(self._show_loss)
        does.listen_to_keys()

    def _show_learn(self, on: bool) -> None:
        self.learn.setVisible(on)
        if on:
            self.actions_.enter_lessons()
        else:
            self.actions_.leave_lessons()

    def _choose_theme(self, choice: str) -> None:
        self.settings = self.settings.model_copy(update={"theme": choice})
        self.theme_chosen.emit()

    def _restore_size(self) -> None:
        if not self.restoreGeometry(QByteArray.fromBase64(self.settings.geometry.encode())):
            self.resize(OPENING_SIZE.boundedTo(self.screen().availableSize()))
