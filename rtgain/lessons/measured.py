"""The numbers in the lessons' texts as they were measured once, for the window, which never imports torch.

``python -m rtgain.lessons.measured`` measures them anew; a test holds the texts that they give to a fresh run.
"""

import functools
import json
from collections.abc import Mapping
from pathlib import Path

from rtgain.lessons import LESSONS
from rtgain.trace import write_whole

FILE = Path(__file__).with_suffix(".json")


@functools.cache
def measured_numbers(lesson: str) -> Mapping[str, float]:
    """What the experiment of the lesson of that name measured, by the names of its texts' placeholders."""
    numbers: dict[str, dict[str, float]] = json.loads(FILE.read_text(encoding="utf-8"))
    return numbers[lesson]


def write_measured() -> None:
    """Run every lesson's experiment and write down its numbers."""
    from rtgain.lessons.exhibits import exhibits_of

    numbers = {lesson.name: dict(exhibits_of(lesson.name, 0).numbers) for lesson in LESSONS}
    write_whole(FILE, (json.dumps(numbers, indent=2) + "\n").encode())


if __name__ == "__main__":
    write_measured()
