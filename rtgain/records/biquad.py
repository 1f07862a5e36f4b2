"""Biquad coefficients of the audio EQ cookbook, as arithmetic that NumPy arrays and torch tensors share.

Source: Robert Bristow-Johnson, "Cookbook formulae for audio equalizer biquad filter coefficients". Shelves use the
form with Q instead of the slope S; S = 1 is Q = 1/√2.
"""

from typing import Any, Literal

FilterKind = Literal["low_shelf", "peak", "high_shelf"]


def cookbook_biquad(kind: FilterKind, gain_db: Any, q: Any, cos: Any, sin: Any) -> tuple[Any, Any, Any, Any, Any, Any]:
    """Compute b0, b1, b2, a0, a1, a2 of a filter; all values are numbers, arrays or tensors of one shape.

    `cos` and `sin` are those of the corner or center frequency in radians per sample.
    """
    a = 10.0 ** (gain_db / 40.0)
    alpha = sin / (2.0 * q)
    if kind == "peak":
        return 1.0 + alpha * a, -2.0 * cos, 1.0 - alpha * a, 1.0 + alpha / a, -2.0 * cos, 1.0 - alpha / a
    side = 1.0 if kind == "low_shelf" else -1.0  # a high shelf is a low shelf with the frequency axis mirrored
    slope = 2.0 * a**0.5 * alpha
    mean, tilt = (a + 1.0) - side * (a - 1.0) * cos, (a + 1.0) + side * (a - 1.0) * cos
    return (
        a * (mean + slope),
        side * 2.0 * a * ((a - 1.0) - side * (a + 1.0) * cos),
        a * (mean - slope),
        tilt + slope,
        -side * 2.0 * ((a - 1.0) + side * (a + 1.0) * cos),
        tilt - slope,
    )
