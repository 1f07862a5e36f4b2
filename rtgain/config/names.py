"""Names and ranges of the session options: losses, optimizers, signals, targets, clocks."""

import math
from typing import Annotated, Literal

from pydantic import Field

SYNTHETIC_INPUTS = ("demo", "sine", "pink")
"""Sources that rtgain makes itself; any other `input` but ``mic`` is the path of a file."""

LOSSES = ("waveform", "spectral", "spectral-power", "stft", "multi-resolution", "log-stft")
"""Names of our losses (`rtgain.dsp.losses`), here because the window never imports torch."""

AURALOSSES = ("auraloss-stft", "auraloss-multi-resolution", "auraloss-esr", "auraloss-log-cosh")
"""Names of auraloss's (`rtgain.dsp.auraloss_adapter`), where it is installed."""

OPTIMIZERS = (
    "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "ASGD",
    "NAdam", "RAdam", "RMSprop", "Rprop", "SGD",
)  # fmt: skip
"""Names of the `torch.optim` classes that step on a gradient alone."""

Clock = Literal["device", "timer", "offline"]
Monitor = Literal["dry", "target", "matched", "difference", "mute"]
Polarity = Literal["normal", "invert"]
Target = Literal["reference", "channel", "return"]

Channel = Annotated[int, Field(ge=1, le=1024)]
"""Counted from 1; libsndfile reads files of up to 1024."""

FileName = Annotated[str, Field(min_length=1, pattern=r"^[^\x00]*$")]

DEFAULT_GAIN_DB = 20.0 * math.log10(0.15)
DEFAULT_SYNTHETIC_S = 10.0
CHANNELS = ("dry_channel", "target_channel", "output_channel")
"""Options that mean something for the source, target and devices that they were chosen with, and for no others."""

PRESET_ONLY = ("compare",)
"""What the window and presets set; the command line has no options for it."""
