"""Labels of session options and of their values, as the GUI and the lessons show them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtgain.config.names import FilterKind, LevelMatchMode, ProcessorName
from rtgain.number_format import format_as

if TYPE_CHECKING:
    from rtgain.config.reference_equalizer import ReferenceEqualizer

SOURCES = {"demo": "Demo", "sine": "Sine", "pink": "Pink noise"}
"""Labels of the synthetic sources, by their names as `input`."""

TARGETS = {"reference": "Reference path", "channel": "Another channel", "return": "Return (microphone)"}
"""Labels of the choices of `target`."""

LEVEL_MATCHES: dict[LevelMatchMode, str] = {"off": "Off", "estimate": "By gain", "loudness": "By loudness"}
"""Labels of the choices of `level_match`."""

FILTER_KINDS: dict[FilterKind, str] = {"low_shelf": "Low shelf", "peak": "Peak", "high_shelf": "High shelf"}
"""Labels of the filters of an equalizer."""

PROCESSORS: dict[ProcessorName, str] = {"gain": "Gain", "eq": "Equalizer"}
"""Labels of the choices of `processor`."""

NO_COMPARISON = "none"
"""Label of an empty `compare`."""


def _with_unit(unit: str) -> Callable[[Any], str]:
    return lambda value: "none" if value is None else format_as(value, ".4g") + unit


def _or_auto(value: Any) -> str:
    return "auto" if value is None else f"{value:g}"


def format_channels(channels: tuple[int, ...] | None) -> str:
    """Format channel numbers as ``1`` or ``1, 2``; ``auto`` for None."""
    return "auto" if channels is None else ", ".join(map(str, channels))


def _describe_equalizer(equalizer: "ReferenceEqualizer | None") -> str:
    if equalizer is None:
        return "flat"
    filters = (f"{FILTER_KINDS[item.type]} {format_as(item.gain_db, 'g')} dB" for item in equalizer.filters if item.on)
    return ", ".join(filters) or "flat"


CONTROL_LABELS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "input": ("Source", lambda source: SOURCES.get(source) or Path(source).name),
    "start": ("Start", _or_auto),
    "end": ("End", _or_auto),
    "loop": ("Loop", lambda on: "on" if on else "off"),
    "gain_db": ("Gain", _with_unit(" dB")),
    "automation": ("Automation", str),
    "polarity": ("Invert polarity", lambda polarity: "on" if polarity == "invert" else "off"),
    "phase_deg": ("Phase", _with_unit("°")),
    "delay_ms": ("Delay", _with_unit(" ms")),
    "noise_dbfs": ("Noise", _with_unit(" dBFS")),
    "eq": ("Equalizer file", str),
    "equalizer": ("Equalizer", _describe_equalizer),
    "target": ("Target", lambda target: TARGETS.get(target) or Path(target).name),
    "channels": ("Channels", lambda channels: {1: "mono", 2: "stereo"}.get(channels, channels)),
    "dry_channel": ("Dry channel", format_channels),
    "target_channel": ("Target channel", format_channels),
    "output_channel": ("Output channel", format_channels),
    "level_match": ("Level match", lambda mode: LEVEL_MATCHES[mode].lower()),
    "processor": ("Estimator", lambda processor: PROCESSORS[processor]),
    "loss": ("Loss", str),
    "optimizer": ("Optimizer", str),
    "lr": ("Learning rate", _or_auto),
    "steps": ("Steps per hop", _or_auto),
    "window_ms": ("Window", _with_unit(" ms")),
    "hop_ms": ("Hop", _with_unit(" ms")),
    "align": ("Compensate delay", str),
    "compare": ("Compare with", lambda entries: " and ".join(entries) or NO_COMPARISON),
}
"""Label and formatter of each option that a lesson sets: all except devices, clock and monitor."""


def describe_controls(controls: Mapping[str, Any]) -> str:
    """Describe `controls`, values by option names, as labels and values separated by commas."""
    labelled = ((CONTROL_LABELS[name], value) for name, value in controls.items())
    return ", ".join(f"{label} {format_value(value)}" for (label, format_value), value in labelled)
