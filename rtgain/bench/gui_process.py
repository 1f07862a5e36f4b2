"""One run of ``rtgain bench gui`` in its own process: the command ``rtgain``, instrumented, or its session alone.

It prints the measurements as JSON. Times from the command on count from the start of this process, as the system
reports it.
"""

import json
import math
import os
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtgain.bench.gui_recordings import RECORDINGS

if TYPE_CHECKING:
    from rtgain.config.session_config import SessionConfig
    from rtgain.records.snapshot import Snapshot

COMPARED = ("waveform/SGD@0.01", "log-stft/Adam")
"""Comparisons that run next to the estimator: as many as the GUI allows."""

SETTLE_S = 5.0
"""Seconds from the first estimate to the start of the measurement."""

GAIN_CHANGES = 20
GAIN_CHANGE_INTERVAL_S = 0.5

VISIBLE_DB = 0.1
"""Height of one pixel of the gain plot when it shows 12 dB."""

KEY_PRESSES = 20
KEY_INTERVAL_S = 0.31
"""Interval between two keys in seconds; not a multiple of the interval between two refreshes."""


def seconds_since_start() -> float:
    """Age of this process; both clocks count from the start of the system (proc_pid_stat(5), field 22)."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def demo_config() -> "SessionConfig":
    """Return the session that is measured in the Laboratory: the demo with two comparisons."""
    from rtgain.config.session_config import SessionConfig

    return SessionConfig(clock="device", compare=COMPARED)


def pair_config(folder: Path) -> "SessionConfig":
    """Return the session that is measured in Compare: two recordings in `folder`, repeated."""
    from rtgain.config.session_config import SessionConfig

    dry, target = (str(folder / name) for name in RECORDINGS)
    return SessionConfig(input=dry, target=target, clock="device", loop=True, level_match="loudness")


def write_preset(folder: Path, config: "SessionConfig") -> str:
    """Write a preset of the measured session, and return its path."""
    from rtgain.config.presets import preset_text

    path = folder / "bench.json"
    path.write_text(preset_text(config), encoding="utf-8")
    return str(path)


class OnsetProcess:
    """Process that measures the onsets of the sound (`rtgain.bench.sound_onset`)."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "rtgain.bench.sound_onset"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise SystemExit("the client of the JACK server ended")

    def onsets_s(self) -> list[float]:
        """End the process, and return the times of the onsets on the monotonic clock, in s."""
        output, _ = self._process.communicate()
        onsets_s: list[float] = json.loads(output)
        return onsets_s


def longest_response_ms(pressed_s: list[float], onsets_s: list[float]) -> float:
    """Longest time in ms from a key to the middle of the crossfade to its sound. Raises SystemExit without a sound."""
    from rtgain.audio.constants import CROSSFADE_S

    responses_s = []
    for begin_s, end_s in pairwise([*pressed_s, math.inf]):
        after_s = [onset_s for onset_s in onsets_s if begin_s <= onset_s < end_s]
        if not after_s:
            raise SystemExit("a key did not switch the sound on")
        responses_s.append(after_s[0] - begin_s + CROSSFADE_S / 2)
    return 1e3 * max(responses_s)


