"""Channels of dry signal and target, of files and devices, from the command to the estimate."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from rtgain.audio.sources.demo import LOOP_S, DemoSource
from rtgain.bench.servers import JackServer
from rtgain.cli.main import main
from rtgain.config.presets import load_preset, preset_text
from rtgain.config.session_config import make_session_config
from tests.commands import rows, start_rtgain
from tests.jack_client import JackTestClient, first_lag
from tests.polling import TIMEOUT_S, wait_until

RATE = 48_000
GAINS = (0.9, 0.2, 0.6, 0.3)
"""Level of each channel; the gain between two of them is their ratio."""


def decibels(ratio: float) -> float:
    return float(20 * np.log10(ratio))


@pytest.fixture(scope="module")
def channels() -> np.ndarray:
    """One second of silence, in which streams start, and nine of music on four channels, (4, frames)."""
    music = np.concatenate([np.zeros(RATE, np.float32), DemoSource(RATE).read(9 * RATE)[0]])
    return np.array(GAINS, np.float32)[:, np.newaxis] * music


def result_of(*words: object) -> dict[str, Any]:
    """JSON of ``rtgain run --headless``."""
    path = Path(str(words[-1]))
    assert main(["run", "--headless", *map(str, words[:-1]), "--json", str(path)]) == 0
    return json.loads(path.read_text())


@pytest.mark.parametrize(("dry", "target"), [(4, 2), (1, 3)])
def test_any_two_channels_of_a_file_can_be_dry_and_target(
    tmp_path: Path, channels: np.ndarray, dry: int, target: int
) -> None:
    soundfile.write(tmp_path / "four.wav", channels.T, RATE, subtype="FLOAT")
    found = result_of(
        *("--input", tmp_path / "four.wav", "--target", "channel"),
        *("--dry-channel", dry, "--target-channel", target, tmp_path / "s.json"),
    )
    assert found["gain_db"] == pytest.approx(decibels(GAINS[target - 1] / GAINS[dry - 1]), abs=0.01)


def test_one_channel_of_a_file_can_be_the_dry_signal(tmp_path: Path, channels: np.ndarray) -> None:
    soundfile.write(tmp_path / "four.wav", channels.T, RATE, subtype="FLOAT")
    result_of(
        *("--input", tmp_path / "four.wav", "--dry-channel", 2, "--gain-db", -6),
        *("--record", tmp_path / "m.wav", tmp_path / "s.json"),
    )
    matched = soundfile.read(tmp_path / "m.wav")[0][3 * RATE :]
    np.testing.assert_allclose(matched, 10 ** (-6 / 20) * channels[1, 3 * RATE :][: len(matched)], atol=1e-3)


# --- stereo ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stereo() -> np.ndarray:
    """Four seconds of the stereo demo, (2, frames)."""
    return DemoSource(RATE, channels=2).read(4 * RATE)


def write(path: Path, channels: np.ndarray) -> Path:
    """Write channels, (channels, frames), as 32-bit floats."""
    soundfile.write(path, channels.T, RATE, subtype="FLOAT")
    return path


def test_stereo_file_is_stereo_to_the_recording(tmp_path: Path, stereo: np.ndarray) -> None:
    found = result_of(
        *("--input", write(tmp_path / "stereo.wav", stereo), "--gain-db", -6, "--csv", tmp_path / "t.csv"),
        *("--record", tmp_path / "m.wav", tmp_path / "s.json"),
    )
    assert (found["channels"], found["channel_polarities"]) == (2, [1, 1])
    assert found["channel_gains_db"] == pytest.approx([-6.0, -6.0], abs=0.01)
    matched, _ = soundfile.read(tmp_path / "m.wav")
    expected = 10 ** (-6 / 20) * stereo.T
    np.testing.assert_allclose(matched[2 * RATE :], expected[2 * RATE :], atol=1e-3 * np.abs(expected).max())
    last = rows(tmp_path / "t.csv")[-1]
    assert float(last["gain_left_db"]) == pytest.approx(found["channel_gains_db"][0], abs=1e-6)
    assert (last["polarity_left"], last["polarity_right"]) == ("1", "1")


def test_each_channel_of_a_pair_of_pairs_has_its_own_gain_and_polarity(tmp_path: Path, stereo: np.ndarray) -> None:
    left, right = stereo
    path = write(tmp_path / "four.wav", np.stack([left, right, 0.5 * left, -0.4 * right]))
    found = result_of("--input", path, "--target", "channel", tmp_path / "s.json")
    assert found["channels"] == 2
    assert found["channel_gains_db"] == pytest.approx([decibels(0.5), decibels(0.4)], abs=0.01)
    assert (found["channel_polarities"], found["polarity"]) == ([1, -1], 0)


def test_pairs_of_channels_can_be_selected_in_any_order(tmp_path: Path, stereo: np.ndarray) -> None:
    left, right = stereo
    path = write(tmp_path / "four.wav", np.stack([0.5 * right, 0.4 * left, left, right]))
    found = result_of(
        *("--input", path, "--target", "channel", "--dry-channel", "3,4", "--target-channel", "2,1"),
        tmp_path / "s.json",
    )
    assert found["channel_gains_db"] == pytest.approx([decibels(0.4), decibels(0.5)], abs=0.01)


def test_anti_phase_stereo_is_not_silent(tmp_path: Path, stereo: np.ndarray) -> None:
    path = write(tmp_path / "anti.wav", np.stack([stereo[0], -stereo[0]]))
    found = result_of("--input", path, "--gain-db", -6, tmp_path / "s.json")
    assert (found["state"], found["polarity"]) == ("tracking", 1)
    assert found["gain_db"] == pytest.approx(-6.0, abs=0.01)
    mono = result_of("--input", path, "--channels", 1, tmp_path / "s.json")
    assert (mono["channels"], mono["state"]) == (1, "silent")


def test_mono_of_a_stereo_file_is_the_mean_of_its_channels(tmp_path: Path, stereo: np.ndarray) -> None:
    path = write(tmp_path / "stereo.wav", stereo)
    result_of("--input", path, "--channels", 1, "--gain-db", -6, "--record", tmp_path / "m.wav", tmp_path / "s.json")
    matched, _ = soundfile.read(tmp_path / "m.wav")
    expected = 10 ** (-6 / 20) * stereo.mean(axis=0)
    np.testing.assert_allclose(matched[2 * RATE :], expected[2 * RATE :], atol=1e-3 * np.abs(expected).max())


def test_preset_restores_the_channels(tmp_path: Path) -> None:
    config = make_session_config(input="a.wav", target="channel", dry_channel=(3, 4), target_channel=(1, 2))
    (tmp_path / "p.json").write_text(preset_text(config), encoding="utf-8")
    assert make_session_config(**load_preset(tmp_path / "p.json")) == config


@pytest.mark.realtime
def test_any_two_inputs_of_a_device_can_be_dry_and_target(
    jack_server: JackServer, tmp_path: Path, channels: np.ndarray
) -> None:
    with JackTestClient(jack_server, name="four", channels=4) as jack_client:
        process = start_rtgain(
            *("run", "--headless", "--input", "mic", "--input-device", "four", "--output-device", "system"),
            *("--target", "channel", "--dry-channel", "4", "--target-channel", "2", "--monitor", "mute"),
            *("--duration", "13", "--json", tmp_path / "s.json"),
        )
        jack_client.play_and_record(channels, into="rtgain-.*:in_.*")
        _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, errors
    assert json.loads((tmp_path / "s.json").read_text())["gain_db"] == pytest.approx(decibels(0.2 / 0.3), abs=0.01)


@pytest.mark.realtime
def test_return_is_read_from_the_selected_input(jack_server: JackServer, tmp_path: Path) -> None:
    """The third output, the only one that plays, is connected to the fourth input."""
    with JackTestClient(jack_server, name="many", channels=4, outputs=3) as jack_client:
        process = start_rtgain(
            *("run", "--headless", "--input", "demo", "--input-device", "many", "--output-device", "many"),
            *("--target", "return", "--target-channel", "4", "--output-channel", "3"),
            *("--duration", "13", "--json", tmp_path / "s.json"),
        )
        [input_port] = jack_client.wait_for_port("rtgain-.*:in_3", is_input=True)  # PortAudio counts from 0
        output_port = input_port.replace(":in_3", ":out_2")
        wait_until(
            lambda: (
                subprocess.run(["jack_connect", output_port, input_port], capture_output=True, check=False).returncode
                == 0
            )
        )
        _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, errors
    assert json.loads((tmp_path / "s.json").read_text())["gain_db"] == pytest.approx(0.0, abs=0.01)


@pytest.mark.realtime
def test_monitor_is_played_only_on_the_selected_output(jack_server: JackServer, tmp_path: Path) -> None:
    with JackTestClient(jack_server, name="many", outputs=3) as jack_client:
        process = start_rtgain(
            *("run", "--headless", "--input", "demo", "--input-device", "many", "--output-device", "many"),
            *("--target", "return", "--output-channel", "3", "--monitor", "dry", "--duration", "60"),
            *("--json", tmp_path / "s.json"),
        )

        def recorded(seconds: float) -> np.ndarray:
            jack_client.start(np.zeros(1), seconds=seconds)
            return jack_client.recorded()

        jack_client.connect(out_of="rtgain-.*:out_.*")
        wait_until(lambda: recorded(0.1).any())
        first, second, third = recorded(2.0)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130, errors
    demo = DemoSource(RATE).read(2 * LOOP_S * RATE)[0]
    begin = first_lag(demo, third)
    np.testing.assert_allclose(third, demo[begin : begin + len(third)], atol=1e-6)
    assert not first.any()
    assert not second.any()


def recorded_output(jack_server: JackServer, folder: Path, *options: object) -> np.ndarray:
    """Two seconds of both outputs of a session, once it is tracking, (2, frames)."""
    table = folder / "t.csv"
    with JackTestClient(jack_server, name="many", channels=1, outputs=2) as jack_client:
        process = start_rtgain(
            *("run", "--headless", "--clock", "device", "--output-device", "many", "--loop", "--duration", "600"),
            *("--csv", table, *options),
        )
        jack_client.connect(out_of="rtgain-.*:out_.*")
        wait_until(lambda: table.is_file() and any(row["state"] == "tracking" for row in rows(table)[-1:]))
        jack_client.start(np.zeros(1), seconds=2.0)
        received = jack_client.recorded()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130, errors
    return received


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("monitor", "gain", "tolerance"),
    [("dry", 1.0, 1e-6), ("target", 10 ** (-6 / 20), 1e-6), ("matched", 10 ** (-6 / 20), 1e-3)],
)
def test_left_and_right_arrive_at_the_outputs_and_in_the_recording(
    jack_server: JackServer, tmp_path: Path, stereo: np.ndarray, monitor: str, gain: float, tolerance: float
) -> None:
    path = write(tmp_path / "stereo.wav", stereo)
    outputs = ("--monitor", monitor, "--record", tmp_path / "m.wav")
    received = recorded_output(jack_server, tmp_path, "--input", path, "--gain-db", "-6", *outputs)
    played = np.tile(stereo, 3)
    begin = first_lag(played[0], received[0])
    np.testing.assert_allclose(received, gain * played[:, begin : begin + received.shape[1]], atol=tolerance)
    recorded = soundfile.read(tmp_path / "m.wav")[0].T[:, -RATE:]
    begin = first_lag(played[0], recorded[0])
    np.testing.assert_allclose(recorded, 10 ** (-6 / 20) * played[:, begin : begin + RATE], atol=1e-3)


@pytest.mark.realtime
def test_noise_of_the_target_alone_is_played_as_the_difference(
    jack_server: JackServer, tmp_path: Path, stereo: np.ndarray
) -> None:
    """Noise that only the second recording has, another on each channel."""
    added = 0.01 * np.random.default_rng(1).standard_normal(stereo.shape).astype(np.float32)
    dry, target = write(tmp_path / "dry.wav", stereo), write(tmp_path / "target.wav", 0.5 * stereo + added)
    received = recorded_output(jack_server, tmp_path, "--input", dry, "--target", target, "--monitor", "difference")
    played = np.tile(added, 3)
    begin = first_lag(played[0], received[0])
    np.testing.assert_allclose(received, played[:, begin : begin + received.shape[1]], atol=1e-3)


@pytest.mark.realtime
def test_return_of_a_device_with_one_input_is_mono_unless_stereo_is_requested(
    jack_server: JackServer, tmp_path: Path
) -> None:
    words = ("--input", "demo", "--target", "return", "--input-device", "one", "--output-device", "one")
    with JackTestClient(jack_server, name="one", channels=1, outputs=2):
        run = start_rtgain("run", "--headless", *words, "--duration", "2", "--json", tmp_path / "s.json")
        _, errors = run.communicate(timeout=TIMEOUT_S)
        assert run.returncode == 0, errors
        stereo = start_rtgain("run", "--headless", *words, "--duration", "2", "--channels", "2")
        _, errors = stereo.communicate(timeout=TIMEOUT_S)
    assert json.loads((tmp_path / "s.json").read_text())["channels"] == 1
    assert stereo.returncode == 3
    assert "has one input channel, but channel 2 was requested" in errors


@pytest.mark.realtime
def test_missing_device_channel_ends_the_run_with_one_line(jack_server: JackServer, tmp_path: Path) -> None:
    with JackTestClient(jack_server, name="four", channels=4):
        process = start_rtgain(
            *("run", "--headless", "--input", "mic", "--input-device", "four", "--dry-channel", "5"),
            *("--json", tmp_path / "s.json"),
        )
        _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 3
    assert errors.startswith(
        "rtgain: four (JACK Audio Connection Kit): has 4 input channels, but channel 5 was requested;"
    )
    assert errors.count("\n") == 1
    assert not (tmp_path / "s.json").exists()
