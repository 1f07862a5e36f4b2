"""Loss curves: loss against gain on the newest window, and their conversion to rows of a ring buffer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtgain.config.estimator_settings import name_crc

CURVE_POINTS = 121
"""Number of points of a curve."""


@dataclass(frozen=True)
class LossCurves:
    """The selected loss and the waveform L1 loss over a grid of gains, on one window.

    Attributes:
        gain: ``(121,)``, linear and signed, evenly spaced and symmetric about 0.
        loss: ``(121,)``, the selected loss relative to its value at gain 0. A loss on logarithms is infinite there;
            the value of the neighboring point replaces it and is the divisor.
        waveform: ``(121,)``, waveform L1 loss, relative to its value at gain 0.
        gain_est: present estimate, linear, signed by its polarity.
        loss_est: loss at the estimate, on the scale of `loss`.
        waveform_est: waveform L1 loss at the estimate, on the scale of `waveform`.
        center_frame: center of the window in the dry signal.
        loss_key: CRC of the selected loss's name (`name_crc`).
    """

    gain: NDArray[np.float64]
    loss: NDArray[np.float64]
    waveform: NDArray[np.float64]
    gain_est: float
    loss_est: float
    waveform_est: float
    center_frame: float
    loss_key: int

    def is_of(self, loss: str) -> bool:
        """Return True if these curves show `loss`.

        Curves of the previous loss persist if the loss is changed while the signal is silent.
        """
        return self.loss_key == name_crc(loss)

    def to_row(self) -> NDArray[np.float64]:
        """Convert to one column of a ring buffer, ``(2 · 121 + 6,)``."""
        numbers = (self.gain[-1], self.gain_est, self.loss_est, self.waveform_est, self.center_frame, self.loss_key)
        return np.concatenate([self.loss, self.waveform, numbers])

    @classmethod
    def from_row(cls, row: NDArray[np.float64]) -> "LossCurves":
        """Convert back from `to_row`."""
        largest, gain_est, loss_est, waveform_est, center_frame, key = row[2 * CURVE_POINTS :].tolist()
        return cls(
            gain=gain_grid(largest),
            loss=row[:CURVE_POINTS],
            waveform=row[CURVE_POINTS : 2 * CURVE_POINTS],
            gain_est=gain_est,
            loss_est=loss_est,
            waveform_est=waveform_est,
            center_frame=center_frame,
            loss_key=int(key),
        )


def gain_grid(largest: float) -> NDArray[np.float64]:
    """Compute the gains of a curve: `CURVE_POINTS` values from −`largest` to `largest`, including 0."""
    return largest * np.arange(-(CURVE_POINTS // 2), CURVE_POINTS // 2 + 1) / (CURVE_POINTS // 2)
