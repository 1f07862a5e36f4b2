"""Interrupted and failed exports: complete files only, no temporary files, an error in one line."""

import io
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
import soundfile
from PIL import Image

from rtgain.errors import InputError
from rtgain.lessons.catalogue import LESSONS
from rtgain.lessons.export import make_folder
from tests.commands import rtgain, start_rtgain
from tests.polling import TIMEOUT_S, wait_until

WITHOUT_CHECKS = "import rtgain.lessons.lesson_check; rtgain.lessons.lesson_check.check_lesson = lambda *_: []"
"""Code that skips the sessions of the steps: their results are not tested here."""

FEW_FRAMES = """
import itertools, rtgain.lessons.export as export
render_frames = export.render_frames
export.render_frames = lambda animation: itertools.islice(render_frames(animation), 5)
"""
"""Code that shortens the animation."""

FAST = f"{WITHOUT_CHECKS}\n{FEW_FRAMES}"

FIRST, SECOND, LAST = LESSONS[0].name, LESSONS[1].name, LESSONS[-1].name


def assert_complete(path: Path) -> None:
    """Check that the file is complete: its end is that of its format."""
    content = path.read_bytes()
    if path.suffix in (".png", ".gif"):
        Image.open(io.BytesIO(content)).load()
        assert content.endswith(b"IEND\xaeB`\x82" if path.suffix == ".png" else b";")
    elif path.suffix == ".wav":
        assert len(soundfile.read(path)[0]) > 1000
    elif path.suffix == ".svg":
        assert content.endswith(b"</svg>\n")
    elif path.suffix == ".ipynb":
        assert json.loads(content)["nbformat"] == 4
    elif path.suffix == ".html":
        assert content.endswith(b"</html>\n")
    else:
        assert path.suffix == ".mp4"
        sizes = []
        while sum(sizes) < len(content):  # boxes: four bytes of size, then the type
            sizes.append(int.from_bytes(content[sum(sizes) :][:4], "big"))
        assert sum(sizes) == len(content)


@pytest.mark.parametrize(
    ("first_file", "number"),
    [
        (f"{FIRST}.html", signal.SIGINT),
        (f"{FIRST}/dry.wav", signal.SIGINT),
        (SECOND, signal.SIGINT),
        (f"{FIRST}.html", signal.SIGTERM),
        (f"{FIRST}.html", signal.SIGHUP),
    ],
)
def test_an_interrupted_export_leaves_only_complete_files(
    tmp_path: Path, first_file: str, number: signal.Signals
) -> None:
    """Interruptions between two lessons, during the first, and during the second."""
    folder, temporary = tmp_path / "out", tmp_path / "tmp"
    temporary.mkdir()
    hangup = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup the process would inherit the ignored signal
    process = start_rtgain("lesson", "--export", folder, before=FAST, env={**os.environ, "TMPDIR": str(temporary)})
    signal.signal(signal.SIGHUP, hangup)
    wait_until(lambda: (folder / first_file).exists() or process.poll() is not None)
    process.send_signal(number)
    errors = process.communicate(timeout=TIMEOUT_S)[1]
    assert (process.returncode, errors) == (128 + number, "")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert not path.name.startswith("."), path
        assert_complete(path)
    assert not (folder / "index.html").exists()
    assert list(temporary.iterdir()) == []


def test_a_folder_that_cannot_be_created_is_rejected_before_the_experiment(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = rtgain("lesson", FIRST, "--export", tmp_path / "file" / "out")
    assert (ran.returncode, ran.stdout) == (2, "")
    reason = "cannot be written (Not a directory); choose another location or free some space"
    assert ran.stderr == f"rtgain: {tmp_path}/file/out: {reason}\n"


def test_a_name_that_is_too_long_is_rejected_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a: cannot be written \(File name too long\); choose another location"):
        make_folder(tmp_path / ("a" * 300))


def test_a_file_instead_of_a_folder_is_rejected_and_unchanged(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content", encoding="utf-8")
    ran = rtgain("lesson", FIRST, "--export", tmp_path / "file")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"rtgain: {tmp_path}/file: is a file; choose a folder to export to\n"
    assert (tmp_path / "file").read_text(encoding="utf-8") == "content"


def test_a_read_only_folder_is_rejected_before_the_experiment(tmp_path: Path) -> None:
    folder = Path("/proc")  # read-only even for root
    if not folder.is_dir():
        pytest.skip("this system has no folder that root cannot write")
    ran = rtgain("lesson", FIRST, "--export", folder)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("rtgain: /proc")
    assert ran.stderr.count("\n") == 1


def test_a_full_disk_is_reported_in_one_line_and_leaves_only_complete_files(tmp_path: Path) -> None:
    """A limit of the file size stands for a full disk: only the page, the largest file, exceeds it.

    Sessions are skipped, because the limit would apply to their shared memory, too.
    """
    ran = rtgain("lesson", FIRST, "--export", tmp_path, before=f"{FAST}\n{LIMITED}")
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"rtgain: {tmp_path}/{FIRST}.html: cannot be written (File too large)")
    assert (tmp_path / FIRST / "animation.mp4").exists()
    assert not (tmp_path / f"{FIRST}.html").exists()
    assert ran.stderr.count("\n") == 1
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert not path.name.startswith(".")
            assert_complete(path)


LIMITED = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the limit must raise an error, like a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
"""


@pytest.mark.parametrize("words", [("--seed", "7"), ()])
def test_the_seed_reaches_the_experiment_and_the_checks(words: tuple[str, ...]) -> None:
    """`test_noise` and `test_export` test that the seed selects the noise and repeats it."""
    ran = rtgain("lesson", LAST, *words, before=SEEDS_PRINTED)
    assert (ran.returncode, ran.stderr) == (0, "")
    seed = words[-1] if words else "0"
    assert ran.stdout.splitlines()[:2] == [f"experiment {LAST} {seed}", f"checks {seed}"]


SEEDS_PRINTED = """
import rtgain.lessons.experiments.experiment as experiments, rtgain.lessons.lesson_check as checks
def run_experiment(name, seed):
    print("experiment", name, seed)
    return experiments.ExperimentResult(numbers={}, figures={}, animation=None, sounds={})
def check_lesson(lesson, numbers, seed):
    print("checks", seed)
    return []
experiments.run_experiment, checks.check_lesson = run_experiment, check_lesson
"""
"""Code that prints the seeds instead of running the experiment."""


def test_an_export_into_an_existing_folder_replaces_only_its_own_files(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / f"{FIRST}.html").write_text("old")
    ran: subprocess.CompletedProcess[str] = rtgain("lesson", FIRST, "--export", tmp_path, before=FAST)
    assert ran.returncode == 0
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert_complete(tmp_path / f"{FIRST}.html")
