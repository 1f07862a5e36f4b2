"""Response of the target over the dry recording: measured, over the last seconds, and learned."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gui.plots.response_plot import LEARNED_ENTRY, ResponsePlot
from rtgain.records.response import Response
from rtgain.records.snapshot import Snapshot
from tests.gui.plots.test_equalizer_plot import learned_equalizer, points_of
from tests.gui.plots.test_loss_and_scope_plots import snapshot_after, y_range

BANDS_HZ = np.array([100.0, 1000.0, 10_000.0])


@pytest.fixture
def plot(qtbot: Any) -> ResponsePlot:
    plot = ResponsePlot()
    qtbot.addWidget(plot)
    return plot


def snapshot_with(**fields: Any) -> Snapshot:
    return replace(snapshot_after(1.0), **fields)


def live_response(*gain_db: float) -> Response:
    return Response(BANDS_HZ, np.array(gain_db), np.ones(3))


def test_band_without_a_related_target_is_left_out(plot: ResponsePlot) -> None:
    plot.show_response(
        {"frequency_hz": [100.0, 1000.0, 10_000.0], "gain_db": [1.0, 2.0, None], "coherence": [1.0, 0.9, 0.1]}
    )
    assert points_of(plot.curve)[:, 0].max() == 3.0
    np.testing.assert_allclose(points_of(plot.curve)[:2], [[2.0, 1.0], [3.0, 2.0]])
    plot.show_response(None)
    assert not points_of(plot.curve).size


def test_learned_equalizer_is_drawn_and_named_while_there_is_one(plot: ResponsePlot) -> None:
    learned = learned_equalizer()
    plot.show_snapshot(snapshot_with(equalizer=learned))
    decades, gain_db = points_of(plot.learned).T
    expected = learned.equalizer.response(10.0**decades, snapshot_after(1.0).sample_rate)
    np.testing.assert_allclose(gain_db, 20.0 * np.log10(np.abs(expected)), atol=1e-6)
    entry = plot.legend._entries[LEARNED_ENTRY]
    assert not entry.isHidden()
    plot.show_snapshot(snapshot_with(equalizer=None))
    assert not points_of(plot.learned).size
    assert entry.isHidden()


def test_response_that_is_the_same_is_drawn_once(plot: ResponsePlot, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(plot.live, "show_points", lambda *points: drawn.append(points))
    response = live_response(1.0, 2.0, 1.0)
    for _ in range(2):
        plot.show_snapshot(snapshot_with(response=response))
    assert len(drawn) == 1


def test_axis_stays_while_the_response_varies_around_its_end(plot: ResponsePlot) -> None:
    """A response that changes ten times per second must not change the axis each time."""
    ranges = []
    for tenth in range(10):
        gain_db = 5.0 if tenth % 2 else 6.5
        plot.show_snapshot(snapshot_with(response=live_response(0.0, gain_db, 0.0), time_s=0.1 * tenth))
        ranges.append(y_range(plot))
    assert all(limits == ranges[0] for limits in ranges)
    assert ranges[0][1] >= 6.5
    assert math.isclose(ranges[0][1], round(ranges[0][1]))
