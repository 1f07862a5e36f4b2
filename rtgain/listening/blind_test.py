"""Blind listening tests: ABX and preference, as state machines without sound and without a window."""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from rtgain.listening.statistics import abx_p_value, wilson_interval
from rtgain.number_format import format_percent

Signal = Literal["dry", "target"]

DEFAULT_TRIALS = 16
TRIALS_RANGE = (1, 100)

SMALLEST_PERCENT = 0.1
"""Smallest probability in percent that a sentence states."""


def draw_signal() -> Signal:
    """Draw dry or target with equal probability from the random generator of the system."""
    return "target" if secrets.randbits(1) else "dry"


@dataclass(frozen=True)
class Trial:
    """One answered trial: the signal that was drawn, and the signal that the listener named."""

    drawn: Signal
    answer: Signal


class BlindTest(ABC):
    """Blind test of a number of trials that is fixed before the first.

    Each trial draws a signal with `draw`. A trial is open until it is answered; the next one opens at once. The test
    ends with the last trial, or early with `stop`. Raises `ValueError` outside `TRIALS_RANGE`.
    """

    kind: str
    """Name of the test in its JSON result."""

    buttons: tuple[str, ...]
    """Names of the signals that the listener can select."""

    def __init__(self, planned_trials: int = DEFAULT_TRIALS, draw: Callable[[], Signal] = draw_signal) -> None:
        lowest, highest = TRIALS_RANGE
        if not lowest <= planned_trials <= highest:
            raise ValueError(f"a test has {lowest} to {highest} trials, not {planned_trials}")
        self.planned_trials = planned_trials
        self.trials: list[Trial] = []
        self.was_stopped = False
        self._draw = draw
        self._drawn = draw()

    @property
    def is_open(self) -> bool:
        """True while a trial is open."""
        return not self.was_stopped and len(self.trials) < self.planned_trials

    @abstractmethod
    def signal_of(self, button: str) -> Signal:
        """Return the signal behind `button` in the open trial. Raises `ValueError` for another name."""

    @abstractmethod
    def sentence(self) -> str:
        """Describe the result in plain words."""

    @abstractmethod
    def score(self) -> dict[str, Any]:
        """Return the numbers of the result by their names in the JSON object."""

    def stop(self) -> None:
        """End the test early, without an answer to the open trial; ignored after the end."""
        if self.is_open:
            self.was_stopped = True

    def trial_objects(self) -> list[dict[str, Any]]:
        """Return the answered trials as objects of the JSON result."""
        return [{"drawn": trial.drawn, "answer": trial.answer} for trial in self.trials]

    def _answer(self, signal: Signal) -> Trial:
        if not self.is_open:
            raise ValueError("the test has ended; start another one")
        trial = Trial(self._drawn, signal)
        self.trials.append(trial)
        if self.is_open:
            self._drawn = self._draw()
        return trial

    def _unknown(self, button: str) -> ValueError:
        return ValueError(f"{button!r} is not one of {', '.join(self.buttons)}")

    def _early_end(self) -> str:
        answered = f"{len(self.trials)} of {self.planned_trials} trials"
        return f" The test was stopped after {answered}." if self.was_stopped else ""


class AbxTest(BlindTest):
    """ABX test: A is the dry signal, B the target, and X the drawn one of the two. The listener says which X is."""

    kind = "abx"
    buttons = ("A", "B", "X")

    def signal_of(self, button: str) -> Signal:
        if button not in self.buttons:
            raise self._unknown(button)
        return self._drawn if button == "X" else "dry" if button == "A" else "target"

    def answer(self, button: str) -> bool:
        """Answer that X is `button`, "A" or "B". Returns True if that is right. Raises `ValueError` after the end."""
        if button not in ("A", "B"):
            raise ValueError(f"{button!r} is not one of A, B")
        trial = self._answer(self.signal_of(button))
        return trial.answer == trial.drawn

    @property
    def correct(self) -> int:
        """Number of right answers."""
        return sum(trial.answer == trial.drawn for trial in self.trials)

    def sentence(self) -> str:
        answered = len(self.trials)
        if not answered:
            return f"No trial was answered.{self._early_end()}"
        chance = _chance(abx_p_value(self.correct, answered))
        return f"{self.correct} of {answered} right: a guess does as well in {chance} of cases.{self._early_end()}"

    def score(self) -> dict[str, Any]:
        answered = len(self.trials)
        return {"correct": self.correct, "p_value": abx_p_value(self.correct, answered) if answered else None}


class PreferenceTest(BlindTest):
    """Preference test: 1 is the drawn signal, and 2 the other one. The listener says which is better."""

    kind = "preference"
    buttons = ("1", "2")

    def signal_of(self, button: str) -> Signal:
        if button not in self.buttons:
            raise self._unknown(button)
        return self._drawn if (button == "1") else "dry" if self._drawn == "target" else "target"

    def answer(self, button: str) -> None:
        """Answer that `button`, "1" or "2", is better. Raises `ValueError` after the end."""
        self._answer(self.signal_of(button))

    @property
    def preferred_target(self) -> int:
        """Number of trials in which the target was better."""
        return sum(trial.answer == "target" for trial in self.trials)

    def sentence(self) -> str:
        answered, preferred = len(self.trials), self.preferred_target
        if not answered:
            return f"No trial was answered.{self._early_end()}"
        low, high = wilson_interval(preferred, answered)
        share = format_percent(preferred / answered, 0)
        interval = f"95 % confidence interval {100 * low:.0f} to {100 * high:.0f} %"
        return f"Target preferred in {preferred} of {answered} trials ({share}, {interval}).{self._early_end()}"

    def score(self) -> dict[str, Any]:
        answered, preferred = len(self.trials), self.preferred_target
        low, high = wilson_interval(preferred, answered) if answered else (None, None)
        return {
            "preferred_target": preferred,
            "preferred_dry": answered - preferred,
            "target_share_low": low,
            "target_share_high": high,
        }


def _chance(p_value: float) -> str:
    percent = 100 * p_value
    if percent < SMALLEST_PERCENT:
        return f"less than {SMALLEST_PERCENT} %"
    return format_percent(p_value, 1 if percent < 1 else 0)
