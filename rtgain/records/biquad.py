"""Biquad coefficients of the audio EQ cookbook, as arithmetic that NumPy arrays and torch tensors share.

Source: Robert Bristow-Johnson, "Cookbook formulae for audio equalizer biquad filter coefficients". Shelves use the
form with Q instead of the slope S; S = 1 is Q = 1/√2.
"""

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtgain.config.names import FilterKind

LOG_ROOT = math.log(10.0) / 80.0
"""Natural logarithm per dB of the square root of the cookbook's A, the fourth root of the gain."""


def cookbook_biquad(kind: "FilterKind", root_a: Any, q: Any, cos: Any, sin: Any) -> tuple[Any, Any, Any, Any, Any, Any]:
    """Compute b0, b1, b2, a0, a1, a2 of a filter; all values are numbers, arrays or tensors of one shape.

    `root_a` is exp(`LOG_ROOT` · gain in dB). `cos` and `sin` are those of the corner or center frequency in radians per
    sample.
    """
    a = root_a * root_a
    alpha = sin / (2.0 * q)
    if kind == "peak":
        return 1.0 + alpha * a, -2.0 * cos, 1.0 - alpha * a, 1.0 + alpha / a, -2.0 * cos, 1.0 - alpha / a
    side = 1.0 if kind == "low_shelf" else -1.0  # a high shelf is a low shelf with the frequency axis mirrored
    slope = 2.0 * root_a * alpha
    mean, tilt = (a + 1.0) - side * (a - 1.0) * cos, (a + 1.0) + side * (a - 1.0) * cos
    return (
        a * (mean + slope),
        side * 2.0 * a * ((a - 1.0) - side * (a + 1.0) * cos),
        a * (mean - slope),
        tilt + slope,
        -side * 2.0 * ((a - 1.0) + side * (a + 1.0) * cos),
        tilt - slope,
    )
