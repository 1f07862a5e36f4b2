"""Two recordings of 12 minutes in the window: time until they are heard aligned and at one level, and memory.

``.venv/bin/python -m scripts.long_pair [MINUTES]`` writes a WAV at 48 kHz, and an M4A at 44.1 kHz (AAC, 128 kb/s) that
is softer and 31.4 s later. It opens both in the window, on its own display, and waits until they are compared. Times
count from the start of the first process; the memory is that of all processes, the display included.
The exit code is 1 if a limit is exceeded.
"""

import os
import sys
import tempfile
import time
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from rtgain.audio.sources.synthetic import PinkSource
from rtgain.audio.sources.synthetic_speech import synthetic_speech
from rtgain.bench.servers import XDisplay
from rtgain.config.session_config import SessionConfig
from rtgain.session.startup import load_estimator
from scripts.soak import memory_mb

DRY, TARGET = "dry.wav", "target.m4a"
RATE, CODED_RATE = 48_000, 44_100
GAIN_DB = -6.0
LATE_S = 31.4
PART_S = 20

MAX_START_S = 10.0
MAX_MEMORY_MB = 500.0
MATCH_TIMEOUT_S = 600.0

POLL_MS = 50
POLLS_PER_MEMORY = 5


def varied_sound(seconds: int) -> NDArray[np.float32]:
    """Make stereo sound of parts of 20 s that all differ: a voice over noise, ``(frames, 2)``."""
    parts = []
    for number in range(-(-seconds // PART_S)):
        voice = synthetic_speech(RATE, PART_S * RATE, seed=number + 1)
        noise = PinkSource(RATE, 2, seed=number).read(PART_S * RATE)
        voice_share, noise_share = np.random.default_rng(number).uniform([0.3, 0.01], [1.0, 0.1])
        parts.append(voice_share * voice + noise_share * noise)
    return np.concatenate(parts, axis=1).T[: seconds * RATE].astype(np.float32)


def write_pair(folder: Path, seconds: int) -> None:
    """Write `DRY` and `TARGET` to `folder`."""
    sound = varied_sound(seconds)
    soundfile.write(folder / DRY, sound, RATE)
    late = np.concatenate([np.zeros((round(LATE_S * RATE), 2), np.float32), 10 ** (GAIN_DB / 20) * sound])
    samples = np.ascontiguousarray(soxr.resample(late, RATE, CODED_RATE).T, np.float32)
    with av.open(str(folder / TARGET), "w") as file:
        stream = file.add_stream("aac", rate=CODED_RATE, layout="stereo")
        stream.bit_rate = 128_000
        for start in range(0, samples.shape[1], CODED_RATE):
            frame = av.AudioFrame.from_ndarray(samples[:, start : start + CODED_RATE], "fltp", "stereo")
            frame.sample_rate, frame.pts, frame.time_base = CODED_RATE, start, Fraction(1, CODED_RATE)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def measure(dry: str, target: str) -> tuple[dict[str, float], float]:
    """Open both in the window; return the times of events in s, by name, and the largest memory in MB."""
    begin_s = time.monotonic()
    config = SessionConfig(input=dry, target=target, clock="timer", level_match="loudness", loop=True)
    load_estimator(config, headless=False)  # as the command does
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication

    from gui.app import run
    from gui.main_window import MainWindow

    app = QApplication(["rtgain"])
    times_s: dict[str, float] = {}
    largest_mb, polls = 0.0, 0

    def poll() -> None:
        nonlocal largest_mb, polls
        window = next((each for each in app.topLevelWidgets() if isinstance(each, MainWindow)), None)
        if window is None:
            return
        session, results = window.controller.session, window.compare_controller.results
        plays = session is not None and session.frames > 0
        offset = window.controller.offset
        events = {
            "painted": window.isVisible(),
            "heard, aligned": plays,
            "at one level": plays and session.level_match.removed_db != 0.0,
            "first estimate": session is not None and session.history.count > 0,
            "delay followed over the whole": offset is not None and offset.is_followed,
            "loudness measured over the whole": results.loudness is not None,
            "compared": results.match is not None or bool(results.failure),
        }
        for name, has_happened in events.items():
            if has_happened and name not in times_s:
                times_s[name] = time.monotonic() - begin_s
                print(f"{times_s[name]:8.2f} s  {name}", flush=True)
        polls += 1
        if polls % POLLS_PER_MEMORY == 0:
            largest_mb = max(largest_mb, memory_mb())
        if "compared" in times_s or time.monotonic() - begin_s > MATCH_TIMEOUT_S:
            app.closeAllWindows()

    timer = QTimer()
    timer.timeout.connect(poll)
    timer.start(POLL_MS)
    run(config)
    return times_s, largest_mb


def main(minutes: str = "12") -> int:
    """Run the measurement. Returns the exit code."""
    display = XDisplay()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        writing = get_context("spawn").Process(target=write_pair, args=(folder, round(60 * float(minutes))))
        writing.start()  # another process, whose memory does not count
        writing.join()
        settings = {"XDG_CONFIG_HOME": name, "XDG_STATE_HOME": name}
        os.environ |= {"DISPLAY": display.name, "QT_QPA_PLATFORM": "xcb", **settings}
        times_s, largest_mb = measure(str(folder / DRY), str(folder / TARGET))
    display.stop()
    print(f"largest memory: {largest_mb:.0f} MB")
    is_in_time = times_s.get("at one level", np.inf) < MAX_START_S
    return 0 if is_in_time and largest_mb < MAX_MEMORY_MB and "compared" in times_s else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