def run_with_gui(workspace: str, duration_s: float) -> dict[str, float]:
    """Run ``rtgain`` with a workspace, and measure it for `duration_s`.

    Then measure the response to `GAIN_CHANGES` changes of the gain in the Laboratory, or to `KEY_PRESSES` keys in
    Compare.
    """
    from PySide6.QtCore import Qt, QTimer, Signal
    from PySide6.QtTest import QTest

    import gui.app
    from gui.main_window import MainWindow

    measured: dict[str, float] = {}
    pressed_s: list[float] = []
    onsets_s: list[float] = []

    class InstrumentedWindow(MainWindow):
        """Main window that records its first paint, the first estimate, and its thread's processor time per frame.

        Afterwards it moves the gain up and down, and records the time until the plot shows each change. Or it mutes
        the monitor and switches it on, by keys.
        """

        key_requested = Signal(int)

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.painted.connect(lambda: measured.update(painted_s=seconds_since_start()))
            self.key_requested.connect(self._click_key)
            self._begin_s = math.inf
            self._thread_s: list[float] = []
            self._changed_at_s = math.nan
            self._is_visible = True
            self._response_s: list[float] = []
            self._keys: threading.Thread | None = None

        def _refresh(self) -> None:
            super()._refresh()
            now_s = time.monotonic()
            if now_s < self._begin_s:
                return
            if "share" in measured:
                if workspace == "compare":
                    self._press_keys()
                else:
                    self._change_gain(now_s)
                return
            if not self._thread_s:
                self._steps_at_begin = self._steps()
            self._thread_s.append(time.thread_time())
            elapsed_s = now_s - self._begin_s
            if elapsed_s >= duration_s:
                work_s = sorted(end_s - start_s for start_s, end_s in pairwise(self._thread_s))
                measured.update(
                    frames_per_second=len(work_s) / elapsed_s,
                    frame_ms_p95=1e3 * work_s[math.ceil(0.95 * len(work_s)) - 1],
                    share=sum(work_s) / elapsed_s,
                    steps_per_second=(self._steps() - self._steps_at_begin) / elapsed_s,
                )

        def _change_gain(self, now_s: float) -> None:
            if now_s - self._changed_at_s < GAIN_CHANGE_INTERVAL_S or not self._is_visible:
                return
            if len(self._response_s) == GAIN_CHANGES:
                measured["response_ms"] = 1e3 * max(self._response_s)
                self.close()
                return
            self._changed_at_s, self._previous_db = now_s, self.controller.config.gain_db
            self._is_visible = False
            self.reference.gain.box.setValue(self._previous_db + (6.0 if self._previous_db < -15.0 else -6.0))

        def _press_keys(self) -> None:
            """Start a thread that presses keys whatever this one is doing, and close after the last one."""
            if self._keys is None:
                self._keys = threading.Thread(target=self._request_keys)
                self._keys.start()
            elif not self._keys.is_alive():
                self.close()

        def _request_keys(self) -> None:
            process = OnsetProcess()
            for _ in range(KEY_PRESSES):
                self.key_requested.emit(Qt.Key.Key_5.value)  # mute
                time.sleep(KEY_INTERVAL_S)
                pressed_s.append(time.monotonic())
                self.key_requested.emit(Qt.Key.Key_1.value)
                time.sleep(KEY_INTERVAL_S)
            onsets_s.extend(process.onsets_s())

        def _click_key(self, key: int) -> None:
            QTest.keyClick(self, Qt.Key(key))

        def _record_response(self) -> None:
            self._response_s.append(time.monotonic() - self._changed_at_s)

        def _show_plots(self, snapshot: "Snapshot") -> None:
            super()._show_plots(snapshot)
            if "estimate_s" not in measured and math.isfinite(snapshot.gain_db):
                measured["estimate_s"] = seconds_since_start()
                self._begin_s = time.monotonic() + SETTLE_S
            if math.isfinite(self._changed_at_s) and not self._is_visible:
                self._is_visible = abs(snapshot.reference_gain_db - self._previous_db) > VISIBLE_DB
                if self._is_visible:
                    QTimer.singleShot(0, self._record_response)  # after the pending paint events

        def _steps(self) -> int:
            session = self.controller.session
            assert session is not None
            return session.history.steps

    config = pair_config(Path.home()) if workspace == "compare" else demo_config()
    preset = write_preset(Path.home(), config)
    gui.app.MainWindow = InstrumentedWindow  # type: ignore[assignment,attr-defined]
    from rtgain.cli.main import main as rtgain

    is_complete = rtgain(["--preset", preset]) == 0
    if pressed_s:
        measured["response_ms"] = longest_response_ms(pressed_s, onsets_s)
    if not is_complete or "response_ms" not in measured:
        raise SystemExit("the main window closed before the measurement was complete")
    return measured


def run_headless(duration_s: float) -> dict[str, float]:
    """Run the session of the Laboratory without a GUI."""
    from rtgain.session.session import Session

    with Session(demo_config(), clock="device") as session:
        session.start(wait=True)
        while not session.history.count:
            session.advance()
        begin_s = time.monotonic() + SETTLE_S
        while time.monotonic() < begin_s:
            session.advance()
        begin_s, steps = time.monotonic(), session.history.steps
        while time.monotonic() < begin_s + duration_s:
            session.advance()
        return {"steps_per_second": (session.history.steps - steps) / (time.monotonic() - begin_s)}


if __name__ == "__main__":
    run_name, seconds = sys.argv[1], float(sys.argv[2])
    print(json.dumps(run_headless(seconds) if run_name == "headless" else run_with_gui(run_name, seconds)))
