"""Batch matching: parallel, isolated from failures, resumable."""

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from rtgain.cli.main import main
from rtgain.errors import InputError
from rtgain.match.manifest import Manifest, Results
from rtgain.match.pair_process import PairProcesses, _PairProcess
from tests.commands import ROOT, rows, rtgain
from tests.match.batches import RESULT, crashing_environment, manifest, run
from tests.match.recordings import demo, write
from tests.polling import wait_until

pytestmark = pytest.mark.usefixtures("restored_signal_handlers")


@pytest.fixture(autouse=True, scope="module")
def processes() -> Iterator[None]:
    """Processes that all tests share; each imports torch."""
    yield
    PairProcesses.stop_idle()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    music = demo(0.2)
    write(tmp_path / "dry.wav", music)
    for number in (1, 2, 3):
        write(tmp_path / f"t{number}.wav", music * 10 ** (-number / 20))
    return tmp_path


def test_manifest_gives_one_row_per_pair_in_order_also_after_a_failure(capsys, folder):
    code, errors, results = run(capsys, manifest(folder, "t1.wav", "none.wav", "t3.wav", "t2.wav"), "--jobs", "2")
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


def test_second_run_matches_only_missing_pairs_and_replaces_an_incomplete_row(capsys, folder):
    path = manifest(folder, "t1.wav", "t2.wav", "t3.wav")
    code, errors, _ = run(capsys, path)
    assert (code, errors) == (0, "")
    complete = (folder / "results.csv").read_bytes()
    lines = complete.splitlines(keepends=True)
    (folder / "results.csv").write_bytes(lines[0] + lines[1].replace(b"tracking", b"as it was") + lines[2][:17])
    code, errors, results = run(capsys, path)
    assert (code, errors) == (0, "")
    assert [row["state"] for row in results] == ["as it was", "tracking", "tracking"]
    assert (folder / "results.csv").read_bytes() == complete.replace(b"tracking", b"as it was", 1)


def test_failed_pair_that_left_the_manifest_is_not_counted(capsys, folder):
    code, _, _ = run(capsys, manifest(folder, "t1.wav", "none.wav"), "--jobs", "1")
    assert code == 2
    code, errors, results = run(capsys, manifest(folder, "t1.wav", "t2.wav"), "--jobs", "1")
    assert (code, errors) == (0, "")
    assert [row["target"] for row in results] == ["t1.wav", "none.wav", "t2.wav"]


def test_repeated_pair_gets_two_rows(capsys, folder):
    code, _, results = run(capsys, manifest(folder, "t1.wav", "t1.wav"), "--jobs", "1")
    assert code == 0
    assert len(results) == 2


