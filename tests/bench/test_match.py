"""Benchmark of matches: its parts add up, and its profile counts what it names."""

import time

import pytest

from rtgain.bench import match as bench


def test_rows_state_the_speed_and_parts_that_add_up(monkeypatch):
    monkeypatch.setattr(bench, "PAIRS", {"0.3 s": (0.3, 1)})
    (row,) = bench.rows()
    assert row["recordings"] == "0.3 s"
    assert row["times_real_time"] == pytest.approx(0.3 * row["pairs_per_second_and_core"])
    assert row["core_seconds_per_pair"] * row["pairs_per_second_and_core"] == pytest.approx(1.0)
    assert row["explain_to_rest"] == pytest.approx(row["explain_percent"] / (100.0 - row["explain_percent"]))
    percents = {name: value for name, value in row.items() if name.endswith("_percent")}
    assert sum(percents.values()) == pytest.approx(100.0)
    assert all(percent > 0.0 for percent in percents.values())


def test_shares_of_a_profile_are_those_of_the_functions(monkeypatch):
    def work(seconds: float) -> None:
        end_s = time.process_time() + seconds
        while time.process_time() < end_s:
            pass

    def part() -> None:
        work(0.03)

    def run() -> None:
        part()
        work(0.01)

    monkeypatch.setattr(bench, "PARTS", {"part": (part,)})
    shares = bench.profile_shares(run)
    assert shares["part"] == pytest.approx(0.75, abs=0.1)
    assert shares["part"] + shares["other"] == pytest.approx(1.0)
