"""Servers for tests and benchmarks: JACK for audio, Xvfb for windows.

Each server has a unique name or number, so that simultaneous test runs do not interfere. It exits when the process
that started it exits for any reason (`setpriv --pdeathsig`).
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

START_TIMEOUT_S = 60.0
"""Timeout for the start of a server. It takes 0.1 s, and much longer on a loaded machine."""

EXIT_WITH_PARENT = ("setpriv", "--pdeathsig", "TERM")

SHM_DIRECTORY = Path("/dev/shm")
"""Directory of JACK's sockets, semaphores and shared memory."""


class JackServer:
    """Running ``jackd`` with the dummy driver: exact timing, two channels in each direction, silent inputs.

    In synchronous mode a late client delays the cycle, so all samples arrive unchanged even on a loaded machine.
    Otherwise a late client causes an xrun, as with a sound card.
    """

    def __init__(self, *, sample_rate: int = 48000, period: int = 256, synchronous: bool = True) -> None:
        self.name, self._name_lock = _free_name()
        self.sample_rate = sample_rate
        self.period = period
        self.synchronous = synchronous
        self.start()

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables with which a program uses only this server."""
        return {
            "JACK_DEFAULT_SERVER": self.name,
            "JACK_NO_START_SERVER": "1",
            "JACK_NO_AUDIO_RESERVATION": "1",  # the reservation needs a D-Bus session
        }

    def start(self) -> None:
        """Start the server and wait until it accepts clients. After `kill`, start it again.

        Raises RuntimeError with the output of jackd.
        """
        # Without --verbose, which would report readiness: libjack of every client would then print to standard output.
        command = [*EXIT_WITH_PARENT, "jackd", "--name", self.name, "--timeout", "5000"]
        command += ["--sync"] if self.synchronous else []
        command += ["--port-max", "32"]  # each client then locks 39 MB of shared memory instead of 107
        command += ["--realtime" if _realtime_is_allowed() else "--no-realtime"]
        command += ["-d", "dummy", "-r", str(self.sample_rate), "-p", str(self.period)]
        with tempfile.TemporaryFile("w+", errors="replace") as log:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[self._name_lock.fileno()],  # the name stays locked until the server exits
            )
            if not self._accepts_clients():
                self.stop()
                log.seek(0)
                raise RuntimeError("jackd did not start:\n" + log.read())

    def stop(self) -> None:
        """Stop the server in an orderly way; its clients are notified."""
        self._terminate()
        for semaphore in SHM_DIRECTORY.glob(f"jack_sem.*_{self.name}_*"):  # of clients at the time of a `kill`
            semaphore.unlink(missing_ok=True)
        self._name_lock.close()

    def kill(self) -> None:
        """Kill the server (SIGKILL), like an unplugged cable: its clients are not notified. Call `stop` afterwards."""
        self.process.kill()
        self.process.wait()

    def _terminate(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def _accepts_clients(self) -> bool:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            # Without libjack, which crashes in a process that is a client of two servers.
            if any(path.startswith(f"{SHM_DIRECTORY}/jack_{self.name}_") for path in _listening_sockets()):
                return True
            try:
                self.process.wait(0.01)
            except subprocess.TimeoutExpired:
                continue
            return False
        return False


class XDisplay:
    """Running Xvfb, 1280×800 with 24 bits, on a free display number; `name` is the value for DISPLAY."""

    def __init__(self, *, width: int = 1280, height: int = 800) -> None:
        read_end, write_end = os.pipe()
        screen = ["-screen", "0", f"{width}x{height}x24"]
        self.process = subprocess.Popen(
            [*EXIT_WITH_PARENT, "Xvfb", "-displayfd", str(write_end), *screen, "-nolisten", "tcp", "-noreset"],
            pass_fds=[write_end],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(write_end)
        with os.fdopen(read_end) as ready:
            number = ready.readline().strip()  # written when it accepts clients; empty if it exited
        if not number:
            raise RuntimeError("Xvfb did not start:\n" + self.process.communicate()[1])
        self.name = f":{number}"

    def stop(self) -> None:
        """Stop the server; open windows lose their connection."""
        self.process.terminate()
        self.process.communicate()


def _listening_sockets() -> list[str]:
    """Return the paths of listening Unix sockets, which have the flag 0x10000 (proc_pid_net(5))."""
    table = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    return [fields[7] for fields in table if len(fields) == 8 and int(fields[3], 16) & 0x10000]


def _free_name() -> tuple[str, IO[str]]:
    """Return the first name that is not used by a server of this user, and its lock.

    Names are reused, because JACK has a registry of eight servers per user. It removes a killed server only when
    another server of the same name starts.
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
    """True if this user may set real-time priority; tested in a temporary thread."""
    results = []

    def try_realtime() -> None:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
        except PermissionError:
            results.append(False)
        else:
            results.append(True)

    thread = threading.Thread(target=try_realtime)
    thread.start()
    thread.join()
    return results[0]
