"""What the user can do: every key, menu entry and control ends in one of these."""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QTimer, QUrl
from PySide6.QtGui import QDesktopServices, QKeySequence, QShortcut
from PySide6.QtWidgets import QAbstractButton, QComboBox, QDialog, QFileDialog, QInputDialog

from gui import state_texts
from gui.control.feedback_guard import MONITOR_LABELS
from gui.control.session_backup import SessionBackup
from gui.control.session_controller import ESTIMATOR_OPTIONS, REFERENCE_OPTIONS
from gui.dialogs.about import AboutBox
from gui.dialogs.shortcuts import KEYS, ShortcutSheet
from gui.settings import save_preset
from rtgain.config.names import CHANNEL_OPTIONS, Monitor, Target
from rtgain.config.presets import load_preset
from rtgain.config.session_config import SessionConfig, make_session_config, with_changes
from rtgain.errors import InputError
from rtgain.lessons.lesson import controls_with_defaults

if TYPE_CHECKING:
    from gui.main_window import MainWindow
    from gui.widgets.device_combo_box import Source

FILE_FILTER = "Sound files (*.wav *.flac *.ogg *.mp3 *.aiff *.aif);;All files (*)"

FEEDBACK_TEXT = (
    "The microphone is not sent to the loudspeakers yet, because it can howl. "
    "Put on headphones or turn the volume down first."
)

SETTLE_MS = 150
"""For the ramps of the reference path (20 ms), and for an estimator that is some hops late."""

log = logging.getLogger(__name__)


