"""Several targets in the window: added, switched and removed by keys and buttons, each with its own level match."""

import math
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent

import rtgain.session.pair_offset
from gui.main_window import MainWindow
from rtgain.config.session_config import SessionConfig, with_changes
from rtgain.errors import InputError
from rtgain.records.delay_curve import DelayCurve, DelaySegment
from rtgain.records.recording_offset import RecordingOffset
from tests.gui.conftest import Sessions
from tests.polling import TIMEOUT_S

RATE = 8000
GAINS = {"louder.wav": 2.0, "softer.wav": 0.5, "third.wav": 0.25, "fourth.wav": 1.0, "fifth.wav": 1.0}
GAINS_DB = {name: 20 * np.log10(gain) for name, gain in GAINS.items()}

SHIFT = Qt.KeyboardModifier.ShiftModifier
CONTROL = Qt.KeyboardModifier.ControlModifier

OpenWindow = Callable[..., MainWindow]


@pytest.fixture
def paths(tmp_path: Path) -> dict[str, str]:
    """Two seconds of noise, and copies with other gains, by file name."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(2 * RATE)
    for name, gain in {"dry.wav": 1.0, **GAINS}.items():
        soundfile.write(tmp_path / name, gain * noise, RATE)
    return {name: str(tmp_path / name) for name in ("dry.wav", *GAINS)}


@pytest.fixture
def window(qtbot: Any, open_window: OpenWindow, paths: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> MainWindow:
    """Window on the dry recording and two targets, both analyzed except for the match."""
    monkeypatch.setattr("gui.background.pair_analysis.PairAnalysis.match", lambda *_: None)

    def search(config: SessionConfig, **_: object) -> RecordingOffset:
        return RecordingOffset(0.001 * GAINS_DB[Path(config.target).name], is_found=True, common_s=2.0)

    monkeypatch.setattr(rtgain.session.pair_offset, "search_offset", search)
    targets = (paths["louder.wav"], paths["softer.wav"])
    window = open_window(input=paths["dry.wav"], target=targets[0], target_files=targets, level_match="loudness")
    wait_until_analyzed(qtbot, window, 2)
    return window


def wait_until_analyzed(qtbot: Any, window: MainWindow, targets: int) -> None:
    loudness = window.compare.slots.loudness
    qtbot.waitUntil(lambda: bool(loudness[f"target {targets}"].text()))


def played(sessions: Sessions) -> str:
    return Path(sessions.last.config.target).name


def wait_until_played(qtbot: Any, sessions: Sessions, name: str) -> None:
    qtbot.waitUntil(lambda: played(sessions) == name)


def test_targets_are_switched_by_keys_without_a_restart(
    qtbot: Any, window: MainWindow, sessions: Sessions, paths: dict[str, str]
) -> None:
    made = len(sessions.made)
    slots = window.compare.slots
    assert slots.choices["target 1"].isChecked()
    assert slots.loudness["target 1"].text() != slots.loudness["target 2"].text()
    qtbot.keyClick(window, Qt.Key.Key_2, SHIFT)
    wait_until_played(qtbot, sessions, "softer.wav")
    ((target, offset, levels),) = [value for name, value in sessions.last.calls if name == "play_target"]
    assert (target, offset.delay_s) == (paths["softer.wav"], pytest.approx(-0.00602, abs=1e-5))
    assert levels["loudness_lu"] == pytest.approx(-6.02, abs=0.1)
    assert [other.loudness_lu for other in levels["others"]] == pytest.approx([6.02], abs=0.1)
    assert slots.choices["target 2"].isChecked()
    assert not slots.choices["target 1"].isChecked()
    window.compare.differences.show_level(sessions.last.level_match)
    assert window.compare.differences.level.text().startswith("Loudness −6.0")
    qtbot.keyClick(window, Qt.Key.Key_3, SHIFT)  # there is none
    qtbot.keyClick(window, Qt.Key.Key_Z, CONTROL)
    wait_until_played(qtbot, sessions, "louder.wav")
    qtbot.mouseClick(slots.choices["target 1"], Qt.MouseButton.LeftButton)  # plays already, and stays checked
    assert slots.choices["target 1"].isChecked()
    qtbot.keyClick(window, Qt.Key.Key_Z, CONTROL | SHIFT)
    wait_until_played(qtbot, sessions, "softer.wav")
    assert len(sessions.made) == made


def test_results_of_each_target_are_stored(qtbot: Any, window: MainWindow, sessions: Sessions) -> None:
    match = {"std_db": 0.02, "delay_ms": 0.0, "polarity": 1, "channels": [], "state": "tracking", "findings": []}
    config = window.controller.config
    window.compare_controller.analysis.store(config, match=match | {"gain_db": 6.02})
    text = window.compare.differences.match.text()
    assert text.startswith("The target is 6.02\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}0.02\N{NO-BREAK SPACE}dB louder")
    qtbot.keyClick(window, Qt.Key.Key_2, SHIFT)
    wait_until_played(qtbot, sessions, "softer.wav")
    assert window.compare.differences.match.text() != text
    qtbot.keyClick(window, Qt.Key.Key_1, SHIFT)
    wait_until_played(qtbot, sessions, "louder.wav")
    assert window.compare.differences.match.text() == text
    assert window.compare_controller.comparison([(config.target, "{}"), ("other", "{}")]).tests == ["{}"]  # type: ignore[union-attr]


def drop(window: MainWindow, at: QPoint, *paths: str) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(path) for path in paths])
    action, buttons = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    window.dropEvent(QDropEvent(QPointF(at), action, data, buttons, Qt.KeyboardModifier.NoModifier))


def test_targets_are_added_replaced_and_removed(
    qtbot: Any, window: MainWindow, sessions: Sessions, paths: dict[str, str]
) -> None:
    slots, controller = window.compare.slots, window.controller
    made = len(sessions.made)
    before = controller.config
    drop(window, slots.add.mapTo(window, QPoint(5, 5)), paths["third.wav"], paths["fourth.wav"], paths["fifth.wav"])
    names = [Path(target).name for target in controller.config.second_recordings]
    assert names == ["louder.wav", "softer.wav", "third.wav", "fourth.wav"]
    assert "1 more were not opened" in window.notices.texts()[-1]
    assert not slots.add.isEnabled()
    wait_until_analyzed(qtbot, window, 4)
    qtbot.keyClick(window, Qt.Key.Key_4, SHIFT)
    wait_until_played(qtbot, sessions, "fourth.wav")
    qtbot.mouseClick(slots.removals["target 4"], Qt.MouseButton.LeftButton)
    wait_until_played(qtbot, sessions, "third.wav")
    qtbot.mouseClick(slots.removals["target 1"], Qt.MouseButton.LeftButton)
    assert [slots.names[f"target {number}"].text() for number in (1, 2)] == ["softer.wav", "third.wav"]
    assert slots.choices["target 2"].isChecked()
    assert len(sessions.made) == made  # what plays is left alone
    drop(window, slots.names["target 1"].mapTo(window, QPoint(5, 5)), paths["fifth.wav"])
    assert [Path(target).name for target in controller.config.second_recordings] == ["fifth.wav", "third.wav"]
    for _ in range(5):
        qtbot.keyClick(window, Qt.Key.Key_Z, CONTROL)
    wait_until_played(qtbot, sessions, "louder.wav")
    assert controller.config.second_recordings == before.second_recordings
    assert not slots.names["target 3"].isVisible()


def test_target_with_an_unknown_offset_or_other_channels_plays_from_the_same_time(
    qtbot: Any, window: MainWindow, sessions: Sessions, paths: dict[str, str]
) -> None:
    window.controller._offsets.clear()
    for key in (Qt.Key.Key_2, Qt.Key.Key_1):
        session, made = sessions.last, len(sessions.made)
        stopped_s = session.clock() + 0.25
        session.clock = lambda stopped_s=stopped_s: stopped_s
        session.can_switch = False
        present_s = session.present_s
        qtbot.keyClick(window, key, SHIFT)
        qtbot.waitUntil(lambda made=made: window.controller.state == "running" and len(sessions.made) == made + 1)
        assert sessions.last.calls[0][0] == "set_level_differences"  # from its first frame
        assert present_s > 0.25
        assert ("seek", present_s) in sessions.last.calls


def test_target_that_cannot_be_read_leaves_what_plays_alone(
    qtbot: Any, window: MainWindow, sessions: Sessions, paths: dict[str, str]
) -> None:
    sessions.last.target_error = InputError("softer.wav: is damaged")
    qtbot.keyClick(window, Qt.Key.Key_2, SHIFT)
    qtbot.waitUntil(lambda: any("is damaged" in text for text in window.notices.texts()))
    assert played(sessions) == "louder.wav"
    assert window.controller.config.target == paths["louder.wav"]
    assert window.compare.slots.choices["target 1"].isChecked()


def test_targets_cannot_be_switched_during_a_blind_test(qtbot: Any, window: MainWindow, sessions: Sessions) -> None:
    window.blind.show("abx")
    for _ in range(2):  # before it begins, and while a trial is open
        qtbot.keyClick(window, Qt.Key.Key_2, SHIFT)
        assert window.controller.config.target.endswith("louder.wav")
        window.blind.begin(1)
    window.blind.stop()
    window.blind.close_panel()
    qtbot.keyClick(window, Qt.Key.Key_2, SHIFT)
    wait_until_played(qtbot, sessions, "softer.wav")


def moving(offset: RecordingOffset | None) -> RecordingOffset:
    assert offset is not None
    return replace(offset, curve=DelayCurve((DelaySegment(-math.inf, math.inf, offset.delay_s, 60.0),), 60.0))


def played_offsets(sessions: Sessions) -> list[RecordingOffset]:
    return [offset for name, (_, offset, *_) in sessions.last.calls if name == "play_target"]


def test_delay_that_is_followed_while_a_target_is_opened_is_played_from_its_own_source(
    qtbot: Any, window: MainWindow, sessions: Sessions, paths: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[RecordingOffset] = []
    may_open = threading.Event()
    session = sessions.last
    open_target = session.open_target

    def open_later(config: SessionConfig, offset: RecordingOffset) -> Any:
        opened.append(offset)
        assert may_open.wait(TIMEOUT_S)
        return open_target(config, offset)

    monkeypatch.setattr(session, "open_target", open_later)
    qtbot.keyClick(window, Qt.Key.Key_2, SHIFT)
    qtbot.waitUntil(lambda: len(opened) == 1)
    config = with_changes(window.controller.config, target=paths["softer.wav"])
    followed = moving(window.controller.offset_of(config))
    window.compare_controller.analysis.offset_found.emit(config, followed)
    may_open.set()
    qtbot.waitUntil(lambda: session.offset == followed)
    assert played_offsets(sessions) == opened


def test_delay_does_not_change_during_a_blind_test(qtbot: Any, window: MainWindow, sessions: Sessions) -> None:
    config = window.controller.config
    followed = moving(window.controller.offset)
    window.blind.show("abx")
    window.blind.begin(1)
    window.compare_controller.analysis.offset_found.emit(config, followed)
    qtbot.wait(100)
    assert played_offsets(sessions) == []
    window.blind.stop()
    window.blind.close_panel()
    qtbot.waitUntil(lambda: played_offsets(sessions) == [followed])


def test_pair_that_cannot_be_analyzed_is_reported_once(
    qtbot: Any, window: MainWindow, paths: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def fail(*_: Any, **__: Any) -> None:
        calls.append(1)
        raise OSError("disk error")

    monkeypatch.setattr("rtgain.session.pair_loudness.measure_loudness", fail)
    analysis = window.compare_controller.analysis
    config = with_changes(window.controller.config, target=paths["third.wav"])
    analysis.cover([config])
    qtbot.waitUntil(lambda: bool(analysis.results(config).failure))
    qtbot.wait(100)
    assert "disk error" in analysis.results(config).failure
    assert len(calls) == 1


def test_analysis_that_is_cancelled_before_the_outlines_is_completed_later(
    qtbot: Any, window: MainWindow, paths: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait_for_the_end(path: str, cancelled: Callable[[], bool]) -> None:
        while not cancelled():
            pass

    analysis = window.compare_controller.analysis
    config = with_changes(window.controller.config, target=paths["third.wav"])
    with monkeypatch.context() as patch:
        patch.setattr("rtgain.session.overview.read_overview", wait_for_the_end)
        analysis.cover([config])
        qtbot.waitUntil(lambda: analysis.results(config).loudness is not None)
        with qtbot.waitSignal(analysis._measured):
            analysis.cover([])
    analysis.cover([config])
    qtbot.waitUntil(lambda: analysis.results(config).overviews is not None)
