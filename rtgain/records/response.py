"""Response: the target over the dry signal, by frequency."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Response:
    """Response in bands of constant relative width, lowest first, ``(bands,)`` each.

    Attributes:
        frequency_hz: centers of the bands.
        gain_db: gain of the target over the dry signal; NaN for a band without sound.
        coherence: share of the target's power that the dry signal explains, 0 to 1; 0 for a band without sound.
    """

    frequency_hz: NDArray[np.float64]
    gain_db: NDArray[np.float64]
    coherence: NDArray[np.float64]

    def to_row(self) -> NDArray[np.float64]:
        """Convert to one column of a ring buffer, ``(3 · MAX_BANDS,)``, padded with NaN."""
        row = np.full((3, MAX_BANDS), np.nan)
        row[:, : len(self.frequency_hz)] = self.frequency_hz, self.gain_db, self.coherence
        return row.ravel()

    @classmethod
    def from_row(cls, row: NDArray[np.float64]) -> "Response":
        """Convert back from `to_row`."""
        columns = row.reshape(3, MAX_BANDS)
        frequency_hz, gain_db, coherence = columns[:, np.isfinite(columns[0])]
        return cls(frequency_hz, gain_db, coherence)


MAX_BANDS = 48
"""Most bands in a row: thirds of an octave from 20 Hz to 1 MHz."""
