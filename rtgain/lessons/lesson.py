"""A lesson is data: steps with a text, the controls that they set, and what is expected to come of them."""

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rtgain.config.labels import CONTROL_LABELS
from rtgain.config.session_config import SessionConfig
from rtgain.lessons.checks import Expectation, NumericCheck


@dataclass(frozen=True)
class Step:
    """One thing to see and hear. Texts hold numbers as placeholders: ``{gain:.3f}``, out of what was measured.

    Attributes:
        text: what happens, in the window and on the page.
        watch, listen: where to look, what to play.
        controls: changes to the default `SessionConfig`.
        expects: what the estimate is to do then; at least one thing.
        finds: what the lesson's experiment is to measure.
        why: the explanation; paragraphs are parted by an empty line, and ``*word*`` is emphasis.
        figures, sounds: captions by the names that `rtgain.lessons.experiments.experiment` makes them under.
        animation: the caption of the lesson's animation, where it belongs to this step.
        act: what a button of the step does besides; ``xrun`` makes one.
        gains_db: the lowest and the highest gain that are worth seeing, where all that there are would hide a swing.
        duration_s: how long the headless run plays.
    """

    title: str
    text: str
    watch: str
    listen: str
    controls: Mapping[str, Any]
    expects: tuple[Expectation, ...]
    finds: tuple[NumericCheck, ...] = ()
    why: str = ""
    figures: Mapping[str, str] = field(default_factory=dict)
    sounds: Mapping[str, str] = field(default_factory=dict)
    animation: str = ""
    act: Literal["xrun"] | None = None
    gains_db: tuple[float, float] | None = None
    duration_s: float = 4.0

    @property
    def has_results(self) -> bool:
        """Whether the lesson's experiment has something to show or to find for this step."""
        return bool(self.finds or self.figures or self.sounds or self.animation)

    @property
    def settings(self) -> dict[str, Any]:
        """Every option that lessons control, as this step has it: a step does not depend on the one before."""
        return controls_with_defaults(**self.controls)


@dataclass(frozen=True)
class Lesson:
    """Steps in their order; one of them has the lesson's animation."""

    name: str
    number: int
    title: str
    about: str
    steps: tuple[Step, ...]


def emphasized(text: str) -> str:
    """`text` as HTML, in which ``*word*`` is emphasis."""
    parts = html.escape(text).split("*")
    return "".join(f"<em>{part}</em>" if index % 2 else part for index, part in enumerate(parts))


def controls_with_defaults(**controls: Any) -> dict[str, Any]:
    """Every option that lessons control: `controls`, and the rest as it is where nothing is set."""
    config = SessionConfig(**controls)
    return {name: getattr(config, name) for name in CONTROL_LABELS}
