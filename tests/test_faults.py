"""Interrupted, killed, unplugged: outputs are complete up to that moment, and no process remains."""

import json
import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from rtgain.bench.servers import JackServer
from rtgain.output.csv_writer import CSV_COLUMNS
from rtgain.system.shutdown_signals import SHUTDOWN_SIGNALS, InterruptHandler
from tests.commands import rows, rtgain, start_rtgain
from tests.polling import TIMEOUT_S, wait_until
from tests.processes import descendants

RATE = 48_000


class Running:
    """Session in its own process that writes a CSV, a JSON and a recording."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.table, self.summary, self.recording = folder / "t.csv", folder / "s.json", folder / "m.wav"
        outputs = ("--csv", self.table, "--json", self.summary, "--record", self.recording)
        self.process = start_rtgain(
            *("run", "--headless", "--duration", "3000", *words, *outputs),
            start_new_session=True,  # a group of its own, as a shell gives to a command
        )

    def wait_for_rows(self) -> None:
        """Wait until it has written the rows of one second."""
        wait_until(lambda: self.process.poll() is not None or self._row_count() > 50)
        assert self.process.poll() is None, self.process.communicate()
        self.memory = self._memory()
        self.children = [os.pidfd_open(child) for child in descendants(self.process.pid)]

    def end(self) -> tuple[int, str]:
        """Wait until it and its descendants have exited; return the exit code and standard error."""
        out, errors = self.process.communicate(timeout=TIMEOUT_S)
        assert out == ""
        for pidfd in self.children:
            ended, _, _ = select.select([pidfd], [], [], TIMEOUT_S)
            os.close(pidfd)
            assert ended, "a child of the command goes on running"
        return self.process.returncode, errors

    def _row_count(self) -> int:
        return self.table.read_text().count("\n") if self.table.exists() else 0

    def _memory(self) -> list[Path]:
        maps = Path(f"/proc/{self.process.pid}/maps").read_text().splitlines()
        return sorted({Path(line.split()[-1]) for line in maps if "/dev/shm/rtgain-" in line})


ENDS = ("Ctrl-C", "SIGTERM", "SIGTERM to all", "SIGHUP", "SIGKILL")


@pytest.fixture(scope="module")
def all_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Running]]:
    """One session per kind of end, started at the same time because importing torch takes longest."""
    words = ("--clock", "timer", "--gain-db", "-12")
    hangup = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup they would inherit that it is ignored
    sessions = {end: Running(tmp_path_factory.mktemp("running"), *words) for end in ENDS}
    signal.signal(signal.SIGHUP, hangup)
    yield sessions
    for session in sessions.values():
        if session.process.poll() is None:
            os.killpg(session.process.pid, signal.SIGKILL)
            session.process.communicate()


@pytest.fixture
def running(all_running: dict[str, Running], end: str) -> Running:
    session = all_running[end]
    session.wait_for_rows()
    assert len(session.memory) == 1
    assert len(session.children) == 3  # the fork server, the estimator, and what removes shared memory after a crash
    return session


def assert_whole(table: Path) -> list[dict[str, str]]:
    """Parse and return all rows."""
    assert table.read_bytes().endswith(b"\n")
    parsed = rows(table)
    assert parsed
    for row in parsed:
        assert tuple(row) == CSV_COLUMNS
        assert None not in row.values()
        assert float(row["gain_est_db"]) == pytest.approx(-12, abs=0.1)
        assert int(row["polarity"]) in (-1, 0, 1)
    return parsed


@pytest.mark.parametrize("end", ["Ctrl-C", "SIGTERM", "SIGTERM to all", "SIGHUP"])
def test_interrupted_run_has_written_everything_up_to_the_interruption(running: Running, end: str) -> None:
    if end == "Ctrl-C":
        os.killpg(running.process.pid, signal.SIGINT)  # a terminal sends it to the children as well
    elif end == "SIGTERM to all":
        os.killpg(running.process.pid, signal.SIGTERM)  # as `timeout` does
    else:
        running.process.send_signal(signal.Signals[end])
    code = {"Ctrl-C": 130, "SIGTERM": 143, "SIGTERM to all": 143, "SIGHUP": 129}[end]
    assert running.end() == (code, "")
    table = assert_whole(running.table)
    summary = json.loads(running.summary.read_text())
    assert summary["estimates"] == len(table) > 50
    assert summary["gain_db"] == pytest.approx(-12, abs=0.01)
    assert 1 < summary["duration_s"] < 3000
    sound, rate = soundfile.read(running.recording)
    assert (rate, len(sound)) == (RATE, summary["frames"])
    assert abs(sound).max() > 0.01
    # All that was played has been estimated: the last window ends less than a hop before the end.
    assert summary["frames"] - (float(table[-1]["time_s"]) * RATE + 2048) < 1024
    assert not running.memory[0].exists()


@pytest.mark.parametrize("end", ["SIGKILL"])
def test_killed_run_leaves_complete_rows_a_recording_and_no_process(running: Running) -> None:
    wait_until(lambda: soundfile.info(running.recording).frames >= RATE)  # the header is updated once per second
    running.process.kill()
    code, _ = running.end()
    assert code == -signal.SIGKILL
    assert len(assert_whole(running.table)) > 50
    assert not running.summary.exists()
    assert soundfile.info(running.recording).frames >= RATE  # to the last second
    assert not running.memory[0].exists()


@pytest.fixture
def _signals_as_before() -> Iterator[None]:
    handlers = {number: signal.getsignal(number) for number in SHUTDOWN_SIGNALS}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_signals_as_before")
def test_first_interruption_is_a_request_and_second_ctrl_c_exits() -> None:
    interruption = InterruptHandler()
    assert (interruption.requested, interruption.exit_code) == (False, 0)
    signal.raise_signal(signal.SIGTERM)
    assert interruption.requested
    signal.raise_signal(signal.SIGTERM)  # once more, as impatient service managers do: it is already ending
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert interruption.exit_code == 143


def test_lost_device_is_named_and_outputs_are_complete_up_to_the_loss(
    tmp_path: Path, own_jack_server: JackServer
) -> None:
    session = Running(tmp_path, "--clock", "device", "--gain-db", "-12")
    session.wait_for_rows()
    own_jack_server.kill()
    code, errors = session.end()
    assert code == 3
    assert errors == (
        "rtgain: system (JACK Audio Connection Kit): stopped at 48000 Hz (device unplugged or audio server stopped); "
        "reconnect it and start again\n"
    )
    table = assert_whole(session.table)
    summary = json.loads(session.summary.read_text())
    assert summary["estimates"] == len(table)
    assert soundfile.info(session.recording).frames == summary["frames"] >= RATE
    assert not session.memory[0].exists()


INTERRUPTED_BEFORE_START = """
import os, signal
from rtgain.session.session import Session
start = Session.start
def interrupted_start(session, *arguments, **options):
    os.kill(os.getpid(), signal.SIGINT)
    start(session, *arguments, **options)
Session.start = interrupted_start
"""
"""Code that sends Ctrl-C in the seconds in which torch is imported: the CSV already has its header."""


@pytest.mark.parametrize("clock", ["offline", "timer"])
def test_run_that_is_interrupted_before_its_start_ends_normally(tmp_path: Path, clock: str) -> None:
    table, summary = tmp_path / "t.csv", tmp_path / "s.json"
    words = ("run", "--headless", "--clock", clock, "--duration", "60", "--csv", table, "--json", summary)
    ran = rtgain(*words, before=INTERRUPTED_BEFORE_START)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "")
    assert rows(table) == []
    assert table.read_text().count("\n") == 1
    assert json.loads(summary.read_text())["state"] == "waiting"
    assert json.loads(summary.read_text())["gain_db"] is None
