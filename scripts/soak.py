"""Soak test: a table of memory, errors and drops over an hour in real time, or over eight hours on the offline clock.

``.venv/bin/python -m scripts.soak timer [MINUTES]`` runs a session in real time, with two stereo recordings in a loop
and a learned equalizer.
``.venv/bin/python -m scripts.soak gui [MINUTES]`` plays the recordings in the window, in the Compare workspace, on its
own display; the memory is that of all processes, the display included.
``.venv/bin/python -m scripts.soak offline [HOURS] [POWER]`` simulates HOURS of the demo with the frame counters started
ten minutes below 2 ** POWER (31 or 32), at which narrower counters would wrap.
The exit code is 1 if a limit is exceeded.
"""

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from rtgain.audio.engine.ring_buffer import WRITTEN_OFFSET
from rtgain.audio.jit import store_counter
from rtgain.audio.sources.synthetic import PinkSource
from rtgain.bench.servers import XDisplay
from rtgain.config.names import Clock
from rtgain.config.session_config import SessionConfig
from rtgain.records.estimate import Estimate
from rtgain.session.session import Session
from tests.processes import descendants

if TYPE_CHECKING:
    from rtgain.records.snapshot import Snapshot

GAIN_DB = -12.0
DELAY_MS = 5.0
RATE = 48_000

RECORDING_S = 60.0
"""Length of both recordings in seconds, after which they repeat."""

WARM_UP_S = 120.0
"""Start of the counts in seconds: before, the delay is searched, and the 20 s that the plots show fill up."""

ROWS = 12
GROWTH_LIMIT_MB = 5.0
ERROR_LIMIT_DB = 0.02
DRIFT_LIMIT_FRAMES = 0.1


@dataclass(frozen=True)
class Reading:
    """State of the run after `time_s` of its audio."""

    time_s: float
    memory_mb: float
    estimates: int
    worst_db: float
    drift_frames: float
    dropped_frames: int
    xruns: int

    def __str__(self) -> str:
        return (
            f"{self.time_s:9.0f} {self.memory_mb:12.2f} {self.estimates:10} {self.worst_db:17.5f} "
            f"{self.drift_frames:21.5f} {self.dropped_frames:15} {self.xruns:6}"
        )


HEADER = " time (s)  memory (MB)  estimates  worst error (dB)  worst drift (frames)  dropped frames  xruns"


class Record:
    """Readings of a run of `length_s` of audio, with frames counted from `start_frame`; each is printed when due."""

    def __init__(self, length_s: float, start_frame: int = 0) -> None:
        self.readings: list[Reading] = []
        self._every_s = (length_s - WARM_UP_S) / (ROWS - 1)
        self._start_frame = start_frame
        self._dropped_at_start: int | None = None
        self._worst_db = self._drift_frames = 0.0
        print(HEADER)

    @property
    def complete(self) -> bool:
        """True if all rows exist."""
        return len(self.readings) == ROWS

    def update(self, session: Session, estimates: list[Estimate]) -> None:
        """Evaluate the new estimates of `session`."""
        time_s = (session.frames - self._start_frame) / session.sample_rate
        if time_s < WARM_UP_S:
            return
        if self._dropped_at_start is None:
            self._dropped_at_start = session.dropped_frames  # while the estimator was loaded, and before `start_frame`
        for estimate in estimates:
            self._worst_db = max(self._worst_db, abs(estimate.gain_est_db - GAIN_DB))
            delay_frames = DELAY_MS * session.sample_rate / 1e3
            self._drift_frames = max(self._drift_frames, abs(estimate.delay_frames - delay_frames))
        if not self.complete and time_s >= WARM_UP_S + len(self.readings) * self._every_s:
            dropped_frames = session.dropped_frames - self._dropped_at_start
            self.readings.append(
                Reading(time_s, memory_mb(), session.history.count, self._worst_db, self._drift_frames,
                        dropped_frames, session.xruns)
            )  # fmt: skip
            print(self.readings[-1], flush=True)


def soak(clock: Clock, length_s: float, start_frame: int = 0, **options: Any) -> list[Reading]:
    """Run a session for `length_s` of audio, frames counted from `start_frame`; print the readings and return them."""
    record = Record(length_s, start_frame)
    with Session(SessionConfig(duration=length_s + 60.0, **options), clock=clock) as session:
        start_counters(session, start_frame)
        session.start(wait=True)
        while not record.complete:
            record.update(session, session.advance())
    return record.readings


