"""Fork server: a process that has imported torch and forks an estimator process on request.

Importing torch takes seconds; forking a process that has imported it takes milliseconds. A killed estimator is
therefore replaced at once, and the next session's estimator starts at once. The server accepts requests over a private
pipe and exits with the process that started it. On systems other than Linux, where libraries do not support fork, each
estimator is a spawned process that imports torch itself.
"""

import atexit
import multiprocessing
import os
import pkgutil
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import recv_handle, send_handle
from typing import NoReturn, Protocol

from rtgain.system.call_stack import call_with_space
from rtgain.system.imports import importing
from rtgain.system.shutdown_signals import SHUTDOWN_SIGNALS


class WorkerProcess(Protocol):
    """Child process, with the interface of `multiprocessing.Process`."""

    @property
    def pid(self) -> int | None:
        """Its process ID; None if it was never started."""

    def is_alive(self) -> bool:
        """Return True if it was requested and has not exited."""

    def kill(self) -> None:
        """Kill it, even before it has started; it exits soon afterwards."""

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has exited, at most `timeout` seconds."""


class ForkServer:
    """Runs `main(connection)` in child processes, each after `preload()`.

    The server starts with `load`, otherwise with the first child.
    """

    def __init__(self, main: str, preload: str) -> None:
        """Both are names of functions, ``package.module:function``: only the server and the children import them."""
        self._main = main
        self._preload = preload
        self._lock = threading.Lock()
        self._process: BaseProcess | None = None
        self._requests: Connection | None = None
        atexit.register(self.kill)  # before multiprocessing joins the server, which would wait forever

    def load(self) -> None:
        """Start the server without waiting for it: it preloads while this process goes on. Idempotent."""
        if sys.platform == "linux":
            with self._lock:
                self._open()

    def start(self, connection: Connection) -> WorkerProcess:
        """Start a child without waiting for it. The caller closes its copy of `connection`."""
        if sys.platform != "linux":
            return _spawn(_spawned_main, self._main, self._preload, connection)
        lifetime_pipe, child_end = os.pipe()
        try:
            with self._lock, suppress(BrokenPipeError, ConnectionResetError):  # the server has exited, so no child
                process, requests = self._open()
                send_handle(requests, connection.fileno(), process.pid)
                send_handle(requests, child_end, process.pid)
        finally:
            os.close(child_end)
        return ForkedProcess(lifetime_pipe, self)

    def kill(self) -> None:
        """Kill the server, including children that have not started; the next `start` restarts it. Idempotent."""
        with self._lock:
            if self._process is not None and self._requests is not None:
                self._process.kill()
                self._process.join()
                self._requests.close()
                self._process = self._requests = None

    def _open(self) -> tuple[BaseProcess, Connection]:
        """Return the server process, started if necessary, and the pipe for requests."""
        if self._process is None or self._requests is None or not self._process.is_alive():
            self._requests, server_end = multiprocessing.Pipe()
            self._process = _spawn(_serve, self._main, self._preload, server_end)
            server_end.close()
        return self._process, self._requests


class ForkedProcess:
    """Child of a fork server. Its lifetime pipe delivers the process ID at start and EOF at exit."""

    def __init__(self, lifetime_pipe: int, server: ForkServer) -> None:
        self._lifetime_pipe = Connection(lifetime_pipe, writable=False)
        self._server = server
        self._pid: int | None = None
        self._exited = False

    @property
    def pid(self) -> int | None:
        if self._pid is None:
            self._receive()
        return self._pid

    def is_alive(self) -> bool:
        while not self._exited and self._lifetime_pipe.poll():
            self._receive()
        return not self._exited

    def kill(self) -> None:
        if self.is_alive() and self._pid is None:
            self._server.kill()
            self._receive()
        if self.is_alive():
            assert self._pid is not None
            with suppress(ProcessLookupError):  # it has just exited by itself
                os.kill(self._pid, signal.SIGKILL)

    def join(self, timeout: float | None = None) -> None:
        while not self._exited and wait([self._lifetime_pipe], timeout):
            self._receive()

    def _receive(self) -> None:
        """Wait for the process ID; if that is known, for the exit."""
        if self._exited:
            return
        try:
            self._pid = self._lifetime_pipe.recv()
        except EOFError:
            self._exited = True
            self._lifetime_pipe.close()


def _spawn(target: Callable[..., None], main: str, preload: str, connection: Connection) -> BaseProcess:
    """Spawn a process in which signals to the whole group are blocked: Ctrl-C, `timeout`'s SIGTERM, a closed terminal.

    The session handles these signals and stops the process in order. Windows has no signal masks; there, `preload`
    ignores Ctrl-C.
    """
    process = multiprocessing.get_context("spawn").Process(target=target, args=(main, preload, connection), daemon=True)
    if not hasattr(signal, "pthread_sigmask"):
        process.start()
        return process
    resource_tracker.ensure_running()  # its start unblocks signals, so it must not happen in between
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SHUTDOWN_SIGNALS)
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return process


def _spawned_main(main: str, preload: str, connection: Connection) -> None:
    """Run a child without a fork server."""
    with importing():
        pkgutil.resolve_name(preload)()
    pkgutil.resolve_name(main)(connection)


def _serve(main: str, preload: str, requests: Connection) -> None:
    """Run the server in its process."""
    call_with_space(lambda: _fork_on_request(main, preload, requests))


def _fork_on_request(main: str, preload: str, requests: Connection) -> None:
    """Fork on request until the requesting side has closed the pipe."""
    with importing():  # and freezing: a child's garbage collector would touch, and so copy, every imported page
        pkgutil.resolve_name(preload)()
        child_main: Callable[[Connection], None] = pkgutil.resolve_name(main)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the server does not wait for children: no zombies
    while True:
        try:
            connection, lifetime_pipe = recv_handle(requests), recv_handle(requests)
        except EOFError:
            return
        if os.fork() == 0:
            requests.close()
            _child_main(child_main, connection, lifetime_pipe)
        os.close(connection)
        os.close(lifetime_pipe)


def _child_main(main: Callable[[Connection], None], connection: int, lifetime_pipe: int) -> NoReturn:
    """Run a forked child from start to exit."""
    code = 1
    try:
        lifetime = Connection(lifetime_pipe, readable=False)  # closed only by the exit of the process
        try:
            lifetime.send(os.getpid())
        except BrokenPipeError:
            os._exit(0)  # the requesting process was killed meanwhile
        main(Connection(connection))
        code = 0
    except Exception:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


ESTIMATOR_SERVER = ForkServer(
    "rtgain.estimation.process.worker_process:worker_main", "rtgain.estimation.process.worker_process:preload"
)
"""Server of the estimator processes. This module imports nothing heavy, so it may be loaded before everything else."""
