"""Progress display of all commands: a bar on standard error if that is a terminal, otherwise nothing."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")

Update = Callable[[str, int], None]
"""Show a new description and the completed amount."""


@contextmanager
def progress(description: str, total: int | None = None) -> Iterator[Update]:
    """Show a progress bar inside the ``with`` statement; `total` is None if the end is unknown."""
    if not sys.stderr.isatty():
        yield lambda description, completed: None
        return
    from rich.console import Console  # takes a tenth of a second, which a run without a terminal does not need
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(description, total=total)
        yield lambda description, completed: bar.update(task, description=description, completed=completed)


def track(items: Iterable[Item], description: str, total: int) -> Iterator[Item]:
    """Yield `items`, and show how many of `total` are done."""
    with progress(description, total) as update:
        for count, item in enumerate(items, start=1):
            yield item
            update(f"{description} {count}/{total}", count)
