"""Log file in the user's log folder."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from gui.log_file import MAX_BYTES, close_log, open_log


@pytest.fixture(autouse=True)
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    yield tmp_path
    close_log()


def test_log_lines_contain_time_and_process(state_home: Path) -> None:
    path = open_log()
    assert path is not None
    assert path.is_relative_to(state_home)
    logging.getLogger("gui.main_window").warning("it was unplugged")
    line = path.read_text(encoding="utf-8")
    assert line.endswith("WARNING gui.main_window: it was unplugged\n")
    assert line.startswith("20")


def test_log_size_is_limited(state_home: Path) -> None:
    path = open_log()
    assert path is not None
    for _ in range(30):
        logging.getLogger("rtgain").info("x" * (MAX_BYTES // 10))
    files = list(path.parent.iterdir())
    assert len(files) == 2
    assert all(file.stat().st_size <= MAX_BYTES for file in files)


def test_unwritable_folder_means_no_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert open_log() is None


def test_closed_log_is_not_written() -> None:
    path = open_log()
    assert path is not None
    close_log()
    logging.getLogger("gui").warning("too late")
    assert path.read_text(encoding="utf-8") == ""
