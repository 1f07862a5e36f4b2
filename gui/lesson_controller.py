"""Controller of the lessons: sets the controls of a step, plays experiment sounds, and restores the session."""

from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from gui.actions import SessionActions
from gui.background.experiment_runner import ExperimentRunner
from gui.control.feedback_guard import FeedbackGuard
from gui.control.session_backup import SessionBackup
from gui.control.session_controller import ESTIMATOR_OPTIONS, REFERENCE_OPTIONS, SessionController
from gui.dialogs.experiment_window import ExperimentWindow
from gui.panels.lesson_panel import LessonPanel
from rtgain.config.session_config import SessionConfig, with_changes
from rtgain.lessons.lesson import controls_with_defaults

SETTLE_MS = 150
"""Time for the ramps of the reference path (20 ms), and for an estimator that is some hops behind."""


class LessonController(QObject):
    """Connects the lesson panel and the experiment window with the session."""

    config_changed = Signal()
    """The config of the session has changed."""

    def __init__(
        self,
        parent: QObject,
        controller: SessionController,
        guard: FeedbackGuard,
        session_actions: SessionActions,
        panel: LessonPanel,
        experiment_window: ExperimentWindow,
    ) -> None:
        super().__init__(parent)
        self.experiment_runner = ExperimentRunner(self)
        self._controller = controller
        self._guard = guard
        self._session_actions = session_actions
        self._panel = panel
        self._experiment_window = experiment_window
        self._before_lessons: SessionBackup | None = None
        self._before_sound: SessionBackup | None = None
        self._was_checking = False
        self._sound = ""
        # A step begins when no analysis window contains the previous step: otherwise an optimizer with a fixed
        # learning rate would follow the transition, and an average would keep its small deviation.
        self._restart_timer = QTimer(self, singleShot=True)
        self._restart_timer.timeout.connect(controller.reset_estimate)
        self._restart_timer.timeout.connect(panel.reset_trackers)
        session_actions.changed_by_user.connect(panel.controls_changed_by_user)
        session_actions.session_replaced.connect(self._discard_backup)
        panel.controls_requested.connect(self.apply_controls)
        panel.xrun_requested.connect(controller.simulate_xrun)
        panel.experiment_requested.connect(self.show_experiment_window)
        panel.step_changed.connect(self._show_experiment)
        self.experiment_runner.changed.connect(self._show_experiment)
        experiment_window.cancel_requested.connect(self.experiment_runner.cancel)
        experiment_window.play_requested.connect(self.play_sound)
        experiment_window.stop_requested.connect(self.stop_sound)

    def close(self) -> None:
        """End a running experiment, and close the experiment window."""
        self._experiment_window.close()
        self.experiment_runner.close()

    def show_lessons(self, on: bool) -> None:
        """Back up the session and begin the panel's step, or close the lessons and restore the session."""
        self._panel.setVisible(on)
        if on:
            self._before_lessons = SessionBackup.of(self._controller, self._guard)
            self._panel.begin()
            return
        backup, self._before_lessons = self._before_lessons, None
        self._experiment_window.close()
        self._panel.leave()
        if backup is not None:
            self._restore_session(backup)

    def config_to_save(self) -> SessionConfig:
        """Return the config of the session without the changes that lessons made."""
        config, backup = self._controller.config, self._before_lessons
        return config if backup is None else with_changes(config, **backup.options)

    def show_config(self, config: SessionConfig) -> None:
        """Show which sound of the experiment is the source of `config`."""
        self._experiment_window.show_playing(config.input)
        self._panel.show_sound_playing(is_playing=self._is_sound_playing)

    def apply_controls(self, controls: dict[str, Any]) -> None:
        """Set all `controls`, of a step or of a backup; without interrupting the audio if the changes allow it."""
        config = self._controller.config
        changed = {name for name, value in controls.items() if getattr(config, name) != value}
        interrupted = self._interrupted
        self._guard.requested = controls.get("monitor") or (
            interrupted.options["monitor"] if interrupted else self._guard.requested
        )
        if self._controller.state == "running" and changed <= {*REFERENCE_OPTIONS, *ESTIMATOR_OPTIONS, "monitor"}:
            self._controller.set_reference(**{name: controls[name] for name in REFERENCE_OPTIONS if name in changed})
            # All of them: a new optimizer would replace an unchanged learning rate by its own.
            self._controller.set_estimator(**{name: controls[name] for name in ESTIMATOR_OPTIONS if name in controls})
            self._restart_timer.start(round(self._controller.config.window_ms) + SETTLE_MS)
            self._session_actions.apply_monitor()
        else:
            self._session_actions.restart_with(lambda: self._controller.set_options(**controls))

    def play_sound(self, path: str) -> None:
        """Play a sound of the experiment, unchanged and in a loop, until it is stopped or another source is set."""
        if self._interrupted is None:
            self._before_sound = SessionBackup.of(self._controller, self._guard)
            self._was_checking = self._panel.checking
        self._sound = path
        self._panel.controls_changed_by_user()
        self._guard.requested = "target"
        controls = controls_with_defaults(input=path, gain_db=0.0, loop=True)
        self._session_actions.restart_with(lambda: self._controller.set_options(**controls))

    def stop_sound(self) -> None:
        """Restore the session that a sound of the experiment interrupted; ignored if none is playing."""
        interrupted = self._interrupted
        if interrupted is not None:
            self._restore_session(interrupted)
            if self._was_checking:
                self._panel.restart_checks()

    def show_experiment_window(self) -> None:
        """Show figures and sounds of the present step, and run the lesson's experiment if it has not been run."""
        self._experiment_window.show()
        self._experiment_window.raise_()
        self._experiment_window.activateWindow()
        if self._panel.step.has_results:
            self.experiment_runner.run(self._panel.lesson.name)
        self._show_experiment()

    def _show_experiment(self) -> None:
        panel = self._panel
        status = self.experiment_runner.status(panel.lesson.name)
        panel.show_experiment(status)
        if self._experiment_window.isVisible():
            self._experiment_window.show_step(panel.lesson, panel.step, status)

    @property
    def _is_sound_playing(self) -> bool:
        return self._controller.config.input == self._sound

    @property
    def _interrupted(self) -> SessionBackup | None:
        """Session that the present sound of an experiment interrupted; None if no such sound is playing."""
        return self._before_sound if self._is_sound_playing else None

    def _discard_backup(self) -> None:
        self._before_lessons = None

    def _restore_session(self, backup: SessionBackup) -> None:
        options = dict(backup.options)
        if backup.was_running and self._controller.state != "stopped":
            self.apply_controls(options)
        else:
            self._guard.requested = options["monitor"]
            self._controller.set_options(**options)
            self._controller.stop()
            self.config_changed.emit()
