"""Test servers and the JACK test client, which must not change a sample."""

import subprocess
import sys

import numpy as np
import pytest
from PySide6 import QtGui, QtWidgets

from rtgain.bench.servers import JackServer
from tests.jack_client import JackTestClient, first_lag


def noise(frames: int, channels: int = 1) -> np.ndarray:
    samples = np.random.default_rng(0).uniform(-1.0, 1.0, (channels, frames))
    return samples.astype(np.float32).squeeze()


def test_client_connected_to_itself_records_its_playback_exactly(jack_client):
    samples = noise(48000)
    recorded = jack_client.play_and_record(samples, into="test-client:record_1", seconds=1.5)
    assert len(recorded) == 72000
    np.testing.assert_array_equal(recorded[jack_client.period : jack_client.period + 48000], samples)
    assert not recorded[: jack_client.period].any()
    assert not recorded[jack_client.period + 48000 :].any()


def test_looped_playback_has_no_gap(jack_client):
    samples = noise(1000)  # no multiple of the period
    jack_client.connect(into="test-client:record_1")
    jack_client.start(samples, seconds=0.5, loop=True)
    recorded = jack_client.recorded()[jack_client.period :]
    np.testing.assert_array_equal(recorded, np.resize(samples, len(recorded)))


def test_two_channels_go_to_two_ports_in_order(jack_server):
    samples = noise(4800, channels=2)
    with (
        JackTestClient(jack_server, name="stereo", channels=2) as stereo,
        JackTestClient(jack_server, name="ear") as recorder,
    ):
        recorder.connect(out_of="stereo:play_2")
        stereo.start(samples, loop=True)
        recorder.start(np.zeros(0), seconds=0.5)
        recording = recorder.recorded()[4800:]  # from when both have surely started
    begin = first_lag(np.tile(samples[1], 2), recording[:4800])
    np.testing.assert_array_equal(recording, np.resize(np.roll(samples[1], -begin), len(recording)))


def test_missing_port_is_reported_with_the_existing_ports(jack_client):
    with pytest.raises(TimeoutError, match=r"no absent:.* after 1 s; the ports are .*test-client:record_1"):
        jack_client.connect(into="absent:.*", timeout_s=1)


LIST_DEVICES = """
import sounddevice
for device in sounddevice.query_devices():
    if sounddevice.query_hostapis(device["hostapi"])["name"].startswith("JACK"):
        print(device["name"], device["max_input_channels"], device["max_output_channels"])
"""


def test_portaudio_lists_the_server_and_the_client_as_devices(jack_client):
    listed = subprocess.run([sys.executable, "-c", LIST_DEVICES], capture_output=True, text=True, check=True)
    assert listed.stdout.split("\n")[:2] == ["system 2 2", "test-client 1 1"]


def test_portaudio_lists_no_jack_without_a_server_fixture():
    listed = subprocess.run([sys.executable, "-c", LIST_DEVICES], capture_output=True, text=True, check=True)
    assert listed.stdout == ""


def test_client_of_a_killed_server_can_be_closed(own_jack_server):
    jack_client = JackTestClient(own_jack_server)
    own_jack_server.kill()
    assert own_jack_server.process.returncode == -9
    jack_client.close()


def test_two_servers_run_at_the_same_time(jack_server, own_jack_server):
    assert jack_server.name != own_jack_server.name
    with JackTestClient(jack_server) as one, JackTestClient(own_jack_server) as other:
        assert one.name == other.name == "test-client"


def test_killed_servers_do_not_block_new_servers():
    for _ in range(9):  # one more than JACK keeps in its register
        server = JackServer()
        server.kill()
        server.stop()


def test_server_that_cannot_start_reports_the_reason():
    with pytest.raises(RuntimeError, match=r"(?s)jackd did not start:\n.*Sample rate"):
        JackServer(sample_rate=-1)


def test_windows_are_drawn_on_a_real_display(qtbot):
    label = QtWidgets.QLabel("dry")
    qtbot.addWidget(label)
    with qtbot.waitExposed(label):
        label.show()
    assert QtGui.QGuiApplication.platformName() == "xcb"
    assert QtGui.QGuiApplication.primaryScreen().size().toTuple() == (1280, 800)
