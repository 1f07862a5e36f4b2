"""Devices: listing, search by name, selection for a stream, and one-line errors."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from rtgain.audio.io import devices as devices_module
from rtgain.audio.io.devices import find_device, list_devices, select_devices
from rtgain.bench.servers import JackServer
from rtgain.errors import DeviceError
from rtgain.records.device import DeviceInfo, Kind
from tests.jack_client import JackTestClient
from tests.polling import TIMEOUT_S


def device(index: int, name: str, host_api: str = "ALSA", inputs: int = 2, outputs: int = 2) -> DeviceInfo:
    return DeviceInfo(index, name, host_api, inputs, outputs, 48_000.0, 0.01)


DESK = [
    device(0, "HDA Intel PCH: ALC257 (hw:0,0)"),
    device(1, "USB Audio: #1 (hw:1,0)", inputs=1),
    device(2, "USB Audio"),
    device(3, "HDMI", inputs=0, outputs=8),
    device(4, "system", "JACK Audio Connection Kit"),
    device(5, "HDA Intel PCH", "JACK Audio Connection Kit"),
]


@pytest.mark.parametrize(
    ("spec", "kind", "index"),
    [
        ("1", "input", 1),
        (3, "output", 3),
        ("hdmi", "output", 3),
        (" 0 ", "output", 0),
        ("alc257", "input", 0),
        ("usb hw:1", "input", 1),
        ("usb audio", "input", 2),  # a complete name takes precedence over one that contains it
        ("hda jack", "input", 5),
        ("system", "output", 4),
        ("system (JACK Audio Connection Kit)", "output", 4),
    ],
)
def test_device_is_found_by_index_or_part_of_its_name(spec: str | int, kind: Kind, index: int) -> None:
    assert find_device(spec, kind, DESK).index == index


@pytest.mark.parametrize(
    ("spec", "kind", "line"),
    [
        ("hda", "input", r"2 input devices match 'hda'; .* 0: HDA Intel .*, 5: HDA Intel PCH \(JACK"),
        ("hdmi", "input", r"no input device matches 'hdmi'; choose --input-device .* 0: HDA"),
        ("9", "output", r"no output device matches '9'; .* 3: HDMI"),
        ("-1", "output", "no output device matches '-1'"),
    ],
)
def test_ambiguous_or_unknown_device_lists_the_candidates(spec: str, kind: Kind, line: str) -> None:
    with pytest.raises(DeviceError, match=line) as caught:
        find_device(spec, kind, DESK)
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)


def test_error_without_any_device_says_to_connect_one() -> None:
    with pytest.raises(DeviceError, match="no audio input device was found; connect one"):
        find_device("usb", "input", [])


def test_real_devices_are_listed_with_their_channels_and_rate(
    jack_server: JackServer, jack_client: JackTestClient
) -> None:
    found = {found.name: found for found in list_devices()}
    assert {"system", "test-client"} <= set(found)
    system = found["system"]
    assert (system.input_channels, system.output_channels) == (2, 2)
    assert system.default_sample_rate == jack_server.sample_rate
    assert system.default_latency_s == pytest.approx(jack_server.period / jack_server.sample_rate)
    assert find_device(system.index, "output", list_devices()) == system


def test_server_that_starts_and_stops_is_detected() -> None:
    """In its own process, because libjack supports one server per process. The process survives the server."""
    program = (
        "import json, os, sys\n"
        "from rtgain.audio.io.devices import list_devices\n"
        "for line in sys.stdin:\n"
        "    os.environ.update(json.loads(line))\n"
        "    print(json.dumps([device.name for device in list_devices()]), flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout

        def names() -> Any:
            assert process.stdin
            assert process.stdout
            print(json.dumps(environment), file=process.stdin, flush=True)
            return json.loads(process.stdout.readline())

        environment: dict[str, str] = {"JACK_DEFAULT_SERVER": "none"}
        assert "system" not in names()
        server = JackServer()
        environment = dict(server.environment)
        assert "system" in names()
        server.kill()
        assert "system" not in names()
        server.stop()
        process.stdin.close()
        assert process.wait(TIMEOUT_S) == 0


def test_missing_portaudio_error_names_the_package() -> None:
    program = (
        "import ctypes.util\n"
        "ctypes.util.find_library = lambda name: None\n"  # as if libportaudio2 were not installed
        "from rtgain.audio.io.devices import list_devices\n"
        "try: list_devices()\n"
        "except Exception as error: print(type(error).__name__, error.exit_code, error)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("DeviceError 3 PortAudio is not installed; install it with: sudo apt-get install")
    assert (result.stdout.count("\n"), result.stderr) == (1, "")


def test_preferred_rate_is_used_if_the_device_supports_it(jack_client: JackTestClient) -> None:
    setup = select_devices(mic=False, output_device="system", preferred_rate=48_000)
    assert (setup.input, setup.in_channels, setup.out_channels) == (None, 0, 2)
    assert setup.output
    assert setup.output.name == "system"
    assert setup.sample_rate == 48_000
    # JACK has a fixed rate, so the file is resampled.
    assert select_devices(mic=False, output_device="system", preferred_rate=44_100).sample_rate == 48_000
    assert select_devices(mic=False, output_device="test-client").out_channels == 1  # it has only one


def test_requested_rate_is_used_or_rejected(jack_server: JackServer) -> None:
    assert select_devices(mic=True, input_device="system", sample_rate=48_000).sample_rate == 48_000
    with pytest.raises(DeviceError, match=r"system \(JACK .*\): cannot run at 44100 Hz: .*leave out --sample-rate"):
        select_devices(mic=False, output_device="system", sample_rate=44_100)


def test_channels_follow_the_target(jack_client: JackTestClient) -> None:
    mic = select_devices(mic=True, input_device="system")
    assert (mic.in_channels, mic.out_channels) == (1, 2)
    assert select_devices(mic=True, target="channel", target_channels=(2,), input_device="system").in_channels == 2
    assert select_devices(mic=False, target="channel", output_device="system").in_channels == 0  # a stereo file
    assert select_devices(mic=False, target="return", input_device="test-client").in_channels == 1
    with pytest.raises(
        DeviceError, match=r"test-client .*one input channel, but channel 2 was requested; choose others"
    ):
        select_devices(mic=True, target="channel", target_channels=(2,), input_device="test-client")


def test_channels_are_opened_up_to_the_last_selected_one(jack_server: JackServer) -> None:
    with JackTestClient(jack_server, name="four", channels=4):
        mic = select_devices(mic=True, dry_channels=(3,), input_device="four")
        assert mic.in_channels == 3
        swapped = select_devices(
            mic=True, target="channel", dry_channels=(4,), target_channels=(1,), input_device="four"
        )
        assert swapped.in_channels == 4
        back = select_devices(mic=False, target="return", dry_channels=(4,), target_channels=(2,), output_channels=(1,),
                              input_device="four", output_device="system")  # fmt: skip
        assert (back.in_channels, back.out_channels) == (2, 1)
        with pytest.raises(DeviceError, match=r"^four \(JACK.*\): has 4 input channels, but channel 5 was requested; "):
            select_devices(mic=True, dry_channels=(5,), input_device="four")
        with pytest.raises(DeviceError, match=r"^system .*: has 2 output channels, but channel 3 was requested; "):
            select_devices(
                mic=False, target="return", output_channels=(3,), input_device="four", output_device="system"
            )


class FakePortAudio:
    """Fake PortAudio with given devices, for cases without a server: a machine without an output."""

    PortAudioError = type("PortAudioError", (Exception,), {})

    def __init__(self, found: list[DeviceInfo]) -> None:
        self.found = found
        apis = list(dict.fromkeys(device.host_api for device in found))
        self.apis = [
            {
                "name": api,
                "default_input_device": self._first(api, "input"),
                "default_output_device": self._first(api, "output"),
            }
            for api in apis
        ]
        first = self.apis[0] if apis else {"default_input_device": -1, "default_output_device": -1}
        self.default = SimpleNamespace(
            device={"input": first["default_input_device"], "output": first["default_output_device"]}
        )

    def _first(self, api: str, kind: Kind) -> int:
        return next((d.index for d in self.found if d.host_api == api and d.channels(kind)), -1)

    def query_hostapis(self) -> list[dict[str, Any]]:
        return self.apis

    def query_devices(self) -> list[dict[str, Any]]:
        return [
            {
                "index": d.index,
                "name": d.name,
                "hostapi": next(i for i, api in enumerate(self.apis) if api["name"] == d.host_api),
                "max_input_channels": d.input_channels,
                "max_output_channels": d.output_channels,
                "default_samplerate": d.default_sample_rate,
                "default_low_input_latency": d.default_latency_s,
                "default_low_output_latency": -1.0,
            }
            for d in self.found
        ]

    def check_input_settings(self, *_: Any) -> None: ...

    def check_output_settings(self, *_: Any) -> None: ...

    def _terminate(self) -> None: ...


def set_devices(monkeypatch: pytest.MonkeyPatch, *found: DeviceInfo) -> None:
    monkeypatch.setattr(devices_module, "initialize", lambda: FakePortAudio(list(found)))


def test_microphone_without_any_output_runs_input_only(monkeypatch: pytest.MonkeyPatch) -> None:
    set_devices(monkeypatch, device(0, "Webcam", inputs=1, outputs=0))
    setup = select_devices(mic=True)
    assert (setup.output, setup.in_channels, setup.out_channels) == (None, 1, 0)
    assert str(setup) == "Webcam (ALSA)"
    with pytest.raises(DeviceError, match="no audio output device was found"):
        select_devices(mic=True, output_device="USB")
    with pytest.raises(DeviceError, match="no audio output device was found"):
        select_devices(mic=False)


def test_errors_without_devices_name_the_alternatives(monkeypatch: pytest.MonkeyPatch) -> None:
    set_devices(monkeypatch)
    with pytest.raises(DeviceError, match=r"no audio output device was found; .*--clock timer"):
        select_devices(mic=False)
    with pytest.raises(DeviceError, match=r"no audio input device was found; .*--input"):
        select_devices(mic=True)


def test_default_output_has_the_host_api_of_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    set_devices(monkeypatch, device(0, "Card"), device(1, "system", "JACK"))
    setup = select_devices(mic=True, input_device="system")
    assert setup.output
    assert setup.output.name == "system"


def test_import_does_not_touch_portaudio() -> None:
    program = "import sys, rtgain.audio.io.portaudio_driver; sys.exit('sounddevice' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], env=os.environ).returncode == 0
