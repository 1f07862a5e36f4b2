"""Loss map: image, path of the descent, selection of parameters, and the thread that computes it."""

import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gui.background import loss_map_worker
from gui.plots.loss_map_plot import PERIOD_MS, LossMapPlot
from rtgain.config.session_config import SessionConfig
from rtgain.records.equalizer_loss import LossMap, compute_loss_map
from rtgain.records.learned_equalizer import LearnedEqualizer
from tests.gui.fake_session import RATE, FakeSession
from tests.gui.panels.test_routing_panel import choose
from tests.gui.plots.test_equalizer_plot import learned_equalizer, points_of

SHELF_GAIN, SHELF_FREQUENCY = 16, 17
"""Indices of the parameters of the high shelf."""


@pytest.fixture
def plot(qtbot: Any) -> Iterator[LossMapPlot]:
    plot = LossMapPlot()
    qtbot.addWidget(plot)
    choose(qtbot, plot.x_parameter, "6 frequency")
    choose(qtbot, plot.y_parameter, "6 gain")
    yield plot
    plot.close_worker()


def show(plot: LossMapPlot, learned: LearnedEqualizer | None) -> None:
    session = FakeSession(SessionConfig(), faults={"equalizer": learned})
    session.start()
    plot.show_snapshot(session.snapshot())


def test_map_is_computed_in_another_thread_and_drawn(
    qtbot: Any, plot: LossMapPlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned, threads = learned_equalizer(), []

    def compute(*arguments: Any) -> LossMap | None:
        threads.append(threading.current_thread())
        return compute_loss_map(*arguments)

    monkeypatch.setattr(loss_map_worker, "compute_loss_map", compute)
    with qtbot.waitSignal(plot._worker.done) as signal:
        show(plot, learned)
    (found,) = signal.args
    expected = compute_loss_map(learned, RATE, SHELF_FREQUENCY, SHELF_GAIN)
    assert expected is not None
    np.testing.assert_array_equal(found.loss_db, expected.loss_db)
    qtbot.waitUntil(plot.image.isVisible)
    np.testing.assert_allclose(plot.image.image, np.log10(np.maximum(expected.loss_db, 0.01)))
    assert threads != [threading.current_thread()]
    assert len(threads) == 1
    lowest, highest = expected.loss_db.min(), expected.loss_db.max()
    assert plot.range.text() == f"{lowest:.2f} (dark) to {highest:.1f} dB (light)"


def test_values_are_in_the_middle_of_their_pixels(plot: LossMapPlot) -> None:
    show(plot, learned_equalizer())
    loss_db = np.ones((3, 5))
    loss_db[2, 4] = 10.0
    plot.show_map(
        LossMap(SHELF_FREQUENCY, SHELF_GAIN, np.geomspace(1000, 10_000, 5), np.array([0.0, 1.0, 2.0]), loss_db)
    )
    pixel = plot.image.mapRectToParent(plot.image.boundingRect())
    assert (pixel.left(), pixel.right()) == pytest.approx((3.0 - 0.125, 4.0 + 0.125))
    assert (pixel.top(), pixel.bottom()) == pytest.approx((-0.5, 2.5))


def test_path_connects_the_steps_of_successive_descents(plot: LossMapPlot) -> None:
    first = learned_equalizer()
    show(plot, first)
    expected = np.column_stack([np.log10(first.path[:, SHELF_FREQUENCY]), first.path[:, SHELF_GAIN]])
    np.testing.assert_allclose(points_of(plot.path), expected)
    assert plot.dot.pos().y() == 6.0
    show(plot, replace(first, path=first.path[-1:]))  # settled: nothing is added
    assert len(points_of(plot.path)) == len(expected)
    further = np.stack([first.path[-1], first.path[-1] + np.eye(19)[SHELF_GAIN]])
    show(plot, replace(first, path=further))
    assert points_of(plot.path)[-1] == pytest.approx([math.log10(8000.0), 7.0])
    assert len(points_of(plot.path)) == len(expected) + 1
    show(plot, replace(first, path=first.path[:2]))  # from another start: a gap
    assert len(plot._path) == len(expected) + 1 + 1 + 2
    show(plot, None)
    assert plot.path.path().isEmpty()


def test_other_parameters_are_drawn_at_once_and_axes_never_have_the_same(qtbot: Any, plot: LossMapPlot) -> None:
    show(plot, learned_equalizer())
    choose(qtbot, plot.x_parameter, "6 gain")
    assert (plot.x_parameter.currentText(), plot.y_parameter.currentText()) == ("6 gain", "6 frequency")
    assert points_of(plot.path)[-1] == pytest.approx([6.0, math.log10(8000.0)])
    stale = compute_loss_map(learned_equalizer(), RATE, SHELF_FREQUENCY, SHELF_GAIN)
    plot.show_map(stale)
    assert not plot.image.isVisible()
    assert plot.range.text() == ""


def test_maps_are_requested_a_few_times_per_second(plot: LossMapPlot, monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[Any] = []
    monkeypatch.setattr(plot._worker, "request", lambda *request: requests.append(request))
    for _ in range(5):
        show(plot, learned_equalizer())
    assert len(requests) == 1
    assert PERIOD_MS >= 200
