"""A short run of `scripts/fuzz.py`, and its detection of problems. Results of an hour are in docs/robustness.md."""

import re
import subprocess
import sys

import pytest

from scripts.fuzz import GOOD, KINDS, MEMORY_MB, Example, Result, problem
from tests.commands import ROOT

RUN = Example(["run", "--headless", "--csv", "t.csv", "--input", "bad.wav"], {"bad.wav": b"RIFF"})
LINE = "rtgain: bad.wav: is a text file, not a sound file\n"
FILES = {"ok.wav": GOOD, "bad.wav": b"RIFF"}


@pytest.mark.timeout(600)
def test_fuzzing_finds_no_problem(thorough: bool) -> None:
    """Some examples of each kind, and more with ``--thorough``."""
    examples = 20 if thorough else 4
    command = [sys.executable, str(ROOT / "scripts" / "fuzz.py"), "--minutes", "0", "--examples", str(examples)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=590, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    report = re.fullmatch(r"(\d+) examples of (.+?): (.+); at most (\d+) MB\n", run.stdout)
    assert report is not None, run.stdout
    assert int(report[1]) == examples * len(KINDS)
    assert report[2] == ", ".join(KINDS)
    assert " × exit code 2" in report[3]


def test_run_that_rejects_its_input_in_one_line_is_not_a_problem() -> None:
    assert problem(RUN, Result(2, LINE, FILES, 100.0)) is None
    assert problem(RUN, Result(0, LINE, FILES, 100.0)) is None  # a notice
    assert problem(RUN, Result(0, "", {**FILES, "t.csv": b"time_s"}, 100.0)) is None


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (Result(None, "", FILES, 100.0), "hangs"),
        (Result(-11, "", FILES, 100.0), "ends with -11"),
        (Result(2, "Traceback (most recent call last):\n", FILES, 100.0), "ends with 2"),
        (Result(2, "", FILES, 100.0), "in one line"),
        (Result(2, LINE + LINE, FILES, 100.0), "in one line"),
        (Result(0, "RuntimeWarning: divide by zero\n", FILES, 100.0), "prints something else"),
        (Result(2, LINE + "in two lines\n", FILES, 100.0), "prints something else"),
        (Result(2, LINE, FILES, MEMORY_MB + 1.0), "takes 501 MB"),
        (Result(2, LINE, {**FILES, "core": b""}, 100.0), "leaves ['core']"),
        (Result(2, LINE, {**FILES, "ok.wav": b""}, 100.0), "changes ['ok.wav']"),
        (Result(2, LINE, {**FILES, "t.csv": b"time_s"}, 100.0), "fails, and leaves ['t.csv']"),
    ],
)
def test_forbidden_behavior_of_a_run_is_detected(result: Result, words: str) -> None:
    assert words in (problem(RUN, result) or "")
