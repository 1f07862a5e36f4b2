"""``rtgain bench callback``: a real run of each kind, the stopwatch, and errors."""

import ctypes
import threading

import pytest

from rtgain.bench import callback as bench
from rtgain.bench.callback_process import C_CALLBACK, Stopwatch
from rtgain.cli.main import main
from rtgain.errors import InputError

pytestmark = pytest.mark.realtime

COLUMNS = {
    "callback", "block", "blocks", "xruns", "callback_us_median", "callback_us_p999", "callback_us_max",
    "frames_per_second", "steps_per_second", "window_fps",
}  # fmt: skip
"""Columns of the table that are documented."""


@pytest.mark.parametrize(("name", "load"), [("compiled", "cpu"), ("python-thread", "eq")])
def test_row_holds_the_measurements_of_a_gui_run(name: str, load: str) -> None:
    row = bench.measure_run(name, 256, load, 1.0)
    assert set(row) >= COLUMNS
    assert (row["callback"], row["block"], row["load"]) == (name, 256, load)
    assert row["blocks"] > 0
    assert 0.0 < row["callback_us_median"] <= row["callback_us_p999"] <= row["callback_us_max"]
    assert row["frames_per_second"] > 0.0
    assert (row["steps_per_second"] > 0.0) == (load != "eq")  # the gain behind filters has a closed form
    assert row["window_fps"] > 0.0


def test_stopwatch_measures_a_callback_and_passes_its_arguments() -> None:
    received = []
    never = threading.Event()

    @ctypes.CFUNCTYPE(*C_CALLBACK)
    def slow(*arguments: int) -> int:
        received.append(arguments)
        never.wait(0.02)
        return 7

    stopwatch = Stopwatch(ctypes.cast(slow, ctypes.c_void_p).value or 0, capacity=2)
    timed = ctypes.CFUNCTYPE(*C_CALLBACK)(stopwatch.address)
    assert [timed(1, 2, 3, 4, 5, 6) for _ in range(3)] == [7, 7, 7]
    assert received == 3 * [(1, 2, 3, 4, 5, 6)]
    assert stopwatch.calls == 3
    assert min(stopwatch.durations_us(0, 2)) >= 20_000


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "")
    assert main(["bench", "callback"]) == 2
    assert "jackd2, stress-ng, xvfb" in capsys.readouterr().err


def test_duration_of_zero_is_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "callback", "--duration", "0"]) == 2
    assert "--duration must be greater than 0" in capsys.readouterr().err


def test_duration_is_rejected_for_other_benchmarks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "accuracy", "--duration", "5"]) == 2
    assert "--duration is only valid with the benchmark 'callback'" in capsys.readouterr().err


def test_failed_load_gives_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(bench.STRESSORS, "cpu", ["--no-such-option"])
    with pytest.raises(InputError, match="ended early"):
        bench.measure_run("compiled", 256, "cpu", 1.0)
