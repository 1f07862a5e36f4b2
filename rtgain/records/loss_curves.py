"""Loss against gain on the newest window, as it travels from the estimator's process to the window."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtgain.config.estimator_settings import name_crc

GAINS = 121
"""Points of a curve."""


@dataclass(frozen=True)
class LossCurves:
    """What the loss in use and the L1 distance of waveforms say about every gain, on one window.

    Attributes:
        gain: ``(121,)``, linear and signed, evenly spaced and symmetric about 0.
        loss: ``(121,)``, the loss in use over its value at gain 0. A loss on logarithms is infinite there; it is
            given the value beside it, and divided by that.
        waveform: ``(121,)``, waveform L1 likewise.
        gain_est: the present estimate, linear, signed by its polarity.
        loss_est: the loss at the estimate, on the scale of `loss`.
        waveform_est: the same of `waveform`.
        center_frame: the window's center in the dry signal.
        loss_key: the loss that was in use, by the number of its name (`name_crc`).
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
        """Whether `loss` is that of these curves: they outlast it where the sound is silent when it is changed."""
        return self.loss_key == name_crc(loss)

    def to_row(self) -> NDArray[np.float64]:
        """The curves as one column of a ring, ``(2 · 121 + 6,)``."""
        numbers = (self.gain[-1], self.gain_est, self.loss_est, self.waveform_est, self.center_frame, self.loss_key)
        return np.concatenate([self.loss, self.waveform, numbers])

    @classmethod
    def from_row(cls, row: NDArray[np.float64]) -> "LossCurves":
        """Undo `to_row`."""
        largest, gain_est, loss_est, waveform_est, center_frame, key = row[2 * GAINS :].tolist()
        gain = gain_grid(largest)
        return cls(gain, row[:GAINS], row[GAINS : 2 * GAINS], gain_est, loss_est, waveform_est, center_frame, int(key))


def gain_grid(largest: float) -> NDArray[np.float64]:
    """The gains of a curve, from −`largest` to `largest`, 0 among them."""
    return largest * np.arange(-(GAINS // 2), GAINS // 2 + 1) / (GAINS // 2)
