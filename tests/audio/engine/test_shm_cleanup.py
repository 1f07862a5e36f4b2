"""What a crash leaves in shared memory is found and removed; what is in use, or not ours, never is."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtgain.audio.engine import shm_cleanup
from rtgain.audio.engine.shared_memory import EngineSharedMemory
from rtgain.audio.engine.shm_cleanup import SHARED, hold, random_block_name, remove_stale_blocks

OF_ANOTHER_USER = 65_534  # nobody


@pytest.fixture
def left_behind() -> Iterator[Path]:
    """A block that nobody holds."""
    path = SHARED / random_block_name()
    path.write_bytes(bytes(4096))
    yield path
    path.unlink(missing_ok=True)


def test_a_block_that_nobody_holds_is_removed_when_the_next_one_is_made(left_behind: Path) -> None:
    with EngineSharedMemory.create(8_000) as memory:
        assert not left_behind.exists()
        assert (SHARED / memory.name).exists()


def test_a_block_in_use_stays_whoever_looks(left_behind: Path) -> None:
    with EngineSharedMemory.create(8_000) as memory:
        remove_stale_blocks()
        look = [sys.executable, "-c", "from rtgain.audio.engine.shm_cleanup import remove_stale_blocks as r; r()"]
        left_behind.touch()
        subprocess.run(look, check=True)
        assert not left_behind.exists(), "the other process did look"
        assert (SHARED / memory.name).exists()


CREATE_AND_WAIT = """
import sys
from rtgain.audio.engine.shared_memory import EngineSharedMemory
memory = EngineSharedMemory.create(8000)
print(memory.name, flush=True)
sys.stdin.read()
"""


def test_a_block_is_left_when_a_whole_group_is_killed_and_then_found() -> None:
    """With its group goes the resource tracker too, which else removes what a killed process left."""
    command = [sys.executable, "-c", CREATE_AND_WAIT]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        block = SHARED / process.stdout.readline().strip()
        remove_stale_blocks()
        assert block.exists(), "it is in use"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert block.exists(), "nobody was left to remove it"
        remove_stale_blocks()
        assert not block.exists()


@pytest.mark.parametrize("name", ["rtgain-notes", "rtgain-" + "0" * 19, "x-rtgain-" + "0" * 20, "psm_" + "0" * 20])
def test_what_is_not_named_as_ours_is_not_touched(name: str) -> None:
    path = SHARED / name
    path.touch()
    try:
        remove_stale_blocks()
        assert path.exists()
    finally:
        path.unlink()


def test_a_link_in_the_place_of_a_block_is_not_followed_and_a_directory_stays(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("mine")
    link, folder = SHARED / random_block_name(), SHARED / random_block_name()
    link.symlink_to(kept)
    folder.mkdir()
    try:
        remove_stale_blocks()
        assert link.is_symlink()
        assert folder.is_dir()
        assert kept.read_text() == "mine"
    finally:
        link.unlink()
        folder.rmdir()


def test_what_belongs_to_another_user_stays_though_we_could_remove_it(
    left_behind: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() == 0:
        os.chown(left_behind, OF_ANOTHER_USER, OF_ANOTHER_USER)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: OF_ANOTHER_USER)
    remove_stale_blocks()
    assert left_behind.exists()


def test_a_block_that_was_taken_for_left_behind_before_it_was_held_is_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = []

    def look_just_before(descriptor: int) -> bool:
        names.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        if len(names) == 1:
            remove_stale_blocks()  # as another process that starts in this moment
        return hold(descriptor)

    monkeypatch.setattr("rtgain.audio.engine.shared_memory.hold", look_just_before)
    with EngineSharedMemory.create(8_000) as memory:
        assert memory.name == names[1] != names[0]
        assert memory.control["sample_rate"] == 8_000


def test_without_shared_memory_as_files_nothing_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shm_cleanup, "SHARED", tmp_path / "none")
    remove_stale_blocks()
    assert hold(-1)
