"""Experiments, run once for all tests of the process."""

import functools

from rtgain.lessons.experiments.experiment import Exhibits, exhibits_of


@functools.cache
def experiment(name: str) -> Exhibits:
    """What the experiment of the lesson of that name comes to at seed 0."""
    return exhibits_of(name, 0)
