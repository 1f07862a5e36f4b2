"""The rtgain command as a user runs it: in a process of its own."""

import csv
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def rtgain(*words: str | Path, **settings) -> subprocess.CompletedProcess[str]:
    """Run ``rtgain …`` to its end."""
    return subprocess.run(command(*words), capture_output=True, text=True, timeout=120, check=False, **settings)


def start_rtgain(*words: str | Path, **settings) -> subprocess.Popen[str]:
    """Start ``rtgain …`` and leave it running."""
    return subprocess.Popen(command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings)


def command(*words: str | Path) -> list[str]:
    """The words that start it, with this environment's Python."""
    return [sys.executable, str(ROOT / "main.py"), *map(str, words)]


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV, by column name."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
