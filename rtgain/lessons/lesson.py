"""A lesson is data: steps with a text, the controls that they set, and what is expected to come of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rtgain.config import SessionConfig
from rtgain.lessons.expectations import MINUS, Expectation, Finding

CONTROLLED = (
    "input", "gain_db", "automation", "polarity", "phase_deg", "delay_ms", "noise_dbfs", "target",
    "loss", "optimizer", "lr", "steps", "window_ms", "hop_ms", "align", "race",
)  # fmt: skip
"""What a lesson sets of a session: all but the devices, the clock and what is heard."""


@dataclass(frozen=True)
class Step:
    """One thing to see and hear. Texts hold numbers as placeholders: ``{gain:.3f}``, out of what was measured.

    Attributes:
        text: what happens, in the window and on the page.
        watch, listen: where to look, what to play.
        controls: changes to the default `SessionConfig`; empty where there is nothing to play.
        expects: what the estimate is to do then.
        finds: what the lesson's experiment is to measure.
        why: the explanation, on the page only; paragraphs are parted by an empty line.
        figures, sounds: captions by the names that `rtgain.lessons.exhibits` makes them under.
        act: what a button of the step does besides; ``xrun`` makes one.
        duration_s: how long the headless run plays.
    """

    title: str
    text: str
    watch: str = ""
    listen: str = ""
    controls: Mapping[str, Any] = field(default_factory=dict)
    expects: tuple[Expectation, ...] = ()
    finds: tuple[Finding, ...] = ()
    why: str = ""
    figures: Mapping[str, str] = field(default_factory=dict)
    sounds: Mapping[str, str] = field(default_factory=dict)
    act: Literal["xrun"] | None = None
    duration_s: float = 4.0

    @property
    def settings(self) -> dict[str, Any]:
        """Every option that lessons control, as this step has it: a step does not depend on the one before."""
        config = SessionConfig(**self.controls)
        return {name: getattr(config, name) for name in CONTROLLED}


@dataclass(frozen=True)
class Lesson:
    """Steps in their order. `animation` is the caption of the lesson's animation."""

    name: str
    number: int
    title: str
    about: str
    steps: tuple[Step, ...]
    animation: str = ""


class Measured(float):
    """A number that is written with a real minus sign."""

    def __format__(self, form: str) -> str:
        text = super().__format__(form)
        if text.startswith("-") and float(text) == 0.0:
            text = text[1:]
        return text.replace("-", MINUS)


def fill(text: str, numbers: Mapping[str, float]) -> str:
    """`text` with its placeholders filled. Raises `KeyError` for a number that nobody measured."""
    return text.format_map({name: Measured(value) for name, value in numbers.items()})
