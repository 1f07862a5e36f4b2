"""Workspace Compare: overview, section, level match, what differs, and undo, over a fake session."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import QMimeData, QPoint, QPointF, QRect, Qt, QUrl
from PySide6.QtGui import QDropEvent

import rtgain.session.pair_offset
from gui.compare_controller import MATCH_DELAY_S
from gui.control.session_controller import with_input
from gui.main_window import MainWindow
from gui.panels.recording_slots import EMPTY_TEXT
from rtgain.config.session_config import SessionConfig
from rtgain.number_format import NO_BREAK_SPACE
from rtgain.records.recording_offset import RecordingOffset
from tests.gui.conftest import Sessions

RATE = 48_000
SECONDS = 8

OpenWindow = Callable[..., MainWindow]

MATCH = {
    "gain_db": 4.12, "std_db": 0.02, "delay_ms": 12.0, "polarity": 1, "channels": [], "state": "tracking",
    "findings": [{"kind": "equalization", "text": "low shelf +1.9 dB at 110 Hz"}],
    "response": {"frequency_hz": [100.0, 1000.0, 10000.0], "gain_db": [1.9, 0.0, None], "coherence": [1.0, 0.9, 0.1]},
}  # fmt: skip
"""Part of the object of ``rtgain match --json``."""


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    """Eight seconds of noise, and the same half a second later and 6 dB softer."""
    noise = 0.1 * np.random.default_rng(0).standard_normal((SECONDS * RATE, 2))
    soundfile.write(tmp_path / "dry.wav", noise, RATE)
    soundfile.write(tmp_path / "target.flac", np.pad(0.5 * noise, ((RATE // 2, 0), (0, 0))), RATE)
    return str(tmp_path / "dry.wav"), str(tmp_path / "target.flac")


@pytest.fixture
def window(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions, pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> MainWindow:
    """Window on the pair, analyzed except for the match, which needs a process of several seconds."""
    monkeypatch.setattr("gui.background.pair_analysis.PairAnalysis.match", lambda *_: None)
    offset = RecordingOffset(0.5, is_found=True, common_s=SECONDS - 0.5)
    monkeypatch.setattr(rtgain.session.pair_offset, "search_offset", lambda *_, **__: offset)
    window = open_window(input=pair[0], target=pair[1], level_match="loudness")
    qtbot.waitUntil(lambda: window.compare_controller.results.is_measured)
    return window


def x_at(window: MainWindow, time_s: float) -> QPoint:
    overview = window.compare.overview
    return QPoint(round(time_s / SECONDS * overview.width()), 20)


def test_two_recordings_open_in_compare_and_are_analyzed(window: MainWindow, sessions: Sessions) -> None:
    compare = window.compare
    assert window.workspace == "compare"
    assert compare.isVisible()
    assert not compare.slots.hint.isVisible()
    assert compare.slots.details["dry"].text() == "48 kHz 16 bit stereo WAV · 0:08"
    name, (gain_db, loudness_lu) = sessions.last.calls[-1]
    assert name == "set_level_differences"
    assert np.isnan(gain_db)
    assert loudness_lu == pytest.approx(-6.02, abs=0.02)
    compare.differences.show_level(sessions.last.level_match)
    assert "Attenuated: the dry recording by 6.0" in compare.differences.level.text()
    window.compare_controller.analysis.store(window.controller.config, match=MATCH)
    assert compare.differences.match.text() == (
        "The target is 4.12~±~0.02~dB louder than the dry recording, and 12.0~ms later.".replace("~", NO_BREAK_SPACE)
    )
    shelf = "+1.9~dB at 110~Hz".replace("~", NO_BREAK_SPACE)
    assert compare.differences.findings.text() == f"Also different:\n• low shelf {shelf}"
    assert sessions.last.level_match.gain_db == 4.12
    assert compare.response.curve.path().boundingRect().right() == 3.0  # 1 kHz: the incoherent band is left out


def test_match_begins_after_the_first_estimate_and_without_one_after_ten_seconds_or_the_end(
    window: MainWindow, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A match loads the processor, so that the estimator comes first; but that may have failed."""
    begun: list[str] = []
    monkeypatch.setattr(window.compare_controller.analysis, "start_matching", lambda: begun.append("match"))
    waiting = replace(sessions.last.snapshot(), state="waiting", time_s=0.0)
    cases: list[Callable[[], None]] = [
        lambda: window.compare_controller.show_snapshot(replace(waiting, state="converging")),
        lambda: window.compare_controller.show_snapshot(replace(waiting, time_s=MATCH_DELAY_S)),
        lambda: window.controller.state_changed.emit("stopped"),
    ]
    window._timer.stop()
    for case in cases:
        for state in ("starting", "running"):
            window.controller.state_changed.emit(state)
        window.compare_controller.show_snapshot(waiting)
        assert begun == []
        case()
        assert begun == ["match"]
        begun.clear()
        case()
        assert begun == []


