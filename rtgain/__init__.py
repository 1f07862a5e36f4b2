"""rtgain: live gain matcher, and lessons on real-time differentiable audio.

The Python API works on arrays: `fit` descends on one pair of signals, `estimate` and `match` compare two signals as the
program does, and signals, processors and losses are functions of arrays. They are imported on first access (PEP 562),
because importing PyTorch takes seconds and most of rtgain works without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rtgain.version import __version__

if TYPE_CHECKING:
    from rtgain.audio.sources.demo import demo_music
    from rtgain.audio.sources.synthetic import pink_noise
    from rtgain.audio.sources.synthetic_speech import synthetic_speech
    from rtgain.dsp.filters import ParametricEQ
    from rtgain.dsp.fit import FitHistory, fit
    from rtgain.dsp.loss_curve import closed_form_gain, loss_curve
    from rtgain.dsp.losses import SpectralLoss, StftLoss, WaveformLoss
    from rtgain.dsp.processors import DecibelGain, LinearGain
    from rtgain.match.signals import match_signals as match
    from rtgain.output.animation import Animation
    from rtgain.session.offline import estimate, render_reference

__all__ = [
    "Animation",
    "DecibelGain",
    "FitHistory",
    "LinearGain",
    "ParametricEQ",
    "SpectralLoss",
    "StftLoss",
    "WaveformLoss",
    "__version__",
    "closed_form_gain",
    "demo_music",
    "estimate",
    "fit",
    "loss_curve",
    "match",
    "pink_noise",
    "render_reference",
    "synthetic_speech",
]

_MODULES = {
    "Animation": "output.animation",
    "DecibelGain": "dsp.processors",
    "FitHistory": "dsp.fit",
    "LinearGain": "dsp.processors",
    "ParametricEQ": "dsp.filters",
    "SpectralLoss": "dsp.losses",
    "StftLoss": "dsp.losses",
    "WaveformLoss": "dsp.losses",
    "closed_form_gain": "dsp.loss_curve",
    "demo_music": "audio.sources.demo",
    "estimate": "session.offline",
    "fit": "dsp.fit",
    "loss_curve": "dsp.loss_curve",
    "pink_noise": "audio.sources.synthetic",
    "render_reference": "session.offline",
    "synthetic_speech": "audio.sources.synthetic_speech",
}


def __getattr__(name: str) -> Any:
    if name == "match":  # the package is also the function, because both have this name
        return import_module("rtgain.match")
    if name in _MODULES:
        return getattr(import_module(f"rtgain.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