class Actions(QObject):
    """The deeds over a window's parts, and the keys that lead to them."""

    def __init__(self, window: "MainWindow") -> None:
        super().__init__(window)
        self._window = window
        self._host = window.host
        self._guard = window.guard
        self._notices = window.notices
        self.keys = ShortcutSheet(window)
        self._before_lessons: SessionBackup | None = None
        self._before_exhibit: SessionBackup | None = None
        self._judged_before_exhibit = False
        self._exhibit = ""
        # A step of a lesson begins where no window holds the step before any more: an optimizer at a fixed rate
        # would be led along by what is in between, and an average stay as sure as that was.
        self._begin_anew = QTimer(self, singleShot=True)
        self._begin_anew.timeout.connect(self._host.reset_estimate)
        self._begin_anew.timeout.connect(window.learn.reset_watchers)
        handlers: dict[str, Callable[[], object]] = {
            "start_or_stop": self.start_or_stop,
            "reset": self._host.reset_estimate,
            "freeze": lambda: window.estimator.freeze.toggle(),
            "open_file": self.open_file,
            "open_preset": self.ask_for_preset,
            "save_preset": self.ask_for_preset_name,
            "export": self.ask_where_to_export,
            "follow": self.follow,
            "learn": window.lessons_button.toggle,
            "show_keys": self.show_keys,
            "show_about": self.show_about,
            "open_log_folder": self.open_log_folder,
            "quit": window.close,
        }
        self.by_name = handlers | {monitor: partial(self.choose_hear, monitor) for monitor in MONITOR_LABELS}

    def listen_to_keys(self) -> None:
        """Let every key of the sheet do what it says."""
        for key in KEYS:
            deed = self._space if key.does == "start_or_stop" else self.by_name[key.does]
            QShortcut(QKeySequence(key.sequence), self._window).activated.connect(deed)

    # The session.

    def start(self) -> None:
        """Start a session on the present config, or start it anew."""
        self._notices.clear()
        self._window.estimator.freeze.setChecked(False)
        self.request_monitor_confirmation()
        self._host.start(self._guard.heard(self._host.config))

    def start_or_stop(self) -> None:
        """Stop what runs or is about to; start where nothing does."""
        if self._host.state == "stopped":
            self.start()
        else:
            self._notices.dismiss("device")  # nothing is waited for any more
            self._host.stop()

    def choose_source(self, source: "Source") -> None:
        """Play another source, all else kept."""
        self._window.learn.controls_changed_by_user()
        name, device = source
        self._restart_with(lambda: self._host.set_input(name, device))
        if self._host.config.is_file:
            self._window.settings = self._window.settings.with_recent(name)
            self._window.show_config()

    def choose_output(self, output_device: str | None) -> None:
        """Send the sound somewhere else."""
        options = {"output_device": output_device, "output_channel": None, "clock": None}
        self._restart_with(lambda: self._host.set_options(**options))

    def choose_system_devices(self) -> None:
        """Go on with what the system chooses now."""
        options = dict.fromkeys(("input_device", "output_device", *CHANNEL_OPTIONS))
        self._restart_with(lambda: self._host.set_options(**options))

    def choose_target(self, target: Target) -> None:
        """Take the target from somewhere else."""
        options = {"target": target, "automation": None} | dict.fromkeys(CHANNEL_OPTIONS)
        self._restart_with(lambda: self._host.set_options(**options))

    def choose_channels(self, changes: dict[str, Any]) -> None:
        """Take dry or target from other channels or another input, or play on another one."""
        self._restart_with(lambda: self._host.set_options(**changes))

    def open_config(self, config: SessionConfig) -> None:
        """Go on with another session altogether; lessons that are left leave it."""
        self._before_lessons = None
        self._guard.wanted = config.resolved_monitor()
        self._restart_with(lambda: self._host.set_config(config))

    def open_file(self) -> None:
        """Ask for a file and play it."""
        self._ask_for_file("Open a sound file", FILE_FILTER, lambda path: self.choose_source((path, None)))

    def choose_hear(self, monitor: Monitor) -> None:
        """Hear something else; a live input only after the user has agreed to it."""
        self._guard.wanted = monitor
        self.request_monitor_confirmation()
        self.apply_monitor()

    def change_reference(self, changes: dict[str, Any]) -> None:
        """Change the reference path."""
        self._window.learn.controls_changed_by_user()
        automated = self._host.config.automation
        self._host.set_reference(**changes)
        if self._host.config.automation != automated:
            self._window.show_config()

    def change_estimator(self, changes: dict[str, Any]) -> None:
        """Change what the estimator does, and let the panel show what came of it."""
        self._window.learn.controls_changed_by_user()
        try:
            self._host.set_estimator(**changes)
        except InputError as error:
            self.say(str(error))
        self._window.estimator.show_config(self._host.config)

    def set_up(self, controls: dict[str, Any]) -> None:
        """Set all `controls`, of a step or of what is brought back, without a gap in the sound where that can be."""
        changed = {name for name, value in controls.items() if getattr(self._host.config, name) != value}
        interrupted = self._interrupted
        self._guard.wanted = controls.get("monitor") or (
            interrupted.options["monitor"] if interrupted else self._guard.wanted
        )
        if self._host.state == "running" and changed <= {*REFERENCE_OPTIONS, *ESTIMATOR_OPTIONS, "monitor"}:
            self._host.set_reference(**{name: controls[name] for name in REFERENCE_OPTIONS if name in changed})
            # All of them: a rate that stays goes with an optimizer that is new.
            self._host.set_estimator(**{name: controls[name] for name in ESTIMATOR_OPTIONS if name in controls})
            self._begin_anew.start(round(self._host.config.window_ms) + SETTLE_MS)
            self.apply_monitor()
            self._window.show_config()
        else:
            self._restart_with(lambda: self._host.set_options(**controls))

    def enter_lessons(self) -> None:
        """Put the session aside and begin the lessons' present step."""
        self._before_lessons = SessionBackup.of(self._host, self._guard)
        self._window.learn.begin()

    def leave_lessons(self) -> None:
        """Bring back the session as it was before the lessons."""
        before, self._before_lessons = self._before_lessons, None
        self._window.exhibits.close()
        self._window.learn.leave()
        if before is not None:
            self._bring_back(before)

    def remembered_config(self) -> SessionConfig:
        """The session as the user, not a lesson, has left it."""
        before = self._before_lessons
        return self._host.config if before is None else with_changes(self._host.config, **before.options)

    def play_exhibit(self, path: str) -> None:
        """Play a sound of a lesson's experiment, as it is, over and over, until it is stopped or something else set."""
        learn = self._window.learn
        if self._interrupted is None:
            self._before_exhibit = SessionBackup.of(self._host, self._guard)
            self._judged_before_exhibit = learn.judges
        self._exhibit = path
        learn.controls_changed_by_user()
        self._guard.wanted = "target"
        settings = controls_with_defaults(input=path, gain_db=0.0, loop=True)
        self._restart_with(lambda: self._host.set_options(**settings))

    def stop_exhibit(self) -> None:
        """Bring back what an experiment's sound has interrupted; nothing happens where none plays."""
        interrupted = self._interrupted
        if interrupted is not None:
            self._bring_back(interrupted)
            if self._judged_before_exhibit:
                self._window.learn.restart_checks()

    @property
    def plays_exhibit(self) -> bool:
        """Whether the session is a sound of an experiment."""
        return self._host.config.input == self._exhibit

    @property
    def _interrupted(self) -> SessionBackup | None:
        """What an experiment's sound has put aside; None where nothing of it plays, or no more."""
        return self._before_exhibit if self.plays_exhibit else None

    def _bring_back(self, before: SessionBackup) -> None:
        options = dict(before.options)
        if before.ran and self._host.state != "stopped":
            self.set_up(options)
        else:
            self._guard.wanted = options["monitor"]
            self._host.set_options(**options)
            self._host.stop()
            self._window.show_config()

    def show_experiment_window(self) -> None:
        """Show what the present step has to show, and run the lesson's experiment where that is missing."""
        learn = self._window.learn
        self._window.exhibits.show()
        self._window.exhibits.raise_()
        self._window.exhibits.activateWindow()
        if learn.step.has_results:
            self._window.experiment.run(learn.lesson.name)
        self.show_experiment()

    def show_experiment(self) -> None:
        """Let the panel and the exhibits' window show how far the present lesson's experiment is."""
        learn, exhibits = self._window.learn, self._window.exhibits
        stage = self._window.experiment.stage(learn.lesson.name)
        learn.show_experiment(stage)
        if exhibits.isVisible():
            exhibits.show_step(learn.lesson, learn.step, stage)

    # Presets and export.

    def ask_for_preset(self) -> None:
        """Ask for a preset's file and open it."""
        self._ask_for_file("Open a preset", "Presets (*.json);;All files (*)", self.open_preset)

    def open_preset(self, path: str) -> None:
        """Go on with the session that a preset describes."""
        try:
            config = make_session_config(**load_preset(Path(path)))
        except InputError as error:
            self.say(str(error))
        else:
            self.open_config(config)

    def ask_for_preset_name(self) -> None:
        """Ask what to call the present session, and keep it."""
        dialog = QInputDialog(self._window)
        dialog.setLabelText("Keep this session as the preset")
        dialog.textValueSelected.connect(self.save_preset_as)
        self._show_once("Save preset", dialog)

    def save_preset_as(self, name: str) -> None:
        """Keep the present session as the preset `name`."""
        try:
            path = save_preset(name, self._as_heard(self._host.config))
        except InputError as error:
            self.say(str(error))
        else:
            text = f"The preset “{path.stem}” is kept, under File, Presets."
            self._notices.show_notice("preset", text, warns=False)

    def ask_where_to_export(self) -> None:
        """Ask for a folder, and write there what the session has found."""
        if self._host.report() is None:
            self.say("There is nothing to export yet; start first")
            return
        self._ask_for_file("Export into a new folder in …", "", self.export, QFileDialog.FileMode.Directory)

    def export(self, folder: str) -> None:
        """Write CSV, JSON, PNG and preset into a new folder in `folder`."""
        report = self._host.report()
        if report is not None:
            exporter = self._window.exporter
            text = "Writing CSV, JSON, figure and preset…"
            self._notices.show_notice("export", text, "Cancel", exporter.cancel, warns=False)
            exporter.export(replace(report, config=self._as_heard(report.config)), Path(folder))

    def _as_heard(self, config: SessionConfig) -> SessionConfig:
        """`config` with what the user hears, where that is not what it would play by itself."""
        wanted = self._guard.wanted
        return config if wanted == config.resolved_monitor() else with_changes(config, monitor=wanted)

    def exported(self, folder: str) -> None:
        """Say where it is."""
        url = QUrl.fromLocalFile(folder)
        text = f"Exported to {folder}."
        self._notices.show_notice("export", text, "Open the folder", lambda: QDesktopServices.openUrl(url), warns=False)

    def export_ended(self, reason: str) -> None:
        """Say why nothing was written; nothing, where the user did not want it any more."""
        self._notices.dismiss("export")
        if reason:
            self.say(reason)

    # The window.

    def follow(self) -> None:
        """Let every plot follow again."""
        for plot in self._window.plots:
            plot.follow()

    def show_keys(self) -> None:
        """Show the sheet of keys."""
        self.keys.show()
        self.keys.raise_()
        self.keys.activateWindow()

    def show_about(self) -> None:
        """Show versions, to be copied into a bug report."""
        self._show_once("About rtgain", AboutBox(self._window, self._window.log_file), modal=False)

    def open_log_folder(self) -> None:
        """Show where the log is."""
        if self._window.log_file is None:
            self.say("There is no log; its folder cannot be written")
        else:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._window.log_file.parent)))

    def say(self, line: str) -> None:
        """Show one line of an error as a notice."""
        log.warning("%s", line)
        self._notices.show_notice("session", state_texts.as_sentence(line))

    def request_monitor_confirmation(self) -> None:
        """Ask whether a live input may be played, where that is wanted and was not confirmed yet."""
        if self._guard.asks(self._host.config):
            self._notices.show_notice("feedback", FEEDBACK_TEXT, "Send it to the loudspeakers", self._confirm_feedback)
        else:
            self._notices.dismiss("feedback")

    def apply_monitor(self) -> None:
        """Play what is wanted, unless that waits for the user's word."""
        heard = self._guard.heard(self._host.config)
        self._window.transport.monitor.show_heard(heard)
        self._host.set_monitor(heard)

    def _confirm_feedback(self) -> None:
        self._guard.confirm()
        self._notices.dismiss("feedback")
        self.apply_monitor()

    def _restart_with(self, change: Callable[[], None]) -> None:
        try:
            change()
        except InputError as error:
            self.say(str(error))
        else:
            self.start()
        self._window.show_config()

    def _space(self) -> None:
        """Space works the control that Tab has led to; anywhere else it starts and stops."""
        focused = self._window.focusWidget()
        if isinstance(focused, QAbstractButton):
            focused.click()
        elif isinstance(focused, QComboBox):
            focused.showPopup()
        else:
            self.start_or_stop()

    def _ask_for_file(
        self,
        title: str,
        name_filter: str,
        deed: Callable[[str], object],
        mode: QFileDialog.FileMode = QFileDialog.FileMode.ExistingFile,
    ) -> None:
        dialog = QFileDialog(self._window, title, "", name_filter)
        dialog.setFileMode(mode)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly, mode == QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(deed)
        self._show_once(title, dialog)

    def _show_once(self, title: str, dialog: QDialog, *, modal: bool = True) -> None:
        """Show `dialog`, or in its place the one of that title that is open already."""
        others = [other for other in self._window.findChildren(QDialog) if other is not dialog]
        standing = next((other for other in others if other.isVisible() and other.windowTitle() == title), None)
        if standing is not None:
            dialog.deleteLater()
            dialog = standing
        dialog.setWindowTitle(title)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if modal:
            dialog.open()
        else:
            dialog.show()
        dialog.raise_()
        dialog.activateWindow()