INTERRUPTED_AFTER_TWO_ROWS = """
import os
from rtgain.match.manifest import Results
append = Results.append
def append_and_interrupt(results, row):
    append(results, row)
    if row["id"] == "1":
        os.kill(os.getpid(), {number:d})
Results.append = append_and_interrupt
"""
"""Code that sends a signal as soon as the second row is in the file."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_leaves_complete_rows_and_can_be_resumed(capsys, folder, number):
    path = manifest(folder, *(f"t{1 + number % 3}.wav" for number in range(12)))
    before = INTERRUPTED_AFTER_TWO_ROWS.format(number=number)
    ran = rtgain("match", "--manifest", path, "--csv", folder / "results.csv", "--jobs", "1", before=before)
    assert (ran.returncode, ran.stdout, ran.stderr) == (128 + number, "", "")
    first_rows = rows(folder / "results.csv")
    assert 2 <= len(first_rows) < 12
    assert all(row["state"] == "tracking" for row in first_rows)
    code, _, results = run(capsys, path)
    assert code == 0
    assert [row["id"] for row in results] == [str(number) for number in range(12)]
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
def test_invalid_manifest_is_reported_in_one_line(capsys, folder, content, message):
    path = folder / "pairs.csv"
    path.write_text(content)
    code, errors, _ = run(capsys, path)
    assert code == 2
    assert errors.startswith("rtgain: ")
    assert errors.count("\n") == 1
    assert message in errors
    assert not (folder / "results.csv").exists()


def test_file_with_other_data_is_not_changed(capsys, folder):
    path = manifest(folder, "t1.wav")
    (folder / "results.csv").write_text("a,b\n1,2\n")
    code, errors, _ = run(capsys, path)
    assert code == 2
    assert "another file" in errors
    assert (folder / "results.csv").read_text() == "a,b\n1,2\n"


# --- manifests and results as spreadsheets save them ----------------------------------------------

PAIR = {"dry": "dry.wav", "target": "t1.wav"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("dry,target\r\ndry.wav,t1.wav\r\n,\r\n,\r\n", [PAIR]),
        ("dry,target,,\r\ndry.wav,t1.wav,,\r\n", [PAIR]),
        ("\ufeffdry;target\r\ndry.wav;t1.wav\r\n", [PAIR]),
        ("sep=,\r\ndry,target\r\ndry.wav,t1.wav\r\n", [PAIR]),
        ("sep=;\r\ndry;target\r\ndry.wav;t1.wav\r\n", [PAIR]),
        ("sep=\t\r\ndry\ttarget\r\ndry.wav\tt1.wav", [PAIR]),
        ('"dry"\t"target"\n"dry.wav"\t"t1.wav"\n', [PAIR]),
        ("dry,target,note\ndry.wav,t1.wav\n", [PAIR | {"note": ""}]),  # Excel omits the last empty cells
        ('dry,target,note\ndry.wav,t1.wav,"two\nlines, ""so"""\n', [PAIR | {"note": 'two\nlines, "so"'}]),
        ("dry,target\rdry.wav,t1.wav\r", [PAIR]),
        ("\r\n\r\ndry,target\r\ndry.wav,t1.wav\r\n", [PAIR]),
        ("Dry; TARGET;Note\r\ndry.wav;t1.wav;x\r\n", [PAIR | {"Note": "x"}]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_manifest_is_read_as_spreadsheets_save_it(tmp_path, content, expected, encoding):
    path = tmp_path / "pairs.csv"
    path.write_bytes(content.removeprefix("\ufeff" if encoding == "utf-16" else "").encode(encoding))
    manifest = Manifest(path)
    assert list(manifest) == list(manifest) == expected
    assert manifest.count() == 1
    assert manifest.columns == list(expected[0])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"dry,target,\nd,t,x\n", "line 2: 'x' is in a column without a name; name it in the first line"),
        (b"dry,target,\nd,t,,x\n", "line 2: expected 3 cells"),
        (b"dry;target\nd\n", "line 2: expected 2 cells"),
        (b"dry,target\nd,t\xfc\n", "line 2 is not UTF-8; save it as CSV UTF-8"),
        ("dry,target\nd,t\n".encode("utf-16-le"), "has no column 'dry'"),
    ],
)
def test_other_manifest_is_refused_with_the_reason(capsys, tmp_path, content, message):
    path = tmp_path / "pairs.csv"
    path.write_bytes(content)
    code, errors, _ = run(capsys, path)
    assert code == 2
    assert message in errors
    assert errors.count("\n") == 1


def saved_again(results: Path, separator: str) -> bytes:
    """The results as a spreadsheet saves them: byte order mark, quotes, CRLF."""
    table = rows(results)
    lines = [list(table[0]), *(list(row.values()) for row in table)]
    cells = [[f'"{cell.replace(chr(34), 2 * chr(34))}"' for cell in line] for line in lines]
    return ("\ufeff" + "".join(separator.join(line) + "\r\n" for line in cells)).encode()


def test_results_that_a_spreadsheet_saved_are_resumed_in_their_form(capsys, folder):
    path, results = manifest(folder, "t1.wav", "t2.wav"), folder / "results.csv"
    run(capsys, path)
    complete = saved_again(results, ";")
    lines = complete.splitlines(keepends=True)
    results.write_bytes(b"".join(lines[:2]))
    assert main(["match", "--manifest", str(path), "--csv", str(results)]) == 0
    resumed = results.read_bytes()
    assert resumed.startswith(b"".join(lines[:2]))
    assert resumed.replace(b'"', b"") == complete.replace(b'"', b"")
    assert main(["match", "--manifest", str(path), "--csv", str(results)]) == 0
    assert results.read_bytes() == resumed


def test_results_in_utf16_are_refused_with_the_reason(capsys, folder):
    path, results = manifest(folder, "t1.wav"), folder / "results.csv"
    content = ",".join(["id", "dry", "target", "a note", *RESULT]).encode("utf-16")
    results.write_bytes(content)
    assert main(["match", "--manifest", str(path), "--csv", str(results)]) == 2
    assert results.read_bytes() == content
    errors = capsys.readouterr().err
    assert "UTF-16, to which no row is added; save it as CSV UTF-8" in errors


