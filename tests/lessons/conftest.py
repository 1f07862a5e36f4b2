"""Experiments, each run once per test process."""

import functools

from rtgain.lessons.experiments.experiment import ExperimentResult, run_experiment


@functools.cache
def experiment(name: str) -> ExperimentResult:
    """Results of the experiment of the lesson `name` with seed 0."""
    return run_experiment(name, 0)
