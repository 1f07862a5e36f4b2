"""The options of a session that lessons set, and how the window calls them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rtgain.number_format import format_as

SOURCES = {"demo": "Demo", "sine": "Sine", "pink": "Pink noise"}
TARGETS = {"reference": "Reference path", "channel": "Another channel", "return": "Return (microphone)"}
"""What the window calls the choices of `input` and `target`."""


def _with_unit(unit: str) -> Callable[[Any], str]:
    return lambda value: "none" if value is None else format_as(value, ".4g") + unit


def _or_auto(value: Any) -> str:
    return "auto" if value is None else f"{value:g}"


CONTROL_LABELS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "input": ("Source", lambda source: SOURCES.get(source) or Path(source).name),
    "loop": ("Loop", lambda on: "on" if on else "off"),
    "gain_db": ("Gain", _with_unit(" dB")),
    "automation": ("Automation", str),
    "polarity": ("Invert polarity", lambda polarity: "on" if polarity == "invert" else "off"),
    "phase_deg": ("Phase", _with_unit("°")),
    "delay_ms": ("Delay", _with_unit(" ms")),
    "noise_dbfs": ("Noise", _with_unit(" dBFS")),
    "target": ("Target", TARGETS.__getitem__),
    "dry_channel": ("Dry channel", _or_auto),
    "target_channel": ("Target channel", _or_auto),
    "output_channel": ("Output channel", _or_auto),
    "loss": ("Loss", str),
    "optimizer": ("Optim.", str),
    "lr": ("Rate", _or_auto),
    "steps": ("Steps", _or_auto),
    "window_ms": ("Window", _with_unit(" ms")),
    "hop_ms": ("hop", _with_unit(" ms")),
    "align": ("Find the delay", str),
    "compare": ("Race", lambda entries: " and ".join(entries) or "nobody"),
}
"""What a lesson sets of a session, all but the devices, the clock and what is heard: names and values in words."""


def describe_controls(controls: Mapping[str, Any]) -> str:
    """The controls by their names in the window, with what they are set to."""
    words = ((CONTROL_LABELS[name], value) for name, value in controls.items())
    return ", ".join(f"{word} {written(value)}" for (word, written), value in words)
