"""Processes that match pairs, one at a time each, so that a pair that crashes costs neither the run nor other pairs.

A process imports torch once and then serves pairs until its standard input is closed, also if its parent is killed.
Requests and replies are lines of JSON.
`multiprocessing` is not used, because Dask's workers cannot start its processes.
"""

import json
import os
import platform
import subprocess
import sys
import threading
import traceback
from collections import deque
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, ClassVar

from rtgain import __version__
from rtgain.errors import InputError, RtgainError
from rtgain.match.manifest import RESULT_COLUMNS
from rtgain.match.table import Row
from rtgain.system.imports import importing

MAX_LOSSES = 3
"""Processes that a pair may end before it counts as failed."""

SINGLE_THREADED = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Environment of a process: there are as many processes as cores, so that threads would only compete."""

MEMORY_REUSE = {"MALLOC_TRIM_THRESHOLD_": str(1 << 28), "MALLOC_MMAP_THRESHOLD_": str(1 << 25)}
"""Settings of glibc in bytes: up to 256 MB of free memory are used again, in blocks of up to 32 MB.

Otherwise the system takes and clears the same pages for each block of sound: a pair takes 5 % longer, and with the
settings that Dask gives its workers twice as long (measured).
"""


@dataclass(frozen=True)
class PairOutcome:
    """Cells of a pair's result, and lines for the user about its recordings."""

    cells: Row
    notices: tuple[str, ...] = ()


class _LostError(Exception):
    """The process ended before it replied."""


class PairProcesses:
    """Pool of processes that grows to the number of pairs that are matched at the same time. Used by any thread.

    Idle processes are kept until the program exits; all pools use them.
    """

    _idle: ClassVar["deque[_PairProcess]"] = deque()

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._busy: set[_PairProcess] = set()
        self._is_stopped = False

    def match(self, folder: str, dry: str, target: str) -> PairOutcome:
        """Match a pair in an idle process, or a new one. A pair that ends `MAX_LOSSES` processes is a failure.

        Raises `CancelledError` if the pool is stopped, and `InputError` if a process cannot import what it needs.
        """
        for _ in range(MAX_LOSSES):
            process = self._take()
            try:
                outcome = process.match(folder, dry, target)
            except _LostError:
                continue
            finally:
                self._put_back(process)
            return outcome
        with self._lock:
            if self._is_stopped:
                raise CancelledError
        return failure(f"killed its worker process {MAX_LOSSES} times, possibly because memory ran out")

    def stop(self) -> None:
        """Kill the processes that are matching a pair, and start no others."""
        with self._lock:
            self._is_stopped = True
            for process in self._busy:
                process.kill()

    @classmethod
    def stop_idle(cls) -> None:
        """Kill the idle processes of all pools."""
        while cls._idle:
            cls._idle.pop().kill()

    def _take(self) -> "_PairProcess":
        with self._lock:
            if self._is_stopped:
                raise CancelledError
            process = self._idle.pop() if self._idle else _PairProcess()
            self._busy.add(process)
        return process

    def _put_back(self, process: "_PairProcess") -> None:
        with self._lock:
            self._busy.discard(process)
            if process.is_usable and not self._is_stopped:
                self._idle.append(process)
            else:
                process.kill()


class _PairProcess:
    """One process, used by one thread at a time."""

    def __init__(self) -> None:
        # The import path of this process, and no other: the working directory is not on it.
        code = f"import sys; sys.path[:] = {sys.path!r}; from rtgain.match.pair_process import serve; serve()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | SINGLE_THREADED | MEMORY_REUSE,
            start_new_session=True,  # Ctrl-C reaches the whole group; the parent lets running pairs finish
        )

        self.is_usable = True

    def match(self, folder: str, dry: str, target: str) -> PairOutcome:
        """Match a pair. Raises `_LostError` if the process ends, `InputError` if it cannot import what it needs."""
        process = self._process
        self.is_usable = False
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps([folder, dry, target]).encode() + b"\n")
            process.stdin.flush()
            reply = process.stdout.readline()
        except (OSError, ValueError):  # a closed pipe
            raise _LostError from None
        if not reply.endswith(b"\n"):
            raise _LostError
        fields = json.loads(reply)
        if "import_error" in fields:
            raise InputError(
                f"{platform.node()}: pairs cannot be matched there ({fields['import_error']}); "
                "install rtgain with all its packages"
            )
        self.is_usable = True
        return PairOutcome(fields["cells"], tuple(fields["notices"]))

    def kill(self) -> None:
        """Kill the process, and wait until it has ended."""
        self._process.kill()
        self._process.wait()


_WORKER_PROCESSES = PairProcesses()


def match_on_worker(folder: str, dry: str, target: str, required_version: str) -> PairOutcome:
    """Match a pair of a manifest on a worker of a cluster, in a process of its own.

    Raises `InputError` if this machine has another version of rtgain, or does not have the folder of the manifest.
    """
    if __version__ != required_version:
        raise InputError(
            f"the worker {platform.node()} has rtgain {__version__}, and this machine has {required_version}; "
            "install the same version on all machines"
        )
    if not _has_entries(Path(folder)):
        raise InputError(
            f"{folder}: is missing or empty on the worker {platform.node()}; mount the folder of the manifest there, "
            "under the same path"
        )
    return _WORKER_PROCESSES.match(folder, dry, target)


def _has_entries(folder: Path) -> bool:
    """True for a folder that is not empty. One that has not been mounted is."""
    if not folder.is_dir():
        return False
    with os.scandir(folder) as entries:
        return next(entries, None) is not None


def failure(reason: str) -> PairOutcome:
    """Return the outcome of a pair that could not be matched."""
    return PairOutcome(dict.fromkeys(RESULT_COLUMNS, "") | {"error": " ".join(reason.split())})


def serve() -> None:
    """Match the pairs that standard input names, until it is closed."""
    # Libraries that print something must not print it into the replies.
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as replies:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        _serve(sys.stdin.buffer, replies)


def _serve(requests: IO[bytes], replies: IO[bytes]) -> None:
    with suppress(BrokenPipeError):  # the parent was killed
        for request in requests:
            try:
                with importing():
                    import rtgain.match.pair  # noqa: F401
            except ImportError as error:
                reply: dict[str, object] = {"import_error": f"{type(error).__name__}: {error}"}
            else:
                reply = asdict(_match(*json.loads(request)))
            replies.write(json.dumps(reply).encode() + b"\n")
            replies.flush()


def _match(folder: str, dry: str, target: str) -> PairOutcome:
    for column, name in (("dry", dry), ("target", target)):
        if not name:
            return failure(f"the manifest names no {column} recording")
    from rtgain.match.pair import match_pair

    try:
        details = match_pair(Path(folder, dry), Path(folder, target))
    except RtgainError as error:
        return failure(str(error))
    except (OSError, MemoryError) as error:
        return failure(f"{type(error).__name__}: {error}")
    except Exception as error:  # a fault of the program: it is reported, and costs no other pair
        traceback.print_exc()
        return failure(f"{type(error).__name__}: {error}")
    assert details is not None, "nothing cancels it"
    values = {name: getattr(details.result, name) for name in RESULT_COLUMNS[:-1]}
    values["findings"] = ";".join(finding["kind"] for finding in details.result.findings)
    cells = {name: "" if value is None else str(value) for name, value in values.items()}
    return PairOutcome(cells | {"error": ""}, details.notices)
