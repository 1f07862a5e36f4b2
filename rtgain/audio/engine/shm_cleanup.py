"""Removal of shared-memory blocks left behind by crashed processes.

Every process that uses a block has a shared lock (`flock`) on it. The operating system releases the lock when the
process ends for any reason. An unlocked block with a name of rtgain is therefore stale. The next process that creates
a block removes it. Only Linux shows shared memory as files.
"""

import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path

if os.name == "posix":
    import fcntl

SHM_DIRECTORY = Path("/dev/shm")
"""Directory of shared memory on Linux."""

_RANDOM_BYTES = 10
"""80 bits cannot be guessed. Names stay below the limit of 31 characters on macOS."""

_BLOCK_NAME = re.compile(rf"rtgain-[0-9a-f]{{{2 * _RANDOM_BYTES}}}")


def random_block_name() -> str:
    """Return an unguessable name for a block."""
    return f"rtgain-{secrets.token_hex(_RANDOM_BYTES)}"


def lock_shared(descriptor: int) -> bool:
    """Take a shared lock on a block for as long as `descriptor` is open. Returns True if the block still has its name.

    It has none if another process found the block unlocked, after its creation and before this call, and removed it.
    """
    if not SHM_DIRECTORY.is_dir():
        return True
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return os.fstat(descriptor).st_nlink > 0


def remove_stale_blocks() -> None:
    """Remove the unlocked blocks of this user. Other users' blocks and other files are not touched."""
    if not SHM_DIRECTORY.is_dir():
        return
    for path in SHM_DIRECTORY.iterdir():
        if _BLOCK_NAME.fullmatch(path.name):
            with suppress(OSError):  # not permitted or already removed; BlockingIOError: locked
                _remove_unless_locked(path)


def _remove_unless_locked(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if status.st_uid == os.geteuid() and stat.S_ISREG(status.st_mode):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    finally:
        os.close(descriptor)
