"""Options of a headless session, checked in its CSV, JSON and recording."""

import argparse
import json
import math
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from rtgain.audio.sources.demo import DemoSource
from rtgain.audio.sources.file_source import FileSource
from rtgain.cli.main import main, parse_session
from rtgain.config.session_config import SessionConfig
from rtgain.output.output_files import OutputPaths
from rtgain.session.session import Session
from rtgain.system.shutdown_signals import SHUTDOWN_SIGNALS
from tests.commands import rows

RATE = 48_000
SEED = 7


@dataclass(frozen=True)
class Run:
    """Outputs of one session."""

    result: dict[str, Any]
    rows: list[dict[str, str]]
    csv: bytes

    def column(self, name: str) -> np.ndarray:
        """A column of the CSV as numbers, NaN for empty cells."""
        return np.array([float(row[name] or "nan") for row in self.rows])


Headless = Callable[..., Run]


@pytest.fixture
def headless(tmp_path: Path) -> Iterator[Headless]:
    """Function that runs ``rtgain run --headless WORDS`` in the test process, because importing torch takes longer."""
    handlers = {number: signal.getsignal(number) for number in SHUTDOWN_SIGNALS}

    def run(words: str, *paths: str | Path) -> Run:
        table, summary = tmp_path / "t.csv", tmp_path / "s.json"
        outputs = ["--csv", str(table), "--json", str(summary)]
        assert main(["run", "--headless", *outputs, *words.split(), *map(str, paths)]) == 0
        return Run(json.loads(summary.read_text()), rows(table), table.read_bytes())

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def noise(frames: int, seed: int = SEED) -> np.ndarray:
    """White noise of −20 dBFS, (frames,)."""
    return (0.1 * np.random.default_rng(seed).standard_normal(frames)).astype(np.float32)


def db(gain: float) -> float:
    return 20.0 * math.log10(gain)


# --- windows and hops ---


@pytest.mark.parametrize(
    ("sample_rate", "duration_s", "window_ms", "hop_ms", "delay_ms"),
    [
        (8_000, 60, 2000, 2000, 0),
        (48_000, 30, 2000, 700, 0),
        (384_000, 10, 341, 100, 100),
        (768_000, 4, 85, 21, 300),
    ],
)
def test_offline_clock_analyzes_every_window_of_any_length(
    sample_rate: int, duration_s: int, window_ms: int, hop_ms: int, delay_ms: int, headless: Headless, tmp_path: Path
) -> None:
    run = headless(
        f"--input pink --sample-rate {sample_rate} --duration {duration_s} --window-ms {window_ms} --hop-ms {hop_ms} "
        f"--delay-ms {delay_ms} --record",
        tmp_path / "matched.wav",
    )
    config = SessionConfig(window_ms=window_ms, hop_ms=hop_ms)
    window, hop = config.window_frames(sample_rate), config.hop_frames(sample_rate)
    delayed = round(1e-3 * delay_ms * sample_rate)
    complete = (duration_s * sample_rate - window) // hop + 1
    # Those that wait for a delayed target do not come, once the delay is known.
    assert complete - -(-delayed // hop) <= len(run.rows) <= complete
    assert np.diff(run.column("time_s")) == pytest.approx(hop / sample_rate, abs=2e-6)
    assert run.result["dropped_frames"] == 0
    assert run.column("gain_est_db")[-1] == pytest.approx(db(0.15), abs=0.01)


# --- the reference path ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "gain_db", "polarity", "delay_ms"),
    [
        ("", db(0.15), 1, 0.0),
        ("--gain-db 6.5", 6.5, 1, 0.0),
        ("--gain-db -90", -90.0, 1, 0.0),
        ("--gain 0.25", db(0.25), 1, 0.0),
        ("--gain -5e-1", db(0.5), -1, 0.0),
        ("--gain -0.5 --polarity invert", db(0.5), 1, 0.0),
        ("--gain-db -12 --polarity invert", -12.0, -1, 0.0),
        ("--gain-db -12 --phase-deg 90", -12.0, 0, 0.0),
        ("--gain-db -12 --phase-deg 180", -12.0, -1, 0.0),
        ("--gain-db -12 --delay-ms 5", -12.0, 1, 5.0),
        (f"--gain-db -12 --delay-ms {240.25e3 / RATE!r} --polarity invert", -12.0, -1, 240.25e3 / RATE),
    ],
)
def test_gain_polarity_and_delay_of_the_reference_path_are_estimated(
    headless: Headless, words: str, gain_db: float, polarity: int, delay_ms: float
) -> None:
    run = headless(f"--duration 3 {words}")
    assert run.result["gain_db"] == pytest.approx(gain_db, abs=0.01)
    assert run.result["gain_linear"] == pytest.approx(10 ** (run.result["gain_db"] / 20))
    assert run.result["polarity"] == polarity
    assert run.result["delay_ms"] == pytest.approx(delay_ms, abs=0.02e3 / RATE)  # a fiftieth of a frame
    assert run.result["state"] == "tracking"
    np.testing.assert_allclose(run.column("gain_true_db"), gain_db, atol=1e-5)


