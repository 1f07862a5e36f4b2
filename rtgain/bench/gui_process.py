"""One run of `rtgain bench gui`, in a process of its own: the command ``rtgain``, watched, or its session alone.

What it measures it prints as JSON. Times from the command on are from this process's start, as the system has it.
"""

import json
import math
import os
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtgain.records.snapshot import Snapshot

COMPARED = ("waveform/SGD@0.01", "log-stft/Adam")
"""Beside the estimator in use: the most that the window lets run."""

SETTLE_S = 5.0
"""From the first estimate to where measuring begins."""

TURNS = 20
TURN_S = 0.5
"""Turns of the gain's control, and from one to the next."""

SEEN_DB = 0.1
"""A pixel of the plot of the gain, where it shows 12 dB."""


def since_start_s() -> float:
    """How long this process has run: both clocks count from the system's start (proc_pid_stat(5), field 22)."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def preset(folder: Path) -> str:
    """A preset of the session that is measured."""
    from rtgain.config.presets import preset_text
    from rtgain.config.session_config import SessionConfig

    path = folder / "bench.json"
    path.write_text(preset_text(SessionConfig(clock="device", compare=COMPARED)), encoding="utf-8")
    return str(path)


def with_window(duration_s: float) -> dict[str, float]:
    """Run ``rtgain`` until it has been measured for `duration_s`, and then has followed `TURNS` of the gain."""
    from PySide6.QtCore import QTimer

    import gui.app
    from gui.main_window import MainWindow

    found: dict[str, float] = {}

    class WatchedWindow(MainWindow):
        """Notes when it is painted, when the first estimate comes, and what its thread works from frame to frame.

        Then it turns the gain up and down, and notes how long it takes until the plot shows that.
        """

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.painted.connect(lambda: found.update(painted_s=since_start_s()))
            self._begin_s = math.inf
            self._thread_s: list[float] = []
            self._turned_s = math.nan
            self._is_seen = True
            self._seen_s: list[float] = []

        def _refresh(self) -> None:
            super()._refresh()
            now_s = time.monotonic()
            if now_s < self._begin_s:
                return
            if "share" in found:
                self._turn(now_s)
                return
            if not self._thread_s:
                self._steps = self._steps_now()
            self._thread_s.append(time.thread_time())
            taken_s = now_s - self._begin_s
            if taken_s >= duration_s:
                work_s = sorted(end_s - start_s for start_s, end_s in pairwise(self._thread_s))
                found.update(
                    frames_per_second=len(work_s) / taken_s,
                    frame_ms_p95=1e3 * work_s[math.ceil(0.95 * len(work_s)) - 1],
                    share=sum(work_s) / taken_s,
                    steps_per_second=(self._steps_now() - self._steps) / taken_s,
                )

        def _turn(self, now_s: float) -> None:
            if now_s - self._turned_s < TURN_S or not self._is_seen:
                return
            if len(self._seen_s) == TURNS:
                found["control_ms"] = 1e3 * max(self._seen_s)
                self.close()
                return
            self._turned_s, self._before_db = now_s, self.controller.config.gain_db
            self._is_seen = False
            self.reference.gain.box.setValue(self._before_db + (6.0 if self._before_db < -15.0 else -6.0))

        def _note_seen(self) -> None:
            self._seen_s.append(time.monotonic() - self._turned_s)

        def _show_plots(self, snapshot: "Snapshot") -> None:
            super()._show_plots(snapshot)
            if "estimate_s" not in found and math.isfinite(snapshot.gain_db):
                found["estimate_s"] = since_start_s()
                self._begin_s = time.monotonic() + SETTLE_S
            if math.isfinite(self._turned_s) and not self._is_seen:
                self._is_seen = abs(snapshot.reference_gain_db - self._before_db) > SEEN_DB
                if self._is_seen:
                    QTimer.singleShot(0, self._note_seen)  # after what waits to be painted

        def _steps_now(self) -> int:
            session = self.controller.session
            assert session is not None
            return session.trace.steps

    gui.app.MainWindow = WatchedWindow  # type: ignore[assignment,attr-defined]
    from rtgain.cli.main import main as rtgain

    if rtgain(["--preset", preset(Path.home())]) != 0 or "control_ms" not in found:
        raise SystemExit("the window ended before it was measured")
    return found


def without_window(duration_s: float) -> dict[str, float]:
    """Run the same session with nothing that looks at it."""
    from rtgain.config.session_config import SessionConfig
    from rtgain.session.session import Session

    with Session(SessionConfig(clock="device", compare=COMPARED), clock="device") as session:
        session.start(wait=True)
        while not session.trace.estimates:
            session.advance()
        begin_s = time.monotonic() + SETTLE_S
        while time.monotonic() < begin_s:
            session.advance()
        begin_s, steps = time.monotonic(), session.trace.steps
        while time.monotonic() < begin_s + duration_s:
            session.advance()
        return {"steps_per_second": (session.trace.steps - steps) / (time.monotonic() - begin_s)}


if __name__ == "__main__":
    measured = with_window if sys.argv[1] == "window" else without_window
    print(json.dumps(measured(float(sys.argv[2]))))
