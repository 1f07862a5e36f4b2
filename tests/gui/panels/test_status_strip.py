"""Entries of the status strip."""

from typing import Any

import pytest

from gui.panels.status_strip import WIDEST_TEXT, status_items
from gui.theme import tabular, text_width
from rtgain.config.session_config import SessionConfig
from rtgain.records.snapshot import Snapshot
from tests.gui.fake_session import FakeSession


def snapshot(**fields: Any) -> Snapshot:
    session = FakeSession(SessionConfig(), clock=lambda: 0.0, faults=fields)
    session.start()
    return session.snapshot()


def test_session_without_faults_shows_no_fault() -> None:
    strip = status_items(snapshot())
    assert [item.text for item in strip.values()] == [
        "48 kHz · 256 frames · 5.3 ms",
        "xruns 0",
        "DSP load 0.3 %",
        "estimator 47/s, 12 ms old",
        "device at 100 %",
        "dropped 0 frames",
        "restarts 0",
        "",
    ]
    assert not any(item.fault for item in strip.values())


@pytest.mark.parametrize(
    ("fields", "name", "text"),
    [
        ({"xruns": 3}, "xruns", "xruns 3"),
        ({"clipped_frames": 12}, "clipped", "input clips 12"),
        ({"load": 0.91}, "load", "DSP load 91.0 %"),
        ({"estimate_age_s": 2.5}, "estimator", "estimator 47/s, 2.5 s old"),
        ({"frames_per_second": 24000.0}, "clock_rate", "device at 50 %, slow"),
        ({"frames_per_second": 52000.0}, "clock_rate", "device at 108 %, fast"),
        ({"dropped_frames": 4096}, "dropped", "dropped 4096 frames"),
        ({"estimator_restarts": 1}, "restarts", "restarts 1"),
    ],
)
def test_each_fault_is_marked(fields: dict[str, Any], name: str, text: str) -> None:
    strip = status_items(snapshot(**fields))
    assert strip[name].text == text
    assert [other for other, item in strip.items() if item.fault] == [name]


def test_estimate_as_old_as_its_hop_is_not_stale() -> None:
    assert not status_items(snapshot(estimate_age_s=2.1, hop_s=2.0))["estimator"].fault
    assert status_items(snapshot(estimate_age_s=2.6, hop_s=2.0))["estimator"].fault


def test_unknown_values_are_not_faults() -> None:
    strip = status_items(snapshot(frames_per_second=float("nan"), estimate_age_s=float("nan")))
    assert strip["clock_rate"].text == "device at – %"
    assert strip["estimator"].text == "estimator 47/s, – old"
    assert not any(item.fault for item in strip.values())


def test_clock_rate_without_a_device_names_the_clock() -> None:
    assert status_items(snapshot(clock="timer"))["clock_rate"].text == "clock at 100 %"


def test_every_entry_fits_in_its_minimum_width(qapp: Any) -> None:
    bold = tabular(qapp.font(), bold=True)
    for name, item in status_items(snapshot(frames_per_second=24000.0)).items():
        assert name == "format" or text_width(bold, item.text) <= text_width(bold, WIDEST_TEXT[name])
