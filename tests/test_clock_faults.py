"""Faulty clocks: a device at a wrong sample rate, a system clock set back, a suspended program."""

import ast
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtgain.bench.servers import JackServer
from rtgain.metering.rates import DEVICE_ADVICE, ClockRateMonitor
from tests.commands import ROOT, rows, start_rtgain
from tests.polling import TIMEOUT_S, wait_until

pytestmark = pytest.mark.realtime

RATE = 48_000
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), Path("libfaketimeMT.so.1"))
"""Library of Debian's package libfaketime: gives a program a false time."""

OUTPUTS = ("--csv", "t.csv", "--json", "s.json")


def started(folder: Path, *words: str, **settings: object) -> subprocess.Popen[str]:
    """Headless session in its own process group, which has started to write its CSV."""
    process = start_rtgain("run", "--headless", *OUTPUTS, *words, cwd=folder, start_new_session=True, **settings)
    table = folder / "t.csv"
    wait_until(lambda: process.poll() is not None or (table.exists() and table.read_text().count("\n") > 50))
    return process


def ended(process: subprocess.Popen[str], folder: Path) -> tuple[str, dict[str, float]]:
    """Wait for a successful exit; return standard error and the result."""
    out, errors = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out) == (0, ""), errors
    return errors, json.loads((folder / "s.json").read_text())


# --- a device at the wrong speed ------------------------------------------------------------------


@pytest.fixture
def slow_jack_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[JackServer]:
    """JACK server whose time passes at nine tenths of the speed: nominally 48 kHz, in fact 43.2 kHz.

    Its periods are long, so that a busy machine does not slow it down further.
    """
    with monkeypatch.context() as slow:
        slow.setenv("LD_PRELOAD", str(FAKETIME))
        slow.setenv("FAKETIME", "+0 x0.9")
        server = JackServer(period=4096)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    yield server
    server.stop()


def test_device_at_nine_tenths_of_its_rate_is_reported_as_slow(slow_jack_server: JackServer, tmp_path: Path) -> None:
    process = started(tmp_path, "--clock", "device", "--gain-db", "-12", "--duration", "120")
    assert process.stderr is not None
    line = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=TIMEOUT_S) == ("", "")
    assert process.returncode == 130
    notice = re.fullmatch(
        r"rtgain: The audio clock runs at (\d+) % of the nominal 48000 Hz, too slow; "
        r"choose another device, rate or block\.\n",
        line,
    )
    assert notice, line
    assert 80 <= int(notice[1]) <= 90  # a busy machine is even slower
    assert json.loads((tmp_path / "s.json").read_text())["gain_db"] == pytest.approx(-12, abs=0.01)


def read_notices(
    watch: ClockRateMonitor,
    clock: pytest.MonkeyPatch,
    speed: float,
    seconds: float,
    *,
    at_s: float = 0.0,
    block: int = 64,
) -> list[str]:
    """Notices of a monitor for a device that plays blocks of `block` frames at `speed` times its sample rate."""
    notices = []
    for tick in range(round(seconds / 0.05)):
        now_s = at_s + 0.05 * tick
        clock.setattr(time, "monotonic", lambda now_s=now_s: now_s)
        frames = int(now_s * speed * RATE) // block * block
        if notice := watch.update(frames):
            notices.append(notice)
    return notices


@pytest.mark.parametrize(
    ("speed", "words"),
    [
        (0.5, "50 % of the nominal 48000 Hz, too slow"),
        (0.97, "97 % of the nominal 48000 Hz, too slow"),
        (1.1, "110 % of the nominal 48000 Hz, too fast"),
    ],
)
def test_wrong_clock_rate_is_reported_once(monkeypatch: pytest.MonkeyPatch, speed: float, words: str) -> None:
    (notice,) = read_notices(ClockRateMonitor(RATE, DEVICE_ADVICE), monkeypatch, speed, 60.0)
    assert words in notice


@pytest.mark.parametrize("speed", [0.9998, 1.0, 1.0002])
def test_correct_clock_rate_is_not_reported_with_long_blocks(monkeypatch: pytest.MonkeyPatch, speed: float) -> None:
    assert read_notices(ClockRateMonitor(RATE, DEVICE_ADVICE), monkeypatch, speed, 60.0, block=4096) == []