@pytest.mark.parametrize("cut", ["in the header", "in a row", "in quotes", "after a line of a cell"])
def test_incomplete_last_row_of_the_results_is_replaced(tmp_path, cut):
    path, columns = tmp_path / "results.csv", ["dry", "target", "note"]
    header = ",".join([*columns, *RESULT]) + "\n"
    row = 'd,t,"two\nlines",' + "," * (len(RESULT) - 1) + "\n"
    content, expected = {
        "in the header": (header[:20], ""),
        "in a row": (header + row + row.replace("d", "e")[:-3], header + row),
        "in quotes": (header + row + 'e,t,"tw', header + row),
        "after a line of a cell": (header + row + 'e,t,"two\n', header + row),
    }[cut]
    path.write_text(content)
    results = Results(path, columns)
    assert path.read_text() == expected
    assert results.find({"dry": "e", "target": "t"}) is None
    assert results.find({"dry": "d", "target": "t"}) is (False if expected else None)


@pytest.mark.parametrize(
    "content",
    [
        ",".join(["dry", "target", *RESULT, "more"]) + "\n" + "a,b" + "," * len(RESULT) + "1\n",
        b"d\xc2",
        b"dry\xff",
    ],
    ids=["further column", "cut character", "invalid byte"],
)
def test_file_that_only_begins_like_results_is_refused_and_not_changed(tmp_path, content):
    path = tmp_path / "results.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"results.csv: contains other data|results.csv: not a CSV of results"):
        Results(path, ["dry", "target"])
    assert path.read_bytes() == before


def test_rows_of_the_results_are_found_in_any_order_and_once_each(tmp_path):
    path = tmp_path / "results.csv"
    rest = "," * (len(RESULT) - 1)
    errors = ["", "failed", "", "failed", ""]
    content = "".join(f"d,t{name},{rest}{error}\n" for name, error in zip("20112", errors, strict=True))
    path.write_text(",".join(["dry", "target", *RESULT]) + "\n" + content)
    results = Results(path, ["dry", "target"])
    found = [results.find({"dry": "d", "target": f"t{name}"}) for name in "0011122234"]
    assert found == [True, None, False, True, None, False, False, None, None, None]


# --- faults ---------------------------------------------------------------------------------------


def test_pair_that_kills_its_process_three_times_costs_no_other_pair(capsys, folder, monkeypatch):
    (folder / "crash.wav").touch()
    PairProcesses.stop_idle()
    monkeypatch.setenv("PYTHONPATH", crashing_environment(folder / "site")["PYTHONPATH"])
    code, errors, results = run(capsys, manifest(folder, "t1.wav", "crash.wav", "t2.wav", "t3.wav"), "--jobs", "2")
    assert code == 2
    assert errors.startswith("rtgain: 1 of 4 pairs failed")
    assert [row["error"] for row in results] == [
        "", "killed its worker process 3 times, possibly because memory ran out", "", "",
    ]  # fmt: skip
    assert (folder / "crashes").read_text() == "xxx"


def test_processes_without_torch_end_the_run_instead_of_failing_every_pair(capsys, folder, monkeypatch):
    stub = folder / "stub" / "torch.py"
    stub.parent.mkdir()
    stub.write_text("raise ModuleNotFoundError(\"No module named 'torch'\")")
    PairProcesses.stop_idle()
    monkeypatch.syspath_prepend(stub.parent)
    code, errors, results = run(capsys, manifest(folder, "t1.wav", "t2.wav"), "--jobs", "1")
    assert (code, errors.count("\n"), results) == (2, 1, [])
    assert errors.endswith("(ModuleNotFoundError: No module named 'torch'); install rtgain with all its packages\n")


