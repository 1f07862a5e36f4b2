"""Killed processes, and simultaneous programs: no program loses its files or memory to another."""

import json
import math
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtgain.audio.engine.shm_cleanup import lock_shared
from rtgain.config.session_config import SessionConfig
from rtgain.errors import InputError
from rtgain.estimation.supervisor import Supervisor
from rtgain.output.csv_writer import csv_row
from rtgain.output.output_files import OutputFiles, OutputPaths
from rtgain.records.estimate import Estimate, State
from rtgain.session.session import Session
from rtgain.system.file_lock import lock_for_writing
from tests.commands import rtgain, start_rtgain
from tests.estimation.scripted_worker import ScriptedWorker
from tests.polling import TIMEOUT_S, wait_until

RATE = 48_000
LIVE = ("run", "--headless", "--clock", "timer", "--gain-db", "-12", "--duration")


# --- beside each other ------------------------------------------------------------------------------


def started(folder: Path, seconds: str) -> subprocess.Popen[str]:
    """Live session in its own folder and process group."""
    folder.mkdir()
    outputs = ("--csv", "t.csv", "--json", "s.json", "--record", "m.wav")
    return start_rtgain(*LIVE, seconds, *outputs, cwd=folder, start_new_session=True)


def wait_for_rows(process: subprocess.Popen[str], folder: Path) -> Path:
    """Wait until its CSV has rows; return the file of its shared memory."""
    table = folder / "t.csv"
    wait_until(lambda: process.poll() is not None or (table.exists() and table.read_text().count("\n") > 20))
    maps = Path(f"/proc/{process.pid}/maps").read_text().splitlines()
    (block,) = {Path(line.split()[-1]) for line in maps if "/dev/shm/rtgain-" in line}
    return block


@pytest.fixture
def two(tmp_path: Path) -> Iterator[list[tuple[Path, subprocess.Popen[str]]]]:
    """Two simultaneous live sessions that last longer than a test."""
    running = [(tmp_path / name, started(tmp_path / name, "600")) for name in ("one", "two")]
    yield running
    for _, process in running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def test_next_run_removes_only_the_killed_runs_shared_memory(
    two: list[tuple[Path, subprocess.Popen[str]]],
) -> None:
    (folder, killed), (other_folder, other) = two
    block, other_block = wait_for_rows(killed, folder), wait_for_rows(other, other_folder)
    with block.open("rb") as locked:
        assert lock_shared(locked.fileno())  # otherwise a program of another test that starts now would remove it
        os.killpg(killed.pid, signal.SIGKILL)
        killed.communicate()
        assert block.exists(), "nobody was left to remove it"

    third = rtgain("run", "--headless", "--duration", "1", "--json", "-")
    assert (third.returncode, third.stderr) == (0, "")
    assert not block.exists()

    assert other_block.exists()
    other.send_signal(signal.SIGINT)
    assert other.communicate(timeout=TIMEOUT_S) == ("", "")
    assert other.returncode == 130
    assert not other_block.exists()
    summary = json.loads((other_folder / "s.json").read_text())
    assert soundfile.info(other_folder / "m.wav").frames == summary["frames"] > RATE // 3


@pytest.mark.parametrize("option", ["--csv", "--record"])
def test_file_locked_by_another_run_is_rejected(tmp_path: Path, option: str) -> None:
    output, other = tmp_path / "m.wav", tmp_path / "other"
    with lock_for_writing(output) as writing:
        assert writing is not None
        writing.write(b"a take")
        writing.flush()
        words = {"--csv": ("--record", other.with_suffix(".wav")), "--record": ("--csv", other)}[option]
        ran = rtgain("run", "--headless", "--duration", "1", option, output, *words)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"rtgain: {output}: another rtgain process is writing to it; choose another name\n"
    assert output.read_bytes() == b"a take"
    assert list(tmp_path.iterdir()) == [output]


