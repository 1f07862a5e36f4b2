"""Names, choices and ranges of the session options; standard library only, so that every layer may import it."""

import math
from types import MappingProxyType
from typing import Any, Literal, get_args

Clock = Literal["device", "timer", "offline"]
Target = Literal["reference", "channel", "return"]
Monitor = Literal["dry", "target", "matched", "difference", "mute"]
LevelMatchMode = Literal["off", "estimate", "loudness"]
Polarity = Literal["normal", "invert"]
Switch = Literal["on", "off"]
ProcessorName = Literal["gain", "eq"]
ChannelCount = Literal["auto", 1, 2]
FilterKind = Literal["low_shelf", "peak", "high_shelf"]

CLOCKS: tuple[Clock, ...] = get_args(Clock)
TARGETS: tuple[Target, ...] = get_args(Target)
MONITORS: tuple[Monitor, ...] = get_args(Monitor)
LEVEL_MATCHES: tuple[LevelMatchMode, ...] = get_args(LevelMatchMode)
POLARITIES: tuple[Polarity, ...] = get_args(Polarity)
SWITCHES: tuple[Switch, ...] = get_args(Switch)
PROCESSORS: tuple[ProcessorName, ...] = get_args(ProcessorName)
CHANNEL_COUNTS: tuple[ChannelCount, ...] = get_args(ChannelCount)

SYNTHETIC_INPUTS = ("demo", "sine", "pink")
"""Sources that rtgain synthesizes. Any other `input` except ``mic`` is the path of a file."""

LOSSES = ("waveform", "spectral", "spectral-power", "stft", "multi-resolution", "log-stft")
"""Names of the losses of `rtgain.dsp.losses`, listed here because the GUI process does not import torch."""

AURALOSSES = ("auraloss-stft", "auraloss-multi-resolution", "auraloss-esr", "auraloss-log-cosh")
"""Names of the losses of `rtgain.dsp.auraloss_adapter`, available if auraloss is installed."""

OPTIMIZERS = (
    "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "ASGD",
    "NAdam", "RAdam", "RMSprop", "Rprop", "SGD",
)  # fmt: skip
"""Names of the `torch.optim` classes whose step needs only a gradient."""

CHANNEL_OPTIONS = MappingProxyType[str, Any](
    {"channels": "auto", "dry_channel": None, "target_channel": None, "output_channel": None}
)
"""Defaults of the options that are valid only for the source, target and devices that they were selected with."""

PRESET_ONLY = ("target_files", "compare", "equalizer")
"""Options that the GUI and presets set; the command line has no options for them."""

GAIN_RANGE_DB = (-120.0, 60.0)
PHASE_RANGE_DEG = (-360.0, 360.0)
NOISE_RANGE_DBFS = (-200.0, 0.0)

MAX_FILTERS = 32
"""Most filters of an equalizer that has an effect; files of AutoEq have ten."""

LEARNED_GAIN_RANGE_DB = (-18.0, 18.0)
LEARNED_FREQUENCY_RANGES_HZ: dict[FilterKind, tuple[float, float]] = {
    "low_shelf": (20.0, 2000.0), "peak": (20.0, 20_000.0), "high_shelf": (1000.0, 20_000.0),
}  # fmt: skip
LEARNED_Q_RANGES: dict[FilterKind, tuple[float, float]] = {
    "low_shelf": (0.5, 1.0), "peak": (0.37, 4.0), "high_shelf": (0.5, 1.0),
}  # fmt: skip
"""Ranges of the filters of a learned equalizer."""

FILTER_GAIN_RANGE_DB = (-60.0, 60.0)
FILTER_Q_RANGE = (0.05, 100.0)

MAX_DELAY_S = 1.0
"""Longest delay of the reference path, and longest delay in either direction that the estimator searches."""

SAMPLE_RATE_RANGE_HZ = (4000, 768_000)
MAX_BLOCK_FRAMES = 65_536
MAX_TARGETS = 4
"""Most target recordings that a session switches between."""

MAX_WINDOW_MS = 2000.0
MAX_DURATION_S = 1e7

MAX_CHANNEL = 512
"""Highest channel number, counted from 1: FFmpeg reads files of up to 512 channels."""

MAX_CHANNELS = 8
"""Most channels that are processed side by side; a live session has one or two."""

CHANNEL_NAMES = ("left", "right")
"""Names of the channels of a stereo session."""

MAX_VALID_SAMPLE = 1e6
"""Largest valid input magnitude (+120 dBFS). Larger samples and NaN are faults, which are replaced by 0."""

MAX_LR = 1000.0
MAX_STEPS = 10_000
MAX_COMPARISONS = 2

DEFAULT_GAIN = 0.15
"""Reference gain, linear."""

DEFAULT_GAIN_DB = 20.0 * math.log10(DEFAULT_GAIN)
DEFAULT_LOSS = "spectral"
DEFAULT_OPTIMIZER = "Rprop"
DEFAULT_WINDOW_MS = 85.0
DEFAULT_HOP_MS = 21.0

DEFAULT_SYNTHETIC_S = 10.0
"""Duration in seconds of a synthetic source on the offline clock."""
