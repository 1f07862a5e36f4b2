"""Jupyter notebook of a lesson: the texts of its page, and code that does its experiment with the public API.

The code is in ``notebook_code/NAME.py``, one file per lesson. A line ``# %%`` begins a cell and names its position:
``setup``, ``step N``, or ``step N`` with ``animation``, ``figure NAME`` or ``sound NAME``. A cell of the last kind
follows the caption of that figure or sound. The code assigns every number of the texts to a variable of its name.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rtgain.config.labels import describe_controls
from rtgain.lessons.lesson import Lesson, Step
from rtgain.lessons.text_templates import fill_template

CODE = Path(__file__).with_name("notebook_code")
MARKER = re.compile(r"^# %% (setup|step \d+(?: (?:animation|(?:figure|sound) \w+))?)$", re.MULTILINE)
SEED = "seed = 0"
"""Line of a setup that takes the seed of the export."""

FORMATTER_COMMENT = "  # fmt: skip"
"""Comment for the formatter of rtgain's code; a cell does not contain it."""

INTRODUCTION = (
    "This notebook does the experiment of the lesson, cell by cell. Run all cells, then change numbers and run them "
    "again. It needs rtgain and no network."
)


def code_cells(lesson: Lesson, seed: int = 0) -> dict[str, str]:
    """Return the code cells of a lesson by their positions, in the order of its file."""
    source = (CODE / f"{lesson.name.replace('-', '_')}.py").read_text(encoding="utf-8")
    _, *parts = MARKER.split(source)
    cells = {
        position: code.replace(FORMATTER_COMMENT, "").strip()
        for position, code in zip(parts[::2], parts[1::2], strict=True)
    }
    cells["setup"] = cells["setup"].replace(SEED, f"seed = {seed}")
    return cells


def lesson_notebook(lesson: Lesson, numbers: Mapping[str, float], seed: int) -> bytes:
    """Make the notebook of a lesson, without outputs; `numbers` are those that its experiment measured with `seed`."""
    code = code_cells(lesson, seed)
    cells: list[dict[str, Any]] = []

    def add_text(*paragraphs: str) -> None:
        cells.append({"cell_type": "markdown", "metadata": {}, "source": _lines("\n\n".join(paragraphs))})

    def add_code(source: str) -> None:
        cells.append(
            {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": _lines(source)}
        )

    def add_media(position: str, caption: str) -> None:
        add_text(f"*{markdown(fill_template(caption, numbers))}*")
        add_code(code[position])

    add_text(f"# {lesson.number} · {markdown(lesson.title)}", markdown(lesson.summary), INTRODUCTION)
    add_code(code["setup"])
    for number, step in enumerate(lesson.steps, 1):
        position = f"step {number}"
        add_text(f"## {markdown(step.title)}", markdown(fill_template(step.text, numbers)), _hints(step, numbers))
        if position in code:
            add_code(code[position])
        if step.why:
            add_text(markdown(fill_template(step.why, numbers), emphasis=True))
        if step.animation:
            add_media(f"{position} animation", step.animation)
        for name, caption in step.figures.items():
            add_media(f"{position} figure {name}", caption)
        for name, caption in step.sounds.items():
            add_media(f"{position} sound {name}", caption)
        if step.checks:
            add_code(checks_code(step))
    for index, cell in enumerate(cells):
        cell["id"] = f"{lesson.name}-{index}"
    notebook = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()


def checks_code(step: Step) -> str:
    """Make the code that prints the checks of a step: the sentences of the page with the numbers of the notebook."""
    return "\n".join(
        f"# expected: {check}\nprint(f{json.dumps(check.text, ensure_ascii=False)})" for check in step.checks
    )


def markdown(text: str, *, emphasis: bool = False) -> str:
    """Escape `text` for Markdown; with `emphasis`, ``*word*`` keeps its meaning. An ``@`` would make a mail address."""
    special = r"([\\`_<\[\]$#|@])" if emphasis else r"([\\`*_<\[\]$#|@])"
    return re.sub(special, r"\\\1", text)


def _hints(step: Step, numbers: Mapping[str, float]) -> str:
    hints = {
        "Controls": describe_controls(step.controls),
        "Watch": fill_template(step.watch, numbers),
        "Listen": fill_template(step.listen, numbers),
    }
    lines = [f"- **{name}**: {markdown(hint)}" for name, hint in hints.items()]
    return "\n".join(["In the window of rtgain (key L):\n", *lines])


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
