"""Exclusive lock on an output file that grows while a program runs, so that it has only one writer."""

import os
from pathlib import Path
from typing import IO

from rtgain.errors import InputError

if os.name == "posix":
    import fcntl


def lock_for_writing(path: Path) -> IO[bytes] | None:
    """Create a file if it does not exist, and lock it against other rtgain processes until the result is closed.

    Existing content is not changed. Devices and pipes are not locked; the result is then None. Raises `InputError` if
    another process has locked the file, and `OSError` if the file cannot be written.
    """
    if path.exists() and not path.is_file():
        return None
    file = path.open("ab")
    try:
        if os.name == "posix":
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise InputError(f"{path}: another rtgain process is writing to it; choose another name") from None
    return file
