"""Two recordings in the window: opened by menu, panel and drag and drop, aligned in the background."""

import math
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QFileDialog

import rtgain.session.pair_offset
from gui.main_window import MainWindow
from gui.panels.reference_panel import OPEN_RECORDING
from rtgain.records.delay_curve import DelayCurve, DelaySegment
from rtgain.records.recording_offset import RecordingOffset
from tests.gui.conftest import Sessions
from tests.polling import TIMEOUT_MS

RATE = 48_000

OpenWindow = Callable[..., MainWindow]


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    """Two seconds of noise, and the same half a second later."""
    noise = 0.1 * np.random.default_rng(0).standard_normal((2 * RATE, 2))
    soundfile.write(tmp_path / "dry.wav", noise, RATE)
    soundfile.write(tmp_path / "target.flac", np.pad(0.5 * noise, ((RATE // 2, 0), (0, 0))), RATE)
    return str(tmp_path / "dry.wav"), str(tmp_path / "target.flac")


def drop(window: MainWindow, at: QPoint, *paths: str) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(path) for path in paths])
    action, buttons = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    window.dropEvent(QDropEvent(at, action, data, buttons, Qt.KeyboardModifier.NoModifier))


def wait_until_aligned(qtbot: Any, window: MainWindow, sessions: Sessions, pair: tuple[str, str]) -> None:
    qtbot.waitUntil(lambda: window.controller.state == "running" and sessions.offsets[-1] is not None)
    config, offset = sessions.last.config, sessions.offsets[-1]
    assert (config.input, config.target) == pair
    assert offset is not None
    assert offset.delay_s == pytest.approx(0.5, abs=1e-5)
    assert window.notices.notice("align") is None
    target = window.reference.target
    assert (target.currentText(), target.currentData()) == (Path(pair[1]).name, pair[1])
    assert not window.reference.gain.isEnabled()


def test_two_dropped_recordings_are_compared(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions, pair: tuple[str, str]
) -> None:
    window = open_window()
    drop(window, QPoint(300, 300), *pair)
    wait_until_aligned(qtbot, window, sessions, pair)
    assert (sessions.last.config.level_match, sessions.last.config.loop) == ("loudness", True)
    window.session_actions.choose_level_match("estimate")
    window.compare.slots.swap.click()  # another pair keeps what the user chose
    qtbot.waitUntil(lambda: sessions.last.config.input == pair[1])
    assert (sessions.last.config.level_match, sessions.last.config.loop) == ("estimate", True)


def test_recording_dropped_on_the_target_panel_is_the_target(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions, pair: tuple[str, str]
) -> None:
    window = open_window(input=pair[0])
    drop(window, window.reference.mapTo(window, window.reference.rect().center()), pair[1])
    wait_until_aligned(qtbot, window, sessions, pair)
    made = len(sessions.made)
    window.start()  # the offset is known
    qtbot.waitUntil(lambda: len(sessions.made) > made)
    wait_until_aligned(qtbot, window, sessions, pair)
    window.reference.target_chosen.emit("reference")
    qtbot.waitUntil(lambda: sessions.last.config.target == "reference")
    assert window.reference.target.findData(pair[1]) == -1


def test_target_panel_opens_a_recording(
    qtbot: Any, open_window: OpenWindow, sessions: Sessions, pair: tuple[str, str]
) -> None:
    window = open_window(input=pair[0])
    box = window.reference.target
    box.setCurrentIndex(box.findData(OPEN_RECORDING))
    box.activated.emit(box.currentIndex())
    assert box.currentData() == "reference"
    dialog = window.findChild(QFileDialog)
    assert dialog is not None
    dialog.fileSelected.emit(pair[1])
    dialog.close()
    wait_until_aligned(qtbot, window, sessions, pair)


def test_recording_needs_a_dry_recording_to_be_compared_with(
    qtbot: Any, open_window: OpenWindow, pair: tuple[str, str]
) -> None:
    window = open_window(input="demo")
    window.file_actions.open_target()
    assert window.notices.texts() == ["A recording is compared with another one; open the dry recording first."]
    assert window.findChild(QFileDialog) is None


def test_search_shows_its_progress_and_can_be_cancelled(
    qtbot: Any,
    open_window: OpenWindow,
    sessions: Sessions,
    pair: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def search(config: Any, on_progress: Callable[[float], None], cancelled: Callable[[], bool], **_: Any) -> None:
        while not cancelled():
            on_progress(0.25)

    monkeypatch.setattr(rtgain.session.pair_offset, "search_offset", search)
    window = open_window(input=pair[0])
    made = len(sessions.made)
    window.session_actions.choose_target(pair[1])
    qtbot.waitUntil(lambda: window.notices.notice("align") is not None)
    notice = window.notices.notice("align")
    assert notice is not None
    assert notice.text.text() == "Finding where target.flac begins… 25 %"
    notice.button.click()
    qtbot.waitUntil(lambda: window.notices.notice("align") is None)
    assert window.controller.state == "stopped"
    assert len(sessions.made) == made


@pytest.mark.parametrize("ppm", [0.0, 60.0])
def test_long_pair_is_played_before_its_delay_is_followed(
    qtbot: Any,
    open_window: OpenWindow,
    sessions: Sessions,
    pair: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    ppm: float,
) -> None:
    """Its level is that of excerpts until the whole is measured. Only a delay that moves changes the session."""
    may_follow = threading.Event()
    curve = DelayCurve((DelaySegment(-math.inf, math.inf, 0.5, ppm),), ppm) if ppm else None

    def follow(config: Any, offset: RecordingOffset, **_: Any) -> RecordingOffset:
        assert may_follow.wait(TIMEOUT_MS / 1000)
        return replace(offset, curve=curve, is_followed=True)

    first = RecordingOffset(0.5, is_found=True, common_s=1.5, is_followed=False)
    monkeypatch.setattr("gui.background.pair_analysis.PairAnalysis.match", lambda *_: None)
    monkeypatch.setattr(rtgain.session.pair_offset, "search_offset", lambda *_, **__: first)
    monkeypatch.setattr(rtgain.session.pair_offset, "follow_offset", follow)
    window = open_window(input=pair[0], target=pair[1], level_match="loudness")
    results = window.compare_controller
    qtbot.waitUntil(lambda: results.results.overviews is not None)
    assert (sessions.last.offset, results.results.loudness) == (first, None)
    assert sessions.last.level_match.loudness_lu == pytest.approx(-6.02, abs=0.05)
    may_follow.set()
    qtbot.waitUntil(lambda: results.results.loudness is not None)
    assert sessions.last.level_match.loudness_lu == pytest.approx(-6.02, abs=0.05)
    offset = window.controller.offset
    assert offset is not None
    assert (offset.is_followed, offset.curve) == (True, curve)
    if ppm:
        qtbot.waitUntil(lambda: sessions.last.offset == offset)
    played = [target for name, (target, *_) in sessions.last.calls if name == "play_target"]
    assert played == ([pair[1]] if ppm else [])
    assert len(sessions.made) == 1


def test_unreadable_target_is_reported(
    qtbot: Any, open_window: OpenWindow, pair: tuple[str, str], tmp_path: Path
) -> None:
    window = open_window(input=pair[0])
    (tmp_path / "text.wav").write_text("a shopping list\n")
    session = window.controller.session
    window.session_actions.choose_target(str(tmp_path / "text.wav"))
    qtbot.waitUntil(lambda: any("text.wav" in text for text in window.notices.texts()))
    assert window.controller.state == "running"
    assert window.controller.session is session  # what plays is left alone
    assert window.controller.config.target == "reference"
    assert window.reference.target.currentData() == "reference"
