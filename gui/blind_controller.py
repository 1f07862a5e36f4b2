"""Handlers of the blind tests: they play the drawn signal without a trace in the window, and save the results."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget

from gui import settings
from gui.actions import SessionActions
from gui.control.session_controller import SessionController
from gui.panels.blind_panel import BlindPanel
from gui.panels.notices import NoticeStack
from rtgain.errors import InputError
from rtgain.listening.blind_test import AbxTest, BlindTest, PreferenceTest, draw_signal
from rtgain.listening.blind_test import Signal as DrawnSignal
from rtgain.listening.result import ListeningConditions, RecordingIdentity, identify_recording, result_json
from rtgain.number_format import format_number
from rtgain.records.level_match import AUDIBLE_DB, LevelMatch
from rtgain.system.atomic_write import write_atomic

if TYPE_CHECKING:
    from rtgain.records.snapshot import Snapshot

TESTS: dict[str, type[AbxTest] | type[PreferenceTest]] = {"abx": AbxTest, "preference": PreferenceTest}

FIRST_BUTTON = {"abx": "A", "preference": "1"}
"""Button whose signal is played at the start of each trial."""

OFF_TEXT = "Level match is off: a difference in level alone may tell both apart."

log = logging.getLogger(__name__)


class BlindController(QObject):
    """Runs one test at a time. `draw` draws the signal of a trial.

    While a trial is open, only this object holds the drawn signal. It is neither logged nor stored in the options.
    """

    opened = Signal()
    """The panel of a test covers the workspace."""

    trial_opened = Signal()
    """A test began: from now on, until `closed`, the window shows nothing about signals."""

    closed = Signal()
    """The panel was closed."""

    lesson_test_ended = Signal(int, str)
    """A test of a lesson has ended: number of answered trials, and the result as a sentence."""

    def __init__(
        self,
        parent: QWidget,
        controller: SessionController,
        session_actions: SessionActions,
        notices: NoticeStack,
        panel: BlindPanel,
    ) -> None:
        super().__init__(parent)
        self.draw: Callable[[], DrawnSignal] = draw_signal
        self.results: list[tuple[str, str]] = []
        """Target and JSON of each test of the present recordings."""
        self._controller = controller
        self._session_actions = session_actions
        self._notices = notices
        self._panel = panel
        self._kind = "abx"
        self._test: AbxTest | PreferenceTest | None = None
        self._lesson_step = ""
        """Title of the lesson step that the test belongs to; empty for a test of two recordings."""
        self._lesson_results: dict[str, str] = {}
        """Newest result of each lesson step, by its title, as a sentence."""
        self._selected = ""
        self._started = ""
        self._level_match = LevelMatch()
        self._thread = ThreadPoolExecutor(1, "hashes")
        self._identities: Sequence[Future[RecordingIdentity]] = ()
        panel.begin_requested.connect(self.begin)
        panel.play_requested.connect(self.play)
        panel.answer_requested.connect(self.answer)
        panel.stop_requested.connect(self.stop)
        panel.close_requested.connect(self.close_panel)
        controller.state_changed.connect(self._handle_state)
        buttons = (*AbxTest.buttons, *PreferenceTest.buttons)
        self._shortcuts = [self._shortcut(key, partial(self.play, key)) for key in buttons]
        self._shortcuts += [
            self._shortcut("Left", lambda: self._answer_at(0)),
            self._shortcut("Right", lambda: self._answer_at(1)),
            self._shortcut("Esc", self._leave),
        ]

    def close(self) -> None:
        """Wait for the thread."""
        self._thread.shutdown(wait=True)

    @property
    def is_open(self) -> bool:
        """True while a trial is open."""
        return self._test is not None and self._test.is_open

    def show(self, kind: str) -> None:
        """Show the test `kind`, ``abx`` or ``preference``, before it begins."""
        if self.is_open:
            return
        snapshot = self._controller.snapshot()
        if not self._controller.config.is_pair or snapshot is None:
            self._notices.show_error("A listening test compares two recordings; open both and start the session")
            return
        self._lesson_step = ""
        self._open(kind, snapshot.level_match)

    def show_lesson_test(self, step_title: str, trials: int) -> None:
        """Show an ABX test of `trials` trials on the present session, for a lesson step; the result is not saved."""
        snapshot = self._controller.snapshot()
        if snapshot is None or not snapshot.running:
            self._notices.show_error("A listening test plays the session; press Space to start it")
            return
        self._lesson_step = step_title
        self._open("abx", snapshot.level_match, trials)

    def show_snapshot(self, snapshot: "Snapshot") -> None:
        """Show the level match of `snapshot` before the test begins: it may become known only now."""
        if self._test is None and snapshot.level_match != self._level_match:
            self._level_match = snapshot.level_match
            self._panel.level.setText(_describe_level(self._level_match))

    def _open(self, kind: str, level_match: LevelMatch, fixed_trials: int | None = None) -> None:
        self._kind, self._test = kind, None
        self._level_match = level_match
        self._panel.show_setup(kind, _describe_level(level_match), fixed_trials)
        self._enable_shortcuts(on=True)
        self.opened.emit()

    def begin(self, trials: int) -> None:
        """Begin the test with the number of trials."""
        config, snapshot = self._controller.config, self._controller.snapshot()
        if snapshot is not None:
            self._level_match = snapshot.level_match
        paths = [] if self._lesson_step else [Path(config.input), Path(config.target)]
        self._identities = [self._thread.submit(identify_recording, path) for path in paths]
        self._started = time.strftime("%Y-%m-%dT%H:%M:%S")
        self._test = TESTS[self._kind](trials, self.draw)
        self.trial_opened.emit()
        self._open_trial("")

    def play(self, button: str) -> None:
        """Play the signal behind `button`; ignored for a button of the other test."""
        test = self._test
        if test is not None and test.is_open and button in test.buttons:
            self._selected = button
            self._controller.set_monitor(test.signal_of(button))
            self._panel.show_selected(button)

    def answer(self, button: str) -> None:
        """Answer the open trial."""
        test = self._test
        if test is None or not test.is_open:
            return
        if isinstance(test, AbxTest):
            outcome = "Right." if test.answer(button) else "Wrong."
            feedback = f"{outcome} {test.correct} of {len(test.trials)} so far."
        else:
            test.answer(button)
            feedback = "Answered."
        if test.is_open:
            self._open_trial(feedback)
        else:
            self._finish(test)

    def stop(self) -> None:
        """End the test early."""
        test = self._test
        if test is not None and test.is_open:
            test.stop()
            self._finish(test)

    def close_panel(self) -> None:
        """Return to the workspace."""
        self._test = None
        self._enable_shortcuts(on=False)
        self.closed.emit()

    def _open_trial(self, feedback: str) -> None:
        assert self._test is not None
        self._panel.show_trial(len(self._test.trials) + 1, self._test.planned_trials, feedback)
        self.play(FIRST_BUTTON[self._kind])

    def _finish(self, test: BlindTest) -> None:
        self._session_actions.apply_monitor()
        if self._lesson_step:
            self._lesson_results[self._lesson_step] = test.sentence()
            results = [f"{title} – {result}" for title, result in self._lesson_results.items()]
            level = _describe_level(self._level_match)
            self._panel.show_result("\n".join([test.sentence(), level, "", "Your results:", *results]))
            self.lesson_test_ended.emit(len(test.trials), test.sentence())
            return
        try:
            dry, target = (identity.result() for identity in self._identities)
            config = self._controller.config
            conditions = ListeningConditions(self._started, dry, target, config.start, config.end, self._level_match)
            result = result_json(test, conditions)
            self.results.append((config.target, result))
            path = results_folder() / f"{self._kind} {self._started.replace(':', '.').replace('T', ' ')}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, result.encode())
        except (InputError, OSError) as error:
            log.warning("The result of the listening test was not saved: %s", error)
            saved = f"The result was not saved: {error}"
        else:
            saved = f"Saved as {path}"
        self._panel.show_result(f"{test.sentence()}\n{_describe_level(self._level_match)}\n\n{saved}")

    def _answer_at(self, index: int) -> None:
        answers = list(self._panel.answers)
        if self.is_open:
            self.answer(answers[index])

    def _leave(self) -> None:
        if self.is_open:
            self.stop()
        else:
            self.close_panel()

    def _handle_state(self, state: str) -> None:
        """Select the signal again in a session that was started during a trial."""
        if state == "running" and self.is_open:
            self.play(self._selected)

    def _shortcut(self, key: str, handler: Callable[[], object]) -> QShortcut:
        shortcut = QShortcut(QKeySequence(key), self._panel)
        shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
        shortcut.setEnabled(False)
        shortcut.activated.connect(handler)
        return shortcut

    def _enable_shortcuts(self, *, on: bool) -> None:
        for shortcut in self._shortcuts:
            shortcut.setEnabled(on)


def results_folder() -> Path:
    """Return the folder in which results of listening tests are saved."""
    return settings.folder() / "listening tests"


def _describe_level(match: LevelMatch) -> str:
    """Describe the differences in level that remain in the test, as far as they are known."""
    gain_db, loudness_lu = match.remaining_gain_db, match.remaining_loudness_lu
    known = [f"gain {format_number(gain_db, 2)} dB"] if math.isfinite(gain_db) else []
    known += [f"loudness {format_number(loudness_lu, 2)} LU"] if math.isfinite(loudness_lu) else []
    sentences = [f"Remaining differences: {', '.join(known)}."] if known else []
    remaining = gain_db if match.mode == "estimate" else loudness_lu
    if match.mode == "off":
        sentences.insert(0, OFF_TEXT)
    elif not math.isfinite(remaining) or abs(remaining) > AUDIBLE_DB:
        sentences.insert(0, "The level is not matched yet.")
    return " ".join(sentences)
