"""Equalizers in the main window: applied while the sound plays, undone, stored in presets, and read from files."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, Qt
from PySide6.QtWidgets import QApplication, QWidget

from gui.main_window import MainWindow
from gui.settings import Settings, save_preset
from rtgain.config.presets import load_preset
from rtgain.config.session_config import make_session_config
from rtgain.records.equalizer import EqualizerFilter, EqualizerFilters
from rtgain.records.equalizer_text import read_equalizer
from tests.gui.conftest import Sessions
from tests.gui.plots.test_equalizer_plot import drag, learned_equalizer
from tests.gui.test_main_window import OpenWindow, press

FILE = """Preamp: -3.0 dB
Filter 1: ON LSC Fc 105 Hz Gain 6.4 dB Q 0.70
Filter 2: ON PK Fc 1810.5 Hz Gain -2.5 dB Q 0.52
"""

FILTERS = (EqualizerFilter("low_shelf", 105.0, 6.4, 0.7), EqualizerFilter("peak", 1810.5, -2.5, 0.52))


def applied(sessions: Sessions) -> EqualizerFilters:
    """The equalizer that the session has got last."""
    changes = [changes for name, changes in sessions.last.calls if name == "set_reference" and "equalizer" in changes]
    equalizer: EqualizerFilters = changes[-1]["equalizer"]
    return equalizer


def shown_gains(window: MainWindow) -> list[float]:
    return [row.gain.value() for row in window.equalizer.reference.rows]


class _WindowsShown(QObject):
    """Event filter that collects the widgets that are shown as windows of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
            self.names.append(type(watched).__name__)
        return False


def test_equalizers_fit_a_small_window_without_scrolling(qtbot: Any, open_window: OpenWindow) -> None:
    """The hidden workspace is higher, and must not add to the height."""
    window = open_window(processor="eq")
    window.resize(1024, 700)
    qtbot.waitUntil(window.equalizer.plots.isVisible)
    assert window.compare.minimumSizeHint().height() > window.workspaces.widget(1).minimumSizeHint().height()
    assert not window._scroll.verticalScrollBar().isVisible()


def test_no_panel_is_a_window_for_a_moment_at_the_start(qapp: QApplication, open_window: OpenWindow) -> None:
    shown = _WindowsShown()
    qapp.installEventFilter(shown)
    try:
        open_window()
    finally:
        qapp.removeEventFilter(shown)
    assert shown.names == ["MainWindow"]


def test_equalizers_are_shown_with_their_processor_and_by_key(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions
) -> None:
    window = open_window()
    assert not window.equalizer.response.isVisible()
    press(qtbot, window, Qt.Key.Key_E)
    assert window.equalizer.response.isVisible()
    assert not any(plot.isVisible() for plot in window.plots)
    press(qtbot, window, Qt.Key.Key_E)
    assert all(plot.isVisible() for plot in window.plots)
    assert not window.equalizer.reference.isVisible()
    window.session_actions.change_estimator({"processor": "eq"})
    assert window.equalizer.response.isVisible()
    sessions.last.faults["equalizer"] = learned_equalizer()
    qtbot.waitUntil(lambda: window.equalizer.learned.rows[5][2].text() == "6.00 dB")
    qtbot.waitUntil(lambda: window.equalizer.learned.residual.text().startswith("Difference −"))


def test_filters_change_while_the_session_runs_and_are_undone(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions
) -> None:
    window = open_window(processor="eq")
    window.equalizer.reference.rows[0].gain.setValue(6.0)
    assert applied(sessions).filters[0] == EqualizerFilter("low_shelf", 100.0, 6.0, math.sqrt(0.5))
    qtbot.waitUntil(lambda: window.equalizer.response._now_s > 0.0)
    box = window.equalizer.response.plot.view
    pixel_db = box.viewPixelSize()[1]
    drag(window.equalizer.response, 0, QPoint(0, 10), Qt.KeyboardModifier.NoModifier)
    dragged_db = applied(sessions).filters[0].gain_db
    assert dragged_db == pytest.approx(6.0 - 10 * pixel_db, abs=0.05)
    window.equalizer.reference.rows[0].on.click()
    assert applied(sessions).filters[0].gain_db == 0.0
    assert window.controller.config.equalizer.filters[0].gain_db == dragged_db, "a filter that is off keeps its gain"
    window.session_actions.undo()
    assert shown_gains(window)[0] == applied(sessions).filters[0].gain_db == 0.0
    window.session_actions.redo()
    assert shown_gains(window)[0] == pytest.approx(dragged_db, abs=0.005)
    assert len(sessions.made) == 1, "the sound was never interrupted"


