"""Make docs/window.png, docs/window.gif and docs/equalizer.png: the main window on the demo.

The gain is changed first. Then an equalizer is learned. Run it as
``.venv/bin/python -m scripts.screenshot [FOLDER]``; it takes 50 seconds, on its own X display.
"""

import io
import os
import sys
import tempfile
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from rtgain.bench.servers import XDisplay

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtWidgets import QWidget

    from gui.main_window import MainWindow

TIMES_S = (9.0, 10.5, 14.0, 15.0, 19.0, 21.0)
GAINS_DB = (-16.5, -4.0, -4.0, -27.0, -27.0, -12.0)
"""Gain in dB at those times in seconds after the first estimate, interpolated linearly."""

STEP_S = 0.05
PICTURE_S, EQUALIZER_PICTURE_S = 24.0, 42.0
"""Interval between two changes of the gain, and times of the pictures."""

PROCESSOR_S, FILTERS_S = 25.0, 30.0
"""Times at which the processor is selected, and at which the reference filters are set."""

FILTER_GAINS_DB = {0: 6.0, 2: -8.0, 5: 4.0}
"""Gains of reference filters in dB, by index."""

ANIMATION_S = (9.0, 22.0)
ANIMATION_STEPS = 6
ANIMATION_WIDTH = 800
"""Start and end of the animation, steps per frame, and width in pixels."""


def main(folder: str = "docs") -> int:
    """Run the GUI, change its gain, and write picture and animation. Returns the exit code of the GUI."""
    from PySide6.QtCore import QElapsedTimer, QTimer
    from PySide6.QtWidgets import QApplication

    from gui.app import run
    from gui.main_window import MainWindow
    from rtgain.config.session_config import SessionConfig

    display = XDisplay()
    home = tempfile.TemporaryDirectory()  # without settings of a user
    os.environ |= {"DISPLAY": display.name, "QT_QPA_PLATFORM": "xcb", "XDG_CONFIG_HOME": home.name}
    frames: list[Image.Image] = []
    app = QApplication(["rtgain"])
    since_first, timer = QElapsedTimer(), QTimer()

    def finish(window: MainWindow) -> None:
        timer.stop()
        window.grab().save(f"{folder}/equalizer.png")
        first, *others = (frame.quantize(256, dither=Image.Dither.NONE) for frame in frames)
        duration_ms = round(1000 * ANIMATION_STEPS * STEP_S)
        first.save(f"{folder}/window.gif", save_all=True, append_images=others, duration=duration_ms, loop=0)
        window.close()

    steps: list[tuple[float, Callable[[MainWindow], object]]] = [
        (PICTURE_S, lambda window: window.grab().save(f"{folder}/window.png")),
        (PROCESSOR_S, lambda window: window.session_actions.change_estimator({"processor": "eq"})),
        (FILTERS_S, set_filters),
        (EQUALIZER_PICTURE_S, finish),
    ]

    def step() -> None:
        window = next(widget for widget in app.topLevelWidgets() if isinstance(widget, MainWindow))
        window.resize(1280, 800)
        session = window.controller.session
        if not since_first.isValid() and session is not None and session.history.count:
            since_first.start()
        if not since_first.isValid():  # a busy machine starts later
            return
        now_s = since_first.elapsed() / 1000
        if now_s < PICTURE_S:
            window.reference.gain.box.setValue(np.interp(now_s, TIMES_S, GAINS_DB))
            if ANIMATION_S[0] + ANIMATION_STEPS * STEP_S * len(frames) <= now_s < ANIMATION_S[1]:
                frames.append(frame_of(window))
        elif now_s >= steps[0][0]:
            steps.pop(0)[1](window)

    timer.timeout.connect(step)
    timer.start(round(1000 * STEP_S))
    return run(SessionConfig(clock="timer"))


def set_filters(window: "MainWindow") -> None:
    """Set the reference filters of the picture."""
    for index, gain_db in FILTER_GAINS_DB.items():
        window.equalizer.reference.rows[index].gain.setValue(gain_db)


def frame_of(window: "QWidget") -> Image.Image:
    """Return a frame of the animation."""
    from PySide6.QtCore import QBuffer, QByteArray, Qt
    from PySide6.QtGui import QImageWriter

    buffer = QBuffer()
    buffer.open(QBuffer.OpenModeFlag.WriteOnly)
    picture = window.grab().toImage().scaledToWidth(ANIMATION_WIDTH, Qt.TransformationMode.SmoothTransformation)
    QImageWriter(buffer, QByteArray(b"PNG")).write(picture)
    return Image.open(io.BytesIO(bytes(buffer.data().data()))).convert("RGB")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
