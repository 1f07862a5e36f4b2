"""Colors and line styles: all can be distinguished, also with color deficiencies."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from rtgain.output.curve_styles import CURVE_STYLES, DARK_BACKGROUND, LIGHT_BACKGROUND

# Linear RGB as perceived with the three kinds of dichromacy: G. M. Machado et al., "A Physiologically-based Model for
# Simulation of Color Vision Deficiency", IEEE TVCG 15 (2009), severity 1.0.
VISION = {
    "normal": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
XYZ_OF_RGB = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(color: str) -> NDArray[np.float64]:
    """sRGB ``#rrggbb`` as linear light (IEC 61966-2-1), shape (3,)."""
    value = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.asarray(np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4))


def contrast(one: str, other: str) -> float:
    """Contrast of two colors as defined by WCAG 2, from 1 to 21."""
    dim, bright = sorted(float(XYZ_OF_RGB[1] @ linear(color)) for color in (one, other))
    return (bright + 0.05) / (dim + 0.05)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIE L*a*b* (D65) of linear RGB."""
    t = XYZ_OF_RGB @ np.clip(rgb, 0, 1) / XYZ_OF_RGB.sum(axis=1)
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("dark", [False, True])
def test_every_line_has_a_contrast_of_at_least_3_with_its_background(dark: bool) -> None:
    background = DARK_BACKGROUND if dark else LIGHT_BACKGROUND
    for curve in CURVE_STYLES:
        assert contrast(curve.color(dark=dark), background) >= 3, curve.label


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("vision", VISION)
def test_colors_differ_for_every_kind_of_vision(vision: str, dark: bool) -> None:
    colors = {curve.label: lab(np.array(VISION[vision]) @ linear(curve.color(dark=dark))) for curve in CURVE_STYLES}
    for one, other in itertools.combinations(colors, 2):
        assert np.linalg.norm(colors[one] - colors[other]) > 10, (one, other)


def test_every_line_has_its_own_dashes() -> None:
    assert len({curve.dash for curve in CURVE_STYLES}) == len(CURVE_STYLES)


def test_styles_import_neither_torch_nor_qt() -> None:
    script = (
        "import sys, rtgain.output.curve_styles; print([m for m in sys.modules if m in ('torch', 'PySide6', 'numpy')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
