"""Fork server for the `rtgain` command: starts it in milliseconds from a process that has imported its modules.

`ForkedCommand` is a `subprocess.Popen` whose child is forked by a server, one server per test process. The child gets
the caller's arguments, working directory, environment, standard streams, signal mask and ignored signals. It runs
``main.py`` as ``__main__``. Settings that Python or the dynamic loader reads at start-up cannot be applied to a fork:
`can_fork` is false for them.

Processes that the command spawns with `multiprocessing` (the estimator, a worker that matches a pair) are
forked from the server, too, as far as it has spare processes for them.

``python -m tests.fork_server DESCRIPTOR`` runs the server. It reads requests from that socket until it is closed.
"""

import atexit
import fcntl
import inspect
import os
import pickle
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import chdir, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).parents[1]
PROGRAM = ROOT / "main.py"

STARTUP_VARIABLES = ("LD_", "PYTHON", "LC_", "LANG", "MPL", "NUMBA", "OMP_", "HOME", "XDG_CACHE_HOME", "TZ")
"""Prefixes of variables that are read only when a process starts or loads a library."""

FORKED_SETTINGS = {"stdin", "stdout", "stderr", "text", "cwd", "env", "start_new_session", "encoding", "errors"}
"""Settings of `subprocess.Popen` that a forked command supports."""

IGNORABLE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that a parent may ignore for its children, as ``nohup`` does."""

LONGEST_MESSAGE = 1 << 20
FIRST_HIGH_DESCRIPTOR = 500
STATUS = struct.Struct("=i")


@dataclass(frozen=True)
class Request:
    """Arguments and settings of a child process."""

    words: list[str]
    folder: str
    environment: dict[str, str]
    new_session: bool
    before: str
    ignored: list[int]
    blocked: list[int]


def can_fork(settings: Mapping[str, Any]) -> bool:
    """True if a command with these settings of `subprocess.Popen` can be forked."""
    if sys.platform != "linux" or not settings.keys() <= FORKED_SETTINGS:
        return False
    return _at_startup(settings.get("env") or os.environ) == _at_startup(_ENVIRONMENT)


def _at_startup(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(STARTUP_VARIABLES)}


_ENVIRONMENT = dict(os.environ)
"""Environment of the server at its start."""


class ForkedCommand(subprocess.Popen[str]):
    """``main.py WORDS…`` as a `subprocess.Popen` with the settings of `FORKED_SETTINGS`."""

    def __init__(self, words: list[str], *, before: str = "", **settings: Any) -> None:
        """`before` is Python code that runs first."""
        self._before = before
        super().__init__([sys.executable, str(PROGRAM), *words], **settings)

    def _execute_child(self, *arguments: Any) -> None:
        signature = inspect.signature(subprocess.Popen._execute_child)  # type: ignore[attr-defined]
        given = signature.bind(self, *arguments).arguments
        ends = {name: given[name] for name in ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")}
        theirs = (ends["p2cread"], ends["c2pwrite"], ends["errwrite"])
        streams = [number if end == -1 else end for number, end in enumerate(theirs)]
        request = Request(
            words=[os.fspath(word) for word in given["args"][2:]],
            folder=os.fspath(given["cwd"] or Path.cwd()),
            environment=dict(os.environ if given["env"] is None else given["env"]),
            new_session=given["start_new_session"],
            before=self._before,
            ignored=[number for number in IGNORABLE if signal.getsignal(number) == signal.SIG_IGN],
            blocked=[int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
        )
        try:
            self.pid, self._status = _server().fork(request, streams)
        finally:
            self._close_pipe_fds(*ends.values())  # type: ignore[attr-defined]
        self._child_created = True

    def _internal_poll(self, _deadstate: int | None = None, **_: Any) -> int | None:
        if self.returncode is None and getattr(self, "_child_created", False):
            pid, status = self._try_wait(os.WNOHANG)
            if pid:
                self._handle_exitstatus(status)  # type: ignore[attr-defined]
        return self.returncode

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        """Emulate `os.waitpid`: the server, the parent of the process, sends the status."""
        if wait_flags & os.WNOHANG and not _is_readable(self._status):
            return 0, 0
        status = os.read(self._status, STATUS.size)
        os.close(self._status)
        if not status:
            raise RuntimeError("the fork server has ended")
        return self.pid, STATUS.unpack(status)[0]


class ForkServer:
    """Client side of the server process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._owner = os.getpid()
        with theirs:
            # No streams of the test process: all output belongs to the children and goes to their streams.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.fork_server", str(theirs.fileno())],
                cwd=ROOT,
                env=_ENVIRONMENT,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LONGEST_MESSAGE)
        atexit.register(self.stop)

    def fork(self, request: Request, streams: list[int]) -> tuple[int, int]:
        """Fork a child. Returns its process id and the descriptor that delivers its exit status."""
        ours, theirs = os.pipe()
        try:
            with self._lock:
                socket.send_fds(self._socket, [pickle.dumps(request)], [*streams, theirs])
        finally:
            os.close(theirs)
        pid = os.read(ours, STATUS.size)
        if not pid:
            raise RuntimeError("the fork server has ended")
        return STATUS.unpack(pid)[0], ours

    def stop(self) -> None:
        """Stop the server and its remaining children."""
        if os.getpid() == self._owner:
            self._socket.close()
            self._process.wait()


