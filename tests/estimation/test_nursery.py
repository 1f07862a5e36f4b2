"""The nursery, with work that needs no torch: who is forked when, what is left when somebody is killed."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from types import SimpleNamespace

import pytest

from rtgain.estimation.nursery import Child, Nursery
from tests.waiting import PATIENCE_S


def load() -> None:
    """Set what a child has when it is born."""
    os.environ["RTGAIN_LOADED"] = str(os.getpid())


def load_forever() -> None:
    threading.Event().wait()


def echo(connection: Connection) -> None:
    """Say who loaded and who forked, then each message back, until "end" or "raise"."""
    connection.send((int(os.environ["RTGAIN_LOADED"]), os.getppid(), os.getpid()))
    while (message := connection.recv()) != "end":
        if message == "raise":
            raise ValueError("so it was wanted")
        connection.send(message)


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    nursery = Nursery(echo, load)
    yield nursery
    nursery.kill()


def born(nursery: Nursery) -> tuple[Child, Connection]:
    ours, theirs = multiprocessing.Pipe()
    child = nursery.start(theirs)
    theirs.close()
    return child, ours


def test_children_are_forked_from_one_process_that_has_loaded(nursery: Nursery) -> None:
    (first, to_first), (second, to_second) = born(nursery), born(nursery)
    said = [to_first.recv(), to_second.recv()]
    assert [pid for _, _, pid in said] == [first.pid, second.pid]
    assert {loader for loader, _, _ in said} == {parent for _, parent, _ in said}
    assert len({pid for each in said for pid in each}) == 3
    assert os.getpid() not in said[0]
    assert first.is_alive()

    to_first.send("end")
    first.join(timeout=PATIENCE_S)
    assert not first.is_alive()
    assert second.is_alive()
    second.kill()
    second.join(timeout=PATIENCE_S)
    assert not second.is_alive()
    with pytest.raises(EOFError):
        to_second.recv()


def test_a_child_that_is_killed_before_it_is_born_never_is() -> None:
    nursery = Nursery(echo, load_forever)
    child, connection = born(nursery)
    assert child.is_alive()
    child.kill()
    assert not child.is_alive()
    assert child.pid is None
    with pytest.raises(EOFError):
        connection.recv()


def test_children_outlive_a_nursery_that_is_killed_and_another_one_follows(nursery: Nursery) -> None:
    child, connection = born(nursery)
    loader, _, _ = connection.recv()
    os.kill(loader, signal.SIGKILL)
    os.waitid(os.P_PID, loader, os.WEXITED | os.WNOWAIT)
    connection.send("still there")
    assert connection.recv() == "still there"
    _, to_next = born(nursery)
    assert to_next.recv()[0] != loader
    child.kill()
    child.join(timeout=PATIENCE_S)
    assert not child.is_alive()


def test_what_a_child_raises_is_shown_and_ends_it_alone(nursery: Nursery, capfd: pytest.CaptureFixture[str]) -> None:
    child, connection = born(nursery)
    _, other = born(nursery)
    connection.send("raise")
    child.join(timeout=PATIENCE_S)
    assert not child.is_alive()
    assert "ValueError: so it was wanted" in capfd.readouterr().err
    other.recv()
    other.send("still there")
    assert other.recv() == "still there"


def test_where_nothing_can_be_forked_each_child_loads_itself(nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtgain.estimation.nursery.sys", SimpleNamespace(platform="darwin"))
    (first, to_first), (second, to_second) = born(nursery), born(nursery)
    assert to_first.recv() == (first.pid, os.getpid(), first.pid)
    assert to_second.recv() == (second.pid, os.getpid(), second.pid)
    to_first.send("end")
    first.join(timeout=PATIENCE_S)
    assert not first.is_alive()
    second.kill()
    second.join(timeout=PATIENCE_S)
    assert not second.is_alive()