def test_results_of_a_manifest_have_one_writer(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("dry,target\na.wav,b.wav\n")
    with lock_for_writing(tmp_path / "results.csv"):
        ran = rtgain("match", "--manifest", "pairs.csv", "--csv", "results.csv", cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (
        2, "rtgain: results.csv: another rtgain process is writing to it; choose another name\n",
    )  # fmt: skip
    assert (tmp_path / "results.csv").read_bytes() == b""


def test_lock_is_released_afterwards_and_devices_are_not_locked(tmp_path: Path) -> None:
    for _ in range(2):
        with lock_for_writing(tmp_path / "t.csv") as file:
            assert file is not None
    assert lock_for_writing(Path(os.devnull)) is None


@pytest.mark.parametrize("words", [("--record", "old.mp3"), ("--record", "none/m.wav"), ("--csv", "none/t.csv")])
def test_run_that_cannot_start_leaves_existing_files_unchanged(tmp_path: Path, words: tuple[str, str]) -> None:
    old = {tmp_path / name: name.encode() for name in ("old.csv", "old.mp3", "old.wav", "old.json")}
    for path, content in old.items():
        path.write_bytes(content)
    others = ("--csv", "old.csv", "--record", "old.wav", "--json", "old.json")
    assert rtgain("run", "--headless", "--duration", "1", *others, *words, cwd=tmp_path).returncode == 2
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == old


def test_existing_file_is_not_removed_if_another_output_fails(tmp_path: Path) -> None:
    table, recording = tmp_path / "old.csv", tmp_path / "old.mp3"
    table.write_text("mine")
    recording.write_text("mine too")
    with pytest.raises(InputError, match=r"old\.mp3: recordings are WAV or FLAC"):
        OutputFiles(OutputPaths(csv=str(table), record=str(recording)), RATE)
    assert (table.read_text(), recording.read_text()) == ("mine", "mine too")


# --- an estimator that gives nonsense -----------------------------------------------------------------


def test_nan_estimates_keep_the_last_gain_and_display_as_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test is the estimator: it writes estimates and gains as the process would."""
    monkeypatch.setattr(Supervisor, "worker_type", ScriptedWorker)
    gain = 10 ** (-12 / 20)
    known = Estimate(
        *(0.0, 0.0, -12.0, -12.0, -12.0, 0.1, -12.0, 0.05, 0.1, 0.0, State.TRACKING, 1, 0.0, 1),
        *((-12.0, -12.0), (1, 1), (0.0, 0.0)),
    )
    nonsense = replace(
        known, gain_true_db=math.nan, gain_est_db=math.nan, gain_opt_db=math.nan, opt_std_db=math.nan,
        std_db=math.nan, loss=math.nan, delay_frames=math.nan,
    )  # fmt: skip
    assert csv_row(nonsense, RATE).split(",")[1:6] == [""] * 5
    with Session(SessionConfig(gain_db=-12.0, monitor="matched"), clock="timer") as session:
        session.start()
        memory = session._engine.memory

        def play_with(estimate: Estimate, matched_gain: float) -> None:
            """Publish an estimate, and play a tenth of a second with it."""
            memory.control["matched_gain"] = matched_gain
            memory.control["matched_delay_frames"] = estimate.delay_frames
            memory.estimates.write(estimate.to_row().reshape(-1, 1))
            end_frame = session.frames + RATE // 10
            wait_until(lambda: session.advance() is not None and session.frames > end_frame)

        play_with(known, gain)
        assert session.snapshot().gain_db == -12.0
        start_frame = session.frames
        play_with(nonsense, math.nan)
        assert math.isnan(session.snapshot().gain_db)
        summary = json.loads(session.summary().to_json())
        assert (summary["gain_db"], summary["std_db"], summary["delay_ms"]) == (None, None, None)
        sound = memory.audio.read_signals(start_frame, RATE // 20)
        assert np.abs(sound.dry).max() > 0.01
        np.testing.assert_allclose(sound.matched, gain * sound.dry, rtol=2e-3, atol=1e-6)

        play_with(known, gain)
        assert session.snapshot().gain_db == -12.0
