"""Window of a lesson's step: explanation, figures, sounds and measured numbers of the experiment."""

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

DURATION_TEXT = "This takes about ten seconds, longer on a busy machine."
"""Measured: 4 to 11 s per lesson alone, 5 to 27 s next to the GUI and tests on two cores."""

PLAY_WIDTH = 64
"""Width in pixels of “Play” and of “Stop”, so that captions do not move."""

NO_MATERIAL_TEXT = "This step has no additional material."


class ExperimentWindow(QWidget):
    """Separate window that shows a step and the status of the lesson's experiment."""

    play_requested = Signal(str)
    """Emitted when “Play” is pressed, with the path of the sound file."""

    stop_requested = Signal()
    """Emitted when “Stop” is pressed or the window closes."""

    cancel_requested = Signal()
    """Emitted when “Cancel” is pressed."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.resize(OPENING_SIZE)
        self._playing = ""
        self._play_buttons: dict[str, QPushButton] = {}
        self.status = QLabel()
        self.busy = QProgressBar()
        self.busy.setRange(0, 0)
        self.busy.setTextVisible(False)
        self.busy.setFixedSize(120, 8)
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("End the experiment and discard its results")
        self.cancel.clicked.connect(self.cancel_requested)
        self.pane = QScrollArea()
        self.pane.setWidgetResizable(True)
        self.pane.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.pane.setAccessibleName("Explanation, figures, sounds and checks")
        top = QHBoxLayout()
        top.setSpacing(12)
        top.addWidget(self.status, 1)
        top.addWidget(self.busy)
        top.addWidget(self.cancel)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 14, 8, 8)
        column.addLayout(top)
        column.addWidget(self.pane, 1)

    def show_step(self, lesson: Lesson, step: Step, status: ExperimentStatus) -> None:
        """Show `step`: its explanation at once, the results after the experiment has been run."""
        self.setWindowTitle(f"{lesson.number} · {step.title}")
        self.status.setText(f"{status.progress} {DURATION_TEXT}" if status.progress else status.error)
        self.status.setVisible(bool(self.status.text()))
        set_look(self.status, "fault" if status.error else "muted")
        for widget in (self.busy, self.cancel):
            widget.setVisible(bool(status.progress))
        self._play_buttons = {}
        parts = self._parts(lesson, step, status)
        page = QWidget()
        page.setProperty("look", "pane")
        rows = QVBoxLayout(page)
        rows.setContentsMargins(0, 4, 12, 12)
        rows.setSpacing(12)
        for part in parts:
            rows.addWidget(part)
        rows.addStretch(1)
        self.pane.setWidget(page)

    def show_playing(self, source: str) -> None:
        """Show “Stop” at the sound that is the session's source."""
        self._playing = source
        for path, button in self._play_buttons.items():
            button.setText("Stop" if path == source else "Play")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Close the window on Escape."""
        if event.key() == Qt.Key.Key_Escape:
            self.close()
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop the animation and the sound, and return the keyboard focus."""
        self._play_buttons = {}
        self.pane.setWidget(QWidget())
        self.stop_requested.emit()
        if (parent := self.parentWidget()) is not None:
            parent.activateWindow()
        super().closeEvent(event)

    def _parts(self, lesson: Lesson, step: Step, status: ExperimentStatus) -> list[QWidget]:
        numbers = status.numbers or stored_numbers(lesson.name)
        parts: list[QWidget] = [_text(fill_template(why, numbers)) for why in step.why.split("\n\n") if why]
        if not (parts or step.has_results):
            return [_caption(NO_MATERIAL_TEXT)]
        if status.folder is None:
            return parts
        for check in step.checks:
            mark = MARKS["passed" if check.holds(numbers) else "failed"]
            parts.append(_text(f"{mark} {fill_template(check.text, numbers).rstrip(' ,.:…')} (expected {check})."))
        if step.animation:
            text = fill_template(step.animation, numbers)
            parts += [_animation(status.folder / ANIMATION, text), _caption(text)]
        for name, caption in step.figures.items():
            text = fill_template(caption, numbers)
            parts += [_picture(status.folder / f"{name}.png", text), _caption(text)]
        for name, caption in step.sounds.items():
            parts.append(self._sound(status.folder / f"{name}.wav", fill_template(caption, numbers)))
        return parts

    def _sound(self, path: Path, caption: str) -> QWidget:
        play = QPushButton("Stop" if str(path) == self._playing else "Play")
        play.setFixedWidth(PLAY_WIDTH)
        play.setAccessibleName(f"Play: {caption}")
        play.setToolTip("Play this sound instead of the source, until it is stopped or this window is closed")
        play.clicked.connect(lambda: self._play_or_stop(str(path)))
        self._play_buttons[str(path)] = play
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(12)
        line.addWidget(play)
        line.addWidget(_caption(caption), 1)
        return row

    def _play_or_stop(self, path: str) -> None:
        if path == self._playing:
            self.stop_requested.emit()
        else:
            self.play_requested.emit(path)


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


def _picture(path: Path, description: str) -> QLabel:
    picture = QLabel()
    ratio = picture.devicePixelRatioF()
    pixmap = QPixmap(str(path)).scaledToWidth(round(WIDTH * ratio), Qt.TransformationMode.SmoothTransformation)
    pixmap.setDevicePixelRatio(ratio)
    picture.setPixmap(pixmap)
    picture.setAccessibleName(description)
    return picture


def _animation(path: Path, description: str) -> QLabel:
    label = QLabel()
    movie = QMovie(str(path), parent=label)
    label.setMovie(movie)
    label.setAccessibleName(description)
    movie.start()
    return label
