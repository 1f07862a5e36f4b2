"""Every curve of every figure and animation has the style of its signal (`rtgain.output.curve_styles`)."""

from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from rtgain.lessons.catalogue import LESSONS
from rtgain.lessons.lesson import Lesson
from rtgain.output.curve_styles import CURVE_STYLES, REFERENCE
from rtgain.output.figures import LEGEND
from tests.figure_checks import legend_overlaps_curve
from tests.lessons.conftest import experiment

CALLED = {curve.label: curve for curve in CURVE_STYLES} | {"true gain": REFERENCE, "true corner": REFERENCE}
"""Which curve a label of a figure names."""


def figures(lesson: Lesson) -> dict[str, Figure]:
    exhibits = experiment(lesson.name)
    return {name: draw() for name, draw in exhibits.figures.items()} | {"animation": exhibits.film().figure}


def look(line: Any) -> tuple[str, tuple[float, ...]]:
    """Color and dashes of a line; matplotlib has no public word for the latter."""
    return to_hex(line.get_color()), tuple(line._unscaled_dash_pattern[1] or ())


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_every_line_is_one_of_ours_and_the_one_that_its_label_names(lesson: Lesson) -> None:
    known = {(curve.light, curve.dash) for curve in CURVE_STYLES}
    for name, figure in figures(lesson).items():
        lines = [line for axes in figure.axes for line in axes.lines]
        assert lines, name
        for line in lines:
            marker = line.get_linestyle() == "None"
            assert (look(line)[0] in {color for color, _ in known}) if marker else (look(line) in known), name
            curve = CALLED.get(str(line.get_label()))
            if curve is not None:
                assert look(line)[0] == curve.light, (name, line.get_label())
                assert marker or look(line)[1] == curve.dash, (name, line.get_label())


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_no_two_lines_of_one_panel_that_mean_different_things_look_alike(lesson: Lesson) -> None:
    for name, figure in figures(lesson).items():
        for axes in figure.axes:
            looks = [look(line) for line in axes.lines if line.get_linestyle() != "None"]
            assert len(set(looks)) == len(looks), name


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_no_legend_lies_over_a_curve(lesson: Lesson) -> None:
    assert [name for name, figure in figures(lesson).items() if legend_overlaps_curve(figure)] == []


def test_a_legend_shows_the_dashes_of_every_curve() -> None:
    """More than one round of them, at 10 points a letter and lines 1.2 points wide."""
    for curve in CURVE_STYLES:
        assert 1.2 * (sum(curve.dash) + 0.5 * sum(curve.dash[:1])) <= 10 * LEGEND["handlelength"], curve.label


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_no_curve_runs_out_of_its_figure_above_or_below(lesson: Lesson) -> None:
    for name, draw in experiment(lesson.name).figures.items():
        for axes in draw().axes:
            (left, right), (bottom, top) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
            for line in axes.lines:
                if line.get_transform() == axes.transData:
                    x, y = line.get_data()
                    shown = np.asarray(y)[(np.asarray(x) >= left) & (np.asarray(x) <= right)]
                    assert bottom <= shown.min() <= shown.max() <= top, (name, line.get_label())
