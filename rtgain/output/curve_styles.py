"""Colors and line styles of all curves, for the GUI and for figures. Needs neither torch nor Qt.

The hues are those of Okabe and Ito, "Color Universal Design" (2008): readers with any of the common color deficiencies
can distinguish them. The purple is darkened, so that every line has a luminance contrast of at least three with its
background. Each curve also has its own line style.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class CurveStyle:
    """Style of one signal or trace: label, color on a light and on a dark background, dashes.

    `dash` is (on, off, on, off, …) in line widths, the format of matplotlib and Qt; empty for a solid line.
    """

    label: str
    light: str
    dark: str
    dash: tuple[float, ...] = ()

    def color(self, *, dark: bool) -> str:
        """Return the color as ``#rrggbb`` for a dark or a light background."""
        return self.dark if dark else self.light


LIGHT_BACKGROUND = "#ffffff"
DARK_BACKGROUND = "#1b1f24"
"""Background colors of all plots."""

DRY = CurveStyle("dry", light="#009068", dark="#19b98b", dash=(8, 3, 2, 3))
TARGET = CurveStyle("target", light="#a4477f", dark="#d98fb9", dash=(3, 2))
DIFFERENCE = CurveStyle("difference", light="#fc3ce4", dark="#c0249c", dash=(6, 2, 2, 2, 2, 2))
ESTIMATE = CurveStyle("estimate", light="#0072b2", dark="#56b4e9")
MATCHED = replace(ESTIMATE, label="matched")
"""The matched signal is the dry signal times the estimate, and shares its color. No plot shows both."""

LEFT = replace(DRY, label="left")
RIGHT = replace(TARGET, label="right")
"""Gains of the channels. No plot shows both gains and signals."""

REFERENCE = CurveStyle("reference", light="#3b434d", dark="#d5dae0", dash=(8, 10))
CLOSED_FORM = CurveStyle("closed form", light="#d55e00", dark="#e69f00", dash=(2, 6))
LEAST_SQUARES = CurveStyle("least squares", light="#3c0054", dark="#a8fc9c", dash=(5, 3, 1, 3))
COMPARISON_1 = CurveStyle("comparison 1", light="#9938fa", dark="#9151fb", dash=(12, 3))
COMPARISON_2 = CurveStyle("comparison 2", light="#7c0303", dark="#e23636", dash=(5, 2))

CURVE_STYLES = (DRY, TARGET, DIFFERENCE, ESTIMATE, REFERENCE, CLOSED_FORM, LEAST_SQUARES, COMPARISON_1, COMPARISON_2)
"""All styles that differ from each other."""
