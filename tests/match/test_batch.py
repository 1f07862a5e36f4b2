"""Batch matching: parallel, isolated from failures, resumable."""

import csv
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from tests.commands import rows, rtgain, start_rtgain
from tests.match.recordings import demo, write
from tests.polling import TIMEOUT_S

RESULT = [
    "gain_db", "gain_linear", "std_db", "delay_samples", "delay_ms", "drift_ppm", "polarity", "state", "residual_db",
    "lufs_dry", "lufs_target", "lra_dry", "lra_target", "true_peak_dry_dbtp", "true_peak_target_dbtp", "findings",
    "error",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    music = demo(1)
    write(tmp_path / "dry.wav", music)
    for number in (1, 2, 3):
        write(tmp_path / f"t{number}.wav", music * 10 ** (-number / 20))
    return tmp_path


def manifest(folder: Path, *targets: str) -> Path:
    path = folder / "pairs.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "dry", "target", "a note"])
        for number, target in enumerate(targets):
            writer.writerow([number, "dry.wav", target, 'says "so", twice'])
    return path


def run(folder: Path, path: Path, *words: str) -> tuple[int, str, list[dict[str, str]]]:
    done = rtgain("match", "--manifest", path, "--csv", folder / "results.csv", *words)
    assert done.stdout == ""
    return done.returncode, done.stderr, rows(folder / "results.csv")


def test_manifest_gives_one_row_per_pair_in_order_also_after_a_failure(folder):
    code, errors, results = run(folder, manifest(folder, "t1.wav", "none.wav", "t3.wav", "t2.wav"), "--jobs", "2")
    assert code == 2
    assert errors.startswith("rtgain: 1 of 4 pairs failed")
    assert errors.count("\n") == 1
    assert list(results[0]) == ["id", "dry", "target", "a note", *RESULT]
    assert [row["id"] for row in results] == ["0", "1", "2", "3"]
    assert {row["a note"] for row in results} == {'says "so", twice'}
    assert [row["error"] == "" for row in results] == [True, False, True, True]
    assert "does not exist" in results[1]["error"]
    assert results[1]["gain_db"] == ""
    gains_db = [float(results[at]["gain_db"]) for at in (0, 2, 3)]
    np.testing.assert_allclose(gains_db, [-1, -3, -2], atol=0.001)


def test_second_run_matches_only_missing_pairs_and_replaces_an_incomplete_row(folder):
    path = manifest(folder, "t1.wav", "t2.wav", "t3.wav")
    code, errors, _ = run(folder, path)
    assert (code, errors) == (0, "")
    complete = (folder / "results.csv").read_bytes()
    lines = complete.splitlines(keepends=True)
    (folder / "results.csv").write_bytes(lines[0] + lines[1].replace(b"tracking", b"as it was") + lines[2][:17])
    code, errors, results = run(folder, path)
    assert (code, errors) == (0, "")
    assert [row["state"] for row in results] == ["as it was", "tracking", "tracking"]
    assert (folder / "results.csv").read_bytes() == complete.replace(b"tracking", b"as it was", 1)


def test_failed_pair_that_left_the_manifest_is_not_counted(folder):
    code, _, _ = run(folder, manifest(folder, "t1.wav", "none.wav"), "--jobs", "1")
    assert code == 2
    code, errors, results = run(folder, manifest(folder, "t1.wav", "t2.wav"), "--jobs", "1")
    assert (code, errors) == (0, "")
    assert [row["target"] for row in results] == ["t1.wav", "none.wav", "t2.wav"]


def test_repeated_pair_gets_two_rows(folder):
    code, _, results = run(folder, manifest(folder, "t1.wav", "t1.wav"), "--jobs", "1")
    assert code == 0
    assert len(results) == 2


def test_interrupted_run_leaves_complete_rows_and_can_be_resumed(folder):
    path = manifest(folder, *(f"t{1 + number % 3}.wav" for number in range(24)))
    process = start_rtgain("match", "--manifest", path, "--csv", folder / "results.csv", "--jobs", "1")
    deadline = time.monotonic() + 60
    while not (folder / "results.csv").exists() or (folder / "results.csv").read_bytes().count(b"\n") < 3:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130
    first_rows = rows(folder / "results.csv")
    assert 2 <= len(first_rows) < 24
    assert all(row["state"] == "tracking" for row in first_rows)
    code, _, results = run(folder, path)
    assert code == 0
    assert [row["id"] for row in results] == [str(number) for number in range(24)]
    assert results[: len(first_rows)] == first_rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("dry,wet\na,b\n", "no column 'target'"),
        ("dry,target\na\n", "expected 2 cells"),
        ("dry,target\na,b,c\n", "expected 2 cells"),
        ("dry,target,state\na,b,c\n", "rename it"),
        ("dry,target,x,x\na,b,c,d\n", "twice"),
        ("", "no column 'dry'"),
        ("\x00\x01", "column"),
    ],
)
def test_invalid_manifest_is_reported_in_one_line(folder, content, message):
    path = folder / "pairs.csv"
    path.write_text(content)
    done = rtgain("match", "--manifest", path, "--csv", folder / "results.csv")
    assert done.returncode == 2
    assert done.stderr.startswith("rtgain: ")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert not (folder / "results.csv").exists()


def test_file_with_other_data_is_not_changed(folder):
    path = manifest(folder, "t1.wav")
    (folder / "results.csv").write_text("a,b\n1,2\n")
    code, errors, _ = run(folder, path)
    assert code == 2
    assert "another file" in errors
    assert (folder / "results.csv").read_text() == "a,b\n1,2\n"
