"""Pair of all-pass filters with outputs 90 degrees apart, from 20 Hz to 20 Hz below Nyquist.

The outputs I (`in_phase`) and Q (`quadrature_phase`) have exactly the magnitude of the input, and Q is I rotated
by +90 degrees. Therefore cos(φ)·I + sin(φ)·Q is I rotated by φ at every frequency. This takes sixteen
multiplications per frame; an FIR Hilbert filter would need about ten thousand taps for 20 Hz.

Each filter is a cascade of eight sections (a − z⁻²) / (1 − a·z⁻²), and `in_phase` has one more z⁻¹. The
sixteen `a` are those of an elliptic half-band filter with its poles rotated by 90 degrees, in the closed form of
Valenzuela and Constantinides, "Digital signal processing schemes for efficient interpolation and decimation",
IEE Proc. G 130 (1983), as in de Soras' hiir library. The nome q comes from the arithmetic-geometric mean, because
the usual power series is inaccurate at 192 kHz.
"""

import math

import numpy as np
from numpy.typing import NDArray

from rtgain.audio.constants import DENORMAL_LIMIT
from rtgain.audio.jit import Record, realtime_jit

LOWEST_HZ = 20.0
"""Lower edge of the band in which the phase difference is exact."""

SECTIONS = 8
"""Sections per filter. The phase error is 0.003 degrees at 48 kHz and 0.02 at 192 kHz; with six, 0.05 and 0.19."""

QUADRATURE = np.dtype(
    [
        ("coefficients", "f8", (SECTIONS, 2)),  # [:, 0] for Q, [:, 1] for I
        ("past", "f8", (SECTIONS + 1, 2, 2)),  # [section, frame parity, filter]: signals two frames earlier
        ("input", "f8"),  # previous input frame: the extra z⁻¹ of `in_phase`
        ("parity", "i8"),
    ]
)


def quadrature_coefficients(sample_rate: float) -> NDArray[np.float64]:
    """Return the coefficients `a`, shape (SECTIONS, 2), from 0 to 1: column 0 for Q, column 1 for I."""
    transition = 2 * LOWEST_HZ / sample_rate
    k = math.tan((1 - 2 * transition) * math.pi / 4) ** 2
    q = math.exp(-math.pi * _agm(1.0, math.sqrt(1 - k * k)) / _agm(1.0, k))
    count = 2 * SECTIONS
    angle = np.arange(1, count + 1)[:, None] * math.pi / (2 * count + 1)
    i = np.arange(40)  # q < 0.6, so the last terms are near 0.6^1600
    sign = (-1.0) ** i
    theta1 = q**0.25 * np.sum(sign * q ** (i * (i + 1)) * np.sin((2 * i + 1) * angle), axis=1)
    theta4 = 0.5 + np.sum((sign * q ** (i * i) * np.cos(2 * i * angle))[:, 1:], axis=1)
    w = (theta1 / theta4) ** 2
    x = np.sqrt((1 - w * k) * (1 - w / k)) / (1 + w)
    coefficients: NDArray[np.float64] = (1 - x) / (1 + x)
    return coefficients.reshape(SECTIONS, 2)


def _agm(a: float, b: float) -> float:
    """Return the arithmetic-geometric mean. The elliptic integral is K(k) = π / (2 agm(1, √(1−k²)))."""
    while abs(a - b) > 1e-15 * a:
        a, b = (a + b) / 2, math.sqrt(a * b)
    return a


@realtime_jit
def reset_quadrature(state: Record) -> None:
    """Set the state of both filters to zero."""
    state.input = 0.0
    state.parity = 0
    past = state.past
    for section in range(SECTIONS + 1):
        for parity in range(2):
            past[section, parity, 0] = 0.0
            past[section, parity, 1] = 0.0


@realtime_jit
def quadrature(
    state: Record,
    x: NDArray[np.float64],
    in_phase: NDArray[np.float64],
    quadrature_phase: NDArray[np.float64],
    frames: int,
) -> None:
    """Filter x[:frames] into `in_phase` and `quadrature_phase`."""
    a = state.coefficients
    past = state.past
    for i in range(frames):
        parity = state.parity
        q_value, i_value = x[i], state.input
        for section in range(SECTIONS):
            # y[n] = a (x[n] + y[n−2]) − x[n−2]; the output of one section is the input of the next.
            q_next = a[section, 0] * (q_value + past[section + 1, parity, 0]) - past[section, parity, 0]
            i_next = a[section, 1] * (i_value + past[section + 1, parity, 1]) - past[section, parity, 1]
            past[section, parity, 0] = q_value
            past[section, parity, 1] = i_value
            q_value = q_next if abs(q_next) > DENORMAL_LIMIT else 0.0
            i_value = i_next if abs(i_next) > DENORMAL_LIMIT else 0.0
        past[SECTIONS, parity, 0] = q_value
        past[SECTIONS, parity, 1] = i_value
        quadrature_phase[i] = q_value
        in_phase[i] = i_value
        state.input = x[i]
        state.parity = 1 - parity
