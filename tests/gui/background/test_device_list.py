"""The devices there are now, asked of a process of its own."""

import sys
from typing import Any

import pytest

from gui.background.device_list import Device, DeviceList
from rtgain.bench.servers import JackServer

TIMEOUT_MS = 30_000


def test_devices_of_a_real_server_are_listed(qtbot: Any, jack_server: JackServer, qapp: Any) -> None:
    devices = DeviceList(qapp)
    with qtbot.waitSignal(devices.listed, timeout=TIMEOUT_MS) as told:
        devices.refresh()
    [found] = told.args
    assert Device("system", "JACK Audio Connection Kit", 2, 2) in found
    assert found[0].spec == "system (JACK Audio Connection Kit)"
    devices.close()


def test_without_an_answer_there_are_none(qtbot: Any, qapp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    devices = DeviceList(qapp)
    with qtbot.waitSignal(devices.listed, timeout=TIMEOUT_MS) as told:
        devices.refresh()
    assert told.args == [[]]
    devices.close()


def test_it_asks_once_while_an_answer_is_on_its_way(qtbot: Any, jack_server: JackServer, qapp: Any) -> None:
    devices = DeviceList(qapp)
    answers: list[Any] = []
    devices.listed.connect(answers.append)
    with qtbot.waitSignal(devices.listed, timeout=TIMEOUT_MS):
        for _ in range(3):
            devices.refresh()
    qtbot.wait(100)
    assert len(answers) == 1
    devices.close()


def test_nothing_is_told_after_it_was_closed(qtbot: Any, jack_server: JackServer, qapp: Any) -> None:
    devices = DeviceList(qapp)
    devices.refresh()
    with qtbot.assertNotEmitted(devices.listed, wait=200):
        devices.close()
