"""``rtgain bench gui``: a real run of the command with its GUI, and one of its session alone."""

import pytest

from rtgain.bench import gui_speed as bench
from rtgain.cli.main import main

pytestmark = pytest.mark.realtime


def test_rows_hold_the_measurements_of_a_gui_run() -> None:
    rows = list(bench.rows(1.0))
    assert len(rows) == bench.ROW_COUNT
    painted_s, estimate_s, frames_per_second, frame_ms, share, control_ms, steps = (row["value"] for row in rows)
    assert 0.1 < painted_s < estimate_s
    assert 1.0 < frames_per_second < 33.0, "the timer's are 31.3"
    assert frame_ms > 0.1
    assert 1.0 < share < 100.0
    assert control_ms > 10.0, "a hop is 21"
    assert steps > 10.0


def test_value_is_compared_with_its_goal() -> None:
    rows = [bench._row("x", value, "s", at_most=2.0) for value in (1.9, 2.1)]
    rows += [bench._row("x", value, "s", at_least=30.0) for value in (30.1, 29.9)]
    assert [row["reached"] for row in rows] == [True, False, True, False]
    assert [row["to_reach"] for row in rows] == ["≤ 2", "≤ 2", "≥ 30", "≥ 30"]


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "")
    assert main(["bench", "gui"]) == 2
    assert "jackd2, xvfb" in capsys.readouterr().err
