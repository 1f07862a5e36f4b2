"""The lessons' strip: what to do, to watch and to listen for, and whether it has come about."""

import math
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton

from gui.background.experiment_runner import NOT_RUN, ExperimentStatus
from gui.state_texts import MARKS
from gui.theme import tabular, text_width
from gui.widgets.combo_box import ComboBox
from rtgain.config.labels import describe_controls
from rtgain.lessons.catalogue import LESSONS
from rtgain.lessons.check_state import ExpectationTracker, combined_outcome
from rtgain.lessons.checks import Observation, Outcome
from rtgain.lessons.lesson import Lesson, Step, controls_with_defaults
from rtgain.lessons.stored_results import stored_numbers
from rtgain.lessons.text_templates import fill_template

if TYPE_CHECKING:
    from rtgain.records.snapshot import Snapshot

NUMBERS_S = 0.25
"""How often the number that is waited for is written anew."""

SOUNDLESS = "\N{WHITE CIRCLE} Start the sound (Space), and it is checked here as it happens."
TAKEN_OVER = "\N{BLACK SQUARE} You have the controls. Try what you like; “Set the controls again” brings the step back."
EXPERIMENT_PLAYS = "\N{BLACK SQUARE} A sound of the experiment plays here. “Stop” in its window brings the step back."


HEIGHT = 150
"""In pixels: every step fits into it in a window of 1280 by 800. Where notices need room, plots give it."""


