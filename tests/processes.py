"""Other processes, by their process ids."""

import os
from contextlib import suppress
from pathlib import Path


def is_running(pid: int) -> bool:
    """True if the process exists; a finished process exists until its parent has waited for it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def is_stopped(pid: int) -> bool:
    """True if a SIGSTOP has taken effect."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def descendants(pid: int) -> list[int]:
    """Descendants of a process."""
    found: list[int] = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended meanwhile
            for child in map(int, listed.read_text().split()):
                found += [child, *descendants(child)]
    return found
