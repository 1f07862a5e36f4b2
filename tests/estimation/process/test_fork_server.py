"""Fork server with children that need no torch: forks, exits and kills."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from types import SimpleNamespace

import pytest

from rtgain.estimation.process.fork_server import ForkServer, WorkerProcess
from rtgain.system.shutdown_signals import SHUTDOWN_SIGNALS
from tests.polling import TIMEOUT_S


def preload() -> None:
    """Set a variable that every child inherits."""
    os.environ["RTGAIN_LOADED"] = str(os.getpid())


def preload_forever() -> None:
    threading.Event().wait()


def echo(connection: Connection) -> None:
    """Send the IDs of the preloaded process, the parent and itself, then echo messages until "end" or "raise"."""
    connection.send((int(os.environ["RTGAIN_LOADED"]), os.getppid(), os.getpid()))
    while (message := connection.recv()) != "end":
        if message == "raise":
            raise ValueError("raised on request")
        connection.send(message)


def send_blocked_signals(connection: Connection) -> None:
    connection.send(signal.pthread_sigmask(signal.SIG_BLOCK, ()))


@pytest.fixture
def server() -> Iterator[ForkServer]:
    server = ForkServer(f"{__name__}:echo", f"{__name__}:preload")
    yield server
    server.kill()


def start_child(server: ForkServer) -> tuple[WorkerProcess, Connection]:
    parent_end, child_end = multiprocessing.Pipe()
    child = server.start(child_end)
    child_end.close()
    return child, parent_end


def test_children_are_forked_from_one_preloaded_process(server: ForkServer) -> None:
    (first, to_first), (second, to_second) = start_child(server), start_child(server)
    reports = [to_first.recv(), to_second.recv()]
    assert [pid for _, _, pid in reports] == [first.pid, second.pid]
    assert {loader for loader, _, _ in reports} == {parent for _, parent, _ in reports}
    assert len({pid for each in reports for pid in each}) == 3
    assert os.getpid() not in reports[0]
    assert first.is_alive()

    to_first.send("end")
    first.join(timeout=TIMEOUT_S)
    assert not first.is_alive()
    assert second.is_alive()
    second.kill()
    second.join(timeout=TIMEOUT_S)
    assert not second.is_alive()
    with pytest.raises(EOFError):
        to_second.recv()


def test_loading_starts_the_server_that_forks_the_first_child(server: ForkServer) -> None:
    server.load()
    loaded = [process.pid for process in multiprocessing.active_children()]
    server.load()
    _, connection = start_child(server)
    loader, parent, _ = connection.recv()
    assert loader == parent
    assert loader in loaded
    connection.send("end")


def test_shutdown_signals_are_blocked_in_children_of_the_first_server_of_a_program() -> None:
    """Multiprocessing starts its resource tracker with the first process, and unblocks signals by that."""
    program = f"""
import multiprocessing, signal
signal.pthread_sigmask(signal.SIG_SETMASK, ())  # a sound library in the test process may block SIGPIPE
from rtgain.estimation.process.fork_server import ForkServer
server = ForkServer("{__name__}:send_blocked_signals", "{__name__}:preload")
server.load()
parent_end, child_end = multiprocessing.Pipe()
child = server.start(child_end)
child_end.close()
print(sorted(parent_end.recv()))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=TIMEOUT_S)
    assert (ran.stdout, ran.stderr) == (f"{sorted(SHUTDOWN_SIGNALS)}\n", "")


def test_child_killed_before_its_start_never_starts() -> None:
    server = ForkServer(f"{__name__}:echo", f"{__name__}:preload_forever")
    child, connection = start_child(server)
    assert child.is_alive()
    child.kill()
    assert not child.is_alive()
    assert child.pid is None
    with pytest.raises(EOFError):
        connection.recv()


def test_children_outlive_a_killed_server_and_it_restarts(server: ForkServer) -> None:
    child, connection = start_child(server)
    loader, _, _ = connection.recv()
    os.kill(loader, signal.SIGKILL)
    os.waitid(os.P_PID, loader, os.WEXITED | os.WNOWAIT)
    connection.send("still there")
    assert connection.recv() == "still there"
    _, to_next = start_child(server)
    assert to_next.recv()[0] != loader
    child.kill()
    child.join(timeout=TIMEOUT_S)
    assert not child.is_alive()


def test_exception_in_a_child_is_printed_and_ends_it_alone(
    server: ForkServer, capfd: pytest.CaptureFixture[str]
) -> None:
    child, connection = start_child(server)
    _, other = start_child(server)
    connection.send("raise")
    child.join(timeout=TIMEOUT_S)
    assert not child.is_alive()
    assert "ValueError: raised on request" in capfd.readouterr().err
    other.recv()
    other.send("still there")
    assert other.recv() == "still there"


def test_without_fork_each_child_preloads_itself(server: ForkServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtgain.estimation.process.fork_server.sys", SimpleNamespace(platform="darwin"))
    (first, to_first), (second, to_second) = start_child(server), start_child(server)
    assert to_first.recv() == (first.pid, os.getpid(), first.pid)
    assert to_second.recv() == (second.pid, os.getpid(), second.pid)
    to_first.send("end")
    first.join(timeout=TIMEOUT_S)
    assert not first.is_alive()
    second.kill()
    second.join(timeout=TIMEOUT_S)
    assert not second.is_alive()
