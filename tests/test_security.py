"""Attack surface: sockets, code in data, guessable names, unbounded requirements."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from rtgain.audio.jit import cache_directory
from rtgain.bench.servers import JackServer
from tests.commands import ROOT, start_rtgain
from tests.polling import TIMEOUT_S, wait_until

ROOMS = ("rtgain", "gui", "main.py")
ACCEPTS = 0x10000
"""Flag of a listening Unix socket."""


def trees() -> Iterator[tuple[Path, ast.AST]]:
    """Parsed source files of the product."""
    paths = [path for room in ROOMS for path in sorted([ROOT / room, *(ROOT / room).rglob("*.py")]) if path.is_file()]
    assert len(paths) > 50
    for path in paths:
        yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


# --- doors ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sockets:
    """Open sockets of a process group: internet addresses, and names of listening Unix sockets."""

    internet: list[str]
    listening: list[str]


def group_of(leader: int) -> list[int]:
    """Process ids of a process group."""
    members = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # ended meanwhile
            continue
        if int(fields[2]) == leader:
            members.append(int(path.parent.name))
    return members


def open_files_of(pid: int) -> list[str]:
    """Targets of the descriptors of a process; empty if it has exited, as the device list process soon does."""
    targets = []
    with suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                targets.append(str(descriptor.readlink()))
    return targets


def has_torch(pid: int) -> bool:
    """True if a process has loaded torch; False if it has exited."""
    try:
        return "/libtorch_cpu.so" in Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return False


def sockets_of(pids: list[int]) -> Sockets:
    """All internet sockets, and all listening Unix sockets, by inode."""
    inodes = set()
    for pid in pids:
        for target in open_files_of(pid):
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    internet, listening = [], []
    for table in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes:
                internet.append(f"{table} {fields[1]}")
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[6] in inodes and int(fields[3], 16) & ACCEPTS:
            listening.append(fields[7] if len(fields) > 7 else "unnamed")
    return Sockets(internet, listening)


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Commands of a test, each in its own process group; the fixture ends those that still run."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.terminate()
        process.communicate(timeout=TIMEOUT_S)


def estimating(process: subprocess.Popen[str]) -> list[int]:
    """Process group of a live session, once its estimator works."""

    def is_at_work() -> bool:
        assert process.poll() is None, process.communicate()
        return sum(map(has_torch, group_of(process.pid))) == 2  # the fork server, and the estimator forked from it

    wait_until(is_at_work)
    return group_of(process.pid)


def test_headless_session_opens_no_sockets_or_connections(started: list[subprocess.Popen[str]]) -> None:
    started.append(start_rtgain("run", "--headless", "--clock", "timer", start_new_session=True, fresh=True))
    members = estimating(started[0])
    assert len(members) >= 2  # the session, and its estimator
    assert sockets_of(members) == Sockets([], [])


def test_gui_opens_no_sockets_or_connections(started: list[subprocess.Popen[str]], x_display: str) -> None:
    started.append(start_rtgain("--clock", "timer", start_new_session=True, fresh=True))
    members = estimating(started[0])
    assert sockets_of(members) == Sockets([], [])


def test_on_a_jack_server_only_the_jack_library_opens_sockets(
    started: list[subprocess.Popen[str]], jack_server: JackServer
) -> None:
    """The library receives the server's notices on a Unix socket, which other machines cannot reach."""
    started.append(start_rtgain("run", "--headless", "--clock", "device", start_new_session=True, fresh=True))
    members = estimating(started[0])
    sockets = sockets_of(members)
    assert sockets.internet == []
    assert [name for name in sockets.listening if "jack_" not in name] == []


def test_open_socket_is_detected() -> None:
    code = (
        "import socket, sys\n"
        "tcp, unix = socket.create_server(('127.0.0.1', 0)), socket.socket(socket.AF_UNIX)\n"
        "unix.bind('\\0rtgain-test'); unix.listen()\n"
        "print(flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        sockets = sockets_of([process.pid])
        process.kill()
    assert [name.split()[0] for name in sockets.internet] == ["tcp"]
    assert sockets.listening == ["@rtgain-test"]


def test_no_network_module_is_imported() -> None:
    network = {"socket", "ssl", "http", "urllib", "ftplib", "smtplib", "xmlrpc", "asyncio", "requests", "webbrowser"}
    found = []
    for path, tree in trees():
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path}: {name}" for name in names if name.split(".")[0] in network or "QtNetwork" in name]
    assert found == []


# --- data is never code ------------------------------------------------------------------------------

LOADERS = {
    "pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml", "code", "runpy",
}  # fmt: skip
CALLS = {"eval", "exec", "compile", "__import__"}
METHODS = {("torch", "load"), ("np", "load"), ("numpy", "load"), ("jit", "load"), ("np", "fromfile")}
SHELLS = {("os", "system"), ("os", "popen")}


def test_no_module_unpickles_data_or_executes_text() -> None:
    found = []
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found += [f"{path}: import {alias.name}" for alias in node.names if alias.name.split(".")[0] in LOADERS]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in LOADERS:
                found.append(f"{path}: from {node.module}")
            elif isinstance(node, ast.Call):
                function = node.func
                if isinstance(function, ast.Name) and function.id in CALLS:
                    found.append(f"{path}, line {node.lineno}: {function.id}")
                if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
                    call = function.value.id, function.attr
                    if call in METHODS | SHELLS:
                        found.append(f"{path}, line {node.lineno}: {'.'.join(call)}")
                if any(keyword.arg in ("allow_pickle", "shell") for keyword in node.keywords):
                    found.append(f"{path}, line {node.lineno}: allow_pickle or shell")
    assert found == []


def test_pickled_compiler_cache_is_writable_only_by_its_owner() -> None:
    """numba pickles compiled code. A user who could write there could also change the sources next to it."""
    folder = cache_directory()
    here = ROOT / "rtgain" / "audio"
    assert folder.is_relative_to(here) or folder.is_relative_to(Path.home())
    for directory in (folder, folder.parent):
        status = directory.stat()
        assert status.st_uid in (os.geteuid(), here.stat().st_uid)
        assert status.st_mode & 0o002 == 0, f"writable by everyone: {directory}"


# --- what it stands on ---------------------------------------------------------------------------------


def test_every_requirement_has_two_bounds_and_a_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    wanted = tomllib.loads(text)["project"]["dependencies"]
    block = text[text.index("dependencies = [") : text.index("[project.optional-dependencies]")]
    reasons = dict(re.findall(r'^ +"([^"]+)",(.*)$', block, re.MULTILINE))
    assert set(reasons) == set(wanted)
    for requirement, reason in reasons.items():
        if requirement.startswith("PySide6"):  # its reasons take three lines, above
            assert "# 6.8 has no" in block
            assert re.search(r">=\d", requirement)
        else:
            assert re.search(r">=\d.*,<\d", requirement), requirement
            assert re.search(r"# run with \d", reason), f"{requirement}: with what was it run?"
