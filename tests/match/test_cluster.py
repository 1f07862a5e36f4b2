"""Batch matching on a Dask cluster: a real scheduler, and two real worker processes."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import suppress
from pathlib import Path
from typing import Any

import distributed
import pytest

from rtgain.cli.main import main
from rtgain.errors import InputError
from rtgain.match import cluster as cluster_module
from rtgain.match.cluster import ClusterWorkers
from rtgain.match.manifest import Results
from rtgain.match.pair_process import PairProcesses
from tests.commands import rows
from tests.match.batches import crashing_environment, manifest, run
from tests.match.recordings import demo, write
from tests.polling import TIMEOUT_S, wait_until

pytestmark = pytest.mark.usefixtures("restored_signal_handlers")


def free_port() -> int:
    """A free port below those that the system gives to other programs until the scheduler takes it."""
    for port in range(15_000 + os.getpid() % 15_000, 32_000):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise RuntimeError("no port is free")


class Cluster:
    """Scheduler and workers on this machine, in processes of their own."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._port = free_port()
        self.address = f"tcp://127.0.0.1:{self._port}"
        self.workers: list[subprocess.Popen[bytes]] = []

    def start(self, workers: int) -> None:
        """Start a scheduler and `workers`, and wait until they are connected."""
        self.scheduler = self._dask("scheduler", "--host", "127.0.0.1", "--port", str(self._port))
        self.workers = [
            self._dask("worker", self.address, "--no-nanny", "--nthreads", "1", "--death-timeout", f"{TIMEOUT_S}")
            for _ in range(workers)
        ]
        with distributed.Client(self.address, timeout=TIMEOUT_S, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=TIMEOUT_S)

    def stop(self) -> None:
        """Kill all processes."""
        for process in (self.scheduler, *self.workers):
            process.kill()
            process.wait()

    def _dask(self, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", *words, "--no-dashboard"]
        return subprocess.Popen(command, env=self._environment, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shared")
    music = demo(0.2)
    write(path / "dry.wav", music)
    for number in (1, 2, 3):
        write(path / f"t{number}.wav", music * 10 ** (-number / 20))
    (path / "crash.wav").touch()
    return path


@pytest.fixture(scope="module")
def cluster(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    environment = crashing_environment(tmp_path_factory.mktemp("site"))
    with pytest.MonkeyPatch.context() as patch:  # for the local run
        patch.setenv("PYTHONPATH", environment["PYTHONPATH"])
        PairProcesses.stop_idle()
        cluster = Cluster(environment)
        cluster.start(2)
        yield cluster
        cluster.stop()
        PairProcesses.stop_idle()


def after_rows(monkeypatch: pytest.MonkeyPatch, count: int, action: Callable[[], object]) -> None:
    """Call `action` as soon as the results of the next run have `count` rows."""
    append, appended = Results.append, itertools.count(1)

    def append_and_act(results: Results, row: dict[str, Any]) -> None:
        append(results, row)
        if next(appended) == count:
            action()

    monkeypatch.setattr(Results, "append", append_and_act)


def test_cluster_gives_the_rows_of_a_local_run_in_order(capsys, cluster, folder, thorough):
    """Also after a pair that kills its process three times, and one that does not exist."""
    targets = [f"t{1 + number % 3}.wav" for number in range(198 if thorough else 18)]
    path = manifest(folder, *targets[:4], "crash.wav", *targets[4:7], "none.wav", *targets[7:])
    local = run(capsys, path, "--jobs", "2", results=folder / "local.csv")
    (folder / "crashes").unlink()
    remote = run(capsys, path, "--cluster", cluster.address, results=folder / "remote.csv")
    assert remote[0] == local[0] == 2
    assert remote[1].replace("remote", "local") == local[1]
    assert remote[2] == local[2]
    assert [row["target"] for row in remote[2] if row["error"]] == ["crash.wav", "none.wav"]
    assert (folder / "crashes").read_text() == "xxx"


def test_ctrl_c_leaves_complete_rows_and_the_run_is_resumed(capsys, cluster, folder, tmp_path, monkeypatch):
    path = manifest(folder, *(f"t{1 + number % 3}.wav" for number in range(60)))
    results = tmp_path / "results.csv"
    after_rows(monkeypatch, 2, lambda: os.kill(os.getpid(), signal.SIGINT))
    code, errors, first = run(capsys, path, "--cluster", cluster.address, results=results)
    assert (code, errors) == (130, "")
    assert 2 <= len(first) < 60
    manifest(folder, *(f"t{1 + number % 3}.wav" for number in range(len(first) + 4)))
    code, errors, resumed = run(capsys, path, "--cluster", cluster.address, results=results)
    assert (code, errors) == (0, "")
    assert [row["id"] for row in resumed] == [str(number) for number in range(len(first) + 4)]
    assert resumed[: len(first)] == first


def test_workers_without_the_folder_or_with_other_versions_are_named_in_one_line(
    capsys, cluster, folder, tmp_path, monkeypatch
):
    with ClusterWorkers(cluster.address, pytest.fail) as workers:
        wait_until(lambda: workers.capacity() == 2)  # a test before this one may have killed one
        (tmp_path / "not mounted").mkdir()
        for name in ("none", "not mounted"):
            future = workers.submit(str(tmp_path / name), "dry.wav", "t1.wav")
            wait([future], TIMEOUT_S)
            with pytest.raises(InputError, match=rf"{name}: is missing or empty on the worker .*; mount the folder of"):
                workers.outcome(future)
    path, results = manifest(folder, "t1.wav"), tmp_path / "r.csv"
    words = ("--cluster", cluster.address)
    monkeypatch.setattr(cluster_module, "__version__", "9.9")
    code, errors, written = run(capsys, path, *words, results=results)
    assert (code, errors.count("\n"), written) == (2, 1, [])
    assert "and this machine has 9.9; install the same version on all machines" in errors
    get_versions = distributed.Client.get_versions

    def with_version(machine: str, package: str, version: str | None) -> Callable[..., Any]:
        def other_versions(client: distributed.Client, *, packages: Sequence[str]) -> Any:
            versions = get_versions(client, packages=packages)
            details = {"the scheduler": versions["scheduler"], "the worker": next(iter(versions["workers"].values()))}
            details[machine]["packages"][package] = version
            return versions

        return other_versions

    for change, message in (
        (("the scheduler", "dask", "2020.1"), "the scheduler has dask 2020.1, and this machine has "),
        (("the worker", "rtgain", None), " has rtgain not installed, and this machine has "),
    ):
        monkeypatch.setattr(distributed.Client, "get_versions", with_version(*change))
        code, errors, written = run(capsys, path, *words, results=results)
        assert (code, errors.count("\n"), written) == (2, 1, [])
        assert message in errors


def test_program_that_accepts_and_never_answers_is_not_waited_for(capsys, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster_module, "CONNECT_TIMEOUT_S", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the system completes the connection
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        code, errors, written = run(
            capsys, manifest(folder, "t1.wav"), "--cluster", address, results=tmp_path / "r.csv"
        )
    assert (code, errors.count("\n"), written) == (2, 1, [])
    assert "no Dask scheduler answers (no answer within 3 s)" in errors


def test_program_that_answers_in_another_protocol_is_named_in_one_line(capsys, folder, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with suppress(OSError):  # closed at the end of the test
                while True:
                    server.accept()[0].sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        words = ("--cluster", address)
        code, errors, written = run(capsys, manifest(folder, "t1.wav"), *words, results=tmp_path / "r.csv")
    assert (code, errors.count("\n"), written) == (2, 1, [])
    assert "no Dask scheduler answers (another program does)" in errors


def test_pairs_of_a_killed_worker_are_matched_by_another(capsys, cluster, folder, tmp_path, monkeypatch):
    path = manifest(folder, *(f"t{1 + number % 3}.wav" for number in range(10)))
    results = tmp_path / "results.csv"
    after_rows(monkeypatch, 2, cluster.workers[0].kill)
    code, errors, matched = run(capsys, path, "--cluster", cluster.address, results=results)
    assert (code, errors) == (0, "")
    assert [row["id"] for row in matched] == [str(number) for number in range(10)]
    assert {row["state"] for row in matched} == {"tracking"}


def test_lost_scheduler_ends_the_run_with_complete_rows_and_it_is_resumed(
    capsys, cluster, folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(cluster_module, "CONNECT_TIMEOUT_S", 2)
    path = manifest(folder, *(f"t{1 + number % 3}.wav" for number in range(60)))
    results = tmp_path / "results.csv"
    after_rows(monkeypatch, 2, cluster.scheduler.kill)
    code, errors, first = run(capsys, path, "--cluster", cluster.address, results=results)
    assert (code, errors.count("\n")) == (2, 1)
    assert "the connection to the scheduler was lost" in errors
    assert "all finished rows are written; run the same command again" in errors
    assert 2 <= len(first) < 60
    cluster.stop()
    code, errors, again = run(capsys, path, "--cluster", cluster.address, results=results)
    assert (code, again) == (2, first)
    assert "no Dask scheduler answers" in errors
    cluster.start(1)
    manifest(folder, *(f"t{1 + number % 3}.wav" for number in range(len(first) + 2)))
    code, errors, resumed = run(capsys, path, "--cluster", cluster.address, results=results)
    assert (code, errors) == (0, "")
    assert resumed[: len(first)] == first
    assert len(resumed) == len(rows(results)) == len(first) + 2


def test_cluster_without_dask_is_refused_with_the_command_to_install_it(capsys, folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    words = ["--manifest", str(manifest(folder, "t1.wav")), "--csv", str(tmp_path / "r.csv"), "--cluster", "tcp://x:1"]
    assert main(["match", *words]) == 2
    assert capsys.readouterr().err == (
        'rtgain: --cluster: the package distributed is not installed; install it with: pip install "rtgain[cluster]"\n'
    )
