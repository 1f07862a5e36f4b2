"""Session options: defaults that depend on other options, invalid combinations, presets."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtgain.cli.main import build_parser
from rtgain.config.names import LOSSES, OPTIMIZERS
from rtgain.config.presets import load_preset, preset_text
from rtgain.config.session_config import SessionConfig, make_session_config, nearest_power_of_two, with_changes
from rtgain.errors import InputError

PAIR = {"input": "a.wav", "target": "b.wav"}


@given(st.floats(64, 1e6))
def test_nearest_power_of_two_is_within_half_an_octave(frames: float) -> None:
    power = nearest_power_of_two(frames, minimum=64)
    assert power & (power - 1) == 0
    assert abs(math.log2(power / frames)) <= 0.5


@pytest.mark.parametrize(
    ("frames", "minimum", "power"),
    [(4096, 64, 4096), (5792, 64, 4096), (5793, 64, 8192), (63, 64, 64), (0.0, 16, 16), (1e-9, 1, 1)],
)
def test_nearest_power_of_two_is_nearest_by_ratio_and_at_least_the_minimum(
    frames: float, minimum: int, power: int
) -> None:
    assert nearest_power_of_two(frames, minimum=minimum) == power


@pytest.mark.parametrize(
    ("sample_rate", "window", "hop"),
    [(4_000, 256, 64), (44_100, 4096, 1024), (48_000, 4096, 1024), (192_000, 16384, 4096)],
)
def test_default_window_and_hop_have_the_same_duration_at_every_rate(sample_rate: int, window: int, hop: int) -> None:
    config = SessionConfig()
    assert (config.window_frames(sample_rate), config.hop_frames(sample_rate)) == (window, hop)
    assert abs(math.log2(window / sample_rate / 85e-3)) <= 0.5
    assert abs(math.log2(hop / sample_rate / 21e-3)) <= 0.5


@given(
    window_ms=st.floats(0.01, 2_000),
    share=st.floats(0.01, 1.0),
    sample_rate=st.sampled_from([4_000, 44_100, 768_000]),
)
def test_hop_is_never_longer_than_the_window(window_ms: float, share: float, sample_rate: int) -> None:
    config = SessionConfig(window_ms=window_ms, hop_ms=window_ms * share)
    assert 16 <= config.hop_frames(sample_rate) <= config.window_frames(sample_rate)
    assert config.window_frames(sample_rate) % config.hop_frames(sample_rate) == 0


@pytest.mark.parametrize(
    ("values", "window", "headless"),
    [
        ({}, "device", "offline"),
        ({"input": "song.wav"}, "device", "offline"),
        ({"input": "mic"}, "device", "device"),
        ({"target": "return"}, "device", "device"),
        ({"clock": "timer"}, "timer", "timer"),
    ],
)
def test_default_clock_is_the_device_in_the_gui_and_offline_in_headless_runs(
    values: dict[str, Any], window: str, headless: str
) -> None:
    config = SessionConfig(**values)
    assert (config.resolved_clock(headless=False), config.resolved_clock(headless=True)) == (window, headless)


def test_default_monitor_is_the_target_or_the_dry_signal_of_a_return() -> None:
    assert SessionConfig().resolved_monitor() == "target"
    assert SessionConfig(target="return").resolved_monitor() == "dry"
    assert SessionConfig(target="return", monitor="mute").resolved_monitor() == "mute"


def test_inputs_without_a_reserved_name_are_files() -> None:
    assert [SessionConfig(input=name).is_file for name in ("mic", "demo", "sine", "pink")] == [False] * 4
    assert [SessionConfig(input=name).is_file for name in ("./demo", "demo.wav", "Mic")] == [True] * 3


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"loss": "l1"}, "--loss: 'l1' is not one of waveform, spectral"),
        ({"optimizer": "LBFGS"}, "--optimizer: 'LBFGS' is not one of Adadelta, "),
        ({"window_ms": 20.0}, "--hop-ms: the hop is longer than the window; use at most --window-ms"),
        ({"input": "mic", "clock": "offline"}, "--clock: 'offline' is not valid for a microphone; use --clock device"),
        ({"input": "mic", "target": "return"}, "--target: 'return' expects a file or a synthetic source; "),
        ({"target": "return", "clock": "timer"}, "--target: 'return' needs an audio device; "),
        ({"target": "channel", "input": "pink"}, "--target: 'channel' needs a two-channel file or mic; "),
        ({"input": "mic", "target": "b.wav"}, "--target: a recording is compared with another one; give that with "),
        ({"input": "pink", "target": "b.wav"}, "--target: a recording is compared with another one; give that with "),
        ({"input": "a.wav", "target": "b.wav", "target_channel": 1}, "--target-channel: only valid with --target ch"),
        ({"input": "a.wav", "target": "b.wav", "dry_channel": 1}, "--dry-channel: not valid with a second recording"),
        ({"input": "a.wav", "target": ""}, "--target: is empty; give the name of a file"),
        ({"input": "demo", "end": 2.0}, "--end: only valid for a file; give one with --input"),
        ({"input": "a.wav", "start": 2.0, "end": 2.0}, "--end: 2 s is not after --start 2 s; give a later time"),
        (
            {"target": "channel", "input": "a.wav", "automation": "b.csv"},
            "--automation: only valid with --target reference",
        ),
        ({"channels": 3}, "--channels: should be 'auto', 1 or 2, not 3"),
        (
            {"input": "a.wav", "dry_channel": ()},
            "--dry-channel: 0 channels are given; give one, or two as 1,2",
        ),
        ({"input": "a.wav", "dry_channel": "1,2"}, "--dry-channel: should be a valid tuple, not '1,2'"),
        ({"input": "a.wav", "dry_channel": (1, 0)}, "--dry-channel: should be greater than or equal to 1, not 0"),
        ({"input": "a.wav", "dry_channel": (2, 513)}, "--dry-channel: should be less than or equal to 512, not 513"),
        (
            {"input": "a.wav", "target": "channel", "dry_channel": 3, "target_channel": (1, 2)},
            "--target-channel: selects two channels, but --dry-channel selects one; give as many for both",
        ),
        (
            {"input": "a.wav", "target": "channel", "dry_channel": (2, 3)},
            "--target-channel: channel 3 is already the dry channel; choose another",
        ),
        (
            {"input": "a.wav", "target": "channel", "channels": 2, "target_channel": (2, 1)},
            "--target-channel: channel 1 is already the dry channel; choose another",
        ),
        (
            {"target": "return", "channels": 2, "output_channel": 3},
            "--output-channel: one channel is given, but --channels is 2; give two as 1,2",
        ),
        ({"gain_db": 60.1}, "--gain-db: should be less than or equal to 60, not 60.1"),
        ({"gain_db": math.nan}, "--gain-db: should be a finite number, not nan"),
        ({"noise_dbfs": -math.inf}, "--noise-dbfs: should be "),
        ({"duration": 1e308}, "--duration: should be less than or equal to 10000000, not 1e+308"),
        ({"seed": 2**63}, "--seed: should be less than 9223372036854775808, not 9223372036854775808"),
        ({"clock": "slow"}, "--clock: should be 'device', 'timer' or 'offline', not 'slow'"),
        ({"input": "a\0b"}, "--input: 'a\\x00b' contains a NUL character"),
        ({"input": "\udcff.wav"}, r"--input: '\udcff.wav' is not valid UTF-8; rename the file"),
        (
            {"input": "a.wav", "target": "b.wav", "target_files": ["b.wav", "b.wav"]},
            "target_files: 'b.wav' is listed twice",
        ),
        (
            {"input": "a.wav", "target": "b.wav", "target_files": ["c.wav"]},
            "target_files: they do not contain the target",
        ),
        ({"target_files": ["reference"]}, "target_files: they do not contain the target 'reference'; add it"),
        ({"target_files": [*"abcde"]}, "target_files: tuple should have at most 4 items "),
        ({"compare": ["waveform"]}, "compare: 'waveform' is not loss/optimizer; use, for example, waveform/SGD"),
        ({"compare": ["waveform/SGD@fast"]}, "compare: 'waveform/SGD@fast' is not loss/optimizer; "),
        ({"compare": ["waveform/SGD@0"]}, "compare: 'waveform/SGD@0' is not loss/optimizer; "),
        ({"compare": ["l1/SGD"]}, "compare: 'l1' is not one of waveform, spectral"),
        ({"compare": ["waveform/LBFGS"]}, "compare: 'LBFGS' is not one of Adadelta, "),
        ({"compare": ["stft/SGD", "stft/SGD"]}, "compare: 'stft/SGD' is listed twice"),
        ({"compare": ["stft/SGD", "stft/Adam", "waveform/SGD"]}, "compare: tuple should have at most 2 items "),
        ({"compare": "waveform/SGD"}, "compare: should be a valid tuple, not 'waveform/SGD'"),
        ({"volume": 3}, "'volume' is not a session option; remove it"),
        ({"input": ["a"] * 100_000}, "--input: should be a valid string, not ['a', "),
    ],
)
def test_invalid_option_is_reported_in_one_short_line_with_its_name(values: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError) as caught:
        make_session_config(**values)
    assert str(caught.value).startswith(line)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("values", "file_channels", "channels", "dry", "target"),
    [
        ({}, 0, 2, (), ()),
        ({"channels": 1}, 0, 1, (), ()),
        ({"input": "pink"}, 0, 1, (), ()),
        ({"input": "pink", "channels": 2}, 0, 2, (), ()),
        ({"input": "mic"}, 0, 1, (1,), ()),
        ({"input": "mic", "channels": 2}, 0, 2, (1, 2), ()),
        ({"input": "mic", "dry_channel": (3, 4)}, 0, 2, (3, 4), ()),
        ({"input": "mic", "target": "channel"}, 0, 1, (1,), (2,)),
        ({"input": "mic", "target": "channel", "channels": 2}, 0, 2, (1, 2), (3, 4)),
        ({"input": "a.wav"}, 1, 1, (), ()),
        ({"input": "a.wav"}, 2, 2, (1, 2), ()),
        ({"input": "a.wav"}, 6, 2, (1, 2), ()),
        ({"input": "a.wav", "channels": 1}, 2, 1, (), ()),
        ({"input": "a.wav", "dry_channel": 2}, 2, 1, (2,), ()),
        ({"input": "a.wav", "target": "channel"}, 2, 1, (1,), (2,)),
        ({"input": "a.wav", "target": "channel"}, 3, 1, (1,), (2,)),
        ({"input": "a.wav", "target": "channel"}, 4, 2, (1, 2), (3, 4)),
        (
            {"input": "a.wav", "target": "channel", "dry_channel": (1, 2), "target_channel": (4, 3)},
            4,
            2,
            (1, 2),
            (4, 3),
        ),
        ({"input": "a.wav", "target": "b.wav"}, 1, 1, (), (2,)),
        ({"input": "a.wav", "target": "b.wav"}, 6, 6, (1, 2, 3, 4, 5, 6), (7, 8, 9, 10, 11, 12)),
        ({"input": "a.wav", "target": "b.wav", "channels": 1}, 2, 1, (), (2,)),
        ({"target": "return"}, 0, 2, (), (1, 2)),
        ({"target": "return", "output_channel": 4}, 0, 1, (), (1,)),
        ({"input": "a.wav", "target": "return", "target_channel": (2, 3)}, 2, 2, (1, 2), (2, 3)),
    ],
)
def test_channels_follow_the_selected_ones_or_the_source(
    values: dict[str, Any], file_channels: int, channels: int, dry: tuple[int, ...], target: tuple[int, ...]
) -> None:
    config = make_session_config(**values)
    assert config.resolved_channels(file_channels) == channels
    assert config.resolved_dry_channels(channels) == dry
    assert config.resolved_target_channels(channels) == target


def test_one_channel_number_is_a_tuple_of_one() -> None:
    assert SessionConfig(input="a.wav", dry_channel=2) == SessionConfig(input="a.wav", dry_channel=(2,))


# --- presets --------------------------------------------------------------------------------------

SESSIONS = st.builds(
    dict,
    input=st.sampled_from(["demo", "sine", "a b/ü.wav"]),
    clock=st.sampled_from([None, "device", "timer", "offline"]),
    duration=st.none() | st.floats(0.1, 1e6),
    gain_db=st.floats(-120, 60),
    polarity=st.sampled_from(["normal", "invert"]),
    noise_dbfs=st.none() | st.floats(-200, 0),
    loss=st.sampled_from(LOSSES),
    optimizer=st.sampled_from(OPTIMIZERS),
    steps=st.none() | st.integers(1, 10_000),
    seed=st.integers(0, 2**63 - 1),
    channels=st.sampled_from(["auto", 1, 2]),
    compare=st.sampled_from([(), ("waveform/SGD",), ("stft/Adam", "waveform/SGD@0.01")]),
)


def test_another_target_replaces_the_recordings_to_switch_between() -> None:
    config = SessionConfig(input="a.wav", target="b.wav", target_files=("b.wav", "c.wav"))
    assert config.second_recordings == ("b.wav", "c.wav")
    assert with_changes(config, target="c.wav").second_recordings == ("b.wav", "c.wav")
    assert with_changes(config, target="d.wav").second_recordings == ("d.wav",)
    assert with_changes(config, target="reference").second_recordings == ()


@given(SESSIONS)
def test_preset_restores_the_saved_session(tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any]) -> None:
    config = make_session_config(**values)
    path = tmp_path_factory.mktemp("preset") / "a.json"
    path.write_text(preset_text(config), encoding="utf-8")
    assert make_session_config(**load_preset(path)) == config


def test_preset_has_a_version_and_only_changed_options() -> None:
    assert json.loads(preset_text(SessionConfig(gain_db=-3.0, loop=True))) == {
        "version": 1,
        "session": {"gain_db": -3.0, "loop": True},
    }


def test_preset_sets_only_the_options_that_it_names(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"version": 1, "session": {"gain_db": -16.478174818886377, "seed": 0}}', encoding="utf-8")
    assert load_preset(path) == {"gain_db": -16.478174818886377, "seed": 0}  # named, although equal to the defaults


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "not JSON ("),
        ("gain_db: -3", "not JSON ("),
        ("[" * 100_000, "nested too deeply for a preset"),
        ('{"version": 1, "session": {"seed": ' + "9" * 5_000 + "}}", "not JSON ("),
        ("[]", "not a preset: expected an object with 'version' and 'session'"),
        ('{"version": 1}', "not a preset: "),
        ('{"version": 1, "session": []}', "not a preset: "),
        ('{"session": {}}', "preset version None; this version of rtgain expects 1"),
        ('{"version": 2, "session": {}}', "preset version 2; this version of rtgain expects 1"),
        ('{"version": "1", "session": {}}', "preset version '1'; this version of rtgain expects 1"),
        ('{"version": 1, "session": {"volume": 3}}', "'volume' is not a session option; remove it"),
        ('{"version": 1, "session": {"self": 3}}', "'self' is not a session option; remove it"),
        ('{"version": 1, "session": {"gain_db": NaN}}', "--gain-db: should be a finite number, not nan"),
        ('{"version": 1, "session": {"gain_db": "loud"}}', "--gain-db: should be a valid number"),
        ('{"version": 1, "session": {"loss": "l1"}}', "--loss: 'l1' is not one of "),
        ('{"version": 1, "session": {"input": "a\\u0000b"}}', "--input: 'a\\x00b' contains a NUL character"),
        ('{"version": 1, "session": {"input": ' + "[" * 900 + "]" * 900 + "}}", "--input: should be a valid string"),
    ],
)
def test_invalid_preset_is_rejected_in_one_short_line(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_preset(path)
    assert str(caught.value).startswith(f"{path}: {line}")
    assert len(str(caught.value)) < len(str(path)) + 300


def test_unreadable_preset_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.json").write_bytes(b'{"input": "\xfc"}')
    for path in (tmp_path / "none.json", tmp_path, tmp_path / "latin.json"):
        with pytest.raises(InputError, match=r"; --preset expects a preset saved by rtgain$"):
            load_preset(path)


@pytest.mark.parametrize("typed", ["-6,5", "−6.5", "−6,5", "-6.5"])
def test_numbers_of_the_command_line_may_have_a_decimal_comma_and_a_real_minus(typed: str) -> None:
    options = build_parser().parse_args(["run", "--headless", "--gain-db", typed, "--delay-ms", "1,5"])
    assert (options.gain_db, options.delay_ms) == (-6.5, 1.5)
