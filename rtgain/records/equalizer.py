"""Equalizer settings: a gain and filters, and their coefficients for the kernel."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtgain.config.names import MAX_FILTERS, FilterKind
from rtgain.errors import InputError
from rtgain.records.biquad import LOG_ROOT, cookbook_biquad

NO_FILTER = (1.0, 0.0, 0.0, 0.0, 0.0)
"""Coefficients of a filter without effect."""


@dataclass(frozen=True)
class EqualizerFilter:
    """One filter: its kind, corner or center frequency in Hz, gain in dB, and Q."""

    kind: FilterKind
    frequency_hz: float
    gain_db: float
    q: float

    def to_object(self) -> dict[str, Any]:
        """Convert to an object of the JSON output."""
        return {"type": self.kind, "frequency_hz": self.frequency_hz, "gain_db": self.gain_db, "q": self.q}


@dataclass(frozen=True)
class EqualizerFilters:
    """Equalizer: filters in series, and a gain in dB."""

    gain_db: float = 0.0
    filters: tuple[EqualizerFilter, ...] = ()

    def coefficients(self, sample_rate: float) -> NDArray[np.float64]:
        """Compute b0, b1, b2, a1, a2 of each filter, ``(filters, 5)``, normalized to a0 = 1, without the gain.

        A filter of 0 dB has no effect at all, but keeps its row and its poles: the others can then ramp from their own
        rows, and it can ramp to another gain. An equalizer of such filters only has no rows.

        Raises `InputError` for a frequency that is not below half of `sample_rate`, and for too many filters.
        """
        if len(self.filters) > MAX_FILTERS:
            raise InputError(f"the equalizer has {len(self.filters)} filters; use at most {MAX_FILTERS}")
        if all(item.gain_db == 0.0 for item in self.filters):
            return np.empty((0, 5))
        rows = []
        for number, equalizer_filter in enumerate(self.filters, 1):
            frequency_hz = equalizer_filter.frequency_hz
            is_possible = 0.0 < frequency_hz < sample_rate / 2.0
            if not is_possible and equalizer_filter.gain_db == 0.0:
                rows.append(NO_FILTER)
                continue
            if not is_possible:
                raise InputError(
                    f"filter {number}: {frequency_hz:g} Hz is not below half of the sample rate of {sample_rate:g} Hz; "
                    "remove it"
                )
            omega = 2.0 * math.pi * frequency_hz / sample_rate
            kind, root_a, q = equalizer_filter.kind, math.exp(LOG_ROOT * equalizer_filter.gain_db), equalizer_filter.q
            b0, b1, b2, a0, a1, a2 = cookbook_biquad(kind, root_a, q, math.cos(omega), math.sin(omega))
            rows.append((b0 / a0, b1 / a0, b2 / a0, a1 / a0, a2 / a0))
        return np.array(rows, np.float64)

    def response(self, frequency_hz: NDArray[np.float64], sample_rate: float) -> NDArray[np.complex128]:
        """Compute the complex response with the gain at `frequency_hz`, ``(N,)``. Raises `InputError` as above."""
        z1 = np.exp(-2j * math.pi * np.asarray(frequency_hz) / sample_rate)
        response = np.full(z1.shape, 10.0 ** (self.gain_db / 20.0), np.complex128)
        for b0, b1, b2, a1, a2 in self.coefficients(sample_rate):
            response *= (b0 + (b1 + b2 * z1) * z1) / (1.0 + (a1 + a2 * z1) * z1)
        return response
