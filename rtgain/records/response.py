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
