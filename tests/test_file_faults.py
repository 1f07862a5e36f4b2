"""Files that fail while a session reads or writes them: it continues, or ends with one line and complete outputs."""

import json
import os
import resource
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtgain.audio.sources.demo import DemoSource
from rtgain.audio.sources.file_source import FileSource
from rtgain.audio.sources.synthetic import PinkSource
from rtgain.config.presets import preset_text
from rtgain.config.session_config import SessionConfig
from rtgain.errors import InputError
from rtgain.output.csv_writer import CSV_COLUMNS
from rtgain.session.session import Session
from rtgain.system.atomic_write import write_atomic
from tests.commands import command, rows, start_rtgain
from tests.polling import TIMEOUT_S, wait_until
from tests.processes import is_stopped

RATE = 48_000
LIVE = ("run", "--headless", "--clock", "timer", "--gain-db", "-12")
OUTPUTS = ("--csv", "t.csv", "--record", "m.wav", "--json", "s.json")


def started(folder: Path, *words: str) -> subprocess.Popen[str]:
    """Live session in `folder` that has started to write its CSV."""
    process = start_rtgain(*LIVE, *OUTPUTS, *words, cwd=folder)
    table = folder / "t.csv"
    wait_until(lambda: process.poll() is not None or (table.exists() and table.read_text().count("\n") > 20))
    return process


def the_line(process: subprocess.Popen[str]) -> str:
    """Wait for exit code 2, and return its one line."""
    out, errors = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out) == (2, "")
    assert errors.startswith("rtgain: ")
    assert errors.count("\n") == 1
    return errors.removeprefix("rtgain: ").rstrip("\n")


