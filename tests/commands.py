"""The rtgain command as a user runs it, in its own process."""

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.fork_server import ROOT, ForkedCommand, can_fork
from tests.polling import TIMEOUT_S

__all__ = ["ROOT", "command", "rows", "rtgain", "start_rtgain"]


def rtgain(
    *words: str | Path, fresh: bool = False, before: str = "", **settings: Any
) -> subprocess.CompletedProcess[str]:
    """Run ``rtgain …`` to its end, as `start_rtgain` does."""
    with start_rtgain(*words, fresh=fresh, before=before, **settings) as process:
        try:
            out, errors = process.communicate(timeout=TIMEOUT_S)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


def start_rtgain(*words: str | Path, fresh: bool = False, before: str = "", **settings: Any) -> subprocess.Popen[str]:
    """Start ``rtgain …`` and leave it running.

    It is forked from a process that has loaded what it imports (`tests.fork_server`), where its settings allow that
    and it is not to be a `fresh` Python: for what depends on what is loaded, or on how a process starts.
    `before` is Python code that runs first.
    """
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **settings}
    if fresh or not can_fork(settings):
        run = command(*words)
        if before:
            run_it = "import runpy, sys; runpy.run_path(sys.argv.pop(1), run_name='__main__')"
            run[1:1] = ["-c", f"{before}\n{run_it}"]
        return subprocess.Popen(run, **settings)
    return ForkedCommand([str(word) for word in words], before=before, **settings)


def command(*words: str | Path) -> list[str]:
    """Command line with this environment's Python."""
    return [sys.executable, str(ROOT / "main.py"), *map(str, words)]


def rows(path: Path) -> list[dict[str, str]]:
    """Read the rows of a CSV, by column name."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
