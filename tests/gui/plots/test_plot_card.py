"""Plot card: zoom, freeze, reset and save."""

from pathlib import Path
from typing import Any

import numpy as np
import pyqtgraph
import pytest
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QWheelEvent
from PySide6.QtWidgets import QApplication, QLabel

from gui.plots.gain_plot import GainPlot
from tests.gui.plots.test_gain_plot import history

AUTOMATIC_RANGES = [[-20, 0], [-25, 5]]


@pytest.fixture
def plot(qtbot: Any) -> GainPlot:
    plot = GainPlot()
    qtbot.addWidget(plot)
    plot.resize(700, 300)
    with qtbot.waitExposed(plot):
        plot.show()
    plot.show_history(history(gain_est_db=-6.0), now_s=20.0)
    return plot


def test_labels_of_a_low_plot_do_not_overlap(qtbot: Any, plot: GainPlot) -> None:
    def labelled() -> list[float]:
        return [level for level, _ in plot.plot.axes["left"]._tickLevels[0]]

    assert labelled() == [-25, -20, -15, -10, -5, 0, 5]
    plot.resize(700, plot.minimumSizeHint().height())
    qtbot.waitUntil(lambda: len(labelled()) < 7)
    step = np.diff(labelled())[0] * plot.plot.view.height() / np.ptp(AUTOMATIC_RANGES[1])
    assert step >= 0.75 * plot.plot.tick_height
    plot.resize(700, 300)
    qtbot.waitUntil(lambda: len(labelled()) == 7)


def test_pyqtgraph_uses_the_modules_of_qt_and_copies_none_of_their_names() -> None:
    names = {QtCore: "QTimer", QtGui: "QPainter", QtWidgets: "QWidget"}
    for module, name in names.items():
        assert getattr(pyqtgraph.Qt, module.__name__.removeprefix("PySide6.")) is module
        assert name in dir(module)


def ranges(plot: GainPlot) -> Any:
    return plot.plot.view.viewRange()


def scroll_wheel(plot: GainPlot) -> None:
    viewport = plot.plot.viewport()
    middle = QPointF(viewport.rect().center())
    event = QWheelEvent(
        middle, viewport.mapToGlobal(middle), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(viewport, event)


def shows_text(plot: GainPlot, words: str) -> bool:
    return any(words in label.text() for label in plot.findChildren(QLabel))


def test_wheel_zooms_and_fixes_the_axes(plot: GainPlot) -> None:
    scroll_wheel(plot)
    zoomed = ranges(plot)
    assert zoomed[0][1] - zoomed[0][0] < 20
    assert shows_text(plot, "zoomed: double-click to reset")
    plot.show_history(history(gain_est_db=-60.0), now_s=20.0)
    assert ranges(plot) == zoomed


def test_double_click_resets_the_view(qtbot: Any, plot: GainPlot) -> None:
    scroll_wheel(plot)
    plot.freeze.setChecked(True)
    qtbot.mouseDClick(plot.plot.viewport(), Qt.MouseButton.LeftButton)
    assert ranges(plot) == AUTOMATIC_RANGES
    assert not plot.frozen
    assert not shows_text(plot, "double-click")


def test_reset_view_applies_axes_that_changed_meanwhile(plot: GainPlot) -> None:
    scroll_wheel(plot)
    plot.show_history(history(gain_est_db=-50.0, gain_true_db=0.0), now_s=20.0)
    plot.reset_view()
    low, high = ranges(plot)[1]
    assert low < -50 < 0 < high


def test_frozen_plot_draws_no_new_data(plot: GainPlot) -> None:
    before = plot.plot.grab().toImage()
    plot.freeze.setChecked(True)
    plot.show_history(history(gain_est_db=-20.0), now_s=20.0)
    assert plot.plot.grab().toImage() == before
    assert shows_text(plot, "frozen: double-click to reset")
    plot.freeze.setChecked(False)
    plot.show_history(history(gain_est_db=-20.0), now_s=20.0)
    assert plot.plot.grab().toImage() != before


def test_saved_picture_equals_the_card(plot: GainPlot, tmp_path: Path) -> None:
    path = tmp_path / "gain.png"
    plot.save(str(path))
    assert QImage(str(path)).convertToFormat(QImage.Format.Format_RGB32) == plot.grab().toImage().convertToFormat(
        QImage.Format.Format_RGB32
    )


def test_failed_save_is_reported(qtbot: Any, plot: GainPlot, tmp_path: Path) -> None:
    with qtbot.waitSignal(plot.save_failed) as failed:
        plot.save(str(tmp_path / "not there" / "gain.png"))
    assert "cannot be written" in failed.args[0]


def test_band_with_unknown_width_is_empty(plot: GainPlot) -> None:
    plot.show_history(history(gain_est_db=-6.0, std_db=np.nan, bound_db=0.5), now_s=20.0)
    assert plot.bands["std_db"].path().isEmpty()
    box = plot.bands["bound_db"].path().boundingRect()
    assert (box.top(), box.bottom()) == (-6.5, -5.5)
