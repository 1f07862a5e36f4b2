"""Files that fail while a session plays them or writes to them: it goes on, or ends with one line and all that was."""

import json
import os
import resource
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
from rtgain.config.presets import preset_text
from rtgain.config.session_config import SessionConfig
from rtgain.errors import InputError
from rtgain.output.csv_writer import CSV_COLUMNS
from rtgain.session.session import Session
from rtgain.system.atomic_write import write_atomic
from tests.commands import command, rows, start_rtgain
from tests.polling import TIMEOUT_S, wait_until

RATE = 48_000
LIVE = ("run", "--headless", "--clock", "timer", "--gain-db", "-12")
OUTPUTS = ("--csv", "t.csv", "--record", "m.wav", "--json", "s.json")


def started(folder: Path, *words: str) -> subprocess.Popen[str]:
    """A live session in `folder` that has begun to write its table."""
    process = start_rtgain(*LIVE, *OUTPUTS, *words, cwd=folder)
    table = folder / "t.csv"
    wait_until(lambda: process.poll() is not None or (table.exists() and table.read_text().count("\n") > 20))
    return process


def the_line(process: subprocess.Popen[str]) -> str:
    """Its one line, when it ends as for wrong input."""
    out, errors = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out) == (2, "")
    assert errors.startswith("rtgain: ")
    assert errors.count("\n") == 1
    return errors.removeprefix("rtgain: ").rstrip("\n")


def assert_whole(folder: Path, *, at_least_s: float) -> None:
    """Table and recording hold all from the start on, up to a whole row and a whole frame."""
    assert (folder / "t.csv").read_bytes().endswith(b"\n")
    table = rows(folder / "t.csv")
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
    """Eight seconds of the built-in demo, beside nothing else."""
    soundfile.write(tmp_path / "song.wav", DemoSource(RATE).read(8 * RATE)[0], RATE, subtype="FLOAT")
    return tmp_path / "song.wav"


def test_file_deleted_while_playing_is_played_to_its_end(song: Path) -> None:
    process = started(song.parent, "--input", "song.wav")
    song.unlink()
    assert process.communicate(timeout=TIMEOUT_S) == ("", "")
    assert process.returncode == 0
    assert json.loads((song.parent / "s.json").read_text())["frames"] == 8 * RATE
    assert_whole(song.parent, at_least_s=7.9)


def test_file_truncated_while_playing_is_named_and_outputs_remain(song: Path) -> None:
    process = started(song.parent, "--input", "song.wav")
    os.truncate(song, 4 * 5 * RATE)  # of four bytes: five seconds are left
    line = the_line(process)
    assert line.startswith("song.wav: truncated: it ends at 0:0")
    assert "instead of 0:08.000" in line
    assert_whole(song.parent, at_least_s=0.4)
    summary = json.loads((song.parent / "s.json").read_text())
    assert summary["frames"] == soundfile.info(song.parent / "m.wav").frames < 8 * RATE


class SlowDisk(FileSource):
    """A file on a disk that stops answering after a second of sound, until it is told to go on."""

    answers = threading.Event()

    def _decode(self, frames: int) -> np.ndarray:
        if self._file_position > 3 * RATE:
            assert self.answers.wait(TIMEOUT_S)
        return super()._decode(frames)


def test_unresponsive_disk_plays_as_counted_silence_without_losing_sound(
    song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rtgain.session.io_setup.FileSource", SlowDisk)
    config = SessionConfig(input=str(song), gain_db=-12.0, monitor="dry")
    with Session(config, clock="timer", record=True) as session:
        session.start(wait=True)
        wait_until(lambda: session.advance() is not None and session.dropped_frames > RATE)
        assert session.frames > 3 * RATE, "the sound goes on, if only as silence"
        SlowDisk.answers.set()
        wait_until(lambda: session.advance() is not None and session.ended)
        starved = session.dropped_frames
        assert session.frames == 8 * RATE + starved
        assert session.snapshot().gain_db == pytest.approx(-12.0, abs=0.01)
        heard = np.concatenate(session.read_matched())
    silent = np.flatnonzero(heard[RATE:] == 0.0)
    assert len(silent) >= starved > RATE


# --- a place that is written to ---------------------------------------------------------------------


@dataclass(frozen=True)
class SmallDisk:
    """A folder that takes few bytes; `limit` is what a process is started with where it is no disk of its own."""

    folder: Path
    limit: tuple[str, ...]


DISK_BYTES = 600 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A tmpfs of 600 KiB; who may not mount gets files of at most half of that, which fail alike."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode == 0:
        yield SmallDisk(folder, ())
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
    else:
        yield SmallDisk(folder, ("prlimit", f"--fsize={DISK_BYTES // 2}"))


def test_full_disk_ends_a_recording_with_one_line_and_leaves_it_complete(small_disk: SmallDisk) -> None:
    words = (*LIVE, *OUTPUTS, "--duration", "60")
    if small_disk.limit:
        limited = [*small_disk.limit, *command(*words)]
        process = subprocess.Popen(
            limited, cwd=small_disk.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    else:
        process = start_rtgain(*words, cwd=small_disk.folder)
    line = the_line(process)
    assert line.startswith("m.wav: cannot be written (")
    assert_whole(small_disk.folder, at_least_s=1.0)
    assert {path.name for path in small_disk.folder.iterdir()} <= {"m.wav", "t.csv", "s.json"}


def test_csv_on_a_full_disk_is_truncated_to_complete_rows_and_other_outputs_are_finished(tmp_path: Path) -> None:
    process = start_rtgain(*LIVE, "--csv", "t.csv", "--json", "s.json", "--duration", "60", cwd=tmp_path)
    table = tmp_path / "t.csv"
    wait_until(lambda: table.exists() and table.read_text().count("\n") > 20)
    room = table.stat().st_size + 1000
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (room, room))
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
    """What is written as a whole: JSON, figure, preset."""
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
    """A folder that nobody may write to, root neither where root may mount."""
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
    """In the second in which it starts, and not when an hour is over."""
    name = f"locked/{'p.png' if option == '--plot' else 'm.wav'}"
    others = [word for pair in (("--csv", "t.csv"), ("--record", "r.wav")) if pair[0] != option for word in pair]
    process = start_rtgain(*LIVE, *others, option, name, cwd=read_only.parent)
    line = the_line(process)
    assert f"{name}: cannot be written (" in line
    assert sorted(path.name for path in read_only.parent.rglob("*")) == ["locked"]