def test_noise_on_the_target_has_the_requested_level(headless: Headless, tmp_path: Path) -> None:
    """At the right gain the difference is the noise, so the waveform loss is |noise| over |target| (both Gaussian)."""
    soundfile.write(tmp_path / "n.wav", noise(3 * RATE), RATE, subtype="FLOAT")
    run = headless("--loss waveform --gain-db 0 --noise-dbfs -40 --input", tmp_path / "n.wav")
    assert run.result["gain_db"] == pytest.approx(0.0, abs=0.01)
    assert run.column("loss")[20:].mean() == pytest.approx(0.01 / math.hypot(0.1, 0.01), rel=0.01)


def test_estimate_follows_an_automation(headless: Headless, tmp_path: Path) -> None:
    table = tmp_path / "moves.csv"
    table.write_text("time_s,gain_db\n0,-6\n1,-6\n1,-12\n2,-12\n3,-20\n")
    run = headless("--duration 4 --automation", table)
    time_s, true_db, estimate_db = (run.column(name) for name in ("time_s", "gain_true_db", "gain_est_db"))
    window_s = 4096 / RATE
    inside = np.abs(time_s[:, np.newaxis] - [1, 2, 3]).min(axis=1) > window_s / 2  # of one segment, with the window
    expected_db = np.where(time_s < 1, -6.0, np.interp(time_s, [1, 2, 3], [-12, -12, -20]))
    np.testing.assert_allclose(true_db[inside], expected_db[inside], atol=1e-4)
    still = inside & ((time_s < 2) | (time_s > 3)) & (np.abs(time_s % 1 - 0.5) < 0.4)
    assert still.sum() > 100
    np.testing.assert_allclose(estimate_db[still], true_db[still], atol=0.01)
    ramp = inside & (time_s > 2.2) & (time_s < 3)
    assert np.abs(estimate_db - true_db)[ramp].max() < 0.1


def test_reference_path_has_the_equalizer_of_a_file(headless: Headless, tmp_path: Path) -> None:
    """A tone at the center of a peak has the gain of the peak, the preamp and the reference gain."""
    tone, equalizer = tmp_path / "tone.wav", tmp_path / "eq.txt"
    soundfile.write(tone, 0.1 * np.sin(2 * np.pi * 1000 / RATE * np.arange(RATE)), RATE, subtype="FLOAT")
    equalizer.write_text("Preamp: -2 dB\nFilter 1: ON PK Fc 1000 Hz Gain 5 dB Q 2\n")
    run = headless("--gain-db -4 --input", tone, "--eq", equalizer)
    np.testing.assert_allclose(run.column("gain_true_db"), -6.0, atol=1e-4)
    np.testing.assert_allclose(run.column("gain_est_db")[-10:], -1.0, atol=0.01)


def test_preset_sets_the_session_and_options_override_it(headless: Headless, tmp_path: Path) -> None:
    preset = tmp_path / "p.json"
    session = {"input": "pink", "duration": 2.0, "gain_db": -3.0, "polarity": "invert", "optimizer": "ASGD"}
    preset.write_text(json.dumps({"version": 1, "session": session}))
    run = headless("--gain-db -9 --preset", preset)
    assert (run.result["input"], run.result["duration_s"], run.result["optimizer"]) == ("pink", 2.0, "ASGD")
    assert run.result["gain_db"] == pytest.approx(-9.0, abs=0.01)
    assert run.result["polarity"] == -1
    assert headless("--gain -0.5 --preset", preset).result["polarity"] == 1  # a negative gain turns it over again


