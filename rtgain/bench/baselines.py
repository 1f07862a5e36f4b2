"""Other methods of estimating a gain, for comparison with rtgain on the same signals."""

import math
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtgain.dsp.losses import SpectralLoss
from rtgain.metering.loudness import LoudnessMeter

SGD_LR = 0.01
SGD_STEPS = 300
EXCERPT_S = 0.5

HAS_AURALOSS = find_spec("auraloss") is not None

Samples = NDArray[np.float32]
Loss = Callable[[Tensor, Tensor], Tensor]


def plain_spectral_loss(estimate: Tensor, target: Tensor) -> Tensor:
    """Compute the plain spectral loss between two signals, ``(frames,)`` each: no window, not normalized."""
    value: Tensor = SpectralLoss(window=False, normalize=False)(estimate.unsqueeze(0), target.unsqueeze(0))
    return value


def sgd_baseline(dry: Tensor, target: Tensor, loss: Loss) -> Tensor:
    """Estimate the gain in dB with a plain loop: 300 steps of SGD at a learning rate of 0.01 on a linear gain from 1.

    It is the loop of the first lesson.
    """
    gain = torch.nn.Parameter(torch.ones(()))
    optimizer = torch.optim.SGD([gain], lr=SGD_LR)
    for _ in range(SGD_STEPS):
        optimizer.zero_grad()
        torch.autograd.backward(loss(gain * dry, target))
        optimizer.step()
    gain_db: Tensor = 20.0 * gain.detach().abs().clamp_min(1e-6).log10()
    return gain_db


def sgd_baseline_errors_db(
    dry: Samples, target: Samples, sample_rate: int, gain_db: float, excerpts: int
) -> list[float]:
    """Errors of the SGD loop with the plain spectral loss, on `excerpts` half seconds of a recording."""
    return _errors_db(plain_spectral_loss, dry, target, sample_rate, gain_db, excerpts)


def auraloss_errors_db(dry: Samples, target: Samples, sample_rate: int, gain_db: float, excerpts: int) -> list[float]:
    """Errors of the SGD loop with auraloss's multi-resolution STFT loss; empty if auraloss is not installed."""
    if not HAS_AURALOSS:
        return []
    from auraloss.freq import MultiResolutionSTFTLoss

    multi_resolution = MultiResolutionSTFTLoss()

    def loss(estimate: Tensor, target: Tensor) -> Tensor:
        value: Tensor = multi_resolution(estimate.view(1, 1, -1), target.view(1, 1, -1))
        return value

    return _errors_db(loss, dry, target, sample_rate, gain_db, excerpts)


def rms_ratio_errors_db(dry: Samples, target: Samples, sample_rate: int, gain_db: float) -> list[float]:
    """Errors of the ratio of RMS levels, on every half second that is not silent."""
    frames = round(EXCERPT_S * sample_rate)
    errors = []
    for start in range(0, len(dry) - frames + 1, frames):
        powers = [float(np.mean(np.square(x[start : start + frames], dtype=np.float64))) for x in (dry, target)]
        if min(powers) > 1e-16:
            errors.append(10.0 * math.log10(powers[1] / powers[0]) - gain_db)
    return errors


def lufs_error_db(dry: Samples, target: Samples, sample_rate: int, gain_db: float) -> float:
    """Error of the difference in integrated loudness over the whole recording (ITU-R BS.1770-4)."""
    dry_lufs, target_lufs = _integrated_lufs(dry, sample_rate), _integrated_lufs(target, sample_rate)
    return target_lufs - dry_lufs - gain_db


def _integrated_lufs(samples: Samples, sample_rate: int) -> float:
    meter = LoudnessMeter(sample_rate, 1)
    meter.push(samples[None])
    return meter.integrated_lufs


def _errors_db(
    loss: Loss, dry: Samples, target: Samples, sample_rate: int, gain_db: float, excerpts: int
) -> list[float]:
    frames = round(EXCERPT_S * sample_rate)
    starts = np.linspace(0, len(dry) - frames, excerpts + 2)[1:-1].astype(int)
    errors = []
    for start in starts:
        dry_excerpt, target_excerpt = (torch.from_numpy(x[start : start + frames]) for x in (dry, target))
        errors.append(float(sgd_baseline(dry_excerpt, target_excerpt, loss)) - gain_db)
    return errors
