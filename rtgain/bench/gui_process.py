"""One run of ``rtgain bench gui`` in its own process: the command ``rtgain``, instrumented, or its session alone.

It prints the measurements as JSON. Times from the command on count from the start of this process, as the system
reports it.
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
"""Comparisons that run next to the estimator: as many as the GUI allows."""

SETTLE_S = 5.0
"""Seconds from the first estimate to the start of the measurement."""

GAIN_CHANGES = 20
GAIN_CHANGE_INTERVAL_S = 0.5

VISIBLE_DB = 0.1
"""Height of one pixel of the gain plot when it shows 12 dB."""


def seconds_since_start() -> float:
    """Age of this process; both clocks count from the start of the system (proc_pid_stat(5), field 22)."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def write_preset(folder: Path) -> str:
    """Write a preset of the measured session, and return its path."""
    from rtgain.config.presets import preset_text
    from rtgain.config.session_config import SessionConfig

    path = folder / "bench.json"
    path.write_text(preset_text(SessionConfig(clock="device", compare=COMPARED)), encoding="utf-8")
    return str(path)


def run_with_gui(duration_s: float) -> dict[str, float]:
    """Run ``rtgain``: measure it for `duration_s`, then the response to `GAIN_CHANGES` changes of the gain."""
    from PySide6.QtCore import QTimer

    import gui.app
    from gui.main_window import MainWindow

    measured: dict[str, float] = {}

    class InstrumentedWindow(MainWindow):
        """Main window that records its first paint, the first estimate, and its thread's processor time per frame.

        Afterwards it moves the gain up and down, and records the time until the plot shows each change.
        """

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.painted.connect(lambda: measured.update(painted_s=seconds_since_start()))
            self._begin_s = math.inf
            self._thread_s: list[float] = []
            self._changed_at_s = math.nan
            self._is_visible = True
            self._response_s: list[float] = []

        def _refresh(self) -> None:
            super()._refresh()
            now_s = time.monotonic()
            if now_s < self._begin_s:
                return
            if "share" in measured:
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
                measured["control_ms"] = 1e3 * max(self._response_s)
                self.close()
                return
            self._changed_at_s, self._previous_db = now_s, self.controller.config.gain_db
            self._is_visible = False
            self.reference.gain.box.setValue(self._previous_db + (6.0 if self._previous_db < -15.0 else -6.0))

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

    gui.app.MainWindow = InstrumentedWindow  # type: ignore[assignment,attr-defined]
    from rtgain.cli.main import main as rtgain

    if rtgain(["--preset", write_preset(Path.home())]) != 0 or "control_ms" not in measured:
        raise SystemExit("the main window closed before the measurement was complete")
    return measured


def run_headless(duration_s: float) -> dict[str, float]:
    """Run the same session without a GUI."""
    from rtgain.config.session_config import SessionConfig
    from rtgain.session.session import Session

    with Session(SessionConfig(clock="device", compare=COMPARED), clock="device") as session:
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
    run = run_with_gui if sys.argv[1] == "gui" else run_headless
    print(json.dumps(run(float(sys.argv[2]))))
