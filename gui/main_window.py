"""Main window: layout of the panels, and the timer that shows snapshots of the session."""

from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QElapsedTimer, QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QMainWindow,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QStyle,
    QVBoxLayout,
    QWidget,
)

from gui.actions import SessionActions, add_shortcuts
from gui.background.device_list import Device
from gui.blind_controller import BlindController
from gui.compare_controller import CompareController
from gui.control.feedback_guard import FeedbackGuard
from gui.control.session_controller import SessionController, SessionFactory
from gui.dialogs.experiment_window import ExperimentWindow
from gui.dialogs.shortcuts import BLIND_KEYS, TARGET_ACTIONS
from gui.file_actions import FileActions
from gui.help_actions import HelpActions
from gui.lesson_controller import LessonController
from gui.panels.blind_panel import BlindPanel
from gui.panels.equalizer_view import EqualizerView
from gui.panels.estimator_panel import EstimatorPanel
from gui.panels.lesson_panel import LessonPanel
from gui.panels.level_meters import LevelMeters
from gui.panels.menu_bar import MenuBar
from gui.panels.navigation_bar import WORKSPACES, NavigationBar
from gui.panels.notices import NoticeStack
from gui.panels.readout import Readout
from gui.panels.recording_slots import PLAYED
from gui.panels.reference_panel import ReferencePanel
from gui.panels.status_strip import StatusStrip
from gui.panels.transport import Transport
from gui.plots.gain_plot import GainPlot
from gui.plots.loss_plots import LossCurvePlot, LossOverTimePlot
from gui.plots.scope_plots import SpectrumPlot, WaveformPlot
from gui.session_events import SessionEvents, has_ended
from gui.settings import Settings, Workspace
from gui.theme import Theme
from gui.workspaces.compare import CompareWorkspace
from rtgain.config.names import MONITORS
from rtgain.config.session_config import SessionConfig

if TYPE_CHECKING:
    from gui.plots.plot_card import PlotCard
    from rtgain.records.snapshot import Snapshot

_IGNORED = QSizePolicy.Policy.Ignored

REFRESH_MS = 32
"""Interval between two refreshes of the plots, a little more than 30 per second: a busy machine misses some."""

NUMBERS_MS = 250
"""Interval between two refreshes of the same number."""

PANEL_WIDTH = 280
PLOT_HEIGHT = 110
"""Lowest height of a plot in pixels."""

OPENING_SIZE = QSize(1280, 800)


