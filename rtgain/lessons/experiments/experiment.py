"""What the lessons measure and show: experiments in torch, their numbers, figures, sounds and animations."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtgain.output.animation import Animation

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class AudioClip:
    """Something to listen to: `samples` ``(frames,)``, full scale at 1, at `sample_rate` Hz."""

    samples: NDArray[np.floating]
    sample_rate: int


@dataclass(frozen=True)
class ExperimentResult:
    """What an experiment came to. Figures and film are drawn when they are called for.

    `recordings` are files that steps play live, kept with the lessons: the sounds in their channels, by name.
    """

    numbers: Mapping[str, float]
    figures: Mapping[str, Callable[[], "Figure"]]
    sounds: Mapping[str, AudioClip]
    film: Callable[[], Animation]
    recordings: Mapping[Path, Sequence[str]] = field(default_factory=dict)


def run_experiment(name: str, seed: int) -> ExperimentResult:
    """Run the experiment of the lesson of that name; `seed` makes what is random in it repeatable."""
    import torch

    torch.set_num_threads(1)  # at these sizes more are slower
    exhibits: ExperimentResult = import_module(f"rtgain.lessons.experiments.{name.replace('-', '_')}").measure(seed)
    return exhibits
