"""First session of a new user: real window, key and mouse events, and audio recorded from a JACK server."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from gui.control.session_controller import create_session
from gui.main_window import MainWindow
from gui.theme import LIGHT
from rtgain.audio.constants import GAIN_RAMP_S
from rtgain.audio.sources.demo import LOOP_S, DemoSource
from rtgain.config.names import Monitor
from rtgain.config.session_config import SessionConfig
from tests.gui.user_input import UserInput
from tests.jack_client import JackTestClient, first_lag
from tests.polling import TIMEOUT_MS

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(600)]

RATE = 48_000
START_DB = -16.48
"""Default of the reference gain, 0.15."""

SWITCH_S = 0.5
"""Time in seconds for the crossfade to another monitor, and for the ramp of a changed gain."""

RECORDED_S = 1.0
"""Duration of each measurement of a level. At 90° the level of a second of the demo changes by up to 0.08 dB."""

DRAGGED_S = 4.0


@pytest.fixture(scope="module")
def demo() -> np.ndarray:
    """Two loops of the left channel of the demo, shape (frames,)."""
    return DemoSource(RATE, channels=2).read(2 * LOOP_S * RATE)[0].astype(np.float64)


@pytest.fixture
def window(qtbot: Any, jack_client: JackTestClient) -> Iterator[MainWindow]:
    """Main window on a JACK device, after the estimate has converged; `jack_client` records its output."""
    window = MainWindow(SessionConfig(), create_session, LIGHT)
    try:
        window.painted.connect(window.start)
        window.show()
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow, timeout=TIMEOUT_MS)
        qtbot.waitUntil(lambda: window.controller.state == "running", timeout=TIMEOUT_MS)
        jack_client.connect(out_of="rtgain-.*:out_.*")
        qtbot.waitUntil(lambda: abs(estimate_db(window) - START_DB) < 0.02, timeout=TIMEOUT_MS)
        yield window
    finally:  # otherwise its session would be heard in the recordings of later tests
        window.close()
        window.deleteLater()


@pytest.fixture
def user_input(qtbot: Any) -> UserInput:
    return UserInput(qtbot)


def estimate_db(window: MainWindow) -> float:
    """Return the estimate in the readout; NaN for a dash."""
    text = window.readout.gain_db.text().replace("−", "-")
    return float("nan") if text == "–" else float(text)


def rms_db(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(samples**2)))


def source_of(recording: np.ndarray, demo: np.ndarray) -> np.ndarray:
    """Return the part of the demo that `recording` contains."""
    begin = first_lag(demo, recording)
    return demo[begin : begin + len(recording)]


def test_first_session_of_a_user_estimates_loses_and_recovers_the_gain(
    qtbot: Any, window: MainWindow, user_input: UserInput, jack_client: JackTestClient, demo: np.ndarray
) -> None:
    def level_db(monitor: Monitor, key: str) -> float:
        """Press `key`, and return the RMS level of the recording relative to the same second of the demo."""
        user_input.press(key)
        qtbot.waitUntil(window.transport.monitor.buttons[monitor].isChecked, timeout=TIMEOUT_MS)
        jack_client.start(np.zeros(1), seconds=SWITCH_S + RECORDED_S)
        qtbot.waitUntil(jack_client.is_full, timeout=TIMEOUT_MS)
        recording = jack_client.recorded().astype(np.float64)[round(SWITCH_S * RATE) :]
        dry = source_of(recording, demo)
        if monitor == "dry":
            np.testing.assert_allclose(recording, dry, atol=1e-6)
        return rms_db(recording) - rms_db(dry)

    def estimate_reaches(gain_db: float, within_db: float) -> None:
        qtbot.waitUntil(lambda: abs(estimate_db(window) - gain_db) < within_db, timeout=TIMEOUT_MS)

    # After the start, the matched signal has the level of the target.
    assert level_db("dry", "1") == pytest.approx(0.0, abs=0.001)
    assert level_db("target", "2") == pytest.approx(START_DB, abs=0.01)
    assert level_db("matched", "3") == pytest.approx(START_DB, abs=0.02)

    # At a gain of 0 dB it has the level of the dry signal.
    user_input.type_in(window.reference.gain, 0)
    estimate_reaches(0.0, within_db=0.015)
    assert level_db("matched", "3") == pytest.approx(level_db("dry", "1"), abs=0.02)

    # The gain changes, and the estimate follows.
    user_input.drag(window.reference.gain.slider, steps=range(-1, -21, -1))
    moved_db = window.reference.gain.box.value()
    assert -30 < moved_db < -5
    estimate_reaches(moved_db, within_db=0.03)
    assert level_db("matched", "3") == pytest.approx(moved_db, abs=0.05)

    # With the waveform loss at 90° the estimate fails, visibly and audibly.
    user_input.choose(window.estimator.loss, "waveform")
    user_input.type_in(window.reference.phase, 90)
    qtbot.waitUntil(lambda: estimate_db(window) < moved_db - 10, timeout=TIMEOUT_MS)
    assert level_db("target", "2") == pytest.approx(moved_db, abs=0.5)
    assert level_db("matched", "3") < moved_db - 10

    # With the spectral loss it recovers, at 90° and at 0°.
    user_input.choose(window.estimator.loss, "spectral")
    estimate_reaches(moved_db, within_db=0.1)
    user_input.type_in(window.reference.phase, 0)
    estimate_reaches(moved_db, within_db=0.03)
    assert level_db("matched", "3") == pytest.approx(moved_db, abs=0.05)


def test_dragged_gain_does_not_click(
    qtbot: Any, window: MainWindow, user_input: UserInput, jack_client: JackTestClient, demo: np.ndarray
) -> None:
    """The recorded gain changes per sample by no more than its ramp, so there is no step while it is dragged.

    It stays below 0 dB, where the output is not limited and the recording is the gain times the demo.
    """
    jack_client.start(np.zeros(1), seconds=DRAGGED_S)
    user_input.drag(window.reference.gain.slider, steps=[-24, 0, -12] * 10, pause_s=0.04)
    qtbot.waitUntil(jack_client.is_full, timeout=TIMEOUT_MS)
    recording = jack_client.recorded().astype(np.float64)
    dry = source_of(recording, demo)
    loud = np.abs(dry) > 0.05
    gain = np.where(loud, recording / np.where(loud, dry, 1.0), np.nan)
    range_ = np.nanmax(gain) - np.nanmin(gain)
    assert range_ > 0.1  # the gain changed, and was recorded
    assert np.nanmax(np.abs(np.diff(gain))) <= 1.01 * range_ / (GAIN_RAMP_S * RATE) + 1e-5
