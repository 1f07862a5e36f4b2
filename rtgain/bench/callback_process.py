"""One run of ``rtgain bench callback`` in its own process: the GUI on a JACK server, with its callback timed.

`compiled` is rtgain itself. `python-process` puts a Python function between PortAudio and the same compiled kernel, as
`sounddevice.Stream` does for a callback in Python. The function does nothing else and holds the interpreter lock
during the call, so the measured time includes no work of its own and only one wait for that lock. `python-thread`
also runs the estimator in a thread of the same process.

The session plays the demo in stereo, as a new session does. With the load `eq` the target passes through six filters,
which are learned, and so does the matched signal.
"""

import ctypes
import gc
import json
import multiprocessing
import sys
import threading
import time
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
from numba import cfunc
from numpy.typing import NDArray

from rtgain.audio.engine.engine import Engine
from rtgain.audio.engine.portaudio_callback import PA_STREAM_CALLBACK, callback
from rtgain.audio.jit import array_at
from rtgain.bench.gui_process import COMPARED, SETTLE_S
from rtgain.config.estimator_settings import EstimatorSettings
from rtgain.config.session_config import SessionConfig
from rtgain.errors import InputError
from rtgain.estimation.process.messages import FinishMessage, StartMessage
from rtgain.estimation.process.worker import Worker
from rtgain.estimation.process.worker_process import worker_main
from rtgain.estimation.supervisor import Supervisor
from rtgain.records.estimate import Estimate
from rtgain.records.recording_offset import RecordingOffset
from rtgain.records.snapshot import Snapshot
from rtgain.session.session import Session

STARTUP_TIMEOUT_S = 90.0
POLL_MS = 50

RATE = 48_000
"""Sample rate of the JACK server in Hz."""

EQUALIZER = """\
Filter 1: ON LSC Fc 100 Hz Gain 6 dB Q 0.7
Filter 2: ON PK Fc 250 Hz Gain -3 dB Q 1
Filter 3: ON PK Fc 800 Hz Gain 4 dB Q 1.5
Filter 4: ON PK Fc 2200 Hz Gain -5 dB Q 1
Filter 5: ON PK Fc 5500 Hz Gain 3 dB Q 1.5
Filter 6: ON HSC Fc 9000 Hz Gain -4 dB Q 0.7
"""
"""Filters of the target under the load `eq`, as many as are learned."""

C_CALLBACK = (ctypes.c_int32, *[ctypes.c_int64] * 2, ctypes.c_ulong, ctypes.c_int64, ctypes.c_ulong, ctypes.c_int64)
_CLOCK_MONOTONIC = 1

COMPILED = cast(int, callback.address)


