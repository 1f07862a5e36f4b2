"""What a lesson's step has to show besides the live sound: why, its figures and sounds, and what was found."""

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent, QMovie, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QScrollArea, QVBoxLayout, QWidget

from gui.background.experiment_runner import ExperimentStatus
from gui.state_texts import MARKS
from gui.theme import set_look, tabular
from rtgain.lessons.experiment_process import ANIMATION
from rtgain.lessons.lesson import Lesson, Step, emphasized
from rtgain.lessons.stored_results import stored_numbers
from rtgain.lessons.text_templates import fill_template

WIDTH = 720
OPENING_SIZE = QSize(WIDTH + 60, 720)

DURATION = "It takes some ten seconds in all, more where the machine is busy."
"""Measured: 4 to 11 s for each lesson alone, 5 to 27 beside the window and tests on two cores."""

PLAY_WIDTH = 64
"""Of “Play” and of “Stop”, so that captions stay where they are."""

NOTHING_MORE = "There is no more to this step than is seen and heard live."


class ExperimentWindow(QWidget):
    """A window beside the main one. It is told which step to show, and how far its experiment is."""

    play_wanted = Signal(str)
    """A sound is to be heard: its file."""

    stop_wanted = Signal()
    """It is not to be heard any more."""

    cancel_wanted = Signal()
    """The experiment is not to go on."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.resize(OPENING_SIZE)
        self._played = ""
        self._plays: dict[str, QPushButton] = {}
        self.status = QLabel()
        self.busy = QProgressBar()
        self.busy.setRange(0, 0)
        self.busy.setTextVisible(False)
        self.busy.setFixedSize(120, 8)
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop the experiment; what it has done is lost")
        self.cancel.clicked.connect(self.cancel_wanted)
        self.pane = QScrollArea()
        self.pane.setWidgetResizable(True)
        self.pane.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.pane.setAccessibleName("Why, figures, sounds and checks")
        top = QHBoxLayout()
        top.setSpacing(12)
        top.addWidget(self.status, 1)
        top.addWidget(self.busy)
        top.addWidget(self.cancel)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 14, 8, 8)
        column.addLayout(top)
        column.addWidget(self.pane, 1)

    def show_step(self, lesson: Lesson, step: Step, stage: ExperimentStatus) -> None:
        """Show what there is of `step` by now; the text is there before the experiment was run."""
        self.setWindowTitle(f"{lesson.number} · {step.title}")
        self.status.setText(f"{stage.doing} {DURATION}" if stage.doing else stage.problem)
        self.status.setVisible(bool(self.status.text()))
        set_look(self.status, "fault" if stage.problem else "muted")
        for widget in (self.busy, self.cancel):
            widget.setVisible(bool(stage.doing))
        self._plays = {}
        parts = self._parts(lesson, step, stage)
        page = QWidget()
        page.setProperty("look", "pane")
        rows = QVBoxLayout(page)
        rows.setContentsMargins(0, 4, 12, 12)
        rows.setSpacing(12)
        for part in parts:
            rows.addWidget(part)
        rows.addStretch(1)
        self.pane.setWidget(page)

    def show_played(self, source: str) -> None:
        """Say which of the sounds is the session's source, and offer to stop it."""
        self._played = source
        for path, button in self._plays.items():
            button.setText("Stop" if path == source else "Play")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape closes it."""
        if event.key() == Qt.Key.Key_Escape:
            self.close()
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """What is not seen is not animated, and not heard."""
        self._plays = {}
        self.pane.setWidget(QWidget())
        self.stop_wanted.emit()
        super().closeEvent(event)

    def _parts(self, lesson: Lesson, step: Step, stage: ExperimentStatus) -> list[QWidget]:
        numbers = stage.numbers or stored_numbers(lesson.name)
        parts: list[QWidget] = [_text(fill_template(why, numbers)) for why in step.why.split("\n\n") if why]
        if not (parts or step.has_results):
            return [_caption(NOTHING_MORE)]
        if stage.folder is None:
            return parts
        for check in step.checks:
            mark = MARKS["passed" if check.holds(numbers) else "failed"]
            parts.append(_text(f"{mark} {fill_template(check.text, numbers).rstrip(' ,.:…')} (expected {check})."))
        if step.animation:
            said = fill_template(step.animation, numbers)
            parts += [_animation(stage.folder / ANIMATION, said), _caption(said)]
        for name, caption in step.figures.items():
            text = fill_template(caption, numbers)
            parts += [_picture(stage.folder / f"{name}.png", text), _caption(text)]
        for name, caption in step.sounds.items():
            parts.append(self._sound(stage.folder / f"{name}.wav", fill_template(caption, numbers)))
        return parts

    def _sound(self, path: Path, caption: str) -> QWidget:
        play = QPushButton("Stop" if str(path) == self._played else "Play")
        play.setFixedWidth(PLAY_WIDTH)
        play.setAccessibleName(f"Play: {caption}")
        play.setToolTip("Hear it in place of what plays, until it is stopped or this window is closed")
        play.clicked.connect(lambda: self._play_or_stop(str(path)))
        self._plays[str(path)] = play
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(12)
        line.addWidget(play)
        line.addWidget(_caption(caption), 1)
        return row

    def _play_or_stop(self, path: str) -> None:
        if path == self._played:
            self.stop_wanted.emit()
        else:
            self.play_wanted.emit(path)


def _text(text: str) -> QLabel:
    label = QLabel(emphasized(text))
    label.setTextFormat(Qt.TextFormat.RichText)
    label.setWordWrap(True)
    label.setFont(tabular(label.font()))
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def _caption(text: str) -> QLabel:
    label = _text(text)
    label.setProperty("look", "muted")
    return label


def _picture(path: Path, said: str) -> QLabel:
    picture = QLabel()
    ratio = picture.devicePixelRatioF()
    pixmap = QPixmap(str(path)).scaledToWidth(round(WIDTH * ratio), Qt.TransformationMode.SmoothTransformation)
    pixmap.setDevicePixelRatio(ratio)
    picture.setPixmap(pixmap)
    picture.setAccessibleName(said)
    return picture


def _animation(path: Path, said: str) -> QLabel:
    label = QLabel()
    movie = QMovie(str(path), parent=label)
    label.setMovie(movie)
    label.setAccessibleName(said)
    movie.start()
    return label
