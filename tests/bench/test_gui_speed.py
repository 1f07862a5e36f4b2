"""``rtgain bench gui``: a real run of the command with its GUI, and one of its session alone."""

import pytest

from rtgain.bench import gui_speed as bench
from rtgain.bench.gui_process import longest_response_ms
from rtgain.cli.main import main

pytestmark = pytest.mark.realtime


def test_rows_hold_the_measurements_of_a_gui_run() -> None:
    rows = list(bench.rows(1.0))
    assert len(rows) == bench.ROW_COUNT
    values = [row["value"] for row in rows]
    for painted_s, estimate_s, frames_per_second, frame_ms, share in (values[:5], values[5:10]):
        assert 0.1 < painted_s < estimate_s
        assert 1.0 < frames_per_second < 33.0, "the timer's are 31.3"
        assert frame_ms > 0.1
        assert 1.0 < share < 100.0
    control_ms, key_ms, steps = values[10:]
    assert control_ms > 10.0, "a hop is 21"
    assert key_ms > 15.0, "half a crossfade and a period"
    assert steps > 10.0


def test_response_is_the_longest_time_from_a_key_to_the_middle_of_the_crossfade() -> None:
    assert longest_response_ms([1.0, 2.0], [0.5, 1.02, 1.5, 2.03]) == pytest.approx(40.0)
    with pytest.raises(SystemExit, match="did not switch"):
        longest_response_ms([1.0, 2.0], [1.02])


def test_value_is_compared_with_its_goal() -> None:
    rows = [bench._row("x", value, "s", at_most=2.0) for value in (1.9, 2.1)]
    rows += [bench._row("x", value, "s", at_least=30.0) for value in (30.1, 29.9)]
    assert [row["reached"] for row in rows] == [True, False, True, False]
    assert [row["to_reach"] for row in rows] == ["≤ 2", "≤ 2", "≥ 30", "≥ 30"]


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "")
    assert main(["bench", "gui"]) == 2
    assert "jackd2, xvfb" in capsys.readouterr().err
