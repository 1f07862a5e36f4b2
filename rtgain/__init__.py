"""rtgain: a live gain matcher, and a place to learn real-time differentiable audio.

From Python, `fit` descends on one pair of signals, and here are the processors and losses to give it. They are
imported when they are first asked for (PEP 562), because PyTorch takes seconds that most of rtgain need not wait for.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtgain.dsp.filters import LowShelf, ThreeBandGain
    from rtgain.dsp.fit import FitHistory, fit
    from rtgain.dsp.losses import SpectralLoss, StftLoss, WaveformLoss
    from rtgain.dsp.processors import DecibelGain, LinearGain

__all__ = [
    "DecibelGain",
    "FitHistory",
    "LinearGain",
    "LowShelf",
    "SpectralLoss",
    "StftLoss",
    "ThreeBandGain",
    "WaveformLoss",
    "__version__",
    "fit",
]

_HOMES = {
    "DecibelGain": "processors",
    "FitHistory": "fit",
    "LinearGain": "processors",
    "LowShelf": "filters",
    "SpectralLoss": "losses",
    "StftLoss": "losses",
    "ThreeBandGain": "filters",
    "WaveformLoss": "losses",
    "fit": "fit",
}

try:
    __version__ = version("rtgain")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"rtgain.dsp.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