class LessonPanel(QFrame):
    """Steps through the lessons. It knows no session: it asks for controls, and is shown snapshots."""

    controls_wanted = Signal(dict)
    """A step is to be set up: every option that lessons control, by the names of `SessionConfig`."""

    xrun_wanted = Signal()
    """The student wants to hear an xrun."""

    experiment_wanted = Signal()
    """The student wants to see the experiment, and why the step is as it is."""

    focus_wanted = Signal(object)
    """The gains, lowest and highest in dB, that are worth seeing; None for all."""

    step_changed = Signal()
    """Another step, or another lesson, is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("look", "card")
        self.setMinimumHeight(HEIGHT)
        self.lesson: Lesson = LESSONS[0]
        self.step: Step = self.lesson.steps[0]
        self._watches: list[ExpectationTracker] = []
        self.judges = False
        """Whether the controls are as the step has set them."""
        self._stage = NOT_RUN
        self._start_s: float | None = None
        self._xruns_before: int | None = None
        self._written_s = 0.0
        self._make_parts()
        self._lay_out()
        self._show_step()

    @property
    def outcome(self) -> Outcome:
        """What has come of the present step on the live sound; "pending" too before it has begun."""
        return combined_outcome(self._watches) if self._watches else "pending"

    @property
    def check_outcome(self) -> Outcome:
        """What the experiment has come to, for the present step; "pending" where it was not run."""
        if self._stage.folder is None:
            return "holding" if self._stage.doing else "pending"
        return "passed" if all(check.holds(self._stage.numbers) for check in self.step.checks) else "failed"

    @property
    def step_index(self) -> int:
        """Where in its lesson the present step is, from 0."""
        return self.lesson.steps.index(self.step)

    def open_at(self, name: str, step_index: int) -> None:
        """Show a step of the lesson of that name, and ask for nothing; where there is none such, all stays."""
        for lesson in LESSONS:
            if lesson.name == name and 0 <= step_index < len(lesson.steps):
                self.lesson, self.step = lesson, lesson.steps[step_index]
                self._show_step()

    def begin(self) -> None:
        """Ask for the present step's controls, and watch for what comes of them."""
        self.restart_checks()
        self.controls_wanted.emit(self.step.all_controls)

    def leave(self) -> None:
        """Judge nothing, and want nothing of the plots, until it begins again."""
        self.judges = False
        self.focus_wanted.emit(None)

    def restart_checks(self) -> None:
        """Watch for what comes of the controls, which are as the present step has set them."""
        self.judges = True
        self.focus_wanted.emit(self.step.gain_axis_db)
        self._xruns_before = None
        self.xrun.setEnabled(False)  # until there is a count from which it can be told
        self.reset_watchers()
        self.again.setEnabled(False)
        self.outcome_line.setText(SOUNDLESS)

    def reset_watchers(self) -> None:
        """Forget what has been seen: the estimate begins now. Xruns are still those since the controls were set."""
        self._watches = [ExpectationTracker(expectation) for expectation in self.step.expectations]
        self._start_s = None

    def show_snapshot(self, snapshot: "Snapshot") -> None:
        """Judge what the session has come to."""
        self.xrun.setEnabled(snapshot.running)
        if not (self.judges and snapshot.running):
            return
        if self._xruns_before is None or snapshot.xruns < self._xruns_before:  # begun, or in a session begun anew
            self._xruns_before = snapshot.xruns
        if self._start_s is None or snapshot.time_s < self._start_s:
            self._start_s = snapshot.time_s
            self._written_s = -NUMBERS_S
        if math.isnan(snapshot.gain_db):  # an estimator that is still being loaded is not late yet
            self._start_s = snapshot.time_s
        before = self.outcome
        moment = Observation.from_snapshot(snapshot, self._start_s, self._xruns_before)
        for tracker in self._watches:
            tracker.observe(moment)
        if self.outcome != before or moment.time_s - self._written_s >= NUMBERS_S:
            self._written_s = moment.time_s
            self._write_outcome()

    def show_experiment(self, stage: ExperimentStatus) -> None:
        """Say how far the experiment of the present lesson is, and what it has found for the present step."""
        self._stage = stage
        if not self.step.has_results:
            text, tip = "Why?", "Why it is so, in a window of its own"
        elif stage.folder is None:
            text = stage.doing or "Run the experiment"
            tip = "Figures, sounds and why, in a window of its own; they take some ten seconds"
        else:
            held = [check.holds(stage.numbers) for check in self.step.checks]
            found = f": {sum(held)} of {len(held)} ✓ in this step" if held else ""
            text = f"{MARKS[self.check_outcome]} Experiment{found}"
            tip = "Figures, sounds, what was found and why, in a window of its own"
        self.experiment.setText(text)
        self.experiment.setToolTip(tip)
        self.experiment.setVisible(self.step.has_results or bool(self.step.why))

    def controls_changed_by_user(self) -> None:
        """The student has moved something: nothing is judged until the controls are set again."""
        if self.judges:
            self.leave()
            self.again.setEnabled(True)
            self.outcome_line.setText(TAKEN_OVER)

    def show_exhibit(self, *, plays: bool) -> None:
        """Say whether a sound of the experiment plays, where nothing is judged."""
        if not self.judges:
            self.outcome_line.setText(EXPERIMENT_PLAYS if plays else TAKEN_OVER)

    def choose_lesson(self, index: int) -> None:
        """Begin the lesson at that place of `LESSONS`."""
        self._go_to(LESSONS[index], 0)

    def go(self, by: int) -> None:
        """One step on (1) or back (−1), into the next or the last lesson where this one is over."""
        place, lesson = self.step_index + by, LESSONS.index(self.lesson)
        if 0 <= place < len(self.lesson.steps):
            self._go_to(self.lesson, place)
        elif 0 <= lesson + by < len(LESSONS):
            other = LESSONS[lesson + by]
            self._go_to(other, 0 if by > 0 else len(other.steps) - 1)

    def _go_to(self, lesson: Lesson, place: int) -> None:
        self.lesson, self.step = lesson, lesson.steps[place]
        self._show_step()
        self.begin()
        self.step_changed.emit()

    def _show_step(self) -> None:
        step, numbers = self.step, stored_numbers(self.lesson.name)
        self._watches = []
        self._stage = NOT_RUN
        place, count = self.step_index, len(self.lesson.steps)
        with QSignalBlocker(self.menu):
            self.menu.setCurrentIndex(LESSONS.index(self.lesson))
        self.text.setText(f"<b>{step.title}</b>&nbsp; {fill_template(step.text, numbers)}")
        hints = (
            ("Set", self._moved()),
            ("Watch", fill_template(step.watch, numbers)),
            ("Listen", fill_template(step.listen, numbers)),
        )
        self.hints.setText("<br>".join(f"<b>{name}</b>&nbsp; {hint}" for name, hint in hints if hint))
        self.place.setText(f"{place + 1} of {count}")
        self.previous.setEnabled((self.lesson, place) != (LESSONS[0], 0))
        self.next.setEnabled((self.lesson, place) != (LESSONS[-1], count - 1))
        self.xrun.setVisible(step.action == "xrun")
        self.outcome_line.setText(SOUNDLESS)
        self.show_experiment(NOT_RUN)

    def _moved(self) -> str:
        """The controls that the present step has moved, against the step before, or against all that may be there."""
        place, lesson = self.step_index, LESSONS.index(self.lesson)
        befores = [self.lesson.steps[place - 1].all_controls] if place else [controls_with_defaults()]
        if lesson and not place:  # from the last lesson, or by the menu
            befores.append(LESSONS[lesson - 1].steps[-1].all_controls)
        moved = {
            name: value
            for name, value in self.step.all_controls.items()
            if any(value != before[name] for before in befores)
        }
        return describe_controls(moved)

    def _write_outcome(self) -> None:
        """What there is, once all has been seen; before, the first that is still open."""
        outcome = self.outcome
        first = next((watch for watch in self._watches if watch.outcome != "passed"), None)
        if first is None:
            line = f"passed ✓ now {', '.join(watch.current for watch in self._watches)}"
        elif outcome == "failed":
            late = next(watch for watch in self._watches if watch.outcome == "failed")
            line = f"failed: expected {late.expectation}, observed {late.observed}. Try again with “Reset controls”."
        else:
            line = f"{outcome}: {first.expectation} (now {first.observed})"
        self.again.setEnabled(outcome == "failed")
        self.outcome_line.setText(f"{MARKS[outcome]} {line}")

    def _make_parts(self) -> None:
        self.menu = ComboBox()
        self.menu.setAccessibleName("Lesson")
        self.menu.addItems([f"{lesson.number} · {lesson.title}" for lesson in LESSONS])
        self.menu.activated.connect(self.choose_lesson)
        self.text, self.hints, self.outcome_line = QLabel(), QLabel(), QLabel()
        for label in (self.text, self.hints, self.outcome_line):
            label.setWordWrap(True)
            label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        for label in (self.text, self.hints):
            label.setTextFormat(Qt.TextFormat.RichText)
        self.outcome_line.setFont(tabular(self.outcome_line.font()))
        self.outcome_line.setAccessibleName("Outcome")
        self.again = _button("Set the controls again", "Bring back what this step has set", self.begin)
        self.again.setEnabled(False)
        self.experiment = _button("", "", self.experiment_wanted.emit)
        self.xrun = _button("Make an xrun", "20 ms of silence in what is heard", self.xrun_wanted.emit)
        self.place = QLabel()
        self.place.setProperty("look", "muted")
        self.place.setFont(tabular(self.place.font()))
        self.place.setMinimumWidth(text_width(self.place.font(), "8 of 8"))
        self.place.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.previous = _button("Previous", "The step before", lambda: self.go(-1))
        self.next = _button("Next", "The next step", lambda: self.go(1))

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.setSpacing(8)
        bar.addWidget(self.menu)
        bar.addStretch(1)
        for widget in (self.xrun, self.experiment, self.again, self.previous, self.place, self.next):
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


def _button(text: str, tip: str, does: Any) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.clicked.connect(lambda: does())
    return button