class MainWindow(QMainWindow):
    """Main window over one `SessionController`."""

    painted = Signal()
    """Emitted once, after the first paint."""

    theme_chosen = Signal()
    """The user selected another theme, now in `settings`."""

    closed = Signal()
    """All threads and processes have ended; `settings` are ready to be saved."""

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
        self.controller = SessionController(config, factory, self)
        self.guard = FeedbackGuard(config.resolved_monitor())
        self.transport = Transport()
        self.navigation = NavigationBar()
        self.position = self.navigation.position
        self.compare = CompareWorkspace()
        self.workspaces = QStackedWidget()
        self._scroll = QScrollArea()  # a small screen shows a part of the window
        self.notices = NoticeStack(self._scroll)
        self.reference = ReferencePanel()
        self.estimator = EstimatorPanel()
        self.equalizer = EqualizerView()
        self.gain_plot = GainPlot()
        self.loss_curve, self.loss_over_time = LossCurvePlot(), LossOverTimePlot()
        self.spectrum, self.waveform = SpectrumPlot(), WaveformPlot()
        self.plots: tuple[PlotCard, ...] = (
            self.gain_plot, self.loss_curve, self.spectrum, self.loss_over_time, self.waveform,
        )  # fmt: skip
        self._shown_processor: str | None = None
        self.readout = Readout()
        self.levels = LevelMeters()
        self.lesson_panel = LessonPanel()
        self.lesson_panel.open_at(settings.lesson, settings.step)
        self.lesson_panel.hide()
        self.experiment_window = ExperimentWindow(self)
        self.lessons_button = _switch("Lessons", "Show or hide the lessons (L)")
        self.equalizer_button = _switch("Equalizer", "Show equalizers instead of the plots of the gain (E)")
        self.status_strip = StatusStrip()
        self.session_actions = SessionActions(self, self.controller, self.guard, self.notices)
        self.session_events = SessionEvents(self, self.controller, self.notices, self.session_actions)
        self.file_actions = FileActions(self, self.controller, self.guard, self.notices, self.session_actions)
        self.compare_controller = CompareController(
            self, self.controller, self.session_actions, self.file_actions, self.compare
        )
        self.blind_panel = BlindPanel()
        self.blind = BlindController(self, self.controller, self.session_actions, self.notices, self.blind_panel)
        self.help_actions = HelpActions(self, self.notices, log_file)
        self.lesson_controller = LessonController(
            self, self.controller, self.guard, self.session_actions, self.lesson_panel, self.experiment_window
        )
        self.file_actions.learned_equalizer = lambda: self.equalizer.learned.learned
        self.file_actions.comparison = lambda: self.compare_controller.comparison(self.blind.results)
        self.handlers = self._handlers()
        self.menus = MenuBar(self.handlers)
        self._was_painted = False
        # Refreshed in turn, so that no refresh draws all of them.
        self._numbers = deque(
            [self._show_position, self.status_strip.show_snapshot, self._show_levels, self._show_readout]
        )
        self._since_numbers = QElapsedTimer()
        self._lay_out()
        self._workspace: Workspace = "laboratory"
        self.shortcuts = add_shortcuts(self, self.handlers)
        self._connect()
        self.show_theme(theme)
        self.show_config()
        self.show_workspace(settings.workspace if config.is_pair else "laboratory")
        self._restore_size()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._refresh)
        self._timer.start(REFRESH_MS)

    def start(self) -> None:
        """Start a session with the present config, or restart it."""
        self.session_actions.start()

    def show_theme(self, theme: Theme) -> None:
        """Set the colors of `theme` that the style sheet does not set."""
        for plot in (*self.plots, *self.equalizer.cards):
            plot.show_theme(theme)
        self.levels.show_theme(theme)
        self.compare.show_theme(theme)

    @property
    def workspace(self) -> Workspace:
        """The visible workspace."""
        return self._workspace

    def show_workspace(self, workspace: Workspace) -> None:
        """Show a workspace; the session continues."""
        self._workspace = workspace
        self._show_page(WORKSPACES.index(workspace))
        self.navigation.show_workspace(workspace)
        if self.controller.config.is_pair:
            self.settings = self.settings.model_copy(update={"workspace": workspace})

    def _show_page(self, page: int) -> None:
        self.workspaces.setCurrentIndex(page)
        for index in range(self.workspaces.count()):  # the hidden one must not widen the window
            policy = QSizePolicy.Policy.Preferred if index == self.workspaces.currentIndex() else _IGNORED
            self.workspaces.widget(index).setSizePolicy(policy, policy)

    def _begin_blind(self) -> None:
        """Cover and disable everything that could show which signal is played."""
        if self.controller.config.is_pair:
            self.compare_controller.hold_level(True)
        self.transport.monitor.show_neutral()
        for widget in (self.transport.source, self.transport.output, self.navigation.level_match, self.menus):
            widget.setEnabled(False)
        self.status_strip.setVisible(False)
        for action, shortcut in self.shortcuts.items():
            shortcut.setEnabled(action in BLIND_KEYS)

    def _end_blind(self) -> None:
        if self.controller.config.is_pair:
            self.compare_controller.hold_level(False)
        for widget in (self.transport.source, self.transport.output, self.navigation.level_match, self.menus):
            widget.setEnabled(True)
        for button in self.navigation.workspaces.values():
            button.setEnabled(True)
        self.status_strip.setVisible(True)
        for shortcut in self.shortcuts.values():
            shortcut.setEnabled(True)
        self.show_workspace(self._workspace)
        self._scroll.widget().setFocus()  # otherwise the space bar would activate the first button
        self.show_config()

    def _open_blind(self) -> None:
        """Show the panel of a blind test instead of the workspaces."""
        self._show_page(self.workspaces.indexOf(self.blind_panel))
        for button in self.navigation.workspaces.values():
            button.setEnabled(False)
        self.shortcuts["abx"].setEnabled(False)
        for action in ("compare", "laboratory", "lessons", *MONITORS, *TARGET_ACTIONS):
            self.shortcuts[action].setEnabled(False)

    def show_config(self) -> None:
        """Show the config of the session, or of the next one, in all controls."""
        config = self.controller.config
        self.transport.source.show_source(config, self.settings.recent_files)
        self.transport.output.show_device(config.output_device)
        if not self.blind.is_open:
            self.transport.monitor.show_monitor(self.guard.allowed(config))
        self.navigation.show_config(config)
        self.compare.show_config(config)
        self.reference.show_config(config)
        self.estimator.show_config(config)
        self.equalizer.show_config(config)
        if config.processor != self._shown_processor:
            self._shown_processor = config.processor
            self.equalizer_button.setChecked(config.processor == "eq")
        self.lesson_controller.show_config(config)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._was_painted:
            self._was_painted = True
            QTimer.singleShot(0, self.painted.emit)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        urls = event.mimeData().urls()
        if any(url.isLocalFile() for url in urls):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        self.file_actions.open_paths(paths, self._slot_at(event.position().toPoint(), len(paths)))

    def closeEvent(self, event: QCloseEvent) -> None:
        """End threads and processes before the window is deleted: another order crashes Python at its exit."""
        if self._timer.isActive():
            self._timer.stop()
            geometry = bytes(self.saveGeometry().toBase64().data()).decode()
            lesson, step = self.lesson_panel.lesson.name, self.lesson_panel.step_index
            self.settings = self.settings.with_session(self.lesson_controller.config_to_save()).model_copy(
                update={"geometry": geometry, "lesson": lesson, "step": step}
            )
            self.hide()
            self.controller.close()
            self.compare_controller.close()
            self.equalizer.close()
            self.blind.close()
            self.file_actions.close()
            self.lesson_controller.close()
            self.session_events.close()
            self.closed.emit()
        super().closeEvent(event)

    def _refresh(self) -> None:
        snapshot = self.controller.snapshot()
        if snapshot is None:
            return
        last = has_ended(snapshot)
        if self.blind.is_open:
            self.position.show_snapshot(snapshot)
            self.session_events.handle_snapshot(snapshot)
            return
        self._show_plots(snapshot)
        interval_ms = NUMBERS_MS / len(self._numbers)
        if last or not self._since_numbers.isValid() or self._since_numbers.elapsed() >= interval_ms:
            self._since_numbers.start()
            self._numbers.rotate()
            for show in self._numbers if last else (self._numbers[0],):
                show(snapshot)
        self.session_events.handle_snapshot(snapshot)

    def _slot_at(self, at: QPoint, files: int) -> str | None:
        """Return the slot that the first of `files` dropped at `at` fills; None for a new session."""
        if self.workspace == "laboratory":
            in_target = self.reference.rect().contains(self.reference.mapFrom(self, at))
            return PLAYED if in_target else None
        slot = self.compare.slots.slot_at(self.compare.slots.mapFrom(self, at))
        is_second = files == 1 and self.controller.config.is_file and not self.controller.config.is_pair
        return slot or (PLAYED if is_second else None)

    def _show_levels(self, snapshot: "Snapshot") -> None:
        (self.compare.levels if self.workspace == "compare" else self.levels).show_numbers(snapshot)

    def _show_readout(self, snapshot: "Snapshot") -> None:
        aligns = self.controller.config.align == "on"
        self.compare_controller.show_snapshot(snapshot)
        self.blind.show_snapshot(snapshot)
        if self.equalizer_button.isChecked():
            self.equalizer.show_numbers(snapshot)
        self.readout.show_snapshot(snapshot, frozen=self.estimator.freeze.isChecked(), aligns=aligns)

    def _show_position(self, snapshot: "Snapshot") -> None:
        self.position.show_snapshot(snapshot)
        self.reference.routing.show_channels(snapshot.channel_counts)

    def _show_plots(self, snapshot: "Snapshot") -> None:
        if self.workspace == "compare":
            self.compare.show_plots(snapshot)
            return
        self.levels.show_bars(snapshot)
        if self.lesson_panel.isVisible():
            self.lesson_panel.show_snapshot(snapshot)
        if self.equalizer_button.isChecked():
            self.equalizer.show_plots(snapshot)
            return
        loss = self.controller.config.loss
        self.gain_plot.show_history(
            snapshot.history, snapshot.time_s, snapshot.comparisons, reference_gain_db=snapshot.reference_gain_db
        )
        self.loss_over_time.show_history(snapshot.history, snapshot.time_s, loss)
        self.loss_curve.show_snapshot(snapshot, loss)
        self.spectrum.show_snapshot(snapshot)
        self.waveform.show_snapshot(snapshot)

    def _show_state(self, state: str) -> None:
        self.transport.show_state(self.controller.state)
        self.estimator.show_running(state == "running")
        if state == "starting":
            self.estimator.freeze.setChecked(False)
            self.readout.show_starting()
        elif state != "running":
            self.readout.show_stopped()

    def _show_devices(self, devices: list[Device]) -> None:
        self.transport.show_devices(devices)
        self.reference.routing.input.show_devices(devices)

    def _handlers(self) -> dict[str, Callable[[], object]]:
        """Map action names of menu entries and shortcuts to their handlers."""
        actions: dict[str, Callable[[], object]] = {
            "start_or_stop": self.session_actions.start_or_stop,
            "compare": partial(self.show_workspace, "compare"),
            "laboratory": partial(self.show_workspace, "laboratory"),
            "section_start": self.compare_controller.begin_section,
            "section_end": self.compare_controller.end_section,
            "whole": self.compare_controller.select_whole,
            "loop": self.navigation.loop.click,
            "abx": partial(self.blind.show, "abx"),
            "preference": partial(self.blind.show, "preference"),
            "undo": self.session_actions.undo,
            "redo": self.session_actions.redo,
            "reset": self.controller.reset_estimate,
            "freeze": self.estimator.freeze.toggle,
            "lessons": self.lessons_button.toggle,
            "equalizer": self.equalizer_button.toggle,
            "open_file": self.file_actions.open_file,
            "open_target": self.file_actions.open_target,
            "load_equalizer": self.file_actions.load_equalizer,
            "save_equalizer": self.file_actions.save_equalizer,
            "open_preset": self.file_actions.open_preset,
            "save_preset": self.file_actions.save_preset,
            "export": self.file_actions.export,
            "reset_views": self._reset_views,
            "show_shortcuts": self.help_actions.show_shortcuts,
            "show_about": self.help_actions.show_about,
            "open_log_folder": self.help_actions.open_log_folder,
            "quit": self.close,
        }
        actions |= {monitor: partial(self.session_actions.choose_monitor, monitor) for monitor in MONITORS}
        targets = enumerate(TARGET_ACTIONS)
        return actions | {name: partial(self.session_actions.choose_target_at, index) for index, name in targets}

    def _reset_views(self) -> None:
        for plot in (*self.plots, *self.equalizer.cards, *self.compare.plots):
            plot.reset_view()

    def _lay_out(self) -> None:
        self.workspaces.addWidget(self.compare)
        self.workspaces.addWidget(self._laboratory())
        self.workspaces.addWidget(self.blind_panel)
        central = QWidget()
        central.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        rows = QVBoxLayout(central)
        rows.setContentsMargins(8, 6, 8, 6)
        rows.setSpacing(8)
        rows.addWidget(self.transport)
        rows.addWidget(self.navigation)
        rows.addWidget(self.workspaces, 1)
        rows.addWidget(self.status_strip)
        self._scroll.setWidget(central)
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMenuBar(self.menus)
        self.setCentralWidget(self._scroll)
        self.notices.raise_()
        central.setFocus()

    def _laboratory(self) -> QWidget:
        """Lay out the panels of the Laboratory."""
        panel = QWidget()
        panel.setProperty("look", "pane")
        panels = QVBoxLayout(panel)
        panels.setContentsMargins(0, 0, 0, 0)
        panels.setSpacing(8)
        panels.addWidget(self.reference)
        panels.addWidget(self.estimator)
        panels.addStretch(1)
        controls = QScrollArea()
        controls.setWidget(panel)
        controls.setWidgetResizable(True)
        controls.setFixedWidth(PANEL_WIDTH)
        controls.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        controls.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        switches = QHBoxLayout()
        switches.setSpacing(8)
        for button in (self.equalizer_button, self.lessons_button):
            switches.addWidget(button, 1)
        side = QVBoxLayout()
        side.setSpacing(8)
        side.addWidget(controls, 1)
        side.addLayout(switches)  # always visible
        self._grid = grid = QGridLayout()
        grid.setSpacing(8)
        grid.addWidget(self.gain_plot, 0, 0, 1, 2)
        grid.addWidget(self.equalizer.plots, 0, 0, 1, 2)
        grid.addWidget(self.equalizer.numbers, 4, 0, 1, 2)
        grid.addWidget(self.readout, 1, 0)
        grid.addWidget(self.levels, 1, 1)
        for index, plot in enumerate(self.plots[1:]):
            grid.addWidget(plot, 2 + index // 2, index % 2)
        for plot in self.plots:  # a small screen scrolls
            plot.setMinimumHeight(PLOT_HEIGHT)
        grid.addWidget(self.lesson_panel, 5, 0, 1, 2)
        for column in (0, 1):
            grid.setColumnStretch(column, 1)
        laboratory = QWidget()
        body = QHBoxLayout(laboratory)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(8)
        body.addLayout(side)
        body.addLayout(grid, 1)
        self._show_equalizer(False)  # not before the plots have a parent: each would be shown as a window
        return laboratory

    def _show_equalizer(self, shown: bool) -> None:
        """Show the equalizers, or the plots of the gain."""
        for plot in self.plots:
            plot.setVisible(not shown)
        self.equalizer.set_visible(shown)
        for row, stretch in ((0, 5), (2, 0 if shown else 4), (3, 0 if shown else 4)):
            self._grid.setRowStretch(row, stretch)

    def _connect(self) -> None:
        actions = self.session_actions
        self.transport.start_button.clicked.connect(actions.start_or_stop)
        self.transport.source.chosen.connect(actions.choose_source)
        self.transport.source.open_requested.connect(self.file_actions.open_file)
        self.transport.output.chosen.connect(actions.choose_output)
        self.transport.monitor.chosen.connect(actions.choose_monitor)
        for box in (self.transport.source, self.transport.output, self.reference.routing.input):
            box.opened.connect(self.session_events.device_list.refresh)
        self.position.seek_requested.connect(self.controller.seek)
        self.navigation.workspace_chosen.connect(self.show_workspace)
        self.navigation.loop_chosen.connect(actions.choose_loop)
        self.navigation.level_match_chosen.connect(actions.choose_level_match)
        actions.pair_chosen.connect(self.blind.results.clear)
        actions.pair_chosen.connect(partial(self.show_workspace, "compare"))
        self.reference.changed.connect(actions.change_reference)
        self.reference.target_chosen.connect(actions.choose_target)
        self.reference.target_file_requested.connect(self.file_actions.open_target)
        self.reference.routing.chosen.connect(actions.choose_routing)
        self.estimator.changed.connect(actions.change_estimator)
        self.estimator.freeze_toggled.connect(self.controller.set_frozen)
        self.estimator.reset_requested.connect(self.controller.reset_estimate)
        self.equalizer.reference_changed.connect(actions.change_reference)
        self.equalizer.reference.load_requested.connect(self.file_actions.load_equalizer)
        self.equalizer.learned.save_requested.connect(self.file_actions.save_equalizer)
        self.equalizer_button.toggled.connect(self._show_equalizer)
        self.lessons_button.toggled.connect(self.lesson_controller.show_lessons)
        self.lesson_panel.gain_axis_requested.connect(self.gain_plot.focus_on)
        self.lesson_panel.blind_test_requested.connect(self.blind.show_lesson_test)
        self.blind.lesson_test_ended.connect(self.lesson_panel.record_blind_test)
        for plot in (*self.plots, *self.equalizer.cards, *self.compare.plots):
            plot.save_failed.connect(self.notices.show_error)
        self.menus.preset_chosen.connect(self.file_actions.load_preset)
        self.menus.theme_chosen.connect(self._choose_theme)
        self.menus.show_theme_choice(self.settings.theme)
        self.session_events.devices_listed.connect(self._show_devices)
        self.controller.state_changed.connect(self._show_state)
        actions.config_changed.connect(self.show_config)
        actions.file_chosen.connect(self._add_recent_file)
        self.lesson_controller.config_changed.connect(self.show_config)
        self.compare.abx.clicked.connect(partial(self.blind.show, "abx"))
        self.compare.preference.clicked.connect(partial(self.blind.show, "preference"))
        self.blind.opened.connect(self._open_blind)
        self.blind.trial_opened.connect(self._begin_blind)
        self.blind.closed.connect(self._end_blind)

    def _add_recent_file(self, path: str) -> None:
        self.settings = self.settings.with_recent(path)
        self.show_config()

    def _choose_theme(self, choice: str) -> None:
        self.settings = self.settings.model_copy(update={"theme": choice})
        self.theme_chosen.emit()

    def _restore_size(self) -> None:
        """Restore size and place of the last run; the first window fits on the screen with its title bar."""
        if not self.restoreGeometry(QByteArray.fromBase64(self.settings.geometry.encode())):
            title_bar = QSize(0, self.style().pixelMetric(QStyle.PixelMetric.PM_TitleBarHeight))
            self.resize(OPENING_SIZE.boundedTo(self.screen().availableSize() - title_bar))


def _switch(text: str, tool_tip: str) -> QPushButton:
    """Make a button that stays pressed."""
    button = QPushButton(text)
    button.setCheckable(True)
    button.setToolTip(tool_tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