_servers: list[ForkServer] = []


def _server() -> ForkServer:
    """Return the server of this process; the first call starts it."""
    if not _servers:
        _servers.append(ForkServer())
    return _servers[0]


def _is_readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


# --- the server's process -------------------------------------------------------------------------


def serve(requests: socket.socket) -> None:
    """Fork a child per request and send the exit status of each child, until the socket is closed.

    Children that still run then (of a failed test) are killed.
    """
    poll = select.poll()
    poll.register(requests, select.POLLIN)
    children: dict[int, tuple[int, int]] = {}
    while True:
        for descriptor, _ in poll.poll():
            if descriptor in children:
                pid, status = children.pop(descriptor)
                poll.unregister(descriptor)
                with suppress(BrokenPipeError):  # the test process no longer reads it
                    os.write(status, STATUS.pack(os.waitpid(pid, 0)[1]))
                os.close(descriptor)
                os.close(status)
                continue
            message, descriptors, _, _ = socket.recv_fds(requests, LONGEST_MESSAGE, 8)
            if not message:
                for pid, _ in children.values():
                    os.kill(pid, signal.SIGKILL)
                return
            *streams, status = descriptors
            pid = os.fork()
            if pid == 0:
                _become(pickle.loads(message), streams)
            for stream in streams:
                os.close(stream)
            pidfd = os.pidfd_open(pid)
            children[pidfd] = pid, status
            poll.register(pidfd, select.POLLIN)
            with suppress(BrokenPipeError):
                os.write(status, STATUS.pack(pid))


def _become(request: Request, streams: list[int]) -> NoReturn:
    """Run the command in this forked process."""
    code = 1
    try:
        if request.new_session:
            os.setsid()
        for number, stream in enumerate(_moved_up(streams)):
            os.dup2(stream, number)
        os.closerange(3, 1 << 16)
        os.chdir(request.folder)
        os.environ.clear()
        os.environ.update(request.environment)
        for number in IGNORABLE:
            usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, signal.SIG_IGN if number in request.ignored else usual)
        signal.pthread_sigmask(signal.SIG_SETMASK, request.blocked)
        sys.argv = [str(PROGRAM), *request.words]
        _open_streams()
        _spawn_from(_spares(request.words))
        code = _code_of(lambda: _run_program(request.before))
    except BaseException:
        traceback.print_exc()
    _leave(code)


def _run_program(before: str) -> None:
    import runpy

    exec(before, {})
    runpy.run_path(str(PROGRAM), run_name="__main__")


