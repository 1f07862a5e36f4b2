"""How others estimate a gain: what rtgain is measured against, on the same signals."""

import math
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtgain.dsp.losses import SpectralLoss
from rtgain.metering.loudness import samples_lufs

LESSON_LR = 0.01
LESSON_STEPS = 300
LESSON_S = 0.5

HAS_AURALOSS = find_spec("auraloss") is not None

Samples = NDArray[np.float32]
Loss = Callable[[Tensor, Tensor], Tensor]


def lesson_loss(estimate: Tensor, target: Tensor) -> Tensor:
    """The lesson's spectral loss between two signals, ``(frames,)`` each."""
    value: Tensor = SpectralLoss(window=False, normalize=False)(estimate.unsqueeze(0), target.unsqueeze(0))
    return value


def sgd_baseline(dry: Tensor, target: Tensor, loss: Loss) -> Tensor:
    """The lesson's loop: SGD with a rate of 0.01 on a linear gain from 1, 300 steps. The gain, in dB."""
    gain = torch.nn.Parameter(torch.ones(()))
    optimizer = torch.optim.SGD([gain], lr=LESSON_LR)
    for _ in range(LESSON_STEPS):
        optimizer.zero_grad()
        torch.autograd.backward(loss(gain * dry, target))
        optimizer.step()
    gain_db: Tensor = 20.0 * gain.detach().abs().clamp_min(1e-6).log10()
    return gain_db


def lesson_errors_db(dry: Samples, target: Samples, sample_rate: int, gain_db: float, pieces: int) -> list[float]:
    """The lesson's own loss in the lesson's loop, on some of the half seconds of a recording."""
    return _errors_db(lesson_loss, dry, target, sample_rate, gain_db, pieces)


def auraloss_errors_db(dry: Samples, target: Samples, sample_rate: int, gain_db: float, pieces: int) -> list[float]:
    """auraloss's multi-resolution STFT loss in the lesson's loop; nothing where auraloss is not installed."""
    if not HAS_AURALOSS:
        return []
    from auraloss.freq import MultiResolutionSTFTLoss

    multi_resolution = MultiResolutionSTFTLoss()

    def loss(estimate: Tensor, wanted: Tensor) -> Tensor:
        value: Tensor = multi_resolution(estimate.view(1, 1, -1), wanted.view(1, 1, -1))
        return value

    return _errors_db(loss, dry, target, sample_rate, gain_db, pieces)


def rms_ratio_errors_db(dry: Samples, target: Samples, sample_rate: int, gain_db: float) -> list[float]:
    """The ratio of the levels of every half second that is not silent."""
    frames = round(LESSON_S * sample_rate)
    errors = []
    for start in range(0, len(dry) - frames + 1, frames):
        powers = [float(np.mean(np.square(x[start : start + frames], dtype=np.float64))) for x in (dry, target)]
        if min(powers) > 1e-16:
            errors.append(10.0 * math.log10(powers[1] / powers[0]) - gain_db)
    return errors


def lufs_error_db(dry: Samples, target: Samples, sample_rate: int, gain_db: float) -> float:
    """The difference of the integrated loudness of the whole (ITU-R BS.1770-4)."""
    return samples_lufs(target, sample_rate) - samples_lufs(dry, sample_rate) - gain_db


def _errors_db(loss: Loss, dry: Samples, target: Samples, sample_rate: int, gain_db: float, pieces: int) -> list[float]:
    frames = round(LESSON_S * sample_rate)
    starts = np.linspace(0, len(dry) - frames, pieces + 2)[1:-1].astype(int)
    errors = []
    for at in starts:
        piece, wanted = (torch.from_numpy(x[at : at + frames]) for x in (dry, target))
        errors.append(float(sgd_baseline(piece, wanted, loss)) - gain_db)
    return errors
