"""rtgain: live gain matcher, and lessons on real-time differentiable audio.

The Python API consists of `fit`, which descends on one pair of signals, and of processors and losses for it. They are
imported on first access (PEP 562), because importing PyTorch takes seconds and most of rtgain works without it.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtgain.dsp.filters import LowShelf, ParametricEQ, ThreeBandGain
    from rtgain.dsp.fit import FitHistory, fit
    from rtgain.dsp.losses import SpectralLoss, StftLoss, WaveformLoss
    from rtgain.dsp.processors import DecibelGain, LinearGain

__all__ = [
    "DecibelGain",
    "FitHistory",
    "LinearGain",
    "LowShelf",
    "ParametricEQ",
    "SpectralLoss",
    "StftLoss",
    "ThreeBandGain",
    "WaveformLoss",
    "__version__",
    "fit",
]

_MODULES = {
    "DecibelGain": "processors",
    "FitHistory": "fit",
    "LinearGain": "processors",
    "LowShelf": "filters",
    "ParametricEQ": "filters",
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
    if name in _MODULES:
        return getattr(import_module(f"rtgain.dsp.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