def assert_whole(folder: Path, *, at_least_s: float, csv: Path | None = None) -> None:
    """Check that CSV and recording are complete from the start to a complete row and frame."""
    path = csv or folder / "t.csv"
    assert path.read_bytes().endswith(b"\n")
    table = rows(path)
    assert all(tuple(row) == CSV_COLUMNS and None not in row.values() for row in table)
    assert float(table[-1]["gain_est_db"]) == pytest.approx(-12, abs=0.01)
    assert float(table[-1]["time_s"]) > at_least_s
    sound, rate = soundfile.read(folder / "m.wav")
    assert rate == RATE
    assert len(sound) > at_least_s * RATE
    assert abs(sound[-RATE // 4 :]).max() > 0.01


# --- a file that is played ------------------------------------------------------------------------


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """Four seconds of the built-in demo, in their own folder: two more than a session reads in advance."""
    soundfile.write(tmp_path / "song.wav", DemoSource(RATE).read(4 * RATE)[0], RATE, subtype="FLOAT")
    return tmp_path / "song.wav"


def test_file_deleted_while_playing_is_played_to_its_end(song: Path) -> None:
    process = started(song.parent, "--input", "song.wav")
    song.unlink()
    assert process.communicate(timeout=TIMEOUT_S) == ("", "")
    assert process.returncode == 0
    assert json.loads((song.parent / "s.json").read_text())["frames"] == 4 * RATE
    assert_whole(song.parent, at_least_s=3.9)


def test_file_truncated_while_playing_is_named_and_outputs_remain(song: Path) -> None:
    """The file is much longer than what a slow test may play before it truncates the file."""
    soundfile.write(song, np.tile(soundfile.read(song, dtype="float32")[0], 15), RATE, subtype="FLOAT")
    process = started(song.parent, "--input", "song.wav")
    os.truncate(song, 4 * 4 * RATE)  # of four bytes: four seconds are left
    line = the_line(process)
    assert line.startswith("song.wav: truncated: it ends at 0:0")
    assert "instead of 1:00.000" in line
    assert_whole(song.parent, at_least_s=0.4)
    summary = json.loads((song.parent / "s.json").read_text())
    assert summary["frames"] == soundfile.info(song.parent / "m.wav").frames < 60 * RATE


# --- a second recording ---------------------------------------------------------------------------


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """Folder of a minute of noise, and the same 12 dB softer, half a second later."""
    noise = PinkSource(RATE, seed=0).read(60 * RATE)[0]
    for name, sound in (
        ("dry.wav", noise),
        ("target.wav", 10 ** (-12 / 20) * np.concatenate([np.zeros(RATE // 2), noise])),
    ):
        soundfile.write(tmp_path / name, sound, RATE, subtype="FLOAT")
    return tmp_path


PAIR = ("--input", "dry.wav", "--target", "target.wav")


@pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
def test_second_file_deleted_or_replaced_while_playing_is_played_on(pair: Path, replaced: bool) -> None:
    """The file that was opened is played, looped included."""
    process = started(pair, *PAIR, "--loop", "--end", "4", "--duration", "10")
    if replaced:
        soundfile.write(pair / "other.wav", np.ones(RATE), RATE)
        (pair / "other.wav").replace(pair / "target.wav")
    else:
        (pair / "target.wav").unlink()
    assert process.communicate(timeout=TIMEOUT_S) == ("", "")
    assert process.returncode == 0
    assert json.loads((pair / "s.json").read_text())["frames"] == 10 * RATE
    assert_whole(pair, at_least_s=9.9)


@pytest.mark.parametrize("name", ["dry.wav", "target.wav"])
def test_recording_of_a_pair_that_is_truncated_while_playing_is_named_and_outputs_remain(pair: Path, name: str) -> None:
    process = started(pair, *PAIR)
    os.truncate(pair / name, 4 * 6 * RATE)  # of four bytes: six seconds are left
    line = the_line(process)
    assert line.startswith(f"{name}: truncated: it ends at 0:0")
    assert_whole(pair, at_least_s=0.4)


# --- a slow disk ----------------------------------------------------------------------------------


class SlowDisk(FileSource):
    """File on a disk that stops responding after 2.5 s, until it is released. Two seconds are read before the start."""

    answers = threading.Event()

    def _decode(self, frames: int) -> np.ndarray:
        if self._file_position > 2.5 * RATE:
            assert self.answers.wait(TIMEOUT_S)
        return super()._decode(frames)


def underrun_frames(session: Session) -> int:
    """Frames of silence so far because the source was late."""
    return int(session._engine.memory.control["underrun_frames"])


def test_unresponsive_disk_plays_as_counted_silence_without_losing_sound(
    song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rtgain.audio.sources.file_source.FileSource", SlowDisk)
    config = SessionConfig(input=str(song), gain_db=-12.0, monitor="dry")
    with Session(config, clock="timer", record=True) as session:
        session.start(wait=True)
        try:
            wait_until(lambda: session.advance() is not None and session.frames > 3.5 * RATE)  # goes on, as silence
            assert underrun_frames(session) > RATE // 2
            assert session.dropped_frames >= underrun_frames(session)
        finally:
            SlowDisk.answers.set()
        wait_until(lambda: session.advance() is not None and session.is_finished)
        starved = underrun_frames(session)
        assert session.frames == 4 * RATE + starved
        assert session.snapshot().gain_db == pytest.approx(-12.0, abs=0.01)
        (played,) = np.concatenate(session.read_matched(), axis=1)
    silent = np.flatnonzero(played[RATE:] == 0.0)
    assert len(silent) >= starved


# --- output folders ---------------------------------------------------------------------


@dataclass(frozen=True)
class SmallDisk:
    """Folder with little space; `limit` is the command prefix that limits file sizes if it is not its own disk."""

    folder: Path
    limit: tuple[str, ...]


DISK_BYTES = 1000 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A tmpfs of 1000 KiB; without the right to mount, files of at most that size, which fail alike."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode == 0:
        yield SmallDisk(folder, ())
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
    else:
        yield SmallDisk(folder, ("prlimit", f"--fsize={DISK_BYTES}"))


def test_full_disk_ends_a_recording_with_one_line_and_leaves_it_complete(small_disk: SmallDisk) -> None:
    table = small_disk.folder.parent / "t.csv"  # elsewhere, so that the recording is what does not fit
    words = (*LIVE, "--csv", str(table), "--record", "m.wav", "--json", "s.json", "--duration", "60")
    if small_disk.limit:
        limited = [*small_disk.limit, *command(*words)]
        process = subprocess.Popen(
            limited, cwd=small_disk.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    else:
        process = start_rtgain(*words, cwd=small_disk.folder)
    line = the_line(process)
    assert line.startswith("m.wav: cannot be written (")
    assert_whole(small_disk.folder, at_least_s=1.0, csv=table)
    assert {path.name for path in small_disk.folder.iterdir()} <= {"m.wav", "s.json"}


def test_csv_on_a_full_disk_is_truncated_to_complete_rows_and_other_outputs_are_finished(tmp_path: Path) -> None:
    process = start_rtgain(*LIVE, "--csv", "t.csv", "--json", "s.json", "--duration", "60", cwd=tmp_path)
    table = tmp_path / "t.csv"
    wait_until(lambda: table.exists() and table.read_text().count("\n") > 20)
    process.send_signal(signal.SIGSTOP)  # it must not write beyond the limit before it has one
    wait_until(lambda: is_stopped(process.pid))
    room = table.stat().st_size + 1000
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (room, room))
    process.send_signal(signal.SIGCONT)
    line = the_line(process)
    assert line.startswith("t.csv: cannot be written (File too large); choose another location or free some space")
    content = table.read_bytes()
    assert room - 200 < len(content) < room
    assert content.endswith(b"\n")
    summary = json.loads((tmp_path / "s.json").read_text())
    assert len(rows(table)) <= summary["estimates"]
    assert all(None not in row.values() for row in rows(table))


@pytest.mark.parametrize("content", [b"{}", b"\x89PNG", preset_text(SessionConfig(gain_db=-3.0)).encode()])
def test_full_disk_keeps_the_previously_saved_file(small_disk: SmallDisk, content: bytes) -> None:
    """Outputs that are written atomically: JSON, figure, preset."""
    saved = small_disk.folder / "saved"
    write_atomic(saved, content)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (DISK_BYTES, limits[1]))
    try:
        with pytest.raises(
            InputError, match=r"saved: cannot be written \(.+\); choose another location or free some space"
        ):
            write_atomic(saved, bytes(DISK_BYTES + 1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert saved.read_bytes() == content
    assert list(small_disk.folder.iterdir()) == [saved]


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """Read-only folder, also for root if root may mount."""
    folder = tmp_path / "locked"
    folder.mkdir()
    mount = f"mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}"
    mounted = subprocess.run(["sh", "-c", mount], capture_output=True).returncode == 0
    folder.chmod(0o555) if not mounted else None
    yield folder
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("option", ["--csv", "--json", "--plot", "--record"])
def test_read_only_directory_is_reported_before_playback(read_only: Path, option: str) -> None:
    """At the start, not at the end of an hour."""
    name = f"locked/{'p.png' if option == '--plot' else 'm.wav'}"
    others = [word for pair in (("--csv", "t.csv"), ("--record", "r.wav")) if pair[0] != option for word in pair]
    process = start_rtgain(*LIVE, *others, option, name, cwd=read_only.parent)
    line = the_line(process)
    assert f"{name}: cannot be written (" in line
    assert sorted(path.name for path in read_only.parent.rglob("*")) == ["locked"]
