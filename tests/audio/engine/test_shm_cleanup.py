"""Stale shared-memory blocks are removed; blocks in use and other files are not."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtgain.audio.engine import shm_cleanup
from rtgain.audio.engine.shared_memory import EngineSharedMemory
from rtgain.audio.engine.shm_cleanup import SHM_DIRECTORY, lock_shared, random_block_name, remove_stale_blocks

OTHER_USER_ID = 65_534


@pytest.fixture
def stale_block() -> Iterator[Path]:
    """A block without a lock."""
    path = SHM_DIRECTORY / random_block_name()
    path.write_bytes(bytes(4096))
    yield path
    path.unlink(missing_ok=True)


def test_stale_block_is_removed_when_the_next_one_is_created(stale_block: Path) -> None:
    with EngineSharedMemory.create(8_000) as memory:
        assert not stale_block.exists()
        assert (SHM_DIRECTORY / memory.name).exists()


def test_block_in_use_stays_whichever_process_looks(stale_block: Path) -> None:
    with EngineSharedMemory.create(8_000) as memory:
        remove_stale_blocks()
        command = [sys.executable, "-c", "from rtgain.audio.engine.shm_cleanup import remove_stale_blocks as r; r()"]
        stale_block.touch()
        subprocess.run(command, check=True)
        assert not stale_block.exists(), "the other process did not clean up"
        assert (SHM_DIRECTORY / memory.name).exists()


CREATE_AND_WAIT = """
import sys
from rtgain.audio.engine.shared_memory import EngineSharedMemory
memory = EngineSharedMemory.create(8000)
print(memory.name, flush=True)
sys.stdin.read()
"""


def test_block_of_a_killed_process_group_is_removed() -> None:
    """The resource tracker, which would remove the block of a killed process, is in the same process group."""
    command = [sys.executable, "-c", CREATE_AND_WAIT]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        block = SHM_DIRECTORY / process.stdout.readline().strip()
        remove_stale_blocks()
        assert block.exists(), "a block in use was removed"
        with block.open("rb") as locked:
            assert lock_shared(locked.fileno())  # otherwise another program that starts now would remove it
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            assert block.exists(), "the resource tracker removed the block"
        remove_stale_blocks()
        assert not block.exists()


@pytest.mark.parametrize("name", ["rtgain-notes", "rtgain-" + "0" * 19, "x-rtgain-" + "0" * 20, "psm_" + "0" * 20])
def test_files_with_other_names_are_not_touched(name: str) -> None:
    path = SHM_DIRECTORY / name
    path.touch()
    try:
        remove_stale_blocks()
        assert path.exists()
    finally:
        path.unlink()


def test_link_with_the_name_of_a_block_is_not_followed(tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    linked.write_text("content")
    link, folder = SHM_DIRECTORY / random_block_name(), SHM_DIRECTORY / random_block_name()
    link.symlink_to(linked)
    folder.mkdir()
    try:
        remove_stale_blocks()
        assert link.is_symlink()
        assert folder.is_dir()
        assert linked.read_text() == "content"
    finally:
        link.unlink()
        folder.rmdir()


def test_block_of_another_user_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder of its own: before it has its owner, another program that starts now would remove it."""
    monkeypatch.setattr(shm_cleanup, "SHM_DIRECTORY", tmp_path)
    block = tmp_path / random_block_name()
    block.touch()
    if os.geteuid() == 0:
        os.chown(block, OTHER_USER_ID, OTHER_USER_ID)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: OTHER_USER_ID)
    remove_stale_blocks()
    assert block.exists()
    monkeypatch.undo()
    monkeypatch.setattr(shm_cleanup, "SHM_DIRECTORY", tmp_path)
    os.chown(block, os.geteuid(), os.getegid())
    remove_stale_blocks()
    assert not block.exists()


def test_block_removed_before_it_was_locked_is_created_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = []

    def remove_before_locking(descriptor: int) -> bool:
        names.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        if len(names) == 1:
            remove_stale_blocks()  # like another process that starts now
        return lock_shared(descriptor)

    monkeypatch.setattr("rtgain.audio.engine.shared_memory.lock_shared", remove_before_locking)
    with EngineSharedMemory.create(8_000) as memory:
        assert memory.name == names[1] != names[0]
        assert memory.control["sample_rate"] == 8_000


def test_cleanup_does_nothing_without_shared_memory_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shm_cleanup, "SHM_DIRECTORY", tmp_path / "none")
    remove_stale_blocks()
    assert lock_shared(-1)