def test_workspaces_are_selected_by_keys_and_the_session_continues(
    qtbot: Any, window: MainWindow, sessions: Sessions
) -> None:
    made = len(sessions.made)
    qtbot.keyClick(window, Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)
    assert (window.workspace, window.gain_plot.isVisible(), window.compare.isVisible()) == ("laboratory", True, False)
    qtbot.keyClick(window, Qt.Key.Key_1, Qt.KeyboardModifier.ControlModifier)
    assert (window.workspace, window.gain_plot.isVisible()) == ("compare", False)
    assert len(sessions.made) == made


def test_click_on_the_overview_seeks_and_a_drag_selects_a_section(
    qtbot: Any, window: MainWindow, sessions: Sessions
) -> None:
    overview, controller = window.compare.overview, window.controller
    qtbot.waitUntil(lambda: window.compare_controller._snapshot is not None)
    qtbot.mouseClick(overview, Qt.MouseButton.LeftButton, pos=x_at(window, 4.0))
    (time_s,) = [value for name, value in sessions.last.calls if name == "seek"]
    assert time_s == pytest.approx(4.0, abs=0.02)
    qtbot.mousePress(overview, Qt.MouseButton.LeftButton, pos=x_at(window, 2.0))
    qtbot.mouseMove(overview, x_at(window, 5.0))
    qtbot.mouseRelease(overview, Qt.MouseButton.LeftButton, pos=x_at(window, 5.0))
    assert (controller.config.start, controller.config.end) == pytest.approx((2.0, 5.0), abs=0.02)
    assert window.compare.section.text().startswith("Section 0:02.0")
    qtbot.waitUntil(lambda: controller.state == "running" and sessions.last.config.start is not None)
    assert not controller.config.loop
    qtbot.waitUntil(lambda: sessions.last.present_s > 2.0)
    qtbot.keyClick(window, Qt.Key.Key_L, Qt.KeyboardModifier.ControlModifier)
    assert controller.config.loop
    assert window.navigation.loop.isChecked()
    qtbot.waitUntil(lambda: controller.state == "running" and sessions.last.config.loop)
    assert [name for name, _ in sessions.last.calls].count("seek") == 1  # it continues where it was
    qtbot.waitUntil(lambda: window.compare_controller._snapshot is not None)
    qtbot.keyClick(window, Qt.Key.Key_I)  # begins where it plays
    assert controller.config.start >= 2.0
    qtbot.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert not controller.config.loop
    assert controller.config.start == pytest.approx(2.0, abs=0.02)
    qtbot.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert controller.config.loop


def test_level_match_changes_without_a_restart_and_can_be_undone(
    qtbot: Any, window: MainWindow, sessions: Sessions
) -> None:
    made = len(sessions.made)
    box = window.navigation.level_match
    box.setCurrentIndex(box.findText("By gain"))
    box.activated.emit(box.currentIndex())
    assert ("set_level_match", "estimate") in sessions.last.calls
    window.session_actions.choose_monitor("dry")
    for mode in ("estimate", "loudness"):
        qtbot.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        assert box.currentData() == window.controller.config.level_match == mode
    assert window.guard.requested == "target"
    assert len(sessions.made) == made


def test_drops_fill_the_slots(qtbot: Any, window: MainWindow, sessions: Sessions, pair: tuple[str, str]) -> None:
    def drop(at: QPoint, *paths: str) -> None:
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(path) for path in paths])
        action, buttons = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
        event = QDropEvent(QPointF(at), action, data, buttons, Qt.KeyboardModifier.NoModifier)
        window.dropEvent(event)

    slots = window.compare.slots
    drop(slots.names["dry"].mapTo(window, QPoint(5, 5)), pair[1])
    assert (window.controller.config.input, window.controller.config.target) == (pair[1], pair[1])
    drop(slots.names["target 1"].mapTo(window, QPoint(5, 5)), pair[0])
    assert (window.controller.config.input, window.controller.config.target) == (pair[1], pair[0])
    qtbot.mouseClick(slots.swap, Qt.MouseButton.LeftButton)
    assert (window.controller.config.input, window.controller.config.target) == pair
    drop(QPoint(300, 500))  # nothing that is a file
    drop(QPoint(300, 500), *pair, *(f"{pair[0]}.{number}" for number in range(4)))
    assert (window.controller.config.input, window.controller.config.target) == pair
    assert len(window.controller.config.second_recordings) == 4
    assert "At most 4 targets are compared; 1 more were not opened" in window.notices.texts()[-1]
    qtbot.waitUntil(lambda: window.controller.state == "running")