# --- sources --------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["demo", "sine", "pink"])
def test_synthetic_source_lasts_ten_seconds_by_default(headless: Headless, source: str) -> None:
    run = headless(f"--gain-db -12 --input {source}")
    assert (run.result["input"], run.result["duration_s"], run.result["frames"]) == (source, 10.0, 10 * RATE)
    assert run.result["gain_db"] == pytest.approx(-12.0, abs=0.01)
    assert run.result["dropped_frames"] == run.result["xruns"] == 0


def test_file_ends_at_its_length_and_with_loop_at_the_duration(headless: Headless, tmp_path: Path) -> None:
    path = tmp_path / "n.wav"
    soundfile.write(path, noise(RATE), RATE)
    assert headless("--input", path).result["frames"] == RATE
    assert headless("--duration 0.75 --input", path).result["frames"] == 36_000
    assert headless("--duration 2.5 --input", path).result["frames"] == RATE
    looped = headless("--duration 2.5 --loop --input", path)
    assert looped.result["frames"] == 120_000
    assert looped.rows[-1]["state"] == "tracking"


def test_sample_rate_option_resamples_the_file(headless: Headless, tmp_path: Path) -> None:
    path = tmp_path / "n.flac"
    soundfile.write(path, noise(2 * RATE), RATE)
    run = headless("--gain-db -12 --sample-rate 44100 --input", path)
    assert (run.result["sample_rate"], run.result["frames"], run.result["duration_s"]) == (44_100, 88_200, 2.0)
    assert run.result["gain_db"] == pytest.approx(-12.0, abs=0.01)
    np.testing.assert_allclose(np.diff(run.column("time_s")), 1024 / 44_100, atol=1e-6)


def test_target_channel_option_uses_two_channels_of_a_file(headless: Headless, tmp_path: Path) -> None:
    dry = noise(3 * RATE)
    target = -0.25 * np.concatenate([np.zeros(96, np.float32), dry[:-96]])
    soundfile.write(tmp_path / "pair.wav", np.stack([dry, target], axis=1), RATE, subtype="FLOAT")
    run = headless("--target channel --input", tmp_path / "pair.wav")
    assert run.result["gain_db"] == pytest.approx(db(0.25), abs=0.01)
    assert run.result["delay_ms"] == pytest.approx(2.0, abs=0.01e3 / RATE)
    assert run.result["polarity"] == -1
    assert run.result["rmse_db"] is run.result["settle_s"] is None
    assert {row["gain_true_db"] for row in run.rows} == {""}


def test_silence_has_no_gain_and_the_state_silent(headless: Headless, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "z.wav", np.zeros(RATE, np.float32), RATE)
    run = headless("--input", tmp_path / "z.wav")
    assert run.result["state"] == "silent"
    assert run.result["std_db"] is run.result["rmse_db"] is None
    assert {(row["state"], row["gain_opt_db"], row["std_db"], row["loss"]) for row in run.rows} == {
        ("silent", "", "", "")
    }


def test_estimate_is_held_through_the_pauses_of_speech(headless: Headless, tmp_path: Path) -> None:
    """Words of 0.3 to 0.5 s (a buzz of 120 Hz through two resonances, and hiss), with pauses of 0.2 to 0.4 s."""
    random = np.random.default_rng(SEED)
    time_s = np.arange(4 * RATE) / RATE
    buzz = sum(
        np.sin(2 * np.pi * 120 * k * time_s) / (1 + ((120 * k - 700) / 200) ** 2 + ((120 * k - 1200) / 400) ** 2)
        for k in range(1, 30)
    )
    speech = 0.1 * buzz + 0.003 * random.standard_normal(len(time_s))
    ends_s = np.cumsum(np.stack([random.uniform(0.3, 0.5, 8), random.uniform(0.2, 0.4, 8)], axis=1).ravel())
    speaking = np.searchsorted(ends_s, time_s) % 2 == 0
    soundfile.write(tmp_path / "speech.wav", np.where(speaking, speech, 0.0), RATE, subtype="FLOAT")
    run = headless("--gain-db -12 --input", tmp_path / "speech.wav")
    assert run.result["gain_db"] == pytest.approx(-12.0, abs=0.01)
    silent = np.array([row["state"] == "silent" for row in run.rows])
    assert 4 <= np.count_nonzero(np.diff(silent.astype(int)) == 1) <= 8
    moves_db = np.abs(np.diff(run.column("gain_est_db")))
    assert moves_db[silent[1:]].max() <= 0.01
    tracking = np.array([row["state"] == "tracking" for row in run.rows])
    assert np.abs(run.column("gain_est_db") + 12.0)[tracking].max() <= 0.01