@pytest.mark.parametrize("pause_s", [0.2, 0.9])
def test_pause_of_the_machine_at_the_end_of_an_interval_is_not_reported(
    monkeypatch: pytest.MonkeyPatch, pause_s: float
) -> None:
    """The clock has not caught up yet when the rate is measured, and catches up in the next interval."""
    watch = ClockRateMonitor(RATE, DEVICE_ADVICE)
    for tick in range(1200):
        now_s = 0.05 * tick
        monkeypatch.setattr(time, "monotonic", lambda now_s=now_s: now_s)
        is_behind = now_s % 10.0 >= 5.0 - pause_s and now_s % 10.0 < 5.05
        assert watch.update(round((now_s - pause_s * is_behind) * RATE)) is None


def test_clock_rate_that_is_wrong_again_is_reported_again(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = ClockRateMonitor(RATE, DEVICE_ADVICE)
    notices = [
        read_notices(watch, monkeypatch, speed, 20.0, at_s=20.0 * part) for part, speed in enumerate((0.5, 1.0, 0.5))
    ]
    assert [len(one) >= 1 for one in notices] == [True, False, True]


# --- a program that is stopped, and goes on -----------------------------------------------------------


@pytest.mark.parametrize("clock", ["offline", "timer", "device"])
def test_suspended_program_resumes_with_all_its_processes(tmp_path: Path, jack_server: JackServer, clock: str) -> None:
    """Ctrl-Z and `fg`, a debugger, a paused virtual machine: no process has hung, and no device was lost."""
    seconds = "3000" if clock == "offline" else "5"
    process = started(tmp_path, "--clock", clock, "--gain-db", "-12", "--duration", seconds)
    os.killpg(process.pid, signal.SIGSTOP)
    threading.Event().wait(7.0 if clock == "timer" else 2.0)  # longer than what is taken for hung, or for lost
    os.killpg(process.pid, signal.SIGCONT)
    if clock == "offline":
        before = (tmp_path / "t.csv").stat().st_size
        wait_until(lambda: (tmp_path / "t.csv").stat().st_size > before + 10_000)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=TIMEOUT_S) == ("", "")
        assert process.returncode == 130
        return
    errors, summary = ended(process, tmp_path)
    assert errors == ""
    assert (summary["frames"], summary["dropped_frames"]) == (5 * RATE, 0)
    assert [float(row["gain_est_db"]) for row in rows(tmp_path / "t.csv")[20:]] == pytest.approx(
        [-12.0] * (len(rows(tmp_path / "t.csv")) - 20), abs=0.01
    )


# --- a system clock that is set back ----------------------------------------------------------------


SHIFTED_CLOCK = """
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long shift(void) { struct stat s; return stat(getenv("SET_BACK"), &s) ? 0 : 3600; }

int clock_gettime(clockid_t id, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, id, now);
    if (!failed && id == CLOCK_REALTIME) now->tv_sec -= shift();
    return failed;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int failed = syscall(SYS_gettimeofday, now, zone);
    if (!failed) now->tv_sec -= shift();
    return failed;
}
time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
"""
"""System clock that is an hour back as soon as the file $SET_BACK exists. (libfaketime breaks `clock_nanosleep`.)"""


def test_system_clock_set_back_by_an_hour_has_no_effect(tmp_path: Path) -> None:
    library, set_back = tmp_path / "shifted.so", tmp_path / "set back"
    build = ["gcc", "-shared", "-fPIC", "-o", library, "-x", "c", "-"]
    subprocess.run(build, input=SHIFTED_CLOCK, text=True, check=True)
    environment = {**os.environ, "LD_PRELOAD": str(library), "SET_BACK": str(set_back)}
    words = ("--clock", "timer", "--gain-db", "-12", "--duration", "4")
    process = started(tmp_path, *words, env=environment)
    set_back.touch()
    errors, summary = ended(process, tmp_path)  # unless it waits for the hour to pass again
    assert errors == ""
    assert (summary["frames"], summary["dropped_frames"]) == (4 * RATE, 0)
    assert 4 / TIMEOUT_S < summary["realtime_factor"] < 1.1
    assert summary["gain_db"] == pytest.approx(-12, abs=0.01)
    process = subprocess.run(["date", "+%s"], env=environment, capture_output=True, text=True, check=True)
    assert time.time() - float(process.stdout) == pytest.approx(3600, abs=60), "the clock was not set back"


WALL_CLOCKS = {("time", "time"), ("time", "time_ns"), ("time", "localtime"), ("datetime", "now"), ("datetime", "today")}


def test_no_module_reads_the_system_clock() -> None:
    read = []
    for room in ("rtgain", "gui"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    if (node.value.id, node.attr) in WALL_CLOCKS:
                        read.append(f"{path.name}, line {node.lineno}")
                elif isinstance(node, ast.ImportFrom) and node.module in ("time", "datetime"):
                    read.append(f"{path.name}, line {node.lineno}: import the module")
    assert read == []