def test_full_disk_leaves_complete_rows_and_is_resumed(capsys, folder):
    run(capsys, manifest(folder, "t1.wav"), "--jobs", "1", results=folder / "other.csv")  # starts a process
    path, results = manifest(folder, "t1.wav", "t2.wav", "t3.wav"), folder / "results.csv"
    room = (folder / "other.csv").stat().st_size + 50  # the header, a row, and a part of the second row
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        code, errors, written = run(capsys, path, "--jobs", "1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert code == 2
    assert errors == f"rtgain: {results}: cannot be written ({os.strerror(errno.EFBIG)}); choose another location or " \
        "free some space\n"  # fmt: skip
    assert [row["target"] for row in written] == ["t1.wav"]
    assert results.read_bytes().endswith(b"\n")
    code, errors, resumed = run(capsys, path, "--jobs", "1")
    assert (code, errors) == (0, "")
    assert [row["target"] for row in resumed] == ["t1.wav", "t2.wav", "t3.wav"]
    assert resumed[0] == written[0]


def test_results_that_another_program_changes_during_the_run_end_it(tmp_path):
    path = tmp_path / "results.csv"
    row = dict.fromkeys(["dry", "target", *RESULT], "")
    with Results(path, ["dry", "target"]) as results:
        results.append(row)
        for change in (lambda: path.write_text("dry\n"), path.unlink, path.touch):
            change()
            with pytest.raises(InputError, match=r"results.csv: was changed by another program during the run; run"):
                results.append(row)


def test_manifest_that_is_changed_during_the_run_ends_it(tmp_path):
    path = manifest(tmp_path, "t1.wav", "t2.wav", "t3.wav")
    rows_read = iter(Manifest(path))
    assert next(rows_read)["target"] == "t1.wav"
    manifest(tmp_path, "t4.wav")
    with pytest.raises(InputError, match=r"pairs.csv: was changed during the run; run the same command again"):
        next(rows_read)


def test_pair_without_a_name_and_notices_of_recordings(capsys, folder):
    music = demo(0.2)
    write(folder / "stereo.wav", np.stack([music, music], axis=1))
    code, errors, results = run(capsys, manifest(folder, "", "stereo.wav"), "--jobs", "1")
    assert code == 2
    assert [row["error"] for row in results] == ["the manifest names no target recording", ""]
    notice = f"rtgain: {folder / 'dry.wav'}: has one channel; it is compared with each of the 2 channels of "
    assert errors.startswith(notice)
    assert errors.count("\n") == 2


MILLION = """
import re, sys, time
from concurrent.futures import Future
from contextlib import nullcontext
from pathlib import Path
from rtgain.match.batch import match_manifest
from rtgain.match.pair_process import failure
from rtgain.system.shutdown_signals import InterruptHandler

class Workers:
    def capacity(self):
        return 2
    def submit(self, folder, dry, target):
        future = Future()
        future.set_result(failure(""))
        return future
    def outcome(self, future):
        return future.result()

first = []
interruption = InterruptHandler()
def on_progress(done, total):
    first.append((done, total, time.process_time()))
    interruption.requested = len(first) == 1000
match_manifest(Path(sys.argv[1]), Path(sys.argv[2]), lambda: nullcontext(Workers()), interruption,
               on_progress=on_progress)
peak = re.search("VmHWM:[^0-9]*([0-9]+)", Path("/proc/self/status").read_text())[1]
# ru_maxrss would be that of the parent before exec
print(*first[0], int(peak) // 1024)
"""


def test_memory_of_many_pairs_is_small_and_the_first_result_comes_soon(tmp_path, thorough):
    pairs, existing = (1_000_000, 100_000) if thorough else (100_000, 10_000)
    manifest_path, results = tmp_path / "pairs.csv", tmp_path / "results.csv"
    manifest_path.write_text("dry,target\n" + "".join(f"dry/{n}.wav,target/{n}.wav\n" for n in range(pairs)))
    rest = "," * len(RESULT) + "\n"
    header = ",".join(["dry", "target", *RESULT]) + "\n"
    results.write_text(header + "".join(f"dry/{n}.wav,target/{n}.wav{rest}" for n in range(existing)))
    ran = subprocess.run(
        [sys.executable, "-c", MILLION, manifest_path, results], capture_output=True, text=True, check=True, cwd=ROOT
    )
    done, total, seconds, mebibytes = map(float, ran.stdout.split())
    assert (done, total) == (existing + 1, pairs)
    assert seconds < 10.0
    assert mebibytes < 300.0
    with results.open() as file:
        lines = list(islice(file, existing + 1, None))
    assert len(lines) in range(1000, 1100)
    assert lines[0].startswith(f"dry/{existing}.wav,target/{existing}.wav,")


def test_process_of_a_pair_uses_its_memory_again(monkeypatch):
    """Dask makes its workers return it at once. A pair then takes twice as long."""
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    process = _PairProcess()
    try:
        path = Path(f"/proc/{process._process.pid}/environ")
        wait_until(path.read_bytes)  # empty until the kernel has loaded the program
        environment = path.read_bytes().split(b"\0")
    finally:
        process.kill()
    assert b"OMP_NUM_THREADS=1" in environment
    assert [entry for entry in environment if entry.startswith(b"MALLOC_TRIM")] == [b"MALLOC_TRIM_THRESHOLD_=268435456"]