# --- the estimator --------------------------------------------------------------------------------


def test_waveform_loss_fails_at_90_degrees_and_spectral_loss_does_not(headless: Headless) -> None:
    options = "--duration 2 --gain-db -12 --phase-deg 90 --loss"
    waveform, spectral = headless(f"{options} waveform"), headless(f"{options} spectral")
    assert (waveform.result["loss"], spectral.result["loss"]) == ("waveform", "spectral")
    assert waveform.column("gain_opt_db").max() < -24.0
    np.testing.assert_allclose(spectral.column("gain_opt_db"), -12.0, atol=0.01)


@pytest.mark.parametrize(
    ("word", "name"), [("ADAM", "Adam"), ("rmsprop", "RMSprop"), ("Sgd", "SGD"), ("nadam", "NAdam")]
)
def test_optimizer_name_ignores_case(headless: Headless, word: str, name: str) -> None:
    assert headless(f"--duration 0.2 --optimizer {word}").result["optimizer"] == name


def test_learning_rate_and_steps_default_to_those_of_the_optimizer(headless: Headless) -> None:
    """One step of gradient descent is the learning rate times the gradient, and the first gradient is the same."""
    slow, fast = (headless(f"--duration 0.5 --optimizer SGD --steps 1 --lr {lr}") for lr in ("0.01", "0.1"))
    first_db = float(slow.rows[0]["gain_est_db"]), float(fast.rows[0]["gain_est_db"])
    assert first_db[0] < 0
    assert first_db[1] / first_db[0] == pytest.approx(10.0, rel=1e-3)
    assert set(slow.column("steps")) == {1}
    assert set(headless("--duration 0.5 --optimizer Adam --steps 3").column("steps")) <= {1, 2, 3}


@pytest.mark.parametrize(
    ("words", "window", "hop"),
    [("", 4096, 1024), ("--window-ms 40 --hop-ms 10", 2048, 512), ("--window-ms 170 --hop-ms 85", 8192, 4096)],
)
def test_window_and_hop_are_rounded_to_powers_of_two(headless: Headless, words: str, window: int, hop: int) -> None:
    run = headless(f"--duration 1 {words}")
    centers = np.arange(len(run.rows)) * hop + window / 2
    np.testing.assert_allclose(run.column("time_s"), centers / RATE, atol=0.51e-6)
    assert run.result["estimates"] == len(run.rows) == (RATE - window) // hop + 1


def test_alignment_off_reports_no_delay(headless: Headless) -> None:
    run = headless("--duration 2 --delay-ms 5 --align off")
    assert set(run.column("delay_ms")) == {0.0}
    assert run.result["delay_ms"] == 0.0


def test_seed_repeats_the_noise_and_another_seed_does_not(headless: Headless) -> None:
    one, again, other = (
        headless(f"--duration 1 --input {source} --noise-dbfs -50 --seed {seed}")
        for source, seed in (("pink", 5), ("pink", 5), ("pink", 6))
    )
    assert one.csv == again.csv
    assert one.csv != other.csv
    assert headless("--duration 1 --noise-dbfs -50").csv != headless("--duration 1 --noise-dbfs -50 --seed 1").csv


@pytest.mark.parametrize("words", ["--block 1000", "--block 1", *(f"--monitor {what}" for what in ("dry", "mute"))])
def test_block_and_monitor_do_not_change_the_estimates(headless: Headless, words: str) -> None:
    assert headless(f"--duration 1 {words}").csv == headless("--duration 1").csv


