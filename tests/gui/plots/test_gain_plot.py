"""Plot of gain over time, tested by its paths and its pixels."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QLabel

from gui.plots.gain_plot import GainPlot, band_outline, extent
from gui.theme import DARK, LIGHT, Theme
from rtgain.output.curve_styles import CLOSED_FORM, ESTIMATE, REFERENCE
from rtgain.records.history import History
from rtgain.records.snapshot import Comparison

NAN = np.nan


def history(*, until_s: float = 20.0, **fields: Any) -> History:
    """Make a history of 20 s with an estimate every 20 ms; fields that are not given are NaN."""
    time_s = until_s - 20 + np.arange(1000) * 0.02
    unknown = {field.name: NAN for field in dataclasses.fields(History) if field.name != "time_s"}
    unknown |= dict.fromkeys(("channel_gains_db", "channel_polarities"), np.full((1, 1), NAN))
    values = {
        name: np.broadcast_to(value, (*np.shape(value)[:-1], len(time_s))) * 1.0
        for name, value in (unknown | fields).items()
    }
    return History(time_s=time_s, **values)


def test_band_encloses_the_area_between_its_edges() -> None:
    """Areas of two bands, 2 dB over 1 s and 1 dB over 2 s, by the shoelace formula."""
    time_s = np.array([0.0, 1.0, 2.0, 3.0, 5.0])
    low = np.array([-1.0, -1.0, NAN, 0.0, 0.0])
    high = np.array([1.0, 1.0, 4.0, 1.0, 1.0])
    x, y = band_outline(time_s, low, high)
    ends = np.flatnonzero(np.isnan(x))
    areas = []
    for start, stop in zip([0, *(ends[:-1] + 1)], ends, strict=True):
        x_, y_ = x[start:stop], y[start:stop]
        areas.append(0.5 * abs(np.sum(x_ * np.roll(y_, -1) - np.roll(x_, -1) * y_)))
    assert areas == [2.0, 2.0]


def test_reference_and_axis_extend_to_the_present_gain(qtbot: Any) -> None:
    plot = GainPlot()
    qtbot.addWidget(plot)
    plot.show_history(history(gain_true_db=-16.0, gain_est_db=-16.0), 20.0, reference_gain_db=9.0)
    path = plot.reference.path()
    assert (path.currentPosition().x(), path.currentPosition().y()) == (0.0, 9.0)
    assert plot.range.current.holds(-16.0, 9.0)
    before = path.elementAt(path.elementCount() - 2)
    assert (before.x, before.y) == pytest.approx((-0.02, -16.0))


def test_band_without_values_is_empty() -> None:
    x, y = band_outline(np.array([0.0, 1.0]), np.array([NAN, NAN]), np.array([NAN, NAN]))
    assert x.size == y.size == 0


def test_extent_ignores_unknown_values() -> None:
    assert extent(np.array([NAN, -3.0]), np.array([2.0, -np.inf])) == (-3.0, 2.0)
    assert np.isnan(extent(np.array([NAN]))[0])


@pytest.fixture
def plot(qtbot: Any) -> GainPlot:
    plot = GainPlot()
    qtbot.addWidget(plot)
    plot.resize(800, 500)
    with qtbot.waitExposed(plot):
        plot.show()
    return plot


def rows_of(plot: GainPlot, color: str, *, seconds_ago: float) -> list[float]:
    """Return the levels in dB at which `color` is painted, at one position of the time axis.

    A smoothed line distributes its color over two rows of pixels, so each row is tested for its share.
    """
    view = plot.plot.view
    image = plot.plot.grab().toImage()
    x = round(view.mapViewToDevice(QPointF(-seconds_ago, 0)).x())
    background = np.array(plot.plot.backgroundBrush().color().getRgb()[:3])
    away = np.array(QColor(color).getRgb()[:3]) - background
    found = []
    for y in range(image.height()):
        got = np.array(image.pixelColor(x, y).getRgb()[:3]) - background
        share = got @ away / (away @ away)
        if share > 0.3 and np.linalg.norm(got - share * away) < 40:
            found.append(view.mapDeviceToView(QPointF(x, y)).y())
    return found


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_each_curve_is_painted_at_its_level(plot: GainPlot, theme: Theme) -> None:
    plot.show_theme(theme)
    plot.show_history(history(gain_est_db=-6.0), now_s=20.0)
    levels = rows_of(plot, ESTIMATE.color(dark=theme.dark), seconds_ago=7.3)
    assert levels == pytest.approx([-6.0] * len(levels), abs=0.15)
    assert levels


def test_dashes_of_the_reference_move_with_it(plot: GainPlot) -> None:
    """After a whole number of pixels, the picture is the same, moved by that number."""
    view = plot.plot.view
    second = view.width() / 20

    def dashes(now_s: float) -> np.ndarray:
        plot.show_history(history(until_s=now_s, gain_true_db=-6.0), now_s)
        image = plot.plot.grab().toImage()
        y = round(view.mapViewToDevice(QPointF(0, -6)).y())
        left = round(view.mapViewToDevice(QPointF(-15, 0)).x())
        rows = [[image.pixelColor(x, y + dy).lightness() for x in range(left, left + 300)] for dy in (-1, 0, 1)]
        return np.min(rows, axis=0)

    first, later = dashes(20.0), dashes(20.0 + 7 / second)
    assert np.ptp(first) > 100
    np.testing.assert_allclose(later[:-7], first[7:], atol=40)


def test_gap_in_the_estimate_is_not_painted(plot: GainPlot) -> None:
    estimate = np.full(1000, -6.0)
    estimate[400:600] = NAN
    plot.show_history(history(gain_est_db=estimate), now_s=20.0)
    assert rows_of(plot, ESTIMATE.light, seconds_ago=10.5) == []
    assert rows_of(plot, ESTIMATE.light, seconds_ago=14.3) != []


def without_middle(whole: History) -> History:
    """Return `whole` without the estimates from 12 s to 8 s ago."""
    selected = np.r_[0:400, 600:1000]
    return History(**{name: column[..., selected] for name, column in vars(whole).items()})


def test_only_the_reference_is_drawn_across_a_gap(plot: GainPlot) -> None:
    levels = {"gain_est_db": -6.0, "gain_opt_db": -9.0, "least_squares_db": -12.0, "gain_true_db": -3.0, "std_db": 0.5}
    parted = without_middle(history(**levels))
    comparison = Comparison(
        "waveform/SGD", "waveform", "SGD", without_middle(history(gain_est_db=-15.0)), -15.0, "tracking"
    )
    plot.show_history(parted, 20.0, [comparison, comparison], reference_gain_db=-3.0)
    lines = [*plot.estimated.values(), *plot.comparisons, plot.reference]
    crossing = [line.path().intersects(QRectF(-11.0, -20.0, 2.0, 20.0)) for line in lines]
    assert crossing == [False] * 5 + [True]
    assert all(line.path().intersects(QRectF(-14.0, -20.0, 1.0, 20.0)) for line in lines)
    assert not plot.bands["std_db"].path().intersects(QRectF(-11.0, -20.0, 2.0, 20.0))


def test_channels_are_drawn_only_if_their_gains_differ(plot: GainPlot) -> None:
    steady = np.full(1000, -6.0)
    for right_db, is_drawn in ((-6.04, False), (-9.0, True), (NAN, False)):
        gains_db = np.stack([steady, np.full(1000, right_db)])
        plot.show_history(history(gain_est_db=-6.0, channel_gains_db=gains_db), now_s=20.0)
        assert [line.path().intersects(QRectF(-14.0, -20.0, 1.0, 20.0)) for line in plot.channels] == [is_drawn] * 2
    low, _ = plot.plot.view.viewRange()[1]
    assert low < -9


def test_time_axis_is_fixed(plot: GainPlot) -> None:
    view = plot.plot.view
    for now_s in (0.5, 20.0, 1e6):
        plot.show_history(history(gain_est_db=-6.0), now_s)
        assert view.viewRange()[0] == [-20, 0]


def test_gain_axis_widens_to_contain_all_curves(plot: GainPlot) -> None:
    plot.show_history(history(gain_est_db=-6.0, gain_true_db=-50.0, gain_opt_db=10.0), now_s=20.0)
    low, high = plot.plot.view.viewRange()[1]
    assert low < -50
    assert high > 10


def test_outliers_of_the_closed_form_do_not_widen_the_axis(plot: GainPlot) -> None:
    """The demo has pauses; with noise at −43 dBFS on the target, the closed form of one was −122 dB."""
    closed_form = np.full(1000, -6.0)
    closed_form[500:510] = -122.0
    plot.show_history(history(gain_est_db=-6.0, gain_true_db=-6.0, gain_opt_db=closed_form), now_s=20.0)
    low, _ = plot.plot.view.viewRange()[1]
    assert low > -30


def test_history_without_estimates_is_drawn(plot: GainPlot) -> None:
    plot.show_history(History(*np.empty((8, 0)), *np.empty((2, 1, 0))), now_s=0.0)
    assert rows_of(plot, ESTIMATE.light, seconds_ago=5.5) == []


def test_legend_names_every_curve(plot: GainPlot) -> None:
    words = {label.text() for label in plot.findChildren(QLabel)}
    assert {REFERENCE.label, ESTIMATE.label, CLOSED_FORM.label} <= words


def test_focus_sets_the_gain_axis_until_it_is_released(plot: GainPlot) -> None:
    plot.focus_on((-18.0, -15.0))
    plot.show_history(history(gain_est_db=-77.0, gain_true_db=-16.5), 20.0)
    low, high = plot.plot.view.viewRange()[1]
    assert (low < -18.0, high > -15.0, high - low) == (True, True, 6.0)
    plot.focus_on(None)
    low, high = plot.plot.view.viewRange()[1]
    assert low < -77.0
    assert high > -16.5


def test_plot_of_two_recordings_shows_the_estimate_and_no_closed_form(qtbot: Any) -> None:
    plot = GainPlot(for_recordings=True)
    qtbot.addWidget(plot)
    plot.resize(600, 300)
    levels = {"gain_est_db": -6.0, "gain_opt_db": -9.0, "bound_db": 0.5}
    plot.show_history(history(**levels), now_s=20.0)
    assert rows_of(plot, ESTIMATE.light, seconds_ago=10.0) != []
    assert rows_of(plot, CLOSED_FORM.light, seconds_ago=10.0) == []
    names = [label.text() for label in plot.legend.findChildren(QLabel) if label.isVisibleTo(plot)]
    assert names == ["estimate", "± 1 std"]
