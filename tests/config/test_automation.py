"""Automations: breakpoints from a CSV, and error lines with the line number."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtgain.config import automation
from rtgain.config.automation import load_automation
from rtgain.errors import InputError

RATE = 48_000


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "moves.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def load(folder: Path, text: str | bytes) -> list[tuple[int, float]]:
    frames, gains_db = load_automation(write(folder, text), RATE)
    assert (frames.dtype, gains_db.dtype) == (np.int64, np.float64)
    return list(zip(frames.tolist(), gains_db.tolist(), strict=True))


def test_rows_become_frames_and_gains_in_order(tmp_path: Path) -> None:
    rows = load(tmp_path, "time_s,gain_db\n0,-6\n1.5,-12.25\n1.5,3e0\n2.00001,-120\n")
    assert rows == [(0, -6.0), (72_000, -12.25), (72_000, 3.0), (96_000, -120.0)]


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbftime_s,gain_db\r\n1,-3\r\n",  # from spreadsheets on Windows
        b" time_s , gain_db\n\n1, -3 \n\n",
        b'"time_s","gain_db"\n"1","-3"',
    ],
)
def test_csv_variants_of_other_programs_are_accepted(tmp_path: Path, text: bytes) -> None:
    assert load(tmp_path, text) == [(RATE, -3.0)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ": the first line must be time_s,gain_db"),
        ("gain_db,time_s\n0,0\n", ": the first line must be time_s,gain_db"),
        ("0,-6\n1,-7\n", ": the first line must be time_s,gain_db"),
        ("time_s,gain_db\n", ": has no rows"),
        ("time_s,gain_db\n1,0\n\n0.9,0\n", ", line 4: earlier than the previous line; sort by time_s"),
        ("time_s,gain_db\n0,nan\n", ", line 2: gain_db must be from -120 to 60"),
        ("time_s,gain_db\n0,0\n1,-inf\n", ", line 3: gain_db must be from -120 to 60"),
        ("time_s,gain_db\n0,60.01\n", ", line 2: gain_db must be from -120 to 60"),
        ("time_s,gain_db\n-0.1,0\n", ", line 2: time_s must be from 0 to 10000000 seconds"),
        ("time_s,gain_db\nnan,0\n", ", line 2: time_s must be from 0 to 10000000 seconds"),
        ("time_s,gain_db\n1e300,0\n", ", line 2: time_s must be from 0 to 10000000 seconds"),
        ("time_s,gain_db\n0\n", ", line 2: expected two numbers"),
        ("time_s,gain_db\n0,1,2\n", ", line 2: expected two numbers"),
        ("time_s,gain_db\n0;-6\n", ", line 2: expected two numbers"),
        (b"time_s,gain_db\n0,\xff\n", ": not a CSV text file"),
        (b"time_s,gain_db\n0," + b"1" * 200_000 + b"\n", ": not a CSV text file"),
    ],
)
def test_invalid_automation_is_reported_with_its_line(tmp_path: Path, text: str | bytes, line: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load_automation(path, RATE)
    assert str(caught.value).startswith(f"{path}{line}")


def test_missing_or_impossible_automation_file_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path, tmp_path / "a\0b", tmp_path / "\udcff\ud800"):
        with pytest.raises(InputError, match=r"; --automation expects .*time_s,gain_db$"):
            load_automation(path, RATE)


def test_automation_with_too_many_rows_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automation, "MAX_ROWS", 2)
    assert len(load(tmp_path, "time_s,gain_db\n0,0\n1,1\n")) == 2
    with pytest.raises(InputError, match="more than 2 rows; reduce the number of breakpoints"):
        load(tmp_path, "time_s,gain_db\n0,0\n1,1\n2,2\n")


@given(
    times_s=st.lists(st.floats(0, 1e7), min_size=1, max_size=20).map(sorted),
    gains_db=st.lists(st.floats(-120, 60), min_size=20, max_size=20),
    rate=st.sampled_from([4_000, 44_100, 768_000]),
)
def test_valid_automation_is_read_to_the_nearest_frame(
    tmp_path_factory: pytest.TempPathFactory, times_s: list[float], gains_db: list[float], rate: int
) -> None:
    rows = [f"{time_s!r},{gain_db!r}\n" for time_s, gain_db in zip(times_s, gains_db, strict=False)]
    path = write(tmp_path_factory.mktemp("any"), "time_s,gain_db\n" + "".join(rows))
    frames, read_db = load_automation(path, rate)
    assert read_db.tolist() == gains_db[: len(rows)]
    assert np.all(np.abs(frames - np.array(times_s) * rate) <= 0.5)
    assert np.all(np.diff(frames) >= 0)
