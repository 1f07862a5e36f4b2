"""JACK plug-in of ALSA (libasound2-plugins, present on most desktops): lists the JACK server a second time."""

import json
from pathlib import Path

import pytest

from rtgain.bench.servers import JackServer
from tests.commands import rtgain
from tests.environment import NO_DEVICES

RATE = 48_000

JACK_THROUGH_ALSA = f"""
{NO_DEVICES}
pcm.jack {{
    type jack
    playback_ports {{ 0 system:playback_1 1 system:playback_2 }}
    capture_ports {{ 0 system:capture_1 1 system:capture_2 }}
}}
"""
"""Same device as in 50-jack.conf of the package, without other plug-ins or devices of the machine."""


@pytest.fixture
def jack_through_alsa(jack_server: JackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the JACK server available through the ALSA plug-in as well."""
    configuration = tmp_path / "asound.conf"
    configuration.write_text(JACK_THROUGH_ALSA, encoding="utf-8")
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(configuration))


@pytest.mark.usefixtures("jack_through_alsa")
def test_session_plays_through_the_alsa_plugin_and_jack_itself_stays_listed(tmp_path: Path) -> None:
    listed = json.loads(rtgain("devices", "--json").stdout)
    assert {(device["name"], device["host_api"]) for device in listed} == {
        ("jack", "ALSA"),
        ("system", "JACK Audio Connection Kit"),
    }
    words = ("run", "--headless", "--clock", "device", "--output-device", "jack (ALSA)", "--gain-db", "-12")
    ran = rtgain(*words, "--duration", "3", "--json", tmp_path / "s.json")
    assert (ran.returncode, ran.stdout) == (0, "")
    summary = json.loads((tmp_path / "s.json").read_text())
    assert (summary["sample_rate"], summary["frames"]) == (RATE, 3 * RATE)
    assert summary["gain_db"] == pytest.approx(-12.0, abs=0.01)