def _open_streams() -> None:
    """Open Python's standard streams, buffered as in a new process."""
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    for number, name, errors in ((1, "stdout", "strict"), (2, "stderr", "backslashreplace")):
        stream = open(number, "w", encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115
        if number == 2:
            stream.reconfigure(line_buffering=True)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _code_of(run: Callable[[], None]) -> int:
    """Run a program and return its exit code by Python's rules."""
    try:
        run()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        traceback.print_exc()
        sys.stderr.flush()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _leave(code: int) -> NoReturn:
    """Exit as Python does: join threads, run exit handlers, flush the streams."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(ValueError):  # closed
                stream.flush()
    except BaseException:
        traceback.print_exc()
        code = 120  # Python's exit code if a stream cannot be flushed
    os._exit(code)


def _moved_up(descriptors: list[int]) -> list[int]:
    """Duplicate descriptors to high numbers, so that they do not collide with the wanted ones."""
    return [fcntl.fcntl(descriptor, fcntl.F_DUPFD, FIRST_HIGH_DESCRIPTOR) for descriptor in descriptors]


# --- spare processes for `multiprocessing` of a command ------------------------------------------------------


def _spares(words: list[str]) -> list[tuple[int, socket.socket]]:
    """Fork the spare processes that a command with these arguments needs. Each waits for its request."""
    if "--headless" in words and {"timer", "device", "mic", "return"} & set(words):
        count = 1
    else:
        return []
    spares: list[tuple[int, socket.socket]] = []
    for _ in range(count):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            ours.close()
            for _, other in spares:
                other.close()
            _wait_in_spare(theirs)
        theirs.close()
        spares.append((pid, ours))
    return spares


def _wait_in_spare(requests: socket.socket) -> NoReturn:
    """Run the requested code; exit with the command if there is no request."""
    signal.pthread_sigmask(signal.SIG_BLOCK, IGNORABLE)
    message, descriptors, _, _ = socket.recv_fds(requests, LONGEST_MESSAGE, 32)
    if not message:
        os._exit(0)
    code, numbers, blocked = pickle.loads(message)
    for number, descriptor in zip(numbers, _moved_up(list(descriptors)), strict=True):
        os.dup2(descriptor, number)
        os.set_inheritable(number, True)
    for begin, end in pairwise(sorted([2, *numbers, 1 << 16])):
        os.closerange(begin + 1, end)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    sys.argv = ["-c", "--multiprocessing-fork"]
    import torch

    torch.set_num_threads(1)  # the same as OMP_NUM_THREADS=1, which the estimator process sets before it loads torch
    _leave(_code_of(lambda: exec(code, {"__name__": "__main__"})))


def _spawn_from(spares: list[tuple[int, socket.socket]]) -> None:
    """Make `multiprocessing` use a spare, while there is one, instead of executing a new Python."""
    from multiprocessing import util

    execute = util.spawnv_passfds

    def spawn(path: Any, words: list[Any], descriptors: list[int]) -> int:
        if not spares or "--multiprocessing-fork" not in words:
            return int(execute(path, words, descriptors))
        pid, requests = spares.pop(0)
        blocked = [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])]
        numbers = sorted({int(descriptor) for descriptor in descriptors})
        with requests:
            socket.send_fds(requests, [pickle.dumps((words[words.index("-c") + 1], numbers, blocked))], numbers)
        return pid

    util.spawnv_passfds = spawn


# --- imports of the server ---------------------------------------------------------------------------------


WARM_UP_COMMANDS = (
    "run --headless --duration 0.5 --delay-ms 1 --noise-dbfs -60 --csv t.csv --json s.json --plot p.png --record m.wav",
    "match m.wav m.wav --json o.json --plot n.png --record o.wav",
)
"""Commands that trigger everything that is loaded at first use."""


def load() -> None:
    """Import all modules of the command and run them once, to trigger what is loaded at first use.

    PortAudio is excluded, because it queries the devices when it is loaded. No thread may remain: a fork has only one.
    """
    import pkgutil
    import tempfile
    from importlib import import_module

    import torch

    import rtgain
    from tests.demo_cache import cache_demo_source

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for module in pkgutil.walk_packages(rtgain.__path__, "rtgain."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    cache_demo_source()
    handlers = {number: signal.getsignal(number) for number in IGNORABLE}
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        for words in WARM_UP_COMMANDS:
            sys.argv = [str(PROGRAM), *words.split()]
            if code := _code_of(lambda: _run_program("")):
                raise RuntimeError(f"rtgain {words} ends with {code}")
    for number, handler in handlers.items():
        signal.signal(number, handler)
    from multiprocessing import resource_tracker

    resource_tracker._resource_tracker._stop()  # each command starts its own
    torch.set_num_threads(threads)
    if "sounddevice" in sys.modules:
        raise RuntimeError("PortAudio is loaded; children would see the server's devices")
    if threading.active_count() > 1:
        raise RuntimeError(f"threads that a forked child would not have: {threading.enumerate()}")


if __name__ == "__main__":
    import gc

    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    load()
    gc.freeze()  # otherwise garbage collection in a child would copy all loaded pages
    serve(channel)
