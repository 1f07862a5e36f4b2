"""``rtgain lesson``: list them, run one or all, export what they show."""

import signal
import sys
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rtgain.lessons.catalogue import LESSONS, get_lesson
from rtgain.lessons.checks import MARKS
from rtgain.lessons.lesson import Lesson
from rtgain.system.shutdown_signals import set_shutdown_handler

WIDTH = 160
"""Columns of a table where it does not go to a terminal."""


def run_lessons(name: str | None, export: str | None, seed: int) -> int:
    """List the lessons; or run the one of that name, all where there is an `export`; the exit code.

    It may be interrupted anywhere: a file is there whole or not at all, and a page when all that it shows is.
    Raises `InputError`.
    """
    set_shutdown_handler(signal.default_int_handler)
    if name is None and export is None:
        for lesson in LESSONS:
            print(f"{lesson.number}  {lesson.name:<24} {lesson.about}")
        return 0
    lessons = LESSONS if name is None else (get_lesson(name),)
    folder = None if export is None else Path(export)
    if folder is not None:
        from rtgain.lessons.export import make_folder, write_index

        make_folder(folder)
    for lesson in lessons:
        _run(lesson, folder, seed, alone=name is not None)
    if folder is not None and name is None:
        write_index(folder)
    return 0


def _run(lesson: Lesson, folder: Path | None, seed: int, *, alone: bool) -> None:
    console = Console(stderr=True)
    with console.status(f"{lesson.number}  {lesson.title}") if console.is_terminal else nullcontext():
        from rtgain.lessons.experiments.experiment import run_experiment
        from rtgain.lessons.lesson_check import check_lesson

        exhibits = run_experiment(lesson.name, seed)
        results = check_lesson(lesson, exhibits.numbers, seed)
        if folder is not None:
            from rtgain.lessons.export import write_lesson

            write_lesson(folder, lesson, exhibits, results, alone=alone)
    table = Table(title=f"{lesson.number}  {lesson.title}", title_justify="left")
    for column in ("step", "expected", "came", ""):
        table.add_column(column)
    for result in results:
        table.add_row(result.step.title, result.expected, result.came, MARKS[result.outcome])
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)
