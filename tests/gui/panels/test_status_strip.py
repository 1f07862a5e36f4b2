"""The health strip's words."""

from typing import Any

import pytest

from gui.panels.status_strip import ROOM, status_items
from gui.theme import tabular, text_width
from rtgain.config.session_config import SessionConfig
from rtgain.session.session import Snapshot
from tests.gui.fake_session import FakeSession


def snapshot(**fields: Any) -> Snapshot:
    session = FakeSession(SessionConfig(), clock=lambda: 0.0, faults=fields)
    session.start()
    return session.snapshot()


def test_a_healthy_session_reads_without_a_fault() -> None:
    strip = status_items(snapshot())
    assert [reading.text for reading in strip.values()] == [
        "48 kHz · 256 frames · 5.3 ms",
        "xruns 0",
        "callback 0.3 %",
        "estimator 47/s, 12 ms old",
        "device at 100 %",
        "dropped 0 frames",
        "restarts 0",
    ]
    assert not any(reading.fault for reading in strip.values())


@pytest.mark.parametrize(
    ("fields", "name", "text"),
    [
        ({"xruns": 3}, "xruns", "xruns 3"),
        ({"load": 0.91}, "load", "callback 91.0 %"),
        ({"estimate_age_s": 2.5}, "estimator", "estimator 47/s, 2.5 s old"),
        ({"frames_per_second": 24000.0}, "speed", "device at 50 %, slow"),
        ({"frames_per_second": 52000.0}, "speed", "device at 108 %, fast"),
        ({"dropped_frames": 4096}, "dropped", "dropped 4096 frames"),
        ({"estimator_restarts": 1}, "restarts", "restarts 1"),
    ],
)
def test_each_fault_is_told(fields: dict[str, Any], name: str, text: str) -> None:
    strip = status_items(snapshot(**fields))
    assert strip[name].text == text
    assert [other for other, reading in strip.items() if reading.fault] == [name]


def test_an_estimate_as_old_as_its_hop_is_not_late() -> None:
    assert not status_items(snapshot(estimate_age_s=2.1, hop_s=2.0))["estimator"].fault
    assert status_items(snapshot(estimate_age_s=2.6, hop_s=2.0))["estimator"].fault


def test_what_is_not_measured_yet_is_no_fault() -> None:
    strip = status_items(snapshot(frames_per_second=float("nan"), estimate_age_s=float("nan")))
    assert strip["speed"].text == "device at – %"
    assert strip["estimator"].text == "estimator 47/s, – old"
    assert not any(reading.fault for reading in strip.values())


def test_without_a_device_the_speed_is_the_clocks() -> None:
    assert status_items(snapshot(clock="timer"))["speed"].text == "clock at 100 %"


def test_every_entry_has_room_for_itself(qapp: Any) -> None:
    bold = tabular(qapp.font(), bold=True)
    for name, reading in status_items(snapshot(frames_per_second=24000.0)).items():
        assert name == "format" or text_width(bold, reading.text) <= text_width(bold, ROOM[name])
