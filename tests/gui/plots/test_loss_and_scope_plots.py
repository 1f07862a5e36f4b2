"""Loss, spectrum and waveform plots of a snapshot."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QRectF
from PySide6.QtWidgets import QLabel

from gui.plots.loss_plots import LossCurvePlot, LossOverTimePlot
from gui.plots.plot_card import Line, PlotCard
from gui.plots.scope_plots import SpectrumPlot, WaveformPlot, first_rise
from rtgain.config.session_config import SessionConfig
from rtgain.output.curve_styles import ESTIMATE
from rtgain.records.history import History
from rtgain.records.snapshot import Snapshot
from tests.gui.fake_session import FakeSession


def snapshot_after(seconds: float, **options: Any) -> Snapshot:
    """Return a snapshot of a fake session after `seconds`."""
    times = iter([0.0, seconds, seconds])
    session = FakeSession(SessionConfig(**options), clock=lambda: next(times))
    session.start()
    return session.snapshot(scope=True)


def points(line: Line) -> np.ndarray:
    path = line.path()
    return np.array([(path.elementAt(i).x, path.elementAt(i).y) for i in range(path.elementCount())])


def names(plot: PlotCard) -> list[str]:
    return [label.text() for label in plot.legend.findChildren(QLabel)]


def y_range(plot: PlotCard) -> list[float]:
    return list(plot.plot.view.viewRange()[1])


def test_estimate_is_a_point_on_both_loss_curves(qtbot: Any) -> None:
    plot = LossCurvePlot()
    qtbot.addWidget(plot)
    snapshot = snapshot_after(5.0, gain_db=-12.0, loss="log-stft")
    curves = snapshot.curves
    assert curves is not None
    plot.show_snapshot(snapshot, "log-stft")
    at = plot.dots[ESTIMATE].pos()
    assert at.x() == pytest.approx(10 ** (-12 / 20), rel=1e-3)
    on_curve = np.interp(at.x(), curves.gain, curves.loss)
    assert at.y() == pytest.approx(on_curve, abs=0.06)  # the minimum lies between two points of the curve
    np.testing.assert_allclose(points(plot.loss)[:, 1], curves.loss)
    assert names(plot) == ["log-stft", "waveform L1"]


def test_curves_of_another_loss_or_session_are_not_drawn(qtbot: Any) -> None:
    plot = LossCurvePlot()
    qtbot.addWidget(plot)
    snapshot = snapshot_after(5.0)
    for stale, loss in ((replace(snapshot, curves=None), "stft"), (snapshot, "waveform")):
        plot.show_snapshot(snapshot, "spectral")
        assert points(plot.loss).size
        assert all(dot.isVisible() for dot in plot.dots.values())
        plot.show_snapshot(stale, loss)
        assert names(plot)[0] == loss
        assert [points(line).size for line in (plot.loss, plot.waveform)] == [0, 0]
        assert not any(dot.isVisible() for dot in plot.dots.values())


def test_same_curves_are_drawn_once(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plot = LossCurvePlot()
    qtbot.addWidget(plot)
    drawn: list[Any] = []
    monkeypatch.setattr(plot.loss, "show_points", lambda *points: drawn.append(points))
    snapshot = snapshot_after(5.0)
    for _ in range(2):
        plot.show_snapshot(snapshot, "spectral")
    assert len(drawn) == 1


def test_loss_axes_have_the_range_of_the_curve_and_begin_at_zero(qtbot: Any) -> None:
    plot = LossCurvePlot()
    qtbot.addWidget(plot)
    snapshot = snapshot_after(5.0)
    plot.show_snapshot(snapshot, "spectral")
    assert snapshot.curves is not None
    x_range = plot.plot.view.viewRange()[0]
    assert x_range == [snapshot.curves.gain[0], snapshot.curves.gain[-1]]
    assert y_range(plot)[0] == 0.0


def test_loss_over_time_is_logarithmic_and_limited_to_single_precision(qtbot: Any) -> None:
    plot = LossOverTimePlot()
    qtbot.addWidget(plot)
    snapshot = snapshot_after(5.0)
    plot.show_history(snapshot.history, snapshot.time_s, "spectral")
    shown = points(plot.loss)[:, 1]
    np.testing.assert_allclose(shown, np.log10(np.maximum(snapshot.history.loss, 1e-7)))
    assert y_range(plot) == pytest.approx([-7.0, 0.5])


def test_loss_over_time_has_gaps_without_estimates(qtbot: Any) -> None:
    plot = LossOverTimePlot()
    qtbot.addWidget(plot)
    snapshot = snapshot_after(5.0)
    selected = (snapshot.history.time_s < 2.0) | (snapshot.history.time_s > 3.0)
    history = History(**{name: column[..., selected] for name, column in vars(snapshot.history).items()})
    plot.show_history(history, 5.0, "spectral")
    assert [plot.loss.path().intersects(QRectF(ago_s, -7.0, 0.8, 7.5)) for ago_s in (-3.9, -2.9, -1.9)] == [
        True, False, True,
    ]  # fmt: skip


def test_spectra_are_drawn_over_log_frequency_up_to_nyquist(qtbot: Any) -> None:
    plot = SpectrumPlot()
    qtbot.addWidget(plot)
    snapshot = snapshot_after(1.0)
    assert snapshot.scope is not None
    snapshot.scope.dry_db[1, 100:] += 10.0
    plot.show_snapshot(snapshot)
    drawn = points(plot.curves["dry_db"])
    np.testing.assert_allclose(10 ** drawn[:, 0], snapshot.scope.frequency_hz)
    left, right = np.maximum(snapshot.scope.dry_db, -120)
    np.testing.assert_allclose(drawn[:, 1], np.r_[left[:100], right[100:]])
    assert plot.plot.view.viewRange()[0][1] == pytest.approx(np.log10(24_000))


def test_waveform_begins_at_an_upward_zero_crossing_of_the_target(qtbot: Any) -> None:
    plot = WaveformPlot()
    qtbot.addWidget(plot)
    for seconds in (1.0, 1.0007, 1.01):
        plot.show_snapshot(snapshot_after(seconds))
        begin = points(plot.curves["target"])[:2, 1]
        assert begin[0] >= 0
        assert begin[1] > begin[0]
    assert y_range(plot) == [-0.5, 0.5]


def test_waveform_of_stereo_is_that_of_the_louder_channel(qtbot: Any) -> None:
    plot = WaveformPlot()
    qtbot.addWidget(plot)
    names = [label.text() for label in plot.legend._labels]
    assert names == ["target", "matched"]
    for left, right, shown in ((1.0, 1.5, "left"), (1.0, 2.5, "right"), (1.5, 1.0, "right"), (2.5, 1.0, "left")):
        snapshot = snapshot_after(1.0)
        assert snapshot.scope is not None
        snapshot.scope.target[:] *= np.float32([[left], [right]])
        plot.show_snapshot(snapshot)
        assert [label.text() for label in plot.legend._labels] == [f"target, {shown}", f"matched, {shown}"]
        loudest = np.abs(snapshot.scope.target).max(axis=1)[["left", "right"].index(shown)]
        assert np.abs(points(plot.curves["target"])[:, 1]).max() == pytest.approx(loudest, rel=0.01)


def test_signal_without_a_zero_crossing_is_shown_from_its_beginning() -> None:
    assert first_rise(np.array([3.0, 2.0, 1.0])) == 0
    assert first_rise(np.array([1.0, -1.0, -0.5, 0.5])) == 3


@pytest.mark.parametrize("make", [LossCurvePlot, SpectrumPlot, WaveformPlot])
def test_plots_without_data_are_empty(qtbot: Any, make: Any) -> None:
    plot = make()
    qtbot.addWidget(plot)
    arguments = ("spectral",) if make is LossCurvePlot else ()
    plot.show_snapshot(snapshot_after(0.0), *arguments)
    assert all(line.path().isEmpty() for line in plot._lines)
