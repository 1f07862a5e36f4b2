"""Processes of others, by their numbers."""

import os
from pathlib import Path


def is_running(pid: int) -> bool:
    """Whether there is such a process; one that has ended counts until its parent has heard of it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have."""
    found: list[int] = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, listed.read_text().split()):
            found += [child, *descendants(child)]
    return found
