"""What the lessons' experiments came to once, for the window, which never imports torch: numbers and recordings.

``python -m rtgain.lessons.stored_results`` makes them anew; tests hold the texts and the sounds to a fresh run.
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
    """What the experiment of the lesson of that name measured, by the names of its texts' placeholders."""
    numbers: dict[str, dict[str, float]] = json.loads(FILE.read_text(encoding="utf-8"))
    return numbers[lesson]


def write_stored_results() -> None:
    """Run every lesson's experiment, and keep its numbers and recordings."""
    from rtgain.lessons.experiments.experiment import run_experiment
    from rtgain.lessons.export import flac

    exhibits = {lesson.name: run_experiment(lesson.name, 0) for lesson in LESSONS}
    numbers = {name: dict(shown.numbers) for name, shown in exhibits.items()}
    write_atomic(FILE, (json.dumps(numbers, indent=2) + "\n").encode())
    for shown in exhibits.values():
        for path, names in shown.recordings.items():
            write_atomic(path, flac([shown.sounds[name] for name in names]))


if __name__ == "__main__":
    write_stored_results()
