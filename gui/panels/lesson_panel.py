"""Panel of the lessons: text of the step, what to watch and to listen to, and the result of its checks."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton

from gui.background.experiment_runner import NOT_RUN, ExperimentStatus
from gui.state_texts import MARKS
from gui.theme import tabular, text_width
from gui.widgets.combo_box import ComboBox
from rtgain.config.labels import describe_controls
from rtgain.lessons.catalogue import LESSONS
from rtgain.lessons.check_state import ExpectationTracker, combined_outcome
from rtgain.lessons.checks import ListeningResult, Observation, Outcome
from rtgain.lessons.lesson import Lesson, Step, controls_with_defaults
from rtgain.lessons.stored_results import stored_numbers
from rtgain.lessons.text_templates import fill_template

if TYPE_CHECKING:
    from rtgain.records.snapshot import Snapshot

OUTCOME_INTERVAL_S = 0.25
"""Interval between two refreshes of the observed number."""

NOT_STARTED_TEXT = "\N{WHITE CIRCLE} Press Space to start; this step is checked while it plays."
PAUSED_TEXT = "\N{BLACK SQUARE} You changed a control, so checking is paused. “Reset controls” restores this step."
SOUND_TEXT = "\N{BLACK SQUARE} A sound of the experiment is playing. “Stop” in its window restores this step."

HEIGHT = 165
"""Height in pixels. Every step fits in a window of 1280 × 800; notices reduce the height of the plots only."""


LESSON_WIDTH = 180
"""Lowest width in pixels of the box with the lessons, so that the panel fits in a window of 1024 × 700."""

BUTTON_PADDING = 30
"""Pixels of a button beside its text."""


class LessonPanel(QFrame):
    """Steps through the lessons. It has no access to the session: it requests controls and receives snapshots."""

    controls_requested = Signal(dict)
    """Controls of a step: every option that lessons control, by its name in `SessionConfig`."""

    xrun_requested = Signal()
    """Emitted when “Simulate an xrun” is pressed."""

    blind_test_requested = Signal(str, int)
    """Emitted when “ABX test” is pressed: the title of the step, and the number of trials that it asks for."""

    experiment_requested = Signal()
    """Emitted when the button that opens the experiment and the explanation of the step is pressed."""

    gain_axis_requested = Signal(object)
    """Range of gains to show, (lowest, highest) in dB; None for automatic."""

    step_changed = Signal()
    """Another step, or another lesson, is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("look", "card")
        self.setMinimumHeight(HEIGHT)
        self.lesson: Lesson = LESSONS[0]
        self.step: Step = self.lesson.steps[0]
        self.checking = False
        """True while the controls are those of the step."""
        self._trackers: list[ExpectationTracker] = []
        self._status = NOT_RUN
        self._start_s: float | None = None
        self._start_xruns: int | None = None
        self._listening: ListeningResult | None = None
        self._shown_s = 0.0
        self._make_widgets()
        self._lay_out()
        self._show_step()

    @property
    def outcome(self) -> Outcome:
        """Outcome of the step's checks on the running session; "pending" before the first snapshot."""
        return combined_outcome(self._trackers) if self._trackers else "pending"

    @property
    def check_outcome(self) -> Outcome:
        """Outcome of the step's checks on the experiment; "pending" if it was not run."""
        if self._status.folder is None:
            return "holding" if self._status.progress else "pending"
        return "passed" if all(check.holds(self._status.numbers) for check in self.step.checks) else "failed"

    @property
    def step_index(self) -> int:
        """Index of the step in its lesson, from 0."""
        return self.lesson.steps.index(self.step)

    def open_at(self, name: str, step_index: int) -> None:
        """Show a step of the lesson `name` without requesting its controls; ignored if there is no such step."""
        for lesson in LESSONS:
            if lesson.name == name and 0 <= step_index < len(lesson.steps):
                self.lesson, self.step = lesson, lesson.steps[step_index]
                self._show_step()

    def begin(self) -> None:
        """Request the controls of the step, and start its checks."""
        self.restart_checks()
        self.controls_requested.emit(self.step.all_controls)

    def leave(self) -> None:
        """Pause the checks, and release the gain axis."""
        self.checking = False
        self.gain_axis_requested.emit(None)

    def restart_checks(self) -> None:
        """Start the checks of the step, whose controls are set."""
        self.checking = True
        self.gain_axis_requested.emit(self.step.gain_axis_db)
        self._start_xruns = None
        self._listening = None
        self.xrun_button.setEnabled(False)  # until the xruns before it are counted
        self.reset_trackers()
        self.reset_button.setEnabled(False)
        self.outcome_line.setText(NOT_STARTED_TEXT)

    def reset_trackers(self) -> None:
        """Restart the checks, because the estimate restarts. Xruns still count from `restart_checks`."""
        self._trackers = [ExpectationTracker(expectation) for expectation in self.step.expectations]
        self._start_s = None

    def show_snapshot(self, snapshot: "Snapshot") -> None:
        """Check the step on `snapshot`, and show the outcome."""
        self.xrun_button.setEnabled(snapshot.running)
        if not (self.checking and snapshot.running):
            return
        if self._start_xruns is None or snapshot.xruns < self._start_xruns:  # first snapshot, or a restarted session
            self._start_xruns = snapshot.xruns
        if self._start_s is None or snapshot.time_s < self._start_s:
            self._start_s = snapshot.time_s
            self._shown_s = -OUTCOME_INTERVAL_S
        if math.isnan(snapshot.gain_db):  # time counts from the first estimate: the estimator may still be loading
            self._start_s = snapshot.time_s
        before = self.outcome
        observation = Observation.from_snapshot(snapshot, self._start_s, self._start_xruns, self._listening)
        for tracker in self._trackers:
            tracker.observe(observation)
        if self.outcome != before or observation.time_s - self._shown_s >= OUTCOME_INTERVAL_S:
            self._shown_s = observation.time_s
            self._show_outcome()

    def record_blind_test(self, answered_trials: int, sentence: str) -> None:
        """Record the result of the step's blind test; the next snapshot is checked with it."""
        self._listening = ListeningResult(answered_trials, sentence)

    def show_experiment(self, status: ExperimentStatus) -> None:
        """Show the status of the lesson's experiment, and how many of the step's checks on it passed."""
        self._status = status
        if not self.step.has_results:
            text, tip = "Why?", "Explanation, in a separate window"
        elif status.folder is None:
            text = status.progress or "Run the experiment"
            tip = "Figures, sounds and explanation, in a separate window; takes about ten seconds"
        else:
            passed = [check.holds(status.numbers) for check in self.step.checks]
            result = f": {sum(passed)} of {len(passed)} ✓" if passed else ""
            text = f"{MARKS[self.check_outcome]} Experiment{result}"
            tip = "Figures, sounds, results of this step and explanation, in a separate window"
        self.experiment_button.setText(text)
        self.experiment_button.setToolTip(tip)
        self.experiment_button.setVisible(self.step.has_results or bool(self.step.why))

    def controls_changed_by_user(self) -> None:
        """Pause the checks until the controls are reset, because the user changed one."""
        if self.checking:
            self.leave()
            self.reset_button.setEnabled(True)
            self.outcome_line.setText(PAUSED_TEXT)

    def show_sound_playing(self, *, is_playing: bool) -> None:
        """Show that a sound of the experiment is playing, or that checking is paused."""
        if not self.checking:
            self.outcome_line.setText(SOUND_TEXT if is_playing else PAUSED_TEXT)

    def choose_lesson(self, index: int) -> None:
        """Begin the lesson with this index in `LESSONS`."""
        self._begin_step(LESSONS[index], 0)

    def go(self, steps: int) -> None:
        """Begin the next step (1) or the previous one (−1), also across lessons."""
        step, lesson = self.step_index + steps, LESSONS.index(self.lesson)
        if 0 <= step < len(self.lesson.steps):
            self._begin_step(self.lesson, step)
        elif 0 <= lesson + steps < len(LESSONS):
            other = LESSONS[lesson + steps]
            self._begin_step(other, 0 if steps > 0 else len(other.steps) - 1)

    def _begin_step(self, lesson: Lesson, step_index: int) -> None:
        self.lesson, self.step = lesson, lesson.steps[step_index]
        self._show_step()
        self.begin()
        self.step_changed.emit()

    def _show_step(self) -> None:
        step, numbers = self.step, stored_numbers(self.lesson.name)
        self._trackers = []
        self._status = NOT_RUN
        index, count = self.step_index, len(self.lesson.steps)
        with QSignalBlocker(self.lesson_box):
            self.lesson_box.setCurrentIndex(LESSONS.index(self.lesson))
        self.text.setText(f"<b>{step.title}</b>&nbsp; {fill_template(step.text, numbers)}")
        hints = (
            ("Set", self._changed_controls()),
            ("Watch", fill_template(step.watch, numbers)),
            ("Listen", fill_template(step.listen, numbers)),
        )
        self.hints.setText("<br>".join(f"<b>{name}</b>&nbsp; {hint}" for name, hint in hints if hint))
        self.step_label.setText(f"{index + 1} of {count}")
        self.previous_button.setEnabled((self.lesson, index) != (LESSONS[0], 0))
        self.next_button.setEnabled((self.lesson, index) != (LESSONS[-1], count - 1))
        self.xrun_button.setVisible(step.action == "xrun")
        self.blind_test_button.setVisible(step.blind_trials > 0)
        self.outcome_line.setText(NOT_STARTED_TEXT)
        self.show_experiment(NOT_RUN)

    def _changed_controls(self) -> str:
        """Describe the controls that differ from the previous step, or from every state before the first step."""
        step, lesson = self.step_index, LESSONS.index(self.lesson)
        previous = [self.lesson.steps[step - 1].all_controls] if step else [controls_with_defaults()]
        if lesson and not step:  # reached from the previous lesson, or by the menu
            previous.append(LESSONS[lesson - 1].steps[-1].all_controls)
        changed = {
            name: value
            for name, value in self.step.all_controls.items()
            if any(value != controls[name] for controls in previous)
        }
        return describe_controls(changed)

    def _show_outcome(self) -> None:
        """Show all observed values if all checks passed, otherwise the first check that has not passed."""
        outcome = self.outcome
        first = next((tracker for tracker in self._trackers if tracker.outcome != "passed"), None)
        if first is None:
            line = f"passed ✓ now {', '.join(tracker.current for tracker in self._trackers)}"
        elif outcome == "failed":
            failed = next(tracker for tracker in self._trackers if tracker.outcome == "failed")
            line = f"failed: expected {failed.expectation}, observed {failed.observed}. Retry with “Reset controls”."
        else:
            line = f"{outcome}: {first.expectation} (now {first.observed})"
        self.reset_button.setEnabled(outcome == "failed")
        self.outcome_line.setText(f"{MARKS[outcome]} {line}")

    def _make_widgets(self) -> None:
        self.lesson_box = ComboBox()
        self.lesson_box.setAccessibleName("Lesson")
        self.lesson_box.addItems([f"{lesson.number} · {lesson.title}" for lesson in LESSONS])
        self.lesson_box.setMinimumWidth(LESSON_WIDTH)
        self.lesson_box.activated.connect(self.choose_lesson)
        self.text, self.hints, self.outcome_line = QLabel(), QLabel(), QLabel()
        for label in (self.text, self.hints, self.outcome_line):
            label.setWordWrap(True)
            label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        for label in (self.text, self.hints):
            label.setTextFormat(Qt.TextFormat.RichText)
        self.outcome_line.setFont(tabular(self.outcome_line.font()))
        self.outcome_line.setAccessibleName("Outcome")
        self.reset_button = _button("Reset controls", "Restore the controls of this step", self.begin)
        self.reset_button.setEnabled(False)
        self.experiment_button = _button("", "", self.experiment_requested.emit)
        longest = "Drawing figure 8 of 8…"
        self.experiment_button.setMinimumWidth(text_width(self.experiment_button.font(), longest) + BUTTON_PADDING)
        self.xrun_button = _button("Simulate an xrun", "Insert 20 ms of silence", self.xrun_requested.emit)
        self.blind_test_button = _button(
            "ABX test",
            "Open the blind test of this step",
            lambda: self.blind_test_requested.emit(self.step.title, self.step.blind_trials),
        )
        self.step_label = QLabel()
        self.step_label.setProperty("look", "muted")
        self.step_label.setFont(tabular(self.step_label.font()))
        self.step_label.setMinimumWidth(text_width(self.step_label.font(), "8 of 8"))
        self.step_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.previous_button = _button("Previous", "Previous step", lambda: self.go(-1))
        self.next_button = _button("Next", "Next step", lambda: self.go(1))

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.setSpacing(8)
        bar.addWidget(self.lesson_box)
        bar.addStretch(1)
        for widget in (
            self.experiment_button,
            self.xrun_button,
            self.blind_test_button,
            self.reset_button,
            self.previous_button,
            self.step_label,
            self.next_button,
        ):
            bar.addWidget(widget)
        grid = QGridLayout(self)
        grid.setContentsMargins(14, 7, 14, 7)
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(5)
        grid.addLayout(bar, 0, 0, 1, 2)
        grid.addWidget(self.text, 1, 0)
        grid.addWidget(self.hints, 1, 1)
        grid.addWidget(self.outcome_line, 2, 0, 1, 2)
        grid.setColumnStretch(0, 5)
        grid.setColumnStretch(1, 4)
        grid.setRowStretch(1, 1)


def _button(text: str, tip: str, on_click: Callable[[], object]) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.clicked.connect(lambda: on_click())
    return button
