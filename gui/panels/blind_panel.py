"""Panel of a blind test: it covers the workspace, and shows nothing that depends on the signal that is played."""

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QSpinBox, QVBoxLayout, QWidget

from gui.theme import tabular
from rtgain.listening.blind_test import DEFAULT_TRIALS, TRIALS_RANGE


@dataclass(frozen=True)
class BlindTexts:
    """Texts of one kind of test: its title, its question, its keys, and the texts of buttons and answers."""

    title: str
    question: str
    keys: str
    buttons: dict[str, str]
    answers: dict[str, str]


TEXTS = {
    "abx": BlindTexts(
        "ABX test",
        "A is the dry signal, B the target. X is one of the two, drawn again for each trial. Which one is it?",
        "Keys: Enter to begin, A, B and X to listen, ← and → to answer, Esc to end.",
        {"A": "A", "B": "B", "X": "X"},
        {"A": "←  X is A", "B": "X is B  →"},
    ),
    "preference": BlindTexts(
        "Preference test",
        "1 and 2 are dry and target, in an order that is drawn again for each trial. Which is better?",
        "Keys: Enter to begin, 1 and 2 to listen, ← and → to answer, Esc to end.",
        {"1": "1", "2": "2"},
        {"1": "←  1 is better", "2": "2 is better  →"},
    ),
}
BUTTON_SIZE = 72


class BlindPanel(QFrame):
    """Setup, trials and result of a test, one after the other."""

    begin_requested = Signal(int)
    """The user begins a test of this number of trials."""

    play_requested = Signal(str)
    """The user selected the signal behind this button."""

    answer_requested = Signal(str)
    """The user gave this answer: the name of a button."""

    stop_requested = Signal()
    """The user ends the test early."""

    close_requested = Signal()
    """The user returns to the workspace."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("look", "card")
        self.title = QLabel()
        self.title.setFont(tabular(self.title.font(), points=self.title.font().pointSizeF() + 8, bold=True))
        self.question = _paragraph()
        self.level = _paragraph()
        self.level.setProperty("look", "muted")
        self.progress = QLabel()
        self.progress.setFont(tabular(self.progress.font(), points=self.progress.font().pointSizeF() + 3))
        self.feedback = QLabel(" ")
        self.result = _paragraph()
        self.result.setFont(tabular(self.result.font(), points=self.result.font().pointSizeF() + 3))
        self.trials = QSpinBox()
        self.trials.setRange(*TRIALS_RANGE)
        self.trials.setValue(DEFAULT_TRIALS)
        self.trials.setAccessibleName("Number of trials")
        self.begin, self.stop, self.close_button = (QPushButton(text) for text in ("Begin", "End the test", "Close"))
        self.begin.setProperty("look", "primary")
        for button in (self.begin, self.close_button):
            button.setAutoDefault(True)  # the Enter key activates them
        self.buttons: dict[str, QPushButton] = {}
        self.answers: dict[str, QPushButton] = {}
        self._setup, self._trial, self._end = QWidget(), QWidget(), QWidget()
        self._button_row, self._answer_row = QHBoxLayout(), QHBoxLayout()
        self._lay_out()
        self.begin.clicked.connect(lambda: self.begin_requested.emit(self.trials.value()))
        self.stop.clicked.connect(self.stop_requested)
        self.close_button.clicked.connect(self.close_requested)

    def show_setup(self, kind: str, level: str, fixed_trials: int | None = None) -> None:
        """Show the test `kind` before it begins, with a sentence about the level.

        The listener chooses the number of trials, unless it is fixed.
        """
        texts = TEXTS[kind]
        self.title.setText(texts.title)
        self.question.setText(f"{texts.question}\n{texts.keys}")
        self.level.setText(level)
        self.trials.setValue(fixed_trials or DEFAULT_TRIALS)
        self.trials.setEnabled(fixed_trials is None)
        self._make_buttons(texts)
        self._show_page(self._setup)
        self.begin.setFocus()

    def show_trial(self, number: int, planned: int, feedback: str) -> None:
        """Show that trial `number`, from 1, is open, and `feedback` about the one before."""
        self.progress.setText(f"Trial {number} of {planned}")
        self.feedback.setText(feedback or " ")
        self._show_page(self._trial)
        self.setFocus()

    def show_selected(self, selected: str) -> None:
        """Mark the button whose signal is played."""
        for name, button in self.buttons.items():
            button.setChecked(name == selected)

    def show_result(self, text: str) -> None:
        """Show the result of the test."""
        self.result.setText(text)
        self._show_page(self._end)
        self.close_button.setFocus()

    @property
    def is_open(self) -> bool:
        """True while a trial is open."""
        return not self._trial.isHidden()

    def _show_page(self, page: QWidget) -> None:
        for other in (self._setup, self._trial, self._end):
            other.setVisible(other is page)
        self.close_button.setVisible(page is not self._trial)
        for label in (self.question, self.level):
            label.setVisible(page is not self._end)  # the result states the level

    def _make_buttons(self, texts: BlindTexts) -> None:
        for button in (*self.buttons.values(), *self.answers.values()):
            button.hide()
            button.deleteLater()
        self.buttons = {name: _test_button(text, BUTTON_SIZE, BUTTON_SIZE) for name, text in texts.buttons.items()}
        self.answers = {name: _test_button(text, 2 * BUTTON_SIZE, 44) for name, text in texts.answers.items()}
        for name, button in self.buttons.items():
            button.setCheckable(True)
            button.setAccessibleName(f"Listen to {name}")
            button.setToolTip(f"Key {name}")
            button.clicked.connect(lambda _=False, name=name: self.play_requested.emit(name))
            self._button_row.insertWidget(self._button_row.count() - 1, button)
        for name, button in self.answers.items():
            button.setToolTip("Arrow keys answer")
            button.clicked.connect(lambda _=False, name=name: self.answer_requested.emit(name))
            self._answer_row.insertWidget(self._answer_row.count() - 1, button)

    def _lay_out(self) -> None:
        for row in (self._button_row, self._answer_row):
            row.setSpacing(12)
            row.addStretch(1)
        setup = QHBoxLayout(self._setup)
        setup.setContentsMargins(0, 0, 0, 0)
        setup.setSpacing(10)
        setup.addWidget(QLabel("Trials"))
        setup.addWidget(self.trials)
        setup.addWidget(self.begin)
        setup.addStretch(1)
        trial = QVBoxLayout(self._trial)
        trial.setContentsMargins(0, 0, 0, 0)
        trial.setSpacing(14)
        trial.addWidget(self.progress)
        trial.addLayout(self._button_row)
        trial.addLayout(self._answer_row)
        trial.addWidget(self.feedback)
        trial.addWidget(self.stop, 0, Qt.AlignmentFlag.AlignLeft)
        end = QVBoxLayout(self._end)
        end.setContentsMargins(0, 0, 0, 0)
        end.addWidget(self.result)
        column = QVBoxLayout(self)
        column.setContentsMargins(28, 22, 28, 22)
        column.setSpacing(14)
        for widget in (self.title, self.question, self.level, self._setup, self._trial, self._end):
            column.addWidget(widget)
        column.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._show_page(self._setup)


def _paragraph() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    return label


def _test_button(text: str, width: int, height: int) -> QPushButton:
    button = QPushButton(text)
    button.setFixedSize(width, height)
    button.setFont(tabular(button.font(), points=button.font().pointSizeF() + 3, bold=True))
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