def soak_gui(length_s: float, **options: Any) -> list[Reading]:
    """Run the GUI for `length_s` without user input; print the readings and return them.

    They are incomplete if the main window was closed. Raises RuntimeError without Xvfb.
    """
    from PySide6.QtWidgets import QApplication

    from gui.app import run

    record = Record(length_s)

    class WatchedSession(Session):
        """Session whose estimates are recorded when the GUI polls them."""

        def _add(self, estimates: list[Estimate]) -> list[Estimate]:
            self.new = super()._add(estimates)
            return self.new

        def snapshot(self, *, scope: bool = False) -> "Snapshot":
            snapshot = super().snapshot(scope=scope)
            record.update(self, self.new)
            if record.complete:
                QApplication.closeAllWindows()
            return snapshot

    home = tempfile.TemporaryDirectory()  # without user settings
    display = XDisplay()
    os.environ |= {"DISPLAY": display.name, "QT_QPA_PLATFORM": "xcb"}
    os.environ |= dict.fromkeys(("XDG_CONFIG_HOME", "XDG_STATE_HOME"), home.name)
    run(
        SessionConfig(duration=length_s + 60.0, **options),
        lambda config, offset: WatchedSession(config, clock="timer", offset=offset),
    )
    return record.readings


def write_recordings(folder: Path) -> dict[str, Any]:
    """Write two stereo recordings to `folder`: pink noise, and the same softer and later. Return their options."""
    noise = PinkSource(RATE, 2, seed=0).read(round(RECORDING_S * RATE)).T
    delay_frames = round(DELAY_MS * RATE / 1e3)
    later = np.concatenate([np.zeros((delay_frames, 2), np.float32), noise[:-delay_frames]])
    soundfile.write(folder / "dry.wav", noise, RATE, "FLOAT")
    soundfile.write(folder / "target.wav", 10.0 ** (GAIN_DB / 20.0) * later, RATE, "FLOAT")
    return {"input": str(folder / "dry.wav"), "target": str(folder / "target.wav"), "loop": True}


def exceeded_limits(readings: list[Reading], hops_per_second: float) -> list[str]:
    """Describe the limits that were exceeded."""
    first, last = readings[0], readings[-1]
    growth_mb = last.memory_mb - first.memory_mb
    expected = hops_per_second * (last.time_s - first.time_s)
    limits = {
        f"memory grew by {growth_mb:.2f} MB": growth_mb < GROWTH_LIMIT_MB,
        f"an estimate was off by {last.worst_db:.4f} dB": last.worst_db < ERROR_LIMIT_DB,
        f"dry and target drifted by {last.drift_frames:.3f} frames": last.drift_frames < DRIFT_LIMIT_FRAMES,
        f"{last.dropped_frames} frames were dropped": last.dropped_frames == 0,
        f"{last.estimates - first.estimates} estimates, not {expected:.0f}": last.estimates - first.estimates
        > 0.999 * expected,
    }
    return [text for text, holds in limits.items() if not holds]


def start_counters(session: Session, frame: int) -> None:
    """Start the frame counters of the session at `frame`, as if it had run that long."""
    memory = session._engine.memory
    store_counter(memory.audio.address, frame)
    store_counter(memory.audio.address + WRITTEN_OFFSET, frame)
    memory.control["frames"] = frame


def memory_mb() -> float:
    """Memory in 10⁶ bytes that this process and its descendants have allocated and touched, without mapped files."""
    pids = [os.getpid(), *descendants(os.getpid())]
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return sum(float(rollup.split("\nPss_Anon:")[1].split()[0]) for rollup in rollups) * 1024 / 1e6


def main(form: str, length: str = "", power: str = "31") -> int:
    """Run one soak test. Returns the exit code."""
    config = SessionConfig()
    with tempfile.TemporaryDirectory() as folder:
        if form == "timer":
            readings = soak("timer", 60.0 * float(length or 60), processor="eq", **write_recordings(Path(folder)))
        elif form == "gui":
            readings = soak_gui(60.0 * float(length or 60), **write_recordings(Path(folder)))
        elif form == "offline":
            length_s, start_frame = 3600.0 * float(length or 8), 2 ** int(power) - 600 * RATE
            readings = soak("offline", length_s, start_frame, gain_db=GAIN_DB, delay_ms=DELAY_MS)
        else:
            raise SystemExit(f"{form!r} is not one of timer, gui, offline")
    exceeded = exceeded_limits(readings, RATE / config.hop_frames(RATE))
    print("\n".join(exceeded) or "passed: constant memory, all estimates correct, no drift, no dropped frames")
    return 1 if exceeded else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
