"""Stored numbers of the lessons' experiments, for the GUI, which never imports torch.

``python -m rtgain.lessons.stored_results`` runs the experiments again. Tests compare the texts with a new run.
"""

import functools
import json
from collections.abc import Mapping
from pathlib import Path

from rtgain.lessons.catalogue import LESSONS
from rtgain.system.atomic_write import write_atomic

FILE = Path(__file__).with_suffix(".json")


@functools.cache
def stored_numbers(lesson: str) -> Mapping[str, float]:
    """Numbers that the experiment of the lesson `lesson` (a name) measured, by the placeholders in its texts."""
    numbers: dict[str, dict[str, float]] = json.loads(FILE.read_text(encoding="utf-8"))
    return numbers[lesson]


def write_stored_results() -> None:
    """Run every lesson's experiment, and store its numbers."""
    from rtgain.lessons.experiments.experiment import run_experiment

    numbers = {lesson.name: dict(run_experiment(lesson.name, 0).numbers) for lesson in LESSONS}
    write_atomic(FILE, (json.dumps(numbers, indent=2) + "\n").encode())


if __name__ == "__main__":
    write_stored_results()
