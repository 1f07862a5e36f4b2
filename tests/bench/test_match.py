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
    percents = {name: value for name, value in row.items() if name.endswith("_percent")}
    assert sum(percents.values()) == pytest.approx(100.0)
    assert all(percent > 0.0 for percent in percents.values())


def test_shares_of_a_profile_are_those_of_the_functions(monkeypatch):
    def part() -> None:
        time.sleep(0.15)

    def run() -> None:
        part()
        time.sleep(0.05)

    monkeypatch.setattr(bench, "PARTS", {"part": (part,)})
    shares = bench.profile_shares(run)
    assert shares["part"] == pytest.approx(0.75, abs=0.1)
    assert shares["part"] + shares["other"] == pytest.approx(1.0)
