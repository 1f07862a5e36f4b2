"""Make docs/window.png and docs/window.gif: the main window on the demo, while the gain is changed.

Run it as ``.venv/bin/python -m scripts.screenshot [FOLDER]``; it takes half a minute, on its own X display.
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
"""Gain in dB at those times, interpolated linearly."""

STEP_S = 0.05
PICTURE_S = 24.0
"""Interval between two changes of the gain, and time of the picture."""

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
    since_start, timer = QElapsedTimer(), QTimer()

    def step() -> None:
        window = next(widget for widget in app.topLevelWidgets() if isinstance(widget, MainWindow))
        window.resize(1280, 800)
        now_s = since_start.elapsed() / 1000
        if now_s < PICTURE_S:
            window.reference.gain.box.setValue(np.interp(now_s, TIMES_S, GAINS_DB))
            if ANIMATION_S[0] + ANIMATION_STEPS * STEP_S * len(frames) <= now_s < ANIMATION_S[1]:
                frames.append(frame_of(window))
        else:
            timer.stop()
            window.grab().save(f"{folder}/window.png")
            first, *others = (frame.quantize(256, dither=Image.Dither.NONE) for frame in frames)
            duration_ms = round(1000 * ANIMATION_STEPS * STEP_S)
            first.save(f"{folder}/window.gif", save_all=True, append_images=others, duration=duration_ms, loop=0)
            window.close()

    timer.timeout.connect(step)
    timer.start(round(1000 * STEP_S))
    since_start.start()
    return run(SessionConfig(clock="timer"))


def frame_of(window: "QWidget") -> Image.Image:
    """Return a frame of the animation."""
    from PySide6.QtCore import QBuffer, Qt

    buffer = QBuffer()
    buffer.open(QBuffer.OpenModeFlag.WriteOnly)
    picture = window.grab().toImage().scaledToWidth(ANIMATION_WIDTH, Qt.TransformationMode.SmoothTransformation)
    picture.save(buffer, "PNG")
    return Image.open(io.BytesIO(bytes(buffer.data().data()))).convert("RGB")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
