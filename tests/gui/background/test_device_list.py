"""List of the present devices, made in a child process."""

import os
import sys
from typing import Any

import pytest

from gui.background.device_list import Device, DeviceList
from rtgain.bench.servers import JackServer
from tests.jack_client import JackTestClient
from tests.polling import TIMEOUT_MS


def test_devices_of_a_real_server_are_listed(qtbot: Any, jack_server: JackServer, qapp: Any) -> None:
    devices = DeviceList(qapp)
    with qtbot.waitSignal(devices.listed, timeout=TIMEOUT_MS) as listed:
        devices.refresh()
    [found] = listed.args
    assert Device("system", "JACK Audio Connection Kit", 2, 2) in found
    assert found[0].spec == "system (JACK Audio Connection Kit)"
    devices.close()


def test_own_ports_are_left_out(qtbot: Any, jack_server: JackServer, qapp: Any) -> None:
    devices = DeviceList(qapp)
    own, other = f"rtgain-{os.getpid()}-0", "rtgain-1-0"
    with (
        JackTestClient(jack_server, name=own),
        JackTestClient(jack_server, name=other),
        qtbot.waitSignal(devices.listed, timeout=TIMEOUT_MS) as listed,
    ):
        devices.refresh()
    names = {device.name for device in listed.args[0]}
    assert other in names
    assert own not in names
    devices.close()


def test_failed_listing_emits_no_devices(qtbot: Any, qapp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    devices = DeviceList(qapp)
    with qtbot.waitSignal(devices.listed, timeout=TIMEOUT_MS) as listed:
        devices.refresh()
    assert listed.args == [[]]
    devices.close()


def test_refresh_while_running_lists_devices_once(qtbot: Any, jack_server: JackServer, qapp: Any) -> None:
    devices = DeviceList(qapp)
    lists: list[Any] = []
    devices.listed.connect(lists.append)
    with qtbot.waitSignal(devices.listed, timeout=TIMEOUT_MS):
        for _ in range(3):
            devices.refresh()
    qtbot.wait(100)
    assert len(lists) == 1
    devices.close()


def test_nothing_is_emitted_after_close(qtbot: Any, jack_server: JackServer, qapp: Any) -> None:
    devices = DeviceList(qapp)
    devices.refresh()
    with qtbot.assertNotEmitted(devices.listed, wait=200):
        devices.close()
