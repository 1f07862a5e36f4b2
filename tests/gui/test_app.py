"""The GUI as users start it, in a child process: it opens, runs and exits."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gui.control.session_controller import create_session
from gui.main_window import MainWindow
from gui.theme import LIGHT
from rtgain.bench.servers import JackServer
from rtgain.config.session_config import SessionConfig
from tests.polling import TIMEOUT_MS, TIMEOUT_S, wait_until

pytestmark = pytest.mark.realtime

APP = """
import json, sys
from rtgain.cli.main import main

if __name__ == "__main__":
    code = main([])
    print(json.dumps({"torch": "torch" in sys.modules}), flush=True)
    sys.exit(code)
"""
"""The command `rtgain`, which prints at its end if torch is imported."""


@contextmanager
def running_app() -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Start the app; yields its process and the number of its X window."""
    process = subprocess.Popen([sys.executable, "-c", APP], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        find = ["xdotool", "search", "--sync", "--onlyvisible", "--pid", str(process.pid), "--name", "rtgain"]
        found = subprocess.run(find, capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
        yield process, found.stdout.split()[0]
    finally:
        process.kill()
        process.wait()


def press(window: str, key: str) -> None:
    """Focus `window` and press a key, synthesized by the X server."""
    subprocess.run(["xdotool", "windowfocus", "--sync", window, "key", key], check=True, timeout=TIMEOUT_S)


def end_of(process: "subprocess.Popen[str]") -> dict[str, object]:
    """Return the output of the app after it has exited by itself, and its exit code; standard error must be empty."""
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert err == ""
    return dict(json.loads(out)) | {"exit": process.returncode}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Five of fifty moments, with ``--thorough`` all of them."""
    if "moment" in metafunc.fixturenames:
        metafunc.parametrize("moment", range(0, 50, 1 if metafunc.config.getoption("thorough") else 12))


def test_starts_and_quits_exit_zero_without_torch(x_display: str, moment: int) -> None:
    """Quit 0.05 s later in each run, so in all states from the first paint until the session runs."""
    with running_app() as (process, window):
        time.sleep(0.05 * moment)
        press(window, "ctrl+q")
        assert end_of(process) == {"exit": 0, "torch": False}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_closes_the_window_normally(x_display: str, number: signal.Signals) -> None:
    """The exit code is 128 + n by the convention of shells; 130 for Ctrl-C."""
    with running_app() as (process, _):
        os.kill(process.pid, number)
        assert end_of(process) == {"exit": 128 + number, "torch": False}


def test_lost_device_is_used_again_when_it_returns(
    x_display: str, own_jack_server: JackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    logged: list[str] = []

    def has_logged(count: int, words: str) -> bool:
        logged[:] = [line for path in tmp_path.rglob("*.log") for line in path.read_text().splitlines()]
        return sum(words in line for line in logged) >= count

    with running_app() as (process, window):
        lost = "system (JACK Audio Connection Kit) disconnected"
        for time_lost in (1, 2):
            wait_until(lambda count=time_lost: has_logged(count, " running: "))
            own_jack_server.kill()
            wait_until(lambda count=time_lost: has_logged(count, lost))
            own_jack_server.start()
        wait_until(lambda: has_logged(3, " running: "))
        assert not has_logged(1, "Running without a device")
        press(window, "ctrl+q")
        assert end_of(process) == {"exit": 0, "torch": False}


def test_missing_display_is_reported_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    done = subprocess.run([sys.executable, "-m", "rtgain"], capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 2
    assert done.stderr == "rtgain: no display found; use --headless\n"


@pytest.fixture
def window(qtbot: Any) -> Iterator[MainWindow]:
    """Main window over a real session on the timer clock, after it has started."""
    window = MainWindow(SessionConfig(clock="timer"), create_session, LIGHT)
    try:
        window.painted.connect(window.start)
        window.show()
        qtbot.waitUntil(lambda: window.controller.state == "running", timeout=TIMEOUT_MS)
        yield window
    finally:
        window.close()
        window.deleteLater()


def test_estimate_follows_the_reference_gain(qtbot: Any, window: MainWindow) -> None:
    shown = window.readout.gain_db.text
    qtbot.waitUntil(lambda: shown() == "−16.48", timeout=TIMEOUT_MS)
    window.reference.gain.box.setValue(-6.5)
    qtbot.waitUntil(lambda: shown() == "−6.50", timeout=TIMEOUT_MS)
    assert window.readout.linear.text() == "×0.473"
    window.reference.invert.click()
    qtbot.waitUntil(lambda: window.readout.linear.text() == "×−0.473", timeout=TIMEOUT_MS)
    assert shown() == "−6.50"


def test_another_source_uses_the_same_reference_gain(qtbot: Any, window: MainWindow) -> None:
    window.reference.gain.box.setValue(-30.0)
    window.session_actions.choose_source(("pink", None))
    qtbot.waitUntil(lambda: window.readout.gain_db.text() == "−30.00", timeout=TIMEOUT_MS)
    assert window.controller.config.input == "pink"
