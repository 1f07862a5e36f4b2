"""Make docs/window.png anew: the real window on the demo, on a display of its own, with the gain moved as by hand.

Run it as ``.venv/bin/python -m scripts.screenshot [FILE]``; it takes half a minute.
"""

import os
import sys

import numpy as np

from tests.servers import XDisplay

TIMES_S = (9.0, 10.5, 14.0, 15.0, 19.0, 21.0)
GAINS_DB = (-16.5, -4.0, -4.0, -27.0, -27.0, -12.0)
"""Where the gain is at those times; in between it is on its way."""

STEP_S = 0.05
PICTURE_S = 24.0


def main(path: str = "docs/window.png") -> int:
    """Run the app, move its gain, take the picture. Returns the app's exit code."""
    from PySide6.QtCore import QElapsedTimer, QTimer
    from PySide6.QtWidgets import QApplication

    from gui.app import run
    from gui.main_window import MainWindow
    from rtgain.config import SessionConfig

    display = XDisplay()
    os.environ |= {"DISPLAY": display.name, "QT_QPA_PLATFORM": "xcb"}
    app = QApplication(["rtgain"])
    since_start, timer = QElapsedTimer(), QTimer()

    def step() -> None:
        window = next(widget for widget in app.topLevelWidgets() if isinstance(widget, MainWindow))
        window.resize(1280, 800)
        now_s = since_start.elapsed() / 1000
        if now_s < PICTURE_S:
            window.reference.gain.box.setValue(np.interp(now_s, TIMES_S, GAINS_DB))
        else:
            timer.stop()
            window.grab().save(path)
            window.close()

    timer.timeout.connect(step)
    timer.start(round(1000 * STEP_S))
    since_start.start()
    return run(SessionConfig(clock="realtime"))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
