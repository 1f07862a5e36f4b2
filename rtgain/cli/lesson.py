"""``rtgain lesson``: list the lessons, run one or all, export their pages."""

import sys
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rtgain.lessons.catalogue import LESSONS, get_lesson
from rtgain.lessons.checks import MARKS
from rtgain.lessons.lesson import Lesson
from rtgain.system.imports import importing
from rtgain.system.shutdown_signals import interrupt, set_shutdown_handler

WIDTH = 160
"""Width of a table in columns if standard output is not a terminal."""


def run_lessons(name: str | None, export: str | None, seed: int) -> int:
    """List the lessons without `name` and `export`; else run the lesson `name`, or all. Returns the exit code.

    `export` is the folder for pages, notebooks and media. An interruption leaves only complete files, and a page only
    with all of its media. Raises `InputError`.
    """
    set_shutdown_handler(interrupt)
    if name is None and export is None:
        for lesson in LESSONS:
            print(f"{lesson.number}  {lesson.name:<24} {lesson.summary}")
        return 0
    lessons = LESSONS if name is None else (get_lesson(name),)
    folder = None if export is None else Path(export)
    if folder is not None:
        from rtgain.lessons.export import make_folder, write_index

        make_folder(folder)
    for lesson in lessons:
        _run(lesson, folder, seed, linked=name is None)
    if folder is not None and name is None:
        write_index(folder)
    return 0


def _run(lesson: Lesson, folder: Path | None, seed: int, *, linked: bool) -> None:
    console = Console(stderr=True)
    with console.status(f"{lesson.number}  {lesson.title}") if console.is_terminal else nullcontext():
        with importing():
            from rtgain.lessons.experiments.experiment import run_experiment
            from rtgain.lessons.lesson_check import check_lesson

        experiment = run_experiment(lesson.name, seed)
        results = check_lesson(lesson, experiment.numbers, seed)
        if folder is not None:
            from rtgain.lessons.export import write_lesson

            write_lesson(folder, lesson, experiment, results, seed=seed, linked=linked)
    table = Table(title=f"{lesson.number}  {lesson.title}", title_justify="left")
    for column in ("step", "expected", "observed", "result"):
        table.add_column(column)
    for result in results:
        table.add_row(result.step.title, result.expected, result.observed, MARKS[result.outcome])
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)
