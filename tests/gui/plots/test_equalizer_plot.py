"""Plot of an equalizer: curves, bands without sound, and points that real mouse events move."""

import math
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from gui.plots.equalizer_plot import EqualizerPlot, unknown_ranges
from rtgain.config.reference_equalizer import FLAT_EQUALIZER, ReferenceEqualizer, ReferenceFilter
from rtgain.config.session_config import SessionConfig
from rtgain.records.equalizer import EqualizerFilter, EqualizerFilters
from rtgain.records.learned_equalizer import KINDS, LearnedEqualizer
from rtgain.records.response import Response
from tests.gui.fake_session import FakeSession

FREQUENCIES_HZ = np.geomspace(50.0, 12_800.0, 49)
"""Centers of measured bands, a sixth of an octave apart."""


def learned_equalizer(gain_db: float = -16.0) -> LearnedEqualizer:
    """A high shelf of +6 dB at 8 kHz, five flat filters, of which the first is unknown, measured down to 100 Hz."""
    frequencies_hz = (100.0, 250.0, 800.0, 2200.0, 5500.0, 8000.0)
    filters = tuple(
        EqualizerFilter(kind, hz, 6.0 if kind == "high_shelf" else 0.0, math.sqrt(0.5))
        for kind, hz in zip(KINDS, frequencies_hz, strict=True)
    )
    coherence = np.where(FREQUENCIES_HZ < 95.0, 0.2, 0.99)
    measured = Response(FREQUENCIES_HZ, np.full(len(FREQUENCIES_HZ), gain_db), coherence)
    deviations_db = (math.inf, *[0.1] * 5)
    band_std_db = np.where(coherence < 0.5, math.inf, 0.1)
    start = [0.0] + [value for item in filters for value in (0.0, item.frequency_hz, item.q)]
    end = [gain_db] + [value for item in filters for value in (item.gain_db, item.frequency_hz, item.q)]
    path = np.linspace(start, end, 5)
    equalizer = EqualizerFilters(gain_db, filters)
    return LearnedEqualizer(0.0, 0.0, equalizer, deviations_db, 0.05, measured, band_std_db, path)


@pytest.fixture
def plot(qtbot: Any) -> EqualizerPlot:
    plot = EqualizerPlot()
    qtbot.addWidget(plot)
    plot.resize(700, 300)
    plot.show_equalizer(FLAT_EQUALIZER, -16.0)
    with qtbot.waitExposed(plot):
        plot.show()
    return plot


def show(plot: EqualizerPlot, **faults: Any) -> None:
    session = FakeSession(SessionConfig(gain_db=-16.0), faults=faults)
    session.start()
    plot.show_snapshot(session.snapshot())


def points_of(line: Any) -> np.ndarray:
    path = line.path()
    elements = [path.elementAt(index) for index in range(path.elementCount())]
    return np.array([(element.x, element.y) for element in elements])


def position(plot: EqualizerPlot, index: int) -> QPoint:
    """Position of a reference point on the viewport."""
    view = plot.plot.view
    return plot.plot.mapFromScene(view.mapViewToScene(plot.reference_points[index].pos()))


def drag(plot: EqualizerPlot, index: int, by: QPoint, modifier: Qt.KeyboardModifier) -> None:
    viewport, start = plot.plot.viewport(), position(plot, index)
    QTest.mousePress(viewport, Qt.MouseButton.LeftButton, modifier, start)
    for step in range(1, 5):  # QTest has no modifiers for moves
        at = QPointF(start + by * step / 4)
        button, global_at = Qt.MouseButton.LeftButton, QPointF(viewport.mapToGlobal(at.toPoint()))
        QApplication.sendEvent(viewport, QMouseEvent(QEvent.Type.MouseMove, at, global_at, button, button, modifier))
        QTest.qWait(2)
    QTest.mouseRelease(viewport, Qt.MouseButton.LeftButton, modifier, start + by)


def test_learned_curve_runs_from_the_gain_to_the_gain_plus_the_shelf(plot: EqualizerPlot) -> None:
    show(plot, equalizer=learned_equalizer())
    curve = points_of(plot.learned)
    assert curve[0] == pytest.approx([math.log10(20.0), -16.0], abs=1e-3)
    assert curve[-1] == pytest.approx([math.log10(20_000.0), -10.0], abs=0.1)
    at_corner = np.interp(math.log10(8000.0), *curve.T)
    assert at_corner == pytest.approx(-13.0, abs=0.05), "a shelf has half its gain at its corner"


