"""Handlers of the session commands, and the keyboard shortcuts."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QAbstractButton, QComboBox, QWidget

from gui.control.feedback_guard import FeedbackGuard
from gui.control.session_controller import ESTIMATOR_OPTIONS, REFERENCE_OPTIONS, SessionController
from gui.control.undo_history import Options, UndoHistory
from gui.dialogs.shortcuts import KEYS
from gui.panels.notices import NoticeStack
from gui.widgets.device_combo_box import Source
from rtgain.config.names import CHANNEL_OPTIONS, TARGETS, LevelMatchMode, Monitor
from rtgain.config.session_config import SessionConfig, with_changes
from rtgain.errors import InputError

FEEDBACK_TEXT = (
    "The microphone is muted to avoid acoustic feedback. Put on headphones or turn the volume down, then enable it."
)

PAIR_OPTIONS: dict[str, Any] = {"level_match": "loudness", "loop": True}
"""Options of two recordings that the user opens in the window; the user can then change them."""

Callback = Callable[[], object]


class SessionActions(QObject):
    """Commands of the user that change the session: start, stop, source, devices, target, monitor, parameters."""

    config_changed = Signal()
    """The config of the session, or the allowed monitor, has changed."""

    changed_by_user = Signal()
    """Emitted before the user's change of the source, the reference path or the estimator."""

    session_replaced = Signal()
    """Emitted before another session opens; backups of the session before are obsolete."""

    pair_chosen = Signal()
    """The user selected two recordings."""

    file_chosen = Signal(str)
    """The user selected this file as the source."""

    def __init__(
        self, parent: QWidget, controller: SessionController, guard: FeedbackGuard, notices: NoticeStack
    ) -> None:
        super().__init__(parent)
        self._controller = controller
        self._guard = guard
        self._notices = notices
        self._history = UndoHistory()

    def start(self) -> None:
        """Start a session with the present config, or restart it."""
        self._notices.clear()
        self.request_monitor_confirmation()
        self._controller.start(self._guard.allowed(self._controller.config))

    def start_or_stop(self) -> None:
        """Start a session if none is running; stop it if it is running, starting or reconnecting."""
        if self._controller.state == "stopped":
            self.start()
        else:
            self._notices.dismiss("device")  # a lost device is not expected any more
            self._controller.stop()

    def choose_source(self, source: Source) -> None:
        """Restart with another source and otherwise the same options."""
        self._record_change("source")
        self.changed_by_user.emit()
        name, device = source
        self.restart_with(lambda: self._controller.set_input(name, device))
        if self._controller.config.is_file:
            self.file_chosen.emit(name)

    def choose_output(self, output_device: str | None) -> None:
        """Restart with another output device."""
        self._record_change("output")
        options = {"output_device": output_device, "output_channel": None, "clock": None}
        self.restart_with(lambda: self._controller.set_options(**options))

    def choose_system_devices(self) -> None:
        """Restart with the system's default devices."""
        options = {"input_device": None, "output_device": None, **CHANNEL_OPTIONS}
        self.restart_with(lambda: self._controller.set_options(**options))

    def choose_target(self, target: str) -> None:
        """Restart with another target: a choice of `Target`, or the path of a second recording."""
        self._record_change("target")
        options: dict[str, Any] = {"target": target, "automation": None, "eq": None, **CHANNEL_OPTIONS}
        if target not in TARGETS and not self._controller.config.is_pair:
            options |= PAIR_OPTIONS
        self.restart_with(lambda: self._controller.set_options(**options))
        if self._controller.config.is_pair:
            self.pair_chosen.emit()

    def choose_recordings(self, dry: str, targets: Sequence[str]) -> None:
        """Restart with a dry recording and its targets, of which the first is played, at one loudness and repeated.

        If two recordings are open, level match and loop stay.
        """
        self._record_change("recordings")
        self.changed_by_user.emit()
        self.restart_with(lambda: self._set_recordings(dry, targets))
        if self._controller.config.is_pair:
            self.pair_chosen.emit()
        self.file_chosen.emit(dry)

    def change_targets(self, targets: Sequence[str], target: str) -> None:
        """Change the list of target recordings, and play `target`, one of them; without a restart where possible."""
        self._record_change("targets")
        files = tuple(targets) if len(targets) > 1 else ()
        try:
            config = with_changes(self._controller.config, target=target, target_files=files)
        except InputError as error:
            self._notices.show_error(str(error))
        else:
            self._switch_target(config)
        self.config_changed.emit()

    def choose_target_at(self, index: int) -> None:
        """Play the target in the slot of this index, from 0, if there is one."""
        targets = self._controller.config.second_recordings
        if index < len(targets) and targets[index] != self._controller.config.target:
            self.change_targets(targets, targets[index])

    def replay_target(self) -> None:
        """Play the target at another offset from the present time on."""
        config = self._controller.config
        self._controller.switch_target(config, self._guard.allowed(config))

    def choose_section(self, start_s: float | None, end_s: float | None) -> None:
        """Restart with a section of the recording; None for its start and its end."""
        self._record_change("section")
        self.restart_with(lambda: self._controller.set_options(start=start_s, end=end_s))

    def choose_loop(self, on: bool) -> None:
        """Restart with the recording, or its section, repeated or not; it continues at the present time."""
        self._record_change("loop")
        self._controller.keep_position()
        self.restart_with(lambda: self._controller.set_options(loop=on))

    def choose_level_match(self, mode: LevelMatchMode) -> None:
        """Change the level match."""
        self._record_change("level_match")
        self._controller.set_level_match(mode)
        self.config_changed.emit()

    def choose_routing(self, changes: dict[str, Any]) -> None:
        """Restart with other channels, or another input device."""
        self._record_change("routing")
        self.restart_with(lambda: self._controller.set_options(**changes))

    def open_config(self, config: SessionConfig) -> None:
        """Restart with another config."""
        self._record_change("preset")
        self.session_replaced.emit()
        self._guard.requested = config.resolved_monitor()
        self.restart_with(lambda: self._controller.set_config(config))

    def choose_monitor(self, monitor: Monitor) -> None:
        """Change the monitor; a live input only after the user has confirmed."""
        self._record_change("monitor")
        self._guard.requested = monitor
        self.request_monitor_confirmation()
        self.apply_monitor()

    def change_reference(self, changes: dict[str, Any]) -> None:
        """Change the reference path."""
        self._record_change(" ".join(changes))
        self.changed_by_user.emit()
        automation = self._controller.config.automation
        try:
            self._controller.set_reference(**changes)
        except InputError as error:
            self._notices.show_error(str(error))
            self.config_changed.emit()
        if self._controller.config.automation != automation:
            self.config_changed.emit()

    def change_estimator(self, changes: dict[str, Any]) -> None:
        """Change options of the estimator."""
        self._record_change(" ".join(changes))
        self.changed_by_user.emit()
        try:
            self._controller.set_estimator(**changes)
        except InputError as error:
            self._notices.show_error(str(error))
        self.config_changed.emit()

    def request_monitor_confirmation(self) -> None:
        """Ask the user to confirm a live input, if one is to be monitored and was not confirmed."""
        if self._guard.needs_confirmation(self._controller.config):
            self._notices.show_notice("feedback", FEEDBACK_TEXT, "Enable monitoring", self._confirm_monitor)
        else:
            self._notices.dismiss("feedback")

    def apply_monitor(self) -> None:
        """Set the requested monitor, or mute until it is confirmed."""
        self._controller.set_monitor(self._guard.allowed(self._controller.config))
        self.config_changed.emit()

    def undo(self) -> None:
        """Restore the options before the last change."""
        self._restore(self._history.undo(self._options()))

    def redo(self) -> None:
        """Restore the options before the last undo."""
        self._restore(self._history.redo(self._options()))

    def restart_with(self, change: Callback) -> None:
        """Run `change`, then restart the session; show an `InputError` of `change` instead."""
        try:
            change()
        except InputError as error:
            self._notices.show_error(str(error))
        else:
            self.start()
        self.config_changed.emit()

    def _set_recordings(self, dry: str, targets: Sequence[str]) -> None:
        defaults = {} if self._controller.config.is_pair else PAIR_OPTIONS
        self._controller.set_recordings(dry, targets)
        self._controller.set_options(**defaults)

    def _switch_target(self, config: SessionConfig) -> None:
        """Set the config, and play its target if it is another one."""
        if config.target == self._controller.config.target:
            self._controller.set_config(config)
        else:
            self._controller.switch_target(config, self._guard.allowed(config))

    def _options(self) -> Options:
        return Options(self._controller.config, self._guard.requested)

    def _record_change(self, subject: str) -> None:
        self._history.record(self._options(), subject, time.monotonic())

    def _restore(self, options: Options | None) -> None:
        """Apply options of the history, without interrupting the audio if the changes allow it."""
        if options is None:
            return
        self.changed_by_user.emit()
        self._guard.requested = options.monitor
        present, config = self._controller.config, options.config
        changed = {name for name in SessionConfig.model_fields if getattr(present, name) != getattr(config, name)}
        live = {*REFERENCE_OPTIONS, *ESTIMATOR_OPTIONS, "level_match", "automation"}
        if present.is_pair and config.is_pair:
            live |= {"target", "target_files"}
        if not changed <= live:
            self.restart_with(lambda: self._controller.set_config(config))
            return
        self._controller.set_reference(**{name: getattr(config, name) for name in REFERENCE_OPTIONS if name in changed})
        if changed & set(ESTIMATOR_OPTIONS):
            self._controller.set_estimator(**{name: getattr(config, name) for name in ESTIMATOR_OPTIONS})
        if "level_match" in changed:
            self._controller.set_level_match(config.level_match)
        self._switch_target(config)
        self.request_monitor_confirmation()
        self.apply_monitor()

    def _confirm_monitor(self) -> None:
        self._guard.confirm()
        self._notices.dismiss("feedback")
        self.apply_monitor()


def add_shortcuts(window: QWidget, handlers: Mapping[str, Callback]) -> dict[str, QShortcut]:
    """Add all shortcuts of `KEYS` to `window`, and return them by action. `handlers` maps action names to handlers.

    Space activates the control that Tab has focused; without one it starts and stops.
    """

    def activate_focused() -> None:
        focused = window.focusWidget()
        if isinstance(focused, QAbstractButton):
            focused.click()
        elif isinstance(focused, QComboBox):
            focused.showPopup()
        else:
            handlers["start_or_stop"]()

    shortcuts = {}
    for key in KEYS:
        handler = activate_focused if key.action == "start_or_stop" else handlers[key.action]
        shortcuts[key.action] = QShortcut(QKeySequence(key.sequence), window)
        shortcuts[key.action].activated.connect(handler)
    return shortcuts
