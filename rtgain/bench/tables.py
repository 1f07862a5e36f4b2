"""Benchmark tables: on the terminal and as JSON."""

import json
import math
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from rtgain.number_format import UNKNOWN, none_if_nan
from rtgain.system.atomic_write import write_atomic

Row = dict[str, Any]

WIDTH = 200
"""Width of a table in columns. A narrower terminal wraps its lines instead of truncating them."""


def machine() -> dict[str, Any]:
    """Describe the machine without anything that identifies it or its owner."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{package: version(package) for package in ("torch", "numpy", "numba")},
    }


def print_table(name: str, rows: Sequence[Row]) -> None:
    """Print the table on standard output."""
    table = Table(title=name, title_justify="left")
    for column in rows[0] if rows else ():
        table.add_column(column, justify="left" if isinstance(rows[0][column], str) else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    Console(width=WIDTH).print(table)


def write_json(path: Path, name: str, rows: Sequence[Row]) -> None:
    """Write the table as JSON, with null for numbers that are not finite. Raises `InputError`."""
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