def test_empty_workspace_says_what_to_do(qtbot: Any, open_window: OpenWindow) -> None:
    window = open_window()
    qtbot.keyClick(window, Qt.Key.Key_1, Qt.KeyboardModifier.ControlModifier)
    assert window.compare.slots.hint.isVisible()
    assert window.compare.slots.hint.text() == EMPTY_TEXT
    assert not window.compare.abx.isEnabled()


def test_another_file_is_not_compared_with_the_old_second_recording() -> None:
    config = SessionConfig(input="a.wav", target="b.wav", level_match="loudness")
    assert with_input(config, "c.wav").target == "reference"


def test_everything_can_be_reached_on_a_small_screen(open_window: OpenWindow) -> None:
    window = open_window()
    cases = [(size, name) for size in ((1024, 600), (800, 480), (640, 400)) for name in ("compare", "laboratory")]
    for size, workspace in cases:
        window.resize(*size)
        assert window.size().toTuple() == size
        window.show_workspace(workspace)  # type: ignore[arg-type]
        window.grab()
        content, view = window._scroll.widget(), window._scroll.viewport()
        reach_x = view.width() + window._scroll.horizontalScrollBar().maximum()
        reach_y = view.height() + window._scroll.verticalScrollBar().maximum()
        assert reach_x >= content.width()
        assert reach_y >= content.height()
        assert content.minimumSizeHint().width() <= content.width()


@pytest.mark.parametrize("workspace", ["compare", "laboratory", "equalizer", "lessons"])
def test_every_view_is_as_wide_as_a_window_of_1024_pixels(open_window: OpenWindow, workspace: str) -> None:
    window = open_window()
    window.resize(1024, 700)
    window.show_workspace("compare" if workspace == "compare" else "laboratory")
    window.equalizer_button.setChecked(workspace == "equalizer")
    window.lessons_button.setChecked(workspace == "lessons")
    window.grab()
    assert window._scroll.horizontalScrollBar().maximum() == 0
    shown = window.compare.plots if workspace == "compare" else window.equalizer.cards + window.plots
    for plot in shown:
        assert not plot.isVisible() or plot.plot.view.height() >= 2 * plot.plot.tick_height


@pytest.mark.parametrize("size", [(1024, 700), (1280, 800)])
def test_notices_cover_neither_meters_nor_words_nor_controls(window: MainWindow, size: tuple[int, int]) -> None:
    window.resize(*size)
    for subject in ("session", "device", "end"):
        window.notices.show_notice(subject, "Something happened that needs more than one line. " * 2, "Mend", id)
    window.grab()
    compare, notices = window.compare, window.notices
    covered = QRect(notices.mapTo(window, QPoint()), notices.size())
    for part in (compare.levels, compare.differences, compare.slots, compare.overview, window.transport):
        assert not covered.intersects(QRect(part.mapTo(window, QPoint()), part.size()))
    assert QRect(QPoint(), window.size()).contains(covered)


def test_numbers_of_loudness_fit_into_a_window_of_1024_pixels(window: MainWindow) -> None:
    window.resize(1024, 700)
    window.grab()
    numbers = window.compare.levels.numbers["target"]
    assert numbers["momentary_lufs"].isVisible()
    assert numbers["integrated_lufs"].isVisible()


def test_switches_of_the_laboratory_are_not_cut(window: MainWindow) -> None:
    """Two recordings need a line more than other targets."""
    window.show_workspace("laboratory")
    for size in ((1024, 700), (1280, 800)):
        window.resize(*size)
        window.grab()
        for button in (window.equalizer_button, window.lessons_button):
            assert button.visibleRegion().boundingRect() == button.rect()


def test_export_before_the_end_of_the_comparison_says_what_is_missing(
    qtbot: Any, window: MainWindow, tmp_path: Path
) -> None:
    def exported(folder: Path) -> str:
        folder.mkdir()
        window.file_actions.export_to(str(folder))
        notices = window.notices
        qtbot.waitUntil(lambda: any(text.startswith(f"Exported to {folder}") for text in notices.texts()))
        return next(text for text in notices.texts() if text.startswith("Exported to "))

    assert "without gain and findings, because the recordings are still being compared" in exported(tmp_path / "a")
    [report] = (tmp_path / "a").rglob("report.html")
    assert "Gain and findings are missing" in report.read_text(encoding="utf-8")
    match = dict.fromkeys(["gain_db", "std_db", "delay_ms"]) | {
        "polarity": 0,
        "channels": [],
        "state": "incoherent",
        "findings": [],
    }
    window.compare_controller.analysis.store(window.controller.config, match=match)
    assert "without" not in exported(tmp_path / "b")
