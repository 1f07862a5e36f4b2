"""Loss registry: losses by name."""

import functools
from collections.abc import Callable

from rtgain.dsp.auraloss_adapter import AURALOSS_FACTORIES
from rtgain.dsp.losses import FeatureLoss, LogStftLoss, SpectralLoss, StftLoss, WaveformLoss

LOSS_FACTORIES: dict[str, Callable[[], FeatureLoss]] = {
    "waveform": WaveformLoss,
    "spectral": SpectralLoss,
    "spectral-power": lambda: SpectralLoss(2.0),
    "stft": StftLoss,
    "multi-resolution": lambda: StftLoss((256, 1024, 4096)),
    "log-stft": LogStftLoss,
}
"""rtgain's own losses by name."""


@functools.cache
def get_loss(name: str) -> FeatureLoss:
    """Return the loss that ``--loss`` names: one of rtgain's, or of auraloss's if that is installed.

    Each call returns the same object, because losses hold no state between calls. Raises `KeyError`.
    """
    return (LOSS_FACTORIES | AURALOSS_FACTORIES)[name]()
