"""One writer for a file that grows while a program runs: two at once would spoil what each has written."""

import os
from pathlib import Path
from typing import IO

from rtgain.errors import InputError

if os.name == "posix":
    import fcntl


def claim(path: Path) -> IO[bytes] | None:
    """Make a file where there is none, and keep other rtgains from claiming it until what this gives is closed.

    What is there already is not touched. Devices and pipes are for everybody: None. Raises `InputError` when another
    one has claimed it, and the `OSError` of a file that cannot be written.
    """
    if path.exists() and not path.is_file():
        return None
    file = path.open("ab")
    try:
        if os.name == "posix":
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise InputError(f"{path}: another rtgain is writing to it; choose another name") from None
    return file
