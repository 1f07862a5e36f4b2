"""Make docs/window.png and docs/window.gif anew: the real window on the demo, with the gain moved as by hand.

Run it as ``.venv/bin/python -m scripts.screenshot [FOLDER]``; it takes half a minute, on a display of its own.
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
    from PySide6.QtWidgets import QWidget

TIMES_S = (9.0, 10.5, 14.0, 15.0, 19.0, 21.0)
GAINS_DB = (-16.5, -4.0, -4.0, -27.0, -27.0, -12.0)
"""Where the gain is at those times; in between it is on its way."""

STEP_S = 0.05
PICTURE_S = 24.0

FILM_S = (9.0, 22.0)
FILM_STEPS = 6
FILM_WIDTH = 800
"""The film: from when to when, a frame every so many steps, so wide."""


def main(folder: str = "docs") -> int:
    """Run the app, move its gain, take the picture and the film. Returns the app's exit code."""
    from PySide6.QtCore import QElapsedTimer, QTimer
    from PySide6.QtWidgets import QApplication

    from gui.app import run
    from gui.main_window import MainWindow
    from rtgain.config.session_config import SessionConfig

    display = XDisplay()
    home = tempfile.TemporaryDirectory()  # with nobody's settings in it
    os.environ |= {"DISPLAY": display.name, "QT_QPA_PLATFORM": "xcb", "XDG_CONFIG_HOME": home.name}
    frames: list[Image.Image] = []
    app = QApplication(["rtgain"])
    since_start, timer = QElapsedTimer(), QTimer()

    def step() -> None:
        window = next(widget for widget in app.topLevelWidgets() if isinstance(widget, MainWindow))
        window.resize(1280, 800)
        now_s = since_start.elapsed() / 1000
        if now_s < PICTURE_S:
            window.reference.gain.box.setValue(np.interp(now_s, TIMES_S, GAINS_DB))
            if FILM_S[0] + FILM_STEPS * STEP_S * len(frames) <= now_s < FILM_S[1]:
                frames.append(frame_of(window))
        else:
            timer.stop()
            window.grab().save(f"{folder}/window.png")
            first, *others = (frame.quantize(256, dither=Image.Dither.NONE) for frame in frames)
            duration_ms = round(1000 * FILM_STEPS * STEP_S)
            first.save(f"{folder}/window.gif", save_all=True, append_images=others, duration=duration_ms, loop=0)
            window.close()

    timer.timeout.connect(step)
    timer.start(round(1000 * STEP_S))
    since_start.start()
    return run(SessionConfig(clock="timer"))


def frame_of(window: "QWidget") -> Image.Image:
    """A picture of the window for the film."""
    from PySide6.QtCore import QBuffer, Qt

    buffer = QBuffer()
    buffer.open(QBuffer.OpenModeFlag.WriteOnly)
    picture = window.grab().toImage().scaledToWidth(FILM_WIDTH, Qt.TransformationMode.SmoothTransformation)
    picture.save(buffer, "PNG")
    return Image.open(io.BytesIO(bytes(buffer.data().data()))).convert("RGB")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