class Stopwatch:
    """Timer around each call of a PortAudio callback; it includes the wait for the interpreter lock."""

    def __init__(self, inner_address: int, capacity: int) -> None:
        self._calls = np.zeros(1, np.int64)
        self._now = np.zeros(2, np.int64)  # a timespec: seconds, nanoseconds
        self._durations_ns = np.zeros(capacity, np.int64)
        inner = ctypes.CFUNCTYPE(*C_CALLBACK)(inner_address)
        clock_gettime = ctypes.CDLL(None).clock_gettime
        clock_gettime.argtypes, clock_gettime.restype = (ctypes.c_int, ctypes.c_int64), ctypes.c_int
        calls_address, now_address, durations_address = (
            array.ctypes.data for array in (self._calls, self._now, self._durations_ns)
        )

        @cfunc(PA_STREAM_CALLBACK, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
        def timed(inputs: int, output: int, frames: int, times: int, status: int, userdata: int) -> Any:
            now = array_at(now_address, 2, np.int64)
            clock_gettime(_CLOCK_MONOTONIC, now_address)
            begin_ns = 1_000_000_000 * now[0] + now[1]
            result = inner(inputs, output, frames, times, status, userdata)
            clock_gettime(_CLOCK_MONOTONIC, now_address)
            calls = array_at(calls_address, 1, np.int64)
            if calls[0] < capacity:
                array_at(durations_address, capacity, np.int64)[calls[0]] = 1_000_000_000 * now[0] + now[1] - begin_ns
            calls[0] += 1
            return result

        self._timed = timed
        self.address = cast(int, timed.address)

    @property
    def calls(self) -> int:
        """Number of calls so far."""
        return int(self._calls[0])

    def durations_us(self, first: int, last: int) -> NDArray[np.float64]:
        """Durations of the calls from `first` up to `last` in µs."""
        return self._durations_ns[first:last] / 1000.0


def make_python_callback() -> tuple[Any, int]:
    """Make a PortAudio callback in Python that calls the compiled one. Returns it and its address.

    The caller keeps it alive while it is in use.
    """
    import sounddevice  # initializes PortAudio

    compiled = ctypes.PYFUNCTYPE(*C_CALLBACK)(COMPILED)
    ffi = sounddevice._ffi

    @ffi.callback("PaStreamCallback")  # type: ignore[untyped-decorator]
    def python(inputs: Any, output: Any, frames: int, times: Any, status: int, userdata: Any) -> int:
        addresses = [int(ffi.cast("intptr_t", address)) for address in (inputs, output, times, userdata)]
        return int(compiled(addresses[0], addresses[1], frames, addresses[2], status, addresses[3]))

    return python, int(ffi.cast("intptr_t", python))


class TimedEngine(Engine):
    """Engine with a timed callback; the process has one."""

    stopwatch: ClassVar[Stopwatch]

    @property
    def callback_address(self) -> int:
        return self.stopwatch.address


class ThreadWorker(Worker):
    """Worker whose estimator runs in a thread of the session's process."""

    def __init__(self, memory_name: str, settings: EstimatorSettings, last: Estimate | None = None) -> None:
        self._connection, worker_end = multiprocessing.Pipe()
        self._thread = threading.Thread(target=worker_main, args=[worker_end], name="estimator", daemon=True)
        self._thread.start()
        self.send(StartMessage(memory_name, settings, last))

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        self.send(FinishMessage(0))
        self._thread.join()
        self._connection.close()


class ThreadSupervisor(Supervisor):
    """Supervisor of a `ThreadWorker`."""

    worker_type = ThreadWorker


class BenchSession(Session):
    """Session of rtgain, except for its callback and the process of its estimator."""

    engine_type = TimedEngine

    def __init__(self, config: SessionConfig, name: str, capacity: int) -> None:
        self._python_callback, address = make_python_callback()
        if name == "python-thread":
            self.supervisor_type = ThreadSupervisor
        TimedEngine.stopwatch = Stopwatch(COMPILED if name == "compiled" else address, capacity)
        self._refreshes = 0
        super().__init__(config, clock="device")

    @property
    def counts(self) -> NDArray[np.float64]:
        """Calls, xruns, frames, optimizer steps and refreshes of the window so far."""
        calls = TimedEngine.stopwatch.calls
        return np.array([calls, self.xruns, self.frames, self.history.steps, self._refreshes], np.float64)

    def snapshot(self, *, scope: bool = False) -> Snapshot:
        self._refreshes += 1
        return super().snapshot(scope=scope)


def collect_garbage(stop: threading.Event) -> None:
    """Create reference cycles and collect them until `stop` is set."""
    while not stop.wait(0.02):
        for _ in range(20_000):
            cycle: list[Any] = []
            cycle.append(cycle)
        gc.collect()


def main(name: str, block: str, load: str, duration: str) -> int:
    """Open the GUI, measure for `duration` seconds, print the row as JSON. Returns the exit code."""
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication

    from gui.app import run

    duration_s, block_frames = float(duration), int(block)
    sessions: list[BenchSession] = []

    def bench_session(config: SessionConfig, _offset: RecordingOffset | None) -> Session:
        if config.clock != "device":  # fallback of the GUI
            raise InputError("the JACK server's device could not be opened")
        capacity = round((duration_s + STARTUP_TIMEOUT_S) * RATE / block_frames)
        sessions.append(BenchSession(config, name, capacity))
        return sessions[-1]

    app: QApplication = QApplication(["rtgain"])
    timer, stop = QTimer(), threading.Event()
    measured: dict[str, float] = {}
    start_s = time.monotonic()
    begin_s = np.inf
    before = np.zeros(5)

    def poll() -> None:
        nonlocal begin_s, before
        now_s = time.monotonic()
        running = bool(sessions) and sessions[0].history.count > 0
        if not running:
            if now_s - start_s > STARTUP_TIMEOUT_S:
                app.closeAllWindows()
        elif np.isinf(begin_s):
            begin_s = now_s + SETTLE_S
        elif now_s >= begin_s and not before.any():
            begin_s = now_s
            before = sessions[0].counts
        elif before.any() and now_s >= begin_s + duration_s and not measured:
            after = sessions[0].counts
            calls, xruns, frames, steps, refreshes = after - before
            durations_us = TimedEngine.stopwatch.durations_us(int(before[0]), int(after[0]))
            median_us = float(np.median(durations_us))
            elapsed_s = now_s - begin_s
            measured.update(
                blocks=int(calls),
                xruns=int(xruns),
                callback_us_median=median_us,
                callback_us_p999=float(np.percentile(durations_us, 99.9)),
                callback_us_max=float(durations_us.max()),
                median_share_of_block=median_us * RATE / (1e6 * block_frames),
                frames_per_second=frames / elapsed_s,
                steps_per_second=steps / elapsed_s,
                window_fps=refreshes / elapsed_s,
            )
            app.closeAllWindows()

    timer.timeout.connect(poll)
    timer.start(POLL_MS)
    if load == "gc":
        threading.Thread(target=collect_garbage, args=[stop], daemon=True).start()
    config = SessionConfig(input="demo", clock="device", block=block_frames, compare=COMPARED)
    if load == "eq":
        equalizer = Path.home() / "equalizer.txt"  # the home folder of this run alone
        equalizer.write_text(EQUALIZER, encoding="utf-8")
        config = config.model_copy(update={"processor": "eq", "eq": str(equalizer)})
    code = run(config, bench_session)
    stop.set()
    if not measured:
        print("no estimate arrived", file=sys.stderr)
        return 1
    print(json.dumps(measured))
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
