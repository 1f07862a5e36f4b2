"""Lessons as data: steps with texts, the controls that they set, and the checks that must pass."""

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rtgain.config.labels import CONTROL_LABELS
from rtgain.config.session_config import SessionConfig
from rtgain.lessons.checks import BlindTestEnds, Expectation, NumericCheck, Outcome


@dataclass(frozen=True)
class Step:
    """One step of a lesson. Texts contain measured numbers as placeholders, for example ``{gain:.3f}``.

    Attributes:
        text: what happens; shown in the GUI and on the page.
        watch, listen: what to look at, which signals to monitor.
        controls: changes to the default `SessionConfig` in mono.
        expectations: checks of the running session; at least one.
        checks: checks of the numbers that the lesson's experiment measures.
        why: the explanation; an empty line separates paragraphs, and ``*word*`` is emphasis.
        figures, sounds: captions by the names in `rtgain.lessons.experiments.experiment.ExperimentResult`.
        animation: caption of the lesson's animation, if it belongs to this step.
        action: extra button of the step; ``xrun`` simulates an xrun.
        gain_axis_db: lowest and highest gain of the plot's axis, if the full range would hide a swing.
        duration_s: length of the headless run in seconds.
    """

    title: str
    text: str
    watch: str
    listen: str
    controls: Mapping[str, Any]
    expectations: tuple[Expectation, ...]
    checks: tuple[NumericCheck, ...] = ()
    why: str = ""
    figures: Mapping[str, str] = field(default_factory=dict)
    sounds: Mapping[str, str] = field(default_factory=dict)
    animation: str = ""
    action: Literal["xrun"] | None = None
    gain_axis_db: tuple[float, float] | None = None
    duration_s: float = 4.0

    @property
    def has_results(self) -> bool:
        """True if the lesson's experiment has checks, figures, sounds or an animation for this step."""
        return bool(self.checks or self.figures or self.sounds or self.animation)

    @property
    def blind_trials(self) -> int:
        """Number of trials of the step's blind test; 0 without one."""
        return sum(item.trials for item in self.expectations if isinstance(item, BlindTestEnds))

    @property
    def all_controls(self) -> dict[str, Any]:
        """Every option that lessons control, with this step's value: no step depends on the one before."""
        return controls_with_defaults(**self.controls)


@dataclass(frozen=True)
class Lesson:
    """Steps in their order; one of them has the lesson's animation. `summary` is one plain sentence."""

    name: str
    number: int
    title: str
    summary: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class CheckResult:
    """Result of one check of a step: expected value, observed value, outcome."""

    step: Step
    expected: str
    observed: str
    outcome: Outcome


def emphasized(text: str) -> str:
    """`text` as HTML, with ``*word*`` as emphasis."""
    parts = html.escape(text).split("*")
    return "".join(f"<em>{part}</em>" if index % 2 else part for index, part in enumerate(parts))


def controls_with_defaults(**controls: Any) -> dict[str, Any]:
    """Every option that lessons control: `controls`, and the default for all others, in mono."""
    config = SessionConfig(**({"channels": 1} | controls))
    return {name: getattr(config, name) for name in CONTROL_LABELS}