def test_each_known_filter_has_a_point_at_its_frequency_and_gain(plot: EqualizerPlot) -> None:
    show(plot, equalizer=learned_equalizer())
    first, *_, last = plot.learned_points
    assert not first.isVisible()
    assert last.isVisible()
    assert (last.pos().x(), last.pos().y()) == pytest.approx((math.log10(8000.0), -10.0))
    show(plot, equalizer=None)
    assert not any(point.isVisible() for point in plot.learned_points)
    assert plot.learned.path().isEmpty()


def test_bands_without_sound_are_left_out_and_marked(plot: EqualizerPlot) -> None:
    show(plot, equalizer=learned_equalizer())
    assert points_of(plot.measured)[:, 0].min() >= math.log10(95.0)
    assert plot.no_sound.path().contains(QPointF(math.log10(60.0), -20.0))
    assert not plot.no_sound.path().contains(QPointF(math.log10(1000.0), -20.0))
    assert plot.no_sound.path().contains(QPointF(math.log10(18_000.0), -20.0)), "no band reaches that far"


def test_bands_reach_to_the_middle_of_their_neighbors() -> None:
    frequency_hz = np.array([100.0, 200.0, 400.0, 800.0])
    known = np.array([True, False, True, True])
    edges = [100.0 * 2.0**power for power in (-0.5, 0.5, 1.5, 3.5)]
    expected = [(20.0, edges[0]), (edges[1], edges[2]), (edges[3], 20_000.0)]
    assert unknown_ranges(frequency_hz, known) == [pytest.approx(span) for span in expected]
    assert unknown_ranges(np.empty(0), np.empty(0, bool)) == [(20.0, 20_000.0)]


@pytest.mark.parametrize(
    ("modifier", "share"), [(Qt.KeyboardModifier.NoModifier, 1.0), (Qt.KeyboardModifier.ShiftModifier, 0.1)]
)
def test_drag_changes_frequency_and_gain_and_shift_makes_it_fine(
    plot: EqualizerPlot, modifier: Qt.KeyboardModifier, share: float
) -> None:
    moves: list[tuple[int, float, float]] = []
    plot.moved.connect(lambda *move: moves.append(move))
    box = plot.plot.view
    pixel_x, pixel_y = box.viewPixelSize()
    before = box.viewRange()
    drag(plot, 3, QPoint(40, -20), modifier)
    assert {index for index, _, _ in moves} == {3}
    factor = math.prod(factor for _, factor, _ in moves)
    assert math.log10(factor) == pytest.approx(40 * pixel_x * share, rel=0.01)
    assert sum(change_db for *_, change_db in moves) == pytest.approx(20 * pixel_y * share, rel=0.01)
    assert box.viewRange() == before, "the plot itself does not move"


def test_double_click_resets_the_gain_of_a_point_and_elsewhere_the_view(qtbot: Any, plot: EqualizerPlot) -> None:
    with qtbot.waitSignal(plot.gain_reset) as signal:
        QTest.mouseDClick(plot.plot.viewport(), Qt.MouseButton.LeftButton, pos=position(plot, 2))
    assert signal.args == [2]
    plot.zoomed = True
    QTest.mouseDClick(plot.plot.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(80, 40))
    assert not plot.zoomed


def test_wheel_changes_the_q_of_the_point_under_the_mouse(qtbot: Any, plot: EqualizerPlot) -> None:
    at = QPointF(position(plot, 4))
    viewport = plot.plot.viewport()
    for modifier, notches in ((Qt.KeyboardModifier.NoModifier, 1.0), (Qt.KeyboardModifier.ShiftModifier, 0.1)):
        event = QWheelEvent(
            at, QPointF(viewport.mapToGlobal(at.toPoint())), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton,
            modifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        with qtbot.waitSignal(plot.wheel_moved) as signal:
            QApplication.sendEvent(viewport, event)
        assert signal.args == [4, pytest.approx(notches)]
    assert not plot.zoomed


def test_axis_follows_the_curves_but_not_during_a_drag(plot: EqualizerPlot) -> None:
    loud = ReferenceFilter(type="peak", frequency_hz=1000.0, gain_db=18.0, q=1.0)
    plot.reference_points[0].is_dragged = True
    axis = plot._axes
    plot.show_equalizer(ReferenceEqualizer(filters=(loud,)), 20.0)
    assert plot._axes == axis
    plot.reference_points[0].is_dragged = False
    show(plot, reference_gain_db=20.0)
    low, high = plot._axes[1].low, plot._axes[1].high
    assert low <= 20.0
    assert high >= 38.0


def test_without_a_reference_path_there_are_no_reference_points(plot: EqualizerPlot) -> None:
    plot.show_equalizer(None, 0.0)
    assert plot.reference.path().isEmpty()
    assert not any(point.isVisible() for point in plot.reference_points)
