"""Shared memory that a crash left: found by the lock that it lost, and removed by the next one that needs some.

Whoever uses a block holds a shared lock (`flock`) on it. The system takes the lock back when the process ends,
however it ends; a block of ours that nobody holds is therefore nobody's. Only Linux shows shared memory as files.
"""

import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path

if os.name == "posix":
    import fcntl

SHARED = Path("/dev/shm")
"""Where Linux keeps shared memory."""

_RANDOM_BYTES = 10
"""Nobody guesses 80 bits, and macOS takes names of at most 31 characters."""

_OURS = re.compile(rf"rtgain-[0-9a-f]{{{2 * _RANDOM_BYTES}}}")


def random_block_name() -> str:
    """A name for a block that cannot be guessed."""
    return f"rtgain-{secrets.token_hex(_RANDOM_BYTES)}"


def hold(descriptor: int) -> bool:
    """Lock a block for as long as `descriptor` is open; whether it is still there under its name.

    It is not when another process found it between its making and this call, and took it for left behind.
    """
    if not SHARED.is_dir():
        return True
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return os.fstat(descriptor).st_nlink > 0


def remove_stale_blocks() -> None:
    """Remove the blocks of this user that nobody holds. What is another's, or no block, is not touched."""
    if not SHARED.is_dir():
        return
    for path in SHARED.iterdir():
        if _OURS.fullmatch(path.name):
            with suppress(OSError):  # another's, or gone meanwhile; or BlockingIOError: somebody holds it
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