def test_equalizer_and_processor_are_stored_in_presets_and_settings(open_window: OpenWindow) -> None:
    window = open_window()
    window.session_actions.change_estimator({"processor": "eq"})
    window.equalizer.reference.move_filter(2, 1.5, -7.25)
    config = window.controller.config
    path = save_preset("bass", config)
    restored = make_session_config(**load_preset(path))
    assert restored == config
    stored = json.loads(path.read_text())["session"]["equalizer"]["filters"][2]
    assert stored == {"type": "peak", "frequency_hz": 1200.0, "gain_db": -7.25, "q": 1.0}
    assert Settings().with_session(config).session_for(make_session_config()) == config


def test_an_equalizer_file_is_loaded_and_the_learned_one_saved(
    open_window: OpenWindow, sessions: Sessions, tmp_path: Path
) -> None:
    window = open_window(processor="eq")
    (tmp_path / "eq.txt").write_text(FILE)
    window.file_actions.load_equalizer_from(str(tmp_path / "eq.txt"))
    assert applied(sessions) == EqualizerFilters(-3.0, FILTERS)
    assert window.equalizer.reference.preamp.value() == -3.0
    assert shown_gains(window)[:2] == [6.4, -2.5]
    window.file_actions.save_equalizer()
    assert "No equalizer is learned yet" in window.notices.texts()[-1]
    learned = learned_equalizer()
    window.equalizer.learned.show_learned(learned, is_on=True)
    window.file_actions.save_equalizer_to(str(tmp_path / "learned.txt"))
    saved = read_equalizer(tmp_path / "learned.txt")
    assert saved.gain_db == learned.equalizer.gain_db
    assert [item.gain_db for item in saved.filters] == [0.0] * 5 + [6.0]
    (tmp_path / "bad.txt").write_text("Filter 1: ON PK Fc 100 Hz Gain 6 dB\n")
    window.file_actions.load_equalizer_from(str(tmp_path / "bad.txt"))
    assert "the filter has no Q" in window.notices.texts()[-1]
    assert shown_gains(window)[:2] == [6.4, -2.5]


def test_the_file_of_the_command_line_is_shown_and_replaced_by_the_first_change(
    open_window: OpenWindow, sessions: Sessions, tmp_path: Path
) -> None:
    (tmp_path / "eq.txt").write_text(FILE)
    window = open_window(eq=str(tmp_path / "eq.txt"))
    assert shown_gains(window)[:2] == [6.4, -2.5]
    window.equalizer.reference.rows[1].gain.setValue(-3.5)
    assert applied(sessions) == EqualizerFilters(-3.0, (FILTERS[0], EqualizerFilter("peak", 1810.5, -3.5, 0.52)))
    assert window.controller.config.eq is None


def test_a_filter_above_half_of_the_sample_rate_is_refused(open_window: OpenWindow, sessions: Sessions) -> None:
    window = open_window()
    sessions.last.sample_rate = 8_000
    window.equalizer.reference.rows[5].gain.setValue(3.0)
    assert "filter 6: 9000 Hz is not below half of the sample rate" in window.notices.texts()[-1]
    assert shown_gains(window)[5] == 0.0
    assert window.controller.config.equalizer is None


def test_without_a_reference_path_its_equalizer_is_disabled(open_window: OpenWindow, tmp_path: Path) -> None:
    window = open_window(input=str(tmp_path / "dry.wav"), target=str(tmp_path / "target.wav"), processor="eq")
    assert not window.equalizer.reference.isEnabled()
    assert window.equalizer.response.reference.path().isEmpty()
