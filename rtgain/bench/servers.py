"""Real servers for tests and benchmarks: JACK for sound, Xvfb for windows.

Each server gets a name or number of its own, so that test runs beside each other do not meet, and ends
with the process that started it, however that ends (`setpriv --pdeathsig`).
"""

import fcntl
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import IO

START_S = 20.0
"""How long a server may take to start; far beyond what it takes (0.1 s), for a loaded machine."""

DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "TERM")

SHARED = Path("/dev/shm")
"""Where JACK keeps its sockets, semaphores and memory."""


class JackServer:
    """A running ``jackd`` with the dummy driver: exact timing, two channels each way, silent inputs.

    Left synchronous, a client that is late delays the cycle instead of losing it, so what arrives is what
    was sent, sample for sample, however loaded the machine is. Else it is an xrun, as on a sound card.
    """

    def __init__(self, *, sample_rate: int = 48000, period: int = 256, synchronous: bool = True) -> None:
        self.name, self._name_lock = _free_name()
        self.sample_rate = sample_rate
        self.period = period
        self.synchronous = synchronous
        self.start()

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables that lead a program to this server, and to no other."""
        return {
            "JACK_DEFAULT_SERVER": self.name,
            "JACK_NO_START_SERVER": "1",
            "JACK_NO_AUDIO_RESERVATION": "1",  # it would want a D-Bus session
        }

    def start(self) -> None:
        """Start it, and return when it takes clients; again after `kill`, for a device that comes back.

        Raises RuntimeError with what jackd said.
        """
        # Not --verbose, though it would say when it is ready: each client's libjack then talks on its stdout.
        command = [*DIE_WITH_PARENT, "jackd", "--name", self.name, "--timeout", "5000"]
        command += ["--sync"] if self.synchronous else []
        command += ["--port-max", "32"]  # of shared memory that each client locks, 39 MB and not 107
        command += ["--realtime" if _realtime_is_allowed() else "--no-realtime"]
        command += ["-d", "dummy", "-r", str(self.sample_rate), "-p", str(self.period)]
        with tempfile.TemporaryFile("w+", errors="replace") as log:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[self._name_lock.fileno()],  # the name is taken for as long as the server lives
            )
            if not self._answers():
                self.stop()
                log.seek(0)
                raise RuntimeError("jackd did not start:\n" + log.read())

    def stop(self) -> None:
        """End it as a user would; its clients are told."""
        self._end()
        for left in SHARED.glob(f"jack_sem.*_{self.name}_*"):  # of clients that were there when it was killed
            left.unlink(missing_ok=True)
        self._name_lock.close()

    def kill(self) -> None:
        """End it like a pulled cable (SIGKILL): no client is told. It still wants `stop`."""
        self.process.kill()
        self.process.wait()

    def _end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def _answers(self) -> bool:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            # Seen from outside, without libjack: a process that is a client of two servers crashes in it.
            if any(path.startswith(f"{SHARED}/jack_{self.name}_") for path in _listening_sockets()):
                return True
            try:
                self.process.wait(0.01)
            except subprocess.TimeoutExpired:
                continue
            return False
        return False


class XDisplay:
    """A running Xvfb, 1280×800 with 24 bits, on a free display number; `name` is what DISPLAY should be."""

    def __init__(self, *, width: int = 1280, height: int = 800) -> None:
        read_end, write_end = os.pipe()
        screen = ["-screen", "0", f"{width}x{height}x24"]
        self.process = subprocess.Popen(
            [*DIE_WITH_PARENT, "Xvfb", "-displayfd", str(write_end), *screen, "-nolisten", "tcp", "-noreset"],
            pass_fds=[write_end],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(write_end)
        with os.fdopen(read_end) as ready:
            number = ready.readline().strip()  # written when it takes clients; empty when it ended instead
        if not number:
            raise RuntimeError("Xvfb did not start:\n" + self.process.communicate()[1])
        self.name = f":{number}"

    def stop(self) -> None:
        """End it; windows that are still open lose their connection."""
        self.process.terminate()
        self.process.communicate()


def _listening_sockets() -> list[str]:
    """The paths of the Unix sockets that somebody listens on (proc_pid_net(5)): 0x10000 says so."""
    table = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    return [fields[7] for fields in table if len(fields) == 8 and int(fields[3], 16) & 0x10000]


def _free_name() -> tuple[str, IO[str]]:
    """The first name that no server of this user has now, and the lock that keeps it.

    Names are few and used again, because JACK has a register of eight servers for each user, and strikes out
    one that was killed only when another of its name starts.
    """
    for number in count():
        name = f"rtgain-{number}"
        lock = (Path(tempfile.gettempdir()) / f"{name}-of-{os.getuid()}.lock").open("w", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            return name, lock
    raise AssertionError("unreachable")


def _realtime_is_allowed() -> bool:
    """Whether this user may raise a thread to real-time priority; asked by a thread that then ends."""
    answer = []

    def ask() -> None:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
        except PermissionError:
            answer.append(False)
        else:
            answer.append(True)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return answer[0]
