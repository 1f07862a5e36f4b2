"""Figures and animations of the lessons: every curve has the style of its signal, and no legend covers one."""

import functools
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from rtgain.lessons.catalogue import LESSONS
from rtgain.lessons.lesson import Lesson
from rtgain.output.curve_styles import CURVE_STYLES, MATCHED, REFERENCE
from rtgain.output.figures import LEGEND
from tests.figure_checks import legend_overlaps_curve
from tests.lessons.conftest import experiment

STYLES = {style.label: style for style in (*CURVE_STYLES, MATCHED)}
STYLES |= {"reference gain": REFERENCE, "reference corner": REFERENCE}
"""Styles by the labels in figures."""


@functools.cache
def figures(name: str) -> dict[str, Figure]:
    result = experiment(name)
    return {name: draw() for name, draw in result.figures.items()} | {"animation": result.animation().figure}


def line_style(line: Any) -> tuple[str, tuple[float, ...]]:
    """Color and dashes of a line; matplotlib has no public attribute for the dashes."""
    return to_hex(line.get_color()), tuple(line._unscaled_dash_pattern[1] or ())


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_every_line_has_the_style_of_its_label(lesson: Lesson) -> None:
    styles = {(style.light, style.dash) for style in CURVE_STYLES}
    for name, figure in figures(lesson.name).items():
        lines = [line for axes in figure.axes for line in axes.lines]
        assert lines, name
        for line in lines:
            marker = line.get_linestyle() == "None"
            assert (
                (line_style(line)[0] in {color for color, _ in styles}) if marker else (line_style(line) in styles)
            ), name
            style = STYLES.get(str(line.get_label()))
            if style is not None:
                assert line_style(line)[0] == style.light, (name, line.get_label())
                assert marker or line_style(line)[1] == style.dash, (name, line.get_label())


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_lines_of_one_panel_have_different_styles(lesson: Lesson) -> None:
    for name, figure in figures(lesson.name).items():
        for axes in figure.axes:
            found = [line_style(line) for line in axes.lines if line.get_linestyle() != "None"]
            assert len(set(found)) == len(found), name


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_no_legend_covers_a_curve(lesson: Lesson) -> None:
    assert [name for name, figure in figures(lesson.name).items() if legend_overlaps_curve(figure)] == []


def test_a_legend_is_wide_enough_for_the_dashes_of_every_curve() -> None:
    """More than one period of the dashes, with letters of 10 points and lines 1.2 points wide."""
    for style in CURVE_STYLES:
        assert 1.2 * (sum(style.dash) + 0.5 * sum(style.dash[:1])) <= 10 * LEGEND["handlelength"], style.label


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_no_curve_leaves_its_axes_above_or_below(lesson: Lesson) -> None:
    for name in experiment(lesson.name).figures:
        for axes in figures(lesson.name)[name].axes:
            (left, right), (bottom, top) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
            for line in axes.lines:
                if line.get_transform() == axes.transData:
                    x, y = line.get_data()
                    shown = np.asarray(y)[(np.asarray(x) >= left) & (np.asarray(x) <= right)]
                    assert bottom <= shown.min() <= shown.max() <= top, (name, line.get_label())


def test_the_map_of_local_minima_reaches_the_loss_that_the_lesson_states() -> None:
    """The lower minimum is narrow: a grid that misses it shows a loss several times as large."""
    _, color_bar = figures("filters")["minima"].axes
    assert color_bar.get_ylim()[0] <= experiment("filters").numbers["escaped_loss"]
