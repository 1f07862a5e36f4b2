"""Experiments, run once for all tests of the process."""

import functools

from rtgain.lessons.experiments.experiment import ExperimentResult, run_experiment


@functools.cache
def experiment(name: str) -> ExperimentResult:
    """What the experiment of the lesson of that name comes to at seed 0."""
    return run_experiment(name, 0)
