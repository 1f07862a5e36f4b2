"""Level match of sessions: what is monitored and recorded at one level, measured on the output of the engine."""

import math
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy.signal import filtfilt

from rtgain.audio.engine.engine import Engine
from rtgain.audio.sources.demo import DemoSource
from rtgain.cli.main import main
from rtgain.config.session_config import SessionConfig
from rtgain.errors import InputError
from rtgain.metering.loudness import LoudnessMeter
from rtgain.session.session import Session
from rtgain.system.shutdown_signals import SHUTDOWN_SIGNALS

RATE = 48_000
SECTION_S = (1.0, 4.0)
LATE = 300

Signal = NDArray[np.float32]


class CapturingEngine(Engine):
    """Engine that stores its output, as a device would play it."""

    outputs: list[Signal]

    def process(self, dry_in: Signal, target_in: Signal | None, out: Signal) -> None:
        super().process(dry_in, target_in, out)
        self.outputs.append(out.copy())


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Music close to full scale; 4 dB louder and 300 frames later; 8 dB softer with its bass raised, as late."""
    folder = tmp_path_factory.mktemp("pairs")
    music = DemoSource(RATE, 2).read(5 * RATE)
    music *= 0.9 / np.abs(music).max()
    shelved = music + filtfilt([0.05], [1.0, -0.95], music)  # without a delay
    late = ((0, 0), (LATE, 0))
    sounds = {
        "dry": music,
        "louder": np.pad(10 ** (4 / 20) * music, late),
        "softer": np.pad(10 ** (-8 / 20) * shelved, late),
    }
    for name, sound in sounds.items():
        soundfile.write(folder / f"{name}.wav", sound.T, RATE, subtype="FLOAT")
    return {name: folder / f"{name}.wav" for name in sounds}


@pytest.fixture
def monitor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., tuple[Signal, Signal]]]:
    """Function that runs a section headless; returns the monitor output and the recording, (frames, channels)."""
    handlers = {number: signal.getsignal(number) for number in SHUTDOWN_SIGNALS}
    monkeypatch.setattr(Session, "engine_type", CapturingEngine)

    def run(dry: Path, target: Path, mode: str, name: str) -> tuple[Signal, Signal]:
        record = tmp_path / "matched.wav"
        section = [word for option in zip(("--start", "--end"), map(str, SECTION_S), strict=True) for word in option]
        CapturingEngine.outputs = []
        words = ["--input", str(dry), "--target", str(target), "--monitor", name, "--level-match", mode]
        assert main(["run", "--headless", *words, *section, "--record", str(record)]) == 0
        recorded, _ = soundfile.read(record, dtype="float32", always_2d=True)
        # A measurement of the gain runs a session of its own before.
        return np.concatenate(CapturingEngine.outputs)[-len(recorded) :], recorded

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def integrated_lufs(sound: Signal) -> float:
    meter = LoudnessMeter(RATE, sound.shape[1])
    meter.push(np.ascontiguousarray(sound.T))
    return meter.integrated_lufs


def gain_db(dry: Signal, target: Signal) -> float:
    return 20 * math.log10(np.vdot(dry, target) / np.vdot(dry, dry))


@pytest.mark.parametrize("target", ["louder", "softer"])
def test_dry_and_target_are_played_at_one_loudness(monitor, pairs, target):
    dry, _ = monitor(pairs["dry"], pairs[target], "loudness", "dry")
    wet, recorded = monitor(pairs["dry"], pairs[target], "loudness", "target")
    assert abs(integrated_lufs(wet) - integrated_lufs(dry)) <= 0.1
    assert np.abs(wet).max() < 1.0
    assert np.abs(recorded).max() < 1.0
    quieter, played, start = (pairs["dry"], dry, RATE) if target == "louder" else (pairs[target], wet, RATE + LATE)
    original, _ = soundfile.read(quieter, start=start, frames=3 * RATE, dtype="float32")
    np.testing.assert_array_equal(played, original)  # the quieter one is not changed, not even by a bit


def test_dry_and_target_are_played_with_one_gain_and_recorded_in_time(monitor, pairs, capsys):
    dry, recorded = monitor(pairs["dry"], pairs["louder"], "estimate", "dry")
    sentences = "After matching the gain, both have the same loudness. Attenuated: the target by 4.00 dB."
    assert f"rtgain: Gain 4.00 dB, loudness 4.00 LU. {sentences}" in capsys.readouterr().err
    wet, _ = monitor(pairs["dry"], pairs["louder"], "estimate", "target")
    assert abs(gain_db(dry, wet)) <= 0.02
    np.testing.assert_allclose(wet, dry, atol=2e-3)  # aligned to the frame
    settled = slice(RATE, None)
    assert abs(gain_db(dry[settled], recorded[settled])) <= 0.02
    assert np.abs(recorded).max() < 1.0


def test_peaks_above_full_scale_are_stated(monitor, pairs, capsys):
    _, recorded = monitor(pairs["dry"], pairs["louder"], "off", "mute")
    assert np.abs(recorded).max() > 1.1
    assert "matched.wav: peaks of 3." in capsys.readouterr().err


def test_match_records_at_the_level_of_the_dry_recording(monkeypatch, pairs, tmp_path, capsys):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    record = tmp_path / "matched.flac"  # without the trim, it would exceed full scale
    words = ["match", str(pairs["dry"]), str(pairs["louder"]), "--record", str(record)]
    assert main([*words, "--level-match", "loudness"]) == 0
    matched, _ = soundfile.read(record, dtype="float32")
    dry, _ = soundfile.read(pairs["dry"], dtype="float32")
    assert abs(integrated_lufs(matched[LATE:]) - integrated_lufs(dry)) <= 0.1
    assert main([*words[:3], "--level-match", "loudness"]) == 2
    assert "give --record FILE.wav with it" in capsys.readouterr().err


def test_reference_path_is_followed_and_two_recordings_are_not(pairs):
    config = SessionConfig(input=str(pairs["dry"]), gain_db=6.0, level_match="estimate")
    with Session(config, clock="offline", record=True) as session:
        session.start()
        while not session.is_finished:
            session.advance()
        match = session.snapshot().level_match
        assert match.target_trim_db == pytest.approx(-6.0, abs=0.02)
        matched = np.concatenate(session.read_matched(), axis=1)[:, RATE:]
    dry, _ = soundfile.read(pairs["dry"], start=RATE, dtype="float32")
    assert abs(gain_db(dry, matched.T)) <= 0.02
    config = SessionConfig(input=str(pairs["dry"]), target=str(pairs["louder"]), level_match="estimate")
    with Session(config, clock="offline") as session:
        session.start()
        session.advance()
        assert math.isnan(session.snapshot().level_match.gain_db)
        session.set_level_differences(gain_db=4.0, loudness_lu=3.0)
        assert session.snapshot().level_match.target_trim_db == -4.0
        session.set_level_match("loudness")
        assert session.snapshot().level_match.target_trim_db == -3.0


def test_loudness_of_one_file_needs_a_live_clock(pairs):
    with pytest.raises(InputError, match="use --clock timer, or --level-match estimate"):
        Session(SessionConfig(input=str(pairs["dry"]), level_match="loudness"), clock="offline", record=True)


@pytest.mark.parametrize(("clock", "gain"), [("timer", 0.0), ("offline", 1.0)])
def test_matched_signal_is_silent_until_a_gain_is_known(clock, gain):
    with Session(SessionConfig(input="sine"), clock=clock) as session:
        assert session._engine.memory.control["matched_gain"] == gain
        session.set_monitor("matched")
        played = np.ones((RATE // 2, session.channels), np.float32)
        session._engine.process(np.full(played.shape[::-1], 0.5, np.float32), None, played)
        after_crossfade = played[RATE // 10 :]
        assert (after_crossfade == 0.5 * gain).all()
