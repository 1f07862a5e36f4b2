"""Experiments of the lessons in torch, and their results: numbers, figures, sounds and animations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtgain.output.animation import Animation
from rtgain.records.history import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class AudioClip:
    """Mono sound: `samples` ``(frames,)`` with full scale at ±1, at `sample_rate` Hz."""

    samples: NDArray[np.floating]
    sample_rate: int


@dataclass(frozen=True)
class ExperimentResult:
    """Results of an experiment, each by its name in the lesson's texts.

    Attributes:
        numbers: measured values.
        figures, animation: functions that draw on demand.
        sounds: audio clips.
    """

    numbers: Mapping[str, float]
    figures: Mapping[str, Callable[[], "Figure"]]
    sounds: Mapping[str, AudioClip]
    animation: Callable[[], Animation]


def arrival_s(history: History) -> float:
    """Time in seconds of the last estimate with an error of at least 0.1 dB."""
    return float(history.time_s[np.abs(history.gain_est_db - history.gain_true_db) >= 0.1].max())


def run_experiment(name: str, seed: int) -> ExperimentResult:
    """Run the experiment of the lesson `name`; `seed` makes its random numbers repeatable."""
    import torch

    torch.set_num_threads(1)  # more threads are slower at these sizes
    result: ExperimentResult = import_module(f"rtgain.lessons.experiments.{name.replace('-', '_')}").measure(seed)
    return result
