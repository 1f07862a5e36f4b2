"""Where estimators are born: a process that has loaded torch, and forks one whenever it is asked.

Loading torch takes seconds, forking a process that has loaded it takes milliseconds: an estimator that was
killed is back at once, and so is the one of the next session. The nursery is asked over a pipe that nobody else
can reach, and ends with the process that started it. On other systems than Linux, where libraries do not bear to
be forked, each estimator is a spawned process that loads torch itself.
"""

import atexit
import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import recv_handle, send_handle
from typing import NoReturn, Protocol

from rtgain.system.shutdown_signals import SHUTDOWN_SIGNALS

Work = Callable[[Connection], None]
"""What a child does with its end of a pipe; a function at the top of a module."""


class Child(Protocol):
    """A child's process, as `multiprocessing.Process` has it."""

    @property
    def pid(self) -> int | None:
        """Its number; None when it was not born."""

    def is_alive(self) -> bool:
        """Whether it was asked for and has not ended."""

    def kill(self) -> None:
        """End it, also before it is born; it is soon gone."""

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended, at most `timeout` seconds."""


class ForkServer:
    """Has `work(connection)` done in processes of their own, each after `load()`; its own starts with the first."""

    def __init__(self, work: Work, load: Callable[[], None]) -> None:
        """Both are functions at the top of a module."""
        self._work = work
        self.preload = load
        self._lock = threading.Lock()
        self._process: BaseProcess | None = None
        self._requests: Connection | None = None
        atexit.register(self.kill)  # before multiprocessing waits for it, which would be for good

    def start(self, connection: Connection) -> Child:
        """Begin the work. Returns at once, and the caller closes its copy of `connection`."""
        if sys.platform != "linux":
            return _spawn(_spawned_main, self._work, self.preload, connection)
        life, theirs = os.pipe()
        try:
            with self._lock, suppress(BrokenPipeError, ConnectionResetError):  # it died, and the child with it
                process, requests = self._open()
                send_handle(requests, connection.fileno(), process.pid)
                send_handle(requests, theirs, process.pid)
        finally:
            os.close(theirs)
        return ForkedProcess(life, self)

    def kill(self) -> None:
        """End its process, with all who are not born yet; another `start` starts it again. Idempotent."""
        with self._lock:
            if self._process is not None and self._requests is not None:
                self._process.kill()
                self._process.join()
                self._requests.close()
                self._process = self._requests = None

    def _open(self) -> tuple[BaseProcess, Connection]:
        """The process, and the pipe to ask it with."""
        if self._process is None or self._requests is None or not self._process.is_alive():
            self._requests, theirs = multiprocessing.Pipe()
            self._process = _spawn(_serve, self._work, self.preload, theirs)
            theirs.close()
        return self._process, self._requests


class ForkedProcess:
    """A child of a nursery. The pipe of its life brings its number when it is born, and ends when it ends."""

    def __init__(self, life: int, nursery: ForkServer) -> None:
        self._life = Connection(life, writable=False)
        self._nursery = nursery
        self._pid: int | None = None
        self._ended = False

    @property
    def pid(self) -> int | None:
        if self._pid is None:
            self._receive()
        return self._pid

    def is_alive(self) -> bool:
        while not self._ended and self._life.poll():
            self._receive()
        return not self._ended

    def kill(self) -> None:
        if self.is_alive() and self._pid is None:
            self._nursery.kill()
            self._receive()
        if self.is_alive():
            assert self._pid is not None
            with suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(self._pid, signal.SIGKILL)

    def join(self, timeout: float | None = None) -> None:
        while not self._ended and wait([self._life], timeout):
            self._receive()

    def _receive(self) -> None:
        """Wait for its number, or for its end when that is known."""
        if self._ended:
            return
        try:
            self._pid = self._life.recv()
        except EOFError:
            self._ended = True
            self._life.close()


def _spawn(target: Callable[..., None], work: Work, load: Callable[[], None], end: Connection) -> BaseProcess:
    """A new process that never hears what is sent to the whole group (Ctrl-C, `timeout`'s SIGTERM, a terminal's end).

    The session does, and ends it in order. Windows has no such masks, and its Ctrl-C is ignored by `load`.
    """
    process = multiprocessing.get_context("spawn").Process(target=target, args=(work, load, end), daemon=True)
    if not hasattr(signal, "pthread_sigmask"):
        process.start()
        return process
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SHUTDOWN_SIGNALS)
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return process


def _spawned_main(work: Work, load: Callable[[], None], connection: Connection) -> None:
    """The process of one child where there is no nursery."""
    load()
    work(connection)


def _serve(work: Work, load: Callable[[], None], requests: Connection) -> None:
    """The nursery's process: fork until the asking side is gone."""
    load()
    gc.freeze()  # a child's collector would touch, and so copy, all that was loaded
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children here: none becomes a zombie
    while True:
        try:
            connection, life = recv_handle(requests), recv_handle(requests)
        except EOFError:
            return
        if os.fork() == 0:
            requests.close()
            _live(work, connection, life)
        os.close(connection)
        os.close(life)


def _live(work: Work, connection: int, life: int) -> NoReturn:
    """A child's process, from its birth to its end."""
    code = 1
    try:
        line = Connection(life, readable=False)  # closed only by the end of the process
        try:
            line.send(os.getpid())
        except BrokenPipeError:
            os._exit(0)  # who asked for it was killed meanwhile
        work(Connection(connection))
        code = 0
    except Exception:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)
