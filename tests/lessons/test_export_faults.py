"""An export that is interrupted, or has nowhere to go: whole files, nothing left behind, one line."""

import io
import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from rtgain.lessons.catalogue import LESSONS
from tests.commands import rtgain, start_rtgain
from tests.polling import wait_until

UNPLAYED = "import rtgain.lessons.lesson_check; rtgain.lessons.lesson_check.check_lesson = lambda *_: []"
"""What an export says about its steps is not looked at here: they need not be played."""

FEW_FRAMES = """
import itertools, rtgain.lessons.export as export
render_frames = export.render_frames
export.render_frames = lambda animation: itertools.islice(render_frames(animation), 5)
"""
"""The animation is there in both formats, and short."""

QUICKLY = f"{UNPLAYED}\n{FEW_FRAMES}"

FIRST, SECOND, LAST = LESSONS[0].name, LESSONS[1].name, LESSONS[-1].name


def assert_whole(path: Path) -> None:
    """The file ends as its kind ends."""
    content = path.read_bytes()
    if path.suffix in (".png", ".gif"):
        Image.open(io.BytesIO(content)).load()
        assert content.endswith(b"IEND\xaeB`\x82" if path.suffix == ".png" else b";")
    elif path.suffix == ".wav":
        assert len(soundfile.read(path)[0]) > 1000
    elif path.suffix == ".svg":
        assert content.endswith(b"</svg>\n")
    elif path.suffix == ".html":
        assert content.endswith(b"</html>\n")
    else:
        assert path.suffix == ".mp4"
        sizes = []
        while sum(sizes) < len(content):  # boxes: their size in four bytes, and what they are
            sizes.append(int.from_bytes(content[sum(sizes) :][:4], "big"))
        assert sum(sizes) == len(content)


@pytest.mark.parametrize(
    ("begun", "number"),
    [
        (f"{FIRST}.html", signal.SIGINT),
        (f"{FIRST}/dry.wav", signal.SIGINT),
        (SECOND, signal.SIGINT),
        (f"{FIRST}.html", signal.SIGTERM),
        (f"{FIRST}.html", signal.SIGHUP),
    ],
)
def test_interrupted_it_leaves_whole_files_and_nothing_else(tmp_path: Path, begun: str, number: signal.Signals) -> None:
    """Between two lessons, while one is written, and while the next is."""
    folder, temporary = tmp_path / "out", tmp_path / "tmp"
    temporary.mkdir()
    hangup = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it would inherit that it is ignored
    process = start_rtgain("lesson", "--export", folder, before=QUICKLY, env={**os.environ, "TMPDIR": str(temporary)})
    signal.signal(signal.SIGHUP, hangup)
    wait_until(lambda: (folder / begun).exists() or process.poll() is not None)
    process.send_signal(number)
    errors = process.communicate(timeout=30)[1]
    assert (process.returncode, errors) == (130, "")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert not path.name.startswith("."), path
        assert_whole(path)
    assert not (folder / "index.html").exists()
    assert list(temporary.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_refused_in_one_line_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = rtgain("lesson", FIRST, "--export", tmp_path / "file" / "out")
    assert (ran.returncode, ran.stdout) == (2, "")
    reason = "cannot be written (Not a directory); choose another location or free some space"
    assert ran.stderr == f"rtgain: {tmp_path}/file/out: {reason}\n"


def test_a_file_in_the_folders_place_is_refused_in_one_line_and_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept", encoding="utf-8")
    ran = rtgain("lesson", FIRST, "--export", tmp_path / "file")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"rtgain: {tmp_path}/file: is a file; choose a folder to export to\n"
    assert (tmp_path / "file").read_text(encoding="utf-8") == "kept"


def test_a_folder_that_cannot_be_written_is_refused_in_one_line_before_anything_runs(tmp_path: Path) -> None:
    folder = Path("/proc")  # read-only even for root
    if not folder.is_dir():
        pytest.skip("there is no folder here that root cannot write")
    ran = rtgain("lesson", FIRST, "--export", folder)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("rtgain: /proc")
    assert ran.stderr.count("\n") == 1


def test_a_disk_that_is_full_is_told_in_one_line_and_no_half_file_is_left(tmp_path: Path) -> None:
    """A limit of a file's size stands for the disk: the page, the largest file, does not fit any more.

    No step is played: the shared memory of its session would be limited too.
    """
    ran = rtgain("lesson", LAST, "--export", tmp_path, before=f"{UNPLAYED}\n{LIMITED}")
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"rtgain: {tmp_path}/{LAST}.html: cannot be written (File too large)")
    assert (tmp_path / LAST / "animation.mp4").exists()
    assert not (tmp_path / f"{LAST}.html").exists()
    assert ran.stderr.count("\n") == 1
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert not path.name.startswith(".")
            assert_whole(path)


LIMITED = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as a full disk does, it shall be an error
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
"""


def test_the_seed_draws_the_noise_and_another_draws_another(tmp_path: Path) -> None:
    folders = []
    for place, seed in enumerate((1, 1, 2)):
        folders.append(tmp_path / str(place))
        ran = rtgain("lesson", LAST, "--export", folders[-1], "--seed", str(seed), before=FEW_FRAMES)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert "✗" not in ran.stdout, "what is expected does not hang on the draw"
    one, same, other = ({p.name: p.read_bytes() for p in f.rglob("*") if p.is_file()} for f in folders)
    assert one == same
    assert one.keys() == other.keys()
    assert one["dry.wav"] != other["dry.wav"]
    levels = [np.mean(soundfile.read(io.BytesIO(files["dry.wav"]))[0] ** 2) for files in (one, other)]
    assert levels[0] == pytest.approx(levels[1], rel=0.5)


def test_an_export_into_a_folder_that_is_there_replaces_what_it_makes_and_leaves_the_rest(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / f"{FIRST}.html").write_text("old")
    ran: subprocess.CompletedProcess[str] = rtgain("lesson", FIRST, "--export", tmp_path, before=QUICKLY)
    assert ran.returncode == 0
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert_whole(tmp_path / f"{FIRST}.html")