# --- the recording --------------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "delay_frames"), [("", 0), ("--delay-ms 5", 240), ("--polarity invert", 0)])
def test_recording_is_the_matched_signal(headless: Headless, tmp_path: Path, words: str, delay_frames: int) -> None:
    path = tmp_path / "m.wav"
    run = headless(f"--duration 4 --gain-db -12 {words} --record", path)
    matched, rate = soundfile.read(path, dtype="float32")
    assert (rate, len(matched)) == (RATE, run.result["frames"])
    dry = DemoSource(RATE, channels=2).read(4 * RATE).T
    gain = math.copysign(10 ** (-12 / 20), run.result["polarity"])
    settled = slice(2 * RATE, 4 * RATE)
    expected = gain * np.roll(dry, delay_frames, axis=0)[settled]
    assert np.abs(matched[settled] - expected).max() <= 1e-3 * np.abs(expected).max()
    assert np.abs(expected).max() > 0.05


def test_flac_recording_holds_the_same_sound(headless: Headless, tmp_path: Path) -> None:
    dry = tmp_path / "n.wav"
    soundfile.write(dry, noise(RATE), RATE, subtype="FLOAT")
    for name in ("m.wav", "m.flac"):
        headless(f"--gain-db -12 --record {tmp_path / name} --input", dry)
    wav, flac = (FileSource(tmp_path / name).read(RATE)[0] for name in ("m.wav", "m.flac"))
    np.testing.assert_allclose(flac, np.clip(wav, -1, 1), rtol=0, atol=2**-23)


def test_samples_that_a_flac_recording_clips_are_reported(
    headless: Headless, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dry, loud = tmp_path / "n.wav", 2.0 * np.sin(2 * np.pi * 997 * np.arange(2 * RATE) / RATE)
    soundfile.write(dry, loud, RATE, subtype="FLOAT")
    for name in ("m.wav", "m.flac"):
        headless(f"--gain-db 0 --record {tmp_path / name} --input", dry)
    wav = FileSource(tmp_path / "m.wav").read(2 * RATE)[0]
    clipped, peak_dbfs = np.count_nonzero(np.abs(wav) > 1 + 2**-16), 20 * math.log10(np.abs(wav).max())
    assert clipped > RATE
    lines = [line for line in capsys.readouterr().err.splitlines() if "full scale" in line]
    assert lines == [
        f"rtgain: {tmp_path / 'm.wav'}: peaks of {peak_dbfs:.1f} dBFS are above full scale, where players clip; "
        "use --level-match estimate to attenuate the louder signal",
        f"rtgain: {tmp_path / 'm.flac'}: {clipped} samples above full scale were clipped (peak {peak_dbfs:.1f} dBFS); "
        "use a name that ends in .wav to keep them",
    ]


def test_ctrl_c_during_startup_is_a_request_to_finish(
    headless: Headless, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an exception it could be lost in an import, and the run would not end."""

    def interrupted(options: argparse.Namespace) -> tuple[SessionConfig, OutputPaths]:
        signal.raise_signal(signal.SIGINT)
        return parse_session(options)

    monkeypatch.setattr("rtgain.cli.main.parse_session", interrupted)
    table = tmp_path / "begun.csv"
    assert main(["run", "--headless", "--duration", "3", "--csv", str(table)]) == 130
    assert rows(table) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interruption_before_an_equalizer_was_learned_is_no_error(
    number: signal.Signals,
    code: int,
    headless: Headless,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """There is no equalizer to write; one from an earlier run stays."""
    start = Session.start

    def interrupted(session: Session, **arguments: Any) -> None:
        start(session, **arguments)
        signal.raise_signal(number)

    monkeypatch.setattr(Session, "start", interrupted)
    learned = tmp_path / "learned.txt"
    learned.write_text("Preamp: -1 dB\n")
    words = "run --headless --clock offline --duration 3 --processor eq --eq-out"
    assert main([*words.split(), str(learned)]) == code
    assert learned.read_text() == "Preamp: -1 dB\n"
    assert capsys.readouterr().err == (
        f"rtgain: --eq-out {learned}: not written, because the run ended before an equalizer was learned\n"
    )
