"""Colors and line styles of the project's curves, the same in the window and in every figure.

The hues are those of Okabe and Ito, "Color Universal Design" (2008), which readers with any of the common
color deficiencies can tell apart; the purple is darkened until every line has three times the luminance
contrast of its background. No two curves share a line style either. Nothing here needs torch or Qt.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class CurveStyle:
    """How one signal or trace is drawn: its label, its color on light and on dark, its dashes.

    `dash` is (on, off, on, off, …) in line widths, as matplotlib and Qt both take it; empty is a solid line.
    """

    label: str
    light: str
    dark: str
    dash: tuple[float, ...] = ()

    def color(self, *, dark: bool) -> str:
        """The color as ``#rrggbb`` for a dark or a light background."""
        return self.dark if dark else self.light


LIGHT_BACKGROUND = "#ffffff"
DARK_BACKGROUND = "#1b1f24"
"""What curves are drawn on."""

DRY = CurveStyle("dry", light="#009068", dark="#19b98b", dash=(8, 3, 2, 3))
TARGET = CurveStyle("target", light="#a4477f", dark="#d98fb9", dash=(3, 2))
DIFFERENCE = CurveStyle("difference", light="#fc3ce4", dark="#c0249c", dash=(6, 2, 2, 2, 2, 2))
ESTIMATE = CurveStyle("estimate", light="#0072b2", dark="#56b4e9")
REFERENCE = CurveStyle("reference", light="#3b434d", dark="#d5dae0", dash=(8, 10))
CLOSED_FORM = CurveStyle("closed form", light="#d55e00", dark="#e69f00", dash=(2, 6))
LEAST_SQUARES = CurveStyle("least squares", light="#3c0054", dark="#a8fc9c", dash=(5, 3, 1, 3))
COMPARISON_1 = CurveStyle("first rival", light="#9938fa", dark="#9151fb", dash=(12, 3))
COMPARISON_2 = CurveStyle("second rival", light="#7c0303", dark="#e23636", dash=(5, 2))

CURVE_STYLES = (DRY, TARGET, DIFFERENCE, ESTIMATE, REFERENCE, CLOSED_FORM, LEAST_SQUARES, COMPARISON_1, COMPARISON_2)
