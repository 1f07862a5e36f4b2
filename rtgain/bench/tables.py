"""Tables of benchmarks: on the terminal and as JSON."""

import json
import math
import os
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from rtgain.number_format import UNKNOWN, none_if_nan
from rtgain.system.atomic_write import write_atomic

Row = dict[str, Any]

WIDTH = 200
"""Columns of a table: a terminal that is narrower breaks its lines, and nothing is cut off."""


def machine() -> dict[str, Any]:
    """What a table was made on: nothing that names the machine or its owner."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{package: version(package) for package in ("torch", "numpy", "numba")},
    }


def print_table(name: str, rows: Iterable[Row], total: int) -> list[Row]:
    """Print `total` rows on standard output, progress on a terminal meanwhile; gives them back."""
    console = Console(stderr=True)
    if console.is_terminal:
        rows = track(rows, name, total, console=console, transient=True)
    found = list(rows)
    table = Table(title=name, title_justify="left")
    for column in found[0] if found else ():
        table.add_column(column, justify="left" if isinstance(found[0][column], str) else "right", no_wrap=True)
    for row in found:
        table.add_row(*(_cell(value) for value in row.values()))
    Console(width=WIDTH).print(table)
    return found


def write_json(path: Path, name: str, rows: list[Row]) -> None:
    """Write the table as the contract says. Raises `InputError`."""
    finite = [
        {key: none_if_nan(value) if isinstance(value, float) else value for key, value in row.items()} for row in rows
    ]
    text = json.dumps({"name": name, "machine": machine(), "rows": finite}, indent=2, ensure_ascii=False)
    write_atomic(path, (text + "\n").encode())


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, float):
        return UNKNOWN if math.isnan(value) else f"{value:.4g}" if abs(value) >= 100 else f"{value:.4f}"
    return str(value)
