"""Loss registry: losses by name."""

import functools
from collections.abc import Callable

from rtgain.dsp.losses import FeatureLoss, LogStftLoss, SpectralLoss, StftLoss, WaveformLoss

LOSSES: dict[str, Callable[[], FeatureLoss]] = {
    "waveform": WaveformLoss,
    "spectral": SpectralLoss,
    "spectral-power": lambda: SpectralLoss(2.0),
    "stft": StftLoss,
    "multi-resolution": lambda: StftLoss((256, 1024, 4096)),
    "log-stft": LogStftLoss,
}
"""Our losses by name."""


@functools.cache
def get_loss(name: str) -> FeatureLoss:
    """The loss that ``--loss`` names: one of ours, or of auraloss's where that is installed. Raises `KeyError`.

    The same object each time: losses keep nothing from call to call.
    """
    from rtgain.dsp.auraloss_adapter import AURALOSSES

    return (LOSSES | AURALOSSES)[name]()
